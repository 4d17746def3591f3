#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# pipe.sh - a chain of pipes with numbers in them until there is the file go: each line of doubled is 2 n, that of cubed n^3
{
	n=0
	until [ -e go ]; do
		echo $((n++))
		sleep 0.02
	done
} | tee >(awk '{ print $1 * 2; fflush() }' >doubled) | python3 -uc 'import sys
for line in sys.stdin: print(int(line) ** 3)' | cat >cubed
wait
echo end
