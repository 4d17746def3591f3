#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# build.sh SOURCES - `make -j` of some of what is in SOURCES, each file with three optimisations: half of it before the gate, and while
# that is shut a compiler at work and the half-made Makefile waiting with its job server
cat >Makefile <<'EOF'
SRC := $(wordlist 1,24,$(sort $(notdir $(wildcard $(SOURCES)/*.c))))
HALF := $(wordlist 1,6,$(SRC))
REST := $(filter-out $(HALF),$(SRC))
MORE := $(REST:%.c=%.1.o) $(REST:%.c=%.2.o)
all: ; +$(MAKE) --no-print-directory library.a
library.a: $(MORE) | gate
	@ar rcsD $@ $(sort $^ $(HALF:%.c=%.1.o)) && echo linked
$(MORE): | gate
gate: $(HALF:%.c=%.1.o)
	@echo ready; until [ -e go ]; do gcc -std=gnu11 -O2 -D_GNU_SOURCE -I$(SOURCES) -c -o scratch.o $(SOURCES)/$(firstword $(SRC)) && \
		sleep 0.4; done
%.1.o: $(SOURCES)/%.c
	@gcc -std=gnu11 -O1 -D_GNU_SOURCE -I$(SOURCES) -c -o $@ $<
%.2.o: $(SOURCES)/%.c
	@gcc -std=gnu11 -O2 -D_GNU_SOURCE -I$(SOURCES) -c -o $@ $<
.PHONY: all gate
EOF
make -j4 SOURCES="$1" && sha256sum ./*.[12].o library.a && echo end
