#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# pipe.sh - a chain of pipes and a fifo with numbers in them until there is the file go: line n of doubled is 2 n, that of
# cubed n^3
enable -f /usr/lib/bash/sleep sleep
mkfifo numbers
while read -r n; do
	echo $((n * 2))
done <numbers >doubled &
{
	n=0
	until [ -e go ]; do
		echo $((n++))
		sleep 0.02
	done
} | tee numbers | python3 -uc 'import sys
for line in sys.stdin: print(int(line) ** 3)' | cat >cubed
wait
echo end
