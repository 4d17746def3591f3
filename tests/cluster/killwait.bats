# SPDX-License-Identifier: GPL-2.0-or-later
# killwait.bats - a last checkpoint takes longer than the time that Slurm leaves a job

load helpers

setup_file() {
	need_spank_cr
	kill_wait 5
	writers_slow n1
	writers_slow n2
	slow short --nodelist=n1
	slow grace --nodelist=n2 --partition=grace
	measured short &
	measured grace
	wait $!
}

teardown_file() {
	cancel_all
	on n1 root touch /run/writers-fast
	on n2 root touch /run/writers-fast
	kill_wait 30
}

# kill_wait SECONDS - KillWait, on the running cluster
kill_wait() {
	local node
	for node in n0 n1 n2; do
		on "$node" root sed -i "s/^KillWait=.*/KillWait=$1/" /etc/slurm/slurm.conf
	done
	on n0 root scontrol reconfigure
	wait_until 30 _kill_wait_is "$1"
	nodes_ready 30
}

_kill_wait_is() {
	[ "$(on n0 root scontrol show config | sed -n 's/^KillWait *= *\([0-9]*\).*/\1/p')" = "$1" ]
}

# writers_slow NODE - from now on each image writer there stops for seven seconds when it starts, so that a checkpoint takes
# that and a little more, however busy the machine is
writers_slow() {
	# shellcheck disable=SC2016 # expanded over there
	on "$1" root bash -c 'rm -f /run/writers-fast
		declare -A seen
		until [ -e /run/writers-fast ]; do
			for pid in $(pgrep -x crwriter); do
				[ -z "${seen[$pid]:-}" ] || continue
				seen[$pid]=1
				kill -STOP "$pid" && (sleep 7; kill -CONT "$pid") &
			done
			sleep 0.05
		done' >/dev/null 2>&1 </dev/null 3>&- &
}

# slow NAME [SBATCH-OPTION]... - a job of that name
slow() {
	local name=$1
	shift
	submit_as "$name" --output=count.%j --error=errors.%j "$@" "trap 'echo TERM >>told.\$SLURM_JOB_ID' TERM
		$COUNT"
}

# measured NAME - it runs, one checkpoint was made, and what that has taken is too long
measured() {
	local job
	job=$(job "$1")
	wait_file alice "count.$job" '^9$' 60
	on n0 alice scheckpoint create "$job"
	wait_file alice "errors.$job" 'a last checkpoint of this job takes' 40
}

@test "KillWait is too short: said once with the number that would do, and no last checkpoint is begun in vain" {
	job=$(job short)
	on n0 alice scheckpoint create "$job"
	on n0 alice cat "errors.$job"
	[ "$(on n0 alice grep -cE 'takes about [0-9]+ s, and Slurm leaves it 5 s when it ends it: KillWait=[0-9]+ in slurm.conf would do' \
		"errors.$job")" = 1 ]
	on n0 alice scheckpoint show "$job" | grep 'KillWait=[0-9]* in slurm.conf would do'
	on n0 root scontrol requeue "$job"
	wait_restored "$job" 1 60
	# the program had its signal and the time, the last committed one counts
	wait_file alice "told.$job" TERM 5
	on n0 alice scheckpoint show "$job" |
		grep 'no last checkpoint: it would take about [0-9]* s, and Slurm ends the job in [0-9]* s; generation 2 counts'
	[ "$(newest "$job")" = 2 ]
	wait_longer "count.$job" 30
	finish "$job"
	counted "count.$job"
}

@test "GraceTime is enough where KillWait is not: the job works on, and is checkpointed before it is over" {
	job=$(job grace)
	on n0 alice cat "errors.$job"
	on n0 alice grep -q 'for preemption GraceTime\|its GraceTime of 30 s is enough' "errors.$job"
	urgent=$(SUBMIT_USER=bob submit --partition=urgent --nodelist=n2 --exclusive 'sleep 1')
	wait_until 20 not _job_field_is "$job" PreemptTime None
	wait_longer "count.$job" 10
	wait_state "$urgent" COMPLETED 90
	wait_restored "$job" 1 60
	[ "$(records "$job" '.[-1] | "\(.generation) \(.state) \(.reason)"')" = "2 committed preempt" ]
	not on n0 alice test -e "told.$job"
	finish "$job"
	counted "count.$job"
}
