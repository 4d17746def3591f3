#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# xargs.sh - xargs -P: four at a time, some before the gate, some at it, some behind it; each writes a file
# shellcheck disable=SC2016 # expanded by the shells that xargs starts
seq 1 40 | xargs -P4 -I{} bash -c '[ {} != 10 ] || echo ready
	[ {} -lt 10 ] || {
	until [ -e go ]; do seq 1 10000 | sha256sum >/dev/null; sleep 0.4; done; }
	seq 1 $((1000 * {})) | sha256sum >xargs.{}'
echo $?
cat xargs.{1..40}
echo end
