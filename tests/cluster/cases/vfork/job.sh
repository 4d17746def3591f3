#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# what works beside it must not stand still for it
(last=$(date +%s%N); until [ -e go ]; do
	sleep 0.2
	now=$(date +%s%N)
	[ $((now - last)) -lt 5000000000 ] || echo "stood still for $(((now - last) / 1000000)) ms" >&2
	last=$now
done) &
./vfork
wait
