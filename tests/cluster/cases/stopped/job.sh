#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# workers that are held until it is their turn, and a shell with job control, whose loop ends when a job stops
set -m
worker() {
	local i
	for i in 1 2 3 4 5 6; do
		echo "$1 $i"
		sleep 0.1
	done
}
worker A >a &
A=$!
worker B >b &
B=$!
sleep 0.25
kill -STOP -$A
kill -TSTP -$B
until [ "$(awk '/^State/ {print $2}' /proc/$A/status /proc/$B/status | tr -d '\n')" = TT ]; do sleep 0.1; done
sleep 0.2
before=$(cat a b)
./stopped &
C=$!
until [ -e ready ] && [ -e go ]; do sleep 0.2; done
[ -e go ] || exit 1
{
	[ "$before" = "$(cat a b)" ] && echo "stood still"
	jobs %1 %2 | sed 's/ \{2,\}.*//; s/Stopped.*/Stopped/'
	kill -CONT -$A -$B
	wait $A
	echo "A: $?"
	wait $B
	echo "B: $?"
	cat a b
	wait $C
	cat told
} >result 2>&1
