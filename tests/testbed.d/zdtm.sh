# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# zdtm.sh - CRIU's own tests as jobs that are vacated once (tests/zdtm/run.py), and what has changed since the list of
# those that fail, tests/zdtm/expected, was made. What was found is STATE/log/zdtm; copied over that list it is the next

zdtm_main() {
	local log=$STATE/log rc=0
	# a busy machine is no lost node
	export TESTBED_ZDTM=1 TESTBED_TIMEOUT="${TESTBED_TIMEOUT:-30}"
	"$TESTBED" up
	mkdir -p "$log"
	zdtm_node bash -ec "rm -rf zdtm/runner; mkdir -p zdtm/runner"
	tar -C "$CLONE/tests/zdtm" -c . | zdtm_node tar -C zdtm/runner -x
	zdtm_node env ZDTM_AT_ONCE="${ZDTM_AT_ONCE:-6}" python3 zdtm/runner/run.py zdtm/runner/expected zdtm/results "$@" || rc=$?
	zdtm_node cat zdtm/results >"$log/zdtm" || true
	echo "zdtm: the list of what was found is $log/zdtm"
	return "$rc"
}

zdtm_node() {
	"$TESTBED" sh n0 --user alice "$@"
}
