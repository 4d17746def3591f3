#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# parallel.sh - GNU parallel: four at a time, some before the gate, some at it, some behind it
# shellcheck disable=SC2016 # expanded by the shells that parallel starts
work='echo {} $(seq 1 $((1000 * {})) | sha256sum); [ {} -lt 10 ] || [ -e go ] || { [ {} != 10 ] || touch ready
	until [ -e go ]; do seq 1 10000 | sha256sum >/dev/null; sleep 0.4; done; }'
{
	until [ -e ready ] || [ -e go ]; do sleep 0.1; done
	echo ready >status
} &
seq 1 40 | parallel --will-cite -j4 --keep-order "$work"
wait
echo end
