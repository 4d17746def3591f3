# SPDX-License-Identifier: GPL-2.0-or-later
# signals.bats - the exit status and signals, as if crinit were not there

load helpers

setup() {
	need_spank_cr
}

teardown() {
	cancel_all
}

# a script that tells which signals it and its child got, and ends with status 5 on USR2
# shellcheck disable=SC2016
TRAPS='trap "echo shell USR1" USR1; trap "exit 5" USR2; trap "echo shell TERM; exit 6" TERM
	python3 -u -c "
import signal, time
signal.signal(signal.SIGUSR1, lambda *a: print(\"child USR1\"))
print(\"ready\")
while True: time.sleep(0.2)
" & while :; do wait; done'

# bats test_tags=core
@test "exit status and signals reach Slurm and the program, before and after a restore" {
	ends=$(submit --checkpoint=1h 'exit 7')
	dies=$(submit --checkpoint=1h 'kill -KILL $$')
	job=$(submit --checkpoint=1h --output=signals.%j "$TRAPS")
	wait_state "$ends" FAILED 30
	[ "$(job_field "$ends" ExitCode)" = 7:0 ]
	wait_state "$dies" FAILED 30
	[ "$(job_field "$dies" ExitCode)" = 0:9 ]
	wait_file alice "signals.$job" ready 30
	on n0 alice scancel --signal=USR1 --batch "$job"
	wait_file alice "signals.$job" '^shell USR1' 20
	on n0 alice scancel --signal=USR1 --full "$job"
	wait_file alice "signals.$job" '^child USR1' 20
	wait_count 2 '^shell USR1' "signals.$job"
	requeue "$job"
	on n0 alice scancel --signal=USR1 --batch "$job"
	wait_count 3 '^shell USR1' "signals.$job"
	on n0 alice scancel --signal=USR1 --full "$job"
	wait_count 4 '^shell USR1' "signals.$job"
	wait_count 2 '^child USR1' "signals.$job"
	on n0 alice scancel --signal=USR2 --batch "$job"
	wait_state "$job" FAILED 30
	[ "$(job_field "$job" ExitCode)" = 5:0 ]
	[ "$(job_field "$job" Restarts)" = 1 ]
}

# wait_count N PATTERN FILE - until so many lines of the file match
wait_count() {
	wait_until 60 _is_count "$@" && return
	on n0 alice cat "$3"
	return 1
}

_is_count() {
	[ "$(on n0 alice grep -cE -- "$2" "$3")" = "$1" ]
}

@test "scancel ends the job CANCELLED: the program gets SIGTERM, and no checkpoint is taken" {
	job=$(submit --checkpoint=1h --output=signals.%j "$TRAPS")
	again=$(submit --checkpoint=1h --output=signals.%j "$TRAPS")
	wait_file alice "signals.$job" ready 30
	wait_file alice "signals.$again" ready 30
	requeue "$again"
	on n0 alice scancel "$job" "$again"
	for id in $job $again; do
		wait_state "$id" CANCELLED 20
		wait_file alice "signals.$id" '^shell TERM' 20
	done
	[ "$(newest "$again")" = 1 ]
	run on n0 alice scheckpoint list --json "$job"
	echo "$output"
	[ "$(jq length <<<"$output")" = 0 ]
}

@test "a SIGTERM that does not end the job reaches the program, after a checkpoint" {
	job=$(submit --checkpoint=1h --output=signals.%j 'trap "echo TERM" TERM; echo ready
		until [ -e "stop.$SLURM_JOB_ID" ]; do sleep 0.1; done')
	wait_file alice "signals.$job" ready 30
	on n0 alice scancel --signal=TERM --batch "$job"
	wait_file alice "signals.$job" '^TERM' 20
	[ "$(job_field "$job" JobState)" = RUNNING ]
	wait_committed "$job" 1 20
	[ "$(records "$job" '.[-1].reason')" = term ]
	finish "$job"
}

@test "exit status and deadly signals are exact after a restore" {
	jobs=()
	for command in 'exit 0' 'exit 255' 'kill -SEGV $$' 'kill -TERM $$'; do
		jobs+=("$(submit --checkpoint=1h "echo ready; until [ -e stop.\$SLURM_JOB_ID ]; do sleep 0.1; done; $command")")
	done
	for job in "${jobs[@]}"; do
		wait_file alice "slurm-$job.out" ready 30
	done
	requeue "${jobs[@]}"
	for job in "${jobs[@]}"; do
		on n0 alice touch "stop.$job"
	done
	i=0
	for code in 0:0 255:0 0:11 0:15; do
		wait_until 20 _ended "${jobs[i]}"
		echo "${jobs[i]}: $(job_field "${jobs[i]}" ExitCode), expected $code"
		[ "$(job_field "${jobs[i]}" ExitCode)" = "$code" ]
		i=$((i + 1))
	done
	[ "$(job_field "${jobs[0]}" JobState)" = COMPLETED ]
	[ "$(job_field "${jobs[1]}" JobState)" = FAILED ]
}

_ended() {
	[[ $(job_field "$1" JobState) =~ ^(COMPLETED|FAILED|CANCELLED)$ ]]
}

@test "a suspended job stands still, and goes on when it is resumed" {
	job=$(submit --checkpoint=1h --output=count.%j "$COUNT")
	wait_file alice "count.$job" '^5$' 30
	on n0 root scontrol suspend "$job"
	# Slurm sends SIGTSTP first, and freezes the step a while later
	wait_until 20 _stands_still "count.$job"
	on n0 root scontrol resume "$job"
	wait_longer "count.$job" 20
	finish "$job"
	counted "count.$job"
}

# _stands_still FILE - nothing is added to it for two seconds
_stands_still() {
	local now
	now=$(lines "$1")
	sleep 2
	[ "$(lines "$1")" = "$now" ]
}
