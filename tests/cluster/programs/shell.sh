#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# shell.sh - what shell scripts are made of: pipes, here-documents, traps, background jobs, a coprocess, a fifo
trap 'echo caught USR1 && n=$((n + 1))' USR1
trap 'echo leaving with $?' EXIT
n=0
dir=$(mktemp -d)
mkfifo "$dir/fifo"
coproc ADD { while read -r a b; do echo $((a + b)); done; }
exec {words}<<EOF
these are the words
that are read one line before the gate
and one behind it
EOF
read -r line <&"$words" && echo "$line"

# a pipe that stands full while the gate is shut
seq 1 100000 | { head -n 1; until [ -e go ]; do sleep 0.4; done; sha256sum; } >pipe.sum &
pipe=$!
# somebody at either end of a fifo
(until [ -e go ]; do sleep 0.4; done; echo from the fifo) >"$dir/fifo" &
cat "$dir/fifo" >fifo.txt &
cat=$!
(trap '' TERM; trap 'exit 7' USR2; until [ -e never ]; do sleep 0.4; done) &
stubborn=$!
sleep 1 # its traps
echo 3 4 >&"${ADD[1]}" && read -r sum <&"${ADD[0]}" && echo "$sum"
kill -USR1 $$
echo ready
until [ -e go ]; do
	# its shell is another process each time
	[ "$(seq 1 1000 | while read -r i; do echo $((i * 2)); done | tail -n 1)" = 2000 ] || echo "another number at the gate"
	sleep 0.4
done
kill -USR1 $$
echo "$n signals"
while read -r line; do echo "$line"; done <&"$words"
echo 30 40 >&"${ADD[1]}" && read -r sum <&"${ADD[0]}" && echo "$sum"
wait "$pipe" "$cat"
cat pipe.sum fifo.txt
kill -TERM "$stubborn"
kill -USR2 "$stubborn"
wait "$stubborn"
echo "the stubborn one ended with $?"
echo "$(jobs -r | wc -l) is left"
# shellcheck disable=SC2116 # a command in a here-document
cat <<-EOF | tr "[:lower:]" "[:upper:]"
	the last $(echo words)
EOF
eval "exec ${ADD[1]}>&-"
wait
echo end
