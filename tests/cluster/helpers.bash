# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# helpers.bash - words for the cluster tests; `load helpers` at the top of a .bats file
#
# The tests run on the machine that carries the testbed, against the cluster that is up.

TESTBED=$(realpath "${BATS_TEST_DIRNAME:-.}/../testbed")

# on NODE USER CMD... - run CMD there; its exit status is ours
on() {
	local node=$1 user=$2
	shift 2
	"$TESTBED" sh "$node" --user "$user" "$@"
}

# submit [SBATCH-OPTION]... SCRIPT - SCRIPT (text) as a batch job of alice's; prints the job id
submit() {
	local script=${*: -1}
	set -- "${@:1:$#-1}"
	on n0 "${SUBMIT_USER:-alice}" sbatch --parsable "$@" <<<"#!/bin/bash
$script"
}

# job_field JOBID FIELD - one field of `scontrol show job`, such as JobState, Restarts, BatchHost, Reason, ExitCode
job_field() {
	on n0 root scontrol --oneliner show job "$1" 2>/dev/null | tr ' ' '\n' | sed -n "s/^$2=//p" | head -1
}

# wait_until SECONDS CMD... - until CMD succeeds
wait_until() {
	local deadline=$((SECONDS + $1))
	shift
	until "$@"; do
		[ "$SECONDS" -lt "$deadline" ] || return 1
		sleep 0.3
	done
}

# wait_field JOBID FIELD VALUE SECONDS
wait_field() {
	wait_until "$4" _job_field_is "$1" "$2" "$3" && return
	echo "job $1: $2 is $(job_field "$1" "$2") after $4 s, not $3 (state $(job_field "$1" JobState), reason" \
		"$(job_field "$1" Reason))" >&2
	return 1
}

_job_field_is() {
	[ "$(job_field "$1" "$2")" = "$3" ]
}

# wait_state JOBID STATE SECONDS - e.g. RUNNING, COMPLETED, FAILED, PENDING, TIMEOUT
wait_state() {
	wait_field "$1" JobState "$2" "$3"
}

# wait_restarts JOBID COUNT SECONDS - until the job runs for the COUNTth time after its first
wait_restarts() {
	wait_field "$1" Restarts "$2" "$3" && wait_state "$1" RUNNING "$3"
}

# wait_file USER FILE PATTERN SECONDS - until a line of FILE (as n0 sees it) matches the extended regexp PATTERN
wait_file() {
	wait_until "$4" on n0 "$1" grep -qE -- "$3" "$2" 2>/dev/null && return
	echo "$2 has no line matching $3 after $4 s; its end:" >&2
	on n0 "$1" tail -n 5 "$2" >&2
	return 1
}

# cancel_all - no job left, for the next test
cancel_all() {
	on n0 root bash -c 'scancel --ctld --signal=KILL --full --state=RUNNING 2>/dev/null; scancel --state=PENDING
		scancel --state=RUNNING; scancel --user=alice; scancel --user=bob'
	wait_until 60 _no_jobs
}

_no_jobs() {
	[ -z "$(on n0 root squeue -h)" ]
}

# nodes_ready SECONDS - every compute node is idle or in use
nodes_ready() {
	wait_until "$1" _nodes_ready
}

_nodes_ready() {
	! on n0 root sinfo -h -N -p main -o %T | grep -qvE '^(idle|allocated|mixed|completing)$'
}

# installed - is spank_cr part of this cluster? tests of it skip, with a reason, when it is not
need_spank_cr() {
	on n1 root grep -q '^required' /etc/slurm/plugstack.conf.d/spank_cr.conf || skip "spank_cr is not installed"
}
