#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# tests.sh NAME... - some of CRIU's tests, each in its directory ../NAME, as zdtm.py runs them: they are started, end by
# a SIGTERM when there is the file go, and their last line is the verdict. The file state of each tells how far it is:
# ready, then pass, fail or, if it has not even started, none. What zdtm.py does with criu is done between ready and go.
export ZDTM_ROOTLESS=1 TMPDIR=/tmp # the ids stay what they are
export ZDTM_DELTA=3600             # poll fails, checkpoint or not, when it is in its loop for longer than this
declare -A pids

# state NAME STATE
state() {
	echo "$2" >"../$1/state.new"
	mv "../$1/state.new" "../$1/state"
}

# start NAME - it returns when the test is ready, which goes on in the background
start() {
	local words
	read -ra words <"../$1/arguments"
	(cd "../$1" && exec timeout --foreground -k 1 100 "./$1" --pidfile="$1.pid" --outfile="$1.out" "${words[@]}" </dev/null) &&
		pids[$1]=$(cat "../$1/$1.pid") && kill -0 "${pids[$1]}" && state "$1" ready && return
	unset "pids[$1]"
	state "$1" none
}

# end NAME
end() {
	local i
	kill -TERM "${pids[$1]}"
	for ((i = 0; i < 300; i++)); do
		kill -0 "${pids[$1]}" 2>/dev/null || break
		sleep 0.1
	done
	# the file has this name when the test is over
	if [[ "$(tail -n 1 "../$1/$1.out") " == *" PASS "* ]]; then
		state "$1" pass
	else
		state "$1" fail
	fi
}

echo started >>starts
for name; do
	start "$name"
done
until [ -e go ]; do
	sleep 0.3
done
for name in "${!pids[@]}"; do
	end "$name"
done
