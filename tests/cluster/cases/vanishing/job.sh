#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# makes and removes files all the time in a directory that goes back with it
(while [ ! -e go ]; do
	mkdir -p work/d; for i in {1..100}; do echo "$i" >"work/d/$i"; done; ln -sf x work/link; mkfifo work/fifo; sleep 0.1
	rm -r work/d work/link work/fifo
done) &
i=0; touch ready
until [ -e go ]; do echo $((i++)) >work/count; sleep 0.2; done
wait
[ "$(cat work/count)" = $((i - 1)) ] && echo kept >result
ls -A work >>result
