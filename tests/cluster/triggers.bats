# SPDX-License-Identifier: GPL-2.0-or-later
# triggers.bats - everything with which Slurm, an admin or somebody else ends a job or its node: doc/signals.md

load helpers

setup() {
	need_spank_cr
}

teardown() {
	site_arguments_reset
	nodes_back
}

# reason JOB - of its newest checkpoint that was committed
reason() {
	records "$1" '[.[] | select(.state == "committed")][-1].reason'
}

@test "GraceTime, PreemptMode=CANCEL, requeuehold and a node that is set down: the last checkpoint first" {
	only_n1
	down=$(submit --checkpoint=1h --output=count.%j "$COUNT")
	held=$(submit --checkpoint=1h --output=count.%j "$COUNT")
	wait_file alice "count.$down" '^9$' 30
	wait_file alice "count.$held" '^9$' 30
	on n0 root scontrol update nodename=n2 state=resume
	on n0 root scontrol requeuehold "$held"
	wait_state "$held" PENDING 40
	[ "$(reason "$held")" = requeue ]
	on n0 root scontrol update nodename=n1 state=down reason=test
	wait_restored "$down" 1 40
	[ "$(reason "$down")" = nodefail ]
	finish "$down"
	[ "$(job_field "$held" JobState)" = PENDING ]
	nodes_ready 60

	grace=$(submit --checkpoint=1h --partition=grace --output=count.%j "$COUNT")
	cheap=$(submit --checkpoint=1h --partition=cheap --output=count.%j "$COUNT")
	wait_file alice "count.$grace" '^9$' 30
	wait_file alice "count.$cheap" '^9$' 30
	urgent=$(SUBMIT_USER=bob submit --partition=urgent --nodes=2 --exclusive 'sleep 1')
	# Slurm does not start that one again, and its checkpoint stays
	wait_state "$cheap" PREEMPTED 40
	[ "$(reason "$cheap")" = preempt ]
	[ "$(newest "$cheap")" = 1 ]
	# in its grace time a job does work
	wait_until 20 not _job_field_is "$grace" PreemptTime None
	wait_longer "count.$grace" 20
	wait_state "$urgent" COMPLETED 90
	on n0 root scontrol release "$held"
	wait_restored "$grace" 1 60
	wait_restored "$held" 1 60
	[ "$(reason "$grace")" = preempt ]
	finish "$grace" "$held"
	for job in $down $held $grace; do
		counted "count.$job"
	done
}

@test "scancel: a last checkpoint if the job was submitted with --checkpoint-on-cancel" {
	# shellcheck disable=SC2016
	script='trap "echo TERM" TERM; echo ready; while :; do sleep 0.1; done'
	job=$(submit --checkpoint=1h --checkpoint-on-cancel --output=cancel.%j "$script")
	wait_file alice "cancel.$job" ready 30
	on n0 alice scancel "$job"
	wait_state "$job" CANCELLED 30
	[ "$(records "$job" '.[-1] | "\(.generation) \(.state) \(.reason)"')" = "1 committed cancel" ]
	# not an instruction ran after it
	not on n0 alice grep -x TERM "cancel.$job"
	nothing_left "$(job_field "$job" BatchHost)" "$job"
}

@test "scontrol reboot: the job goes on, a vacate moves it, and the node boots" {
	only_n1
	job=$(submit --checkpoint=1h --output=count.%j "$COUNT")
	wait_file alice "count.$job" '^9$' 30
	on n0 root scontrol update nodename=n2 state=resume
	on n1 root touch /run/before-the-reboot
	on n0 root scontrol reboot ASAP nextstate=resume reason=test n1
	wait_longer "count.$job" 20
	[ "$(newest "$job")" = 0 ]
	on n0 alice scheckpoint vacate "$job"
	# where it goes on is Slurm's: the node boots as soon as it has left, and may be back before the job is
	wait_restored "$job" 1 60
	wait_until 60 _booted
	nodes_ready 60
	finish "$job"
	counted "count.$job"
}

_booted() {
	"$TESTBED" status | grep -q '^n1 running' && not on n1 root test -e /run/before-the-reboot 2>/dev/null
}

@test "SIGTERM from the node: slurmd may stop, T and the script may get one, and what is being written is finished" {
	only_n1
	site_arguments bandwidth=1M
	job=$(submit --checkpoint=1h --output=count.%j "trap 'echo TERM >>term.\$SLURM_JOB_ID' TERM
		$COUNT")
	# its drain takes 40 s, unless somebody is in a hurry
	dies=$(submit --checkpoint=1h --output=count.%j 'exec python3 -c "
import os, time
data = os.urandom(40 << 20)
print(\"ready\", flush=True)
time.sleep(3600)"')
	wait_file alice "count.$job" '^9$' 30
	wait_file alice "count.$dies" ready 30

	on n1 root pkill -TERM -x slurmd
	wait_until 20 not on n1 root pgrep -x slurmd
	wait_longer "count.$job" 20
	on n1 root sh -c 'slurmd -D >/dev/null 2>&1 </dev/null & exit' 3>&-

	# by the user, to the task process, which is crinit's parent
	on n1 alice sh -c 'kill -TERM $(ps -o ppid= -p "$1")' sh "$(crinit_pid n1 "$job")"
	wait_file alice "term.$job" TERM 20
	wait_committed "$job" 1 20
	[ "$(reason "$job")" = term ]
	# to the script itself: nobody can come before that
	on n1 alice sh -c 'kill -TERM $(pgrep -f "^/bin/bash .*job$1/slurm_script")' sh "$(printf %05d "$job")"
	wait_until 20 _is_count 2 TERM "term.$job"
	[ "$(newest "$job")" = 1 ]

	wait_until 30 _registered n1
	on n0 alice scancel --signal=TERM --batch "$dies"
	wait_state "$dies" FAILED 25
	[ "$(job_field "$dies" ExitCode)" = 0:15 ]
	[ "$(newest "$dies") $(reason "$dies")" = "1 term" ]
	requeue "$job"
	[ "$(reason "$job")" = requeue ]
	finish "$job"
	counted "count.$job"
}

# _is_count N PATTERN FILE
_is_count() {
	[ "$(on n0 alice grep -cE -- "$2" "$3")" = "$1" ]
}

_registered() {
	on n0 root scontrol ping >/dev/null && on n1 root pgrep -x slurmd >/dev/null
}
