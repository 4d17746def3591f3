#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# workers that are held until it is their turn, and a shell with job control, whose loop ends when a job stops
set -m
worker() {
	local i
	for i in 1 2 3 4 5 6; do
		echo "$1 $i"
		until [ "$i" -lt 3 ] || [ -e on ]; do sleep 0.1; done
	done
}
worker A >a &
A=$!
worker B >b &
B=$!
stands() {
	until [ "$(awk '/^State/ {print $2}' "/proc/$1/status")" = T ]; do sleep 0.1; done
	# the shell is to hear of one before the other
	sleep 0.2
}
sleep 0.25
kill -STOP -$A
stands $A
kill -TSTP -$B
stands $B
before=$(cat a b)
./stopped &
C=$!
until [ -e ready ] && [ -e go ]; do sleep 0.2; done
[ -e go ] || exit 1
{
	[ "$before" = "$(cat a b)" ] && echo "stood still"
	jobs %1 %2 | sed 's/ \{2,\}.*//; s/Stopped.*/Stopped/'
	touch on
	kill -CONT -$A -$B
	wait $A
	echo "A: $?"
	wait $B
	echo "B: $?"
	cat a b
	wait $C
	cat told
} >result 2>&1
