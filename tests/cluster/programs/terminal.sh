#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# terminal.sh - what `screen` and `script` run: it has a terminal, with settings of its own, and job control
exec >terminal.txt 2>&1
# by its own name: /dev/tty is there after a restore for the leader of the session alone (doc/preflight.md)
terminal=/dev/$(ps -o tty= -p $$ | tr -d " ")
echo "${terminal%/*}/N"
stty rows 33 cols 99 -echo </dev/tty
stty size </dev/tty
set -m
sleep 1000 &
echo ready
until [ -e go ]; do
	[ "$(stty size <"$terminal")" = "33 99" ] || echo "another size at the gate"
	sleep 0.4
done
stty size </dev/tty
stty -a </dev/tty | grep -o -- '-echo\b'
echo "written to the terminal" >/dev/tty
kill %1
wait %1
echo "the job ended with $?"
ps -o tpgid= -p $$ | awk -v pid=$$ '{ print "in the foreground:", $1 == pid }'
echo end
