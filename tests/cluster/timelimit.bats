# SPDX-License-Identifier: GPL-2.0-or-later
# timelimit.bats - the last checkpoint before a job's time limit, and what becomes of the job there. Slurm's shortest limit
# is a minute: all jobs of these tests share the same few of them, and one maintenance of n2.

load helpers

# two minutes of maintenance that begin when the jobs with --time=1 have had their first slot
BEFORE=80

setup_file() {
	have_spank_cr || return 0
	program blocker
	minute maint --nodelist=n2 --checkpoint-timelimit=requeue "$COUNT"
	minute through --nodelist=n2 --time=10 "$COUNT"
	wait_state "$(job maint)" RUNNING 20
	wait_state "$(job through)" RUNNING 20
	on n0 root scontrol create reservation ReservationName=maint StartTime=now+"$BEFORE" Duration=2 Nodes=n2 \
		Flags=maint,ignore_jobs Users=root
	minute slots --nodelist=n1 --checkpoint-timelimit=requeue "$COUNT"
	minute array --nodelist=n1 --array=3,4 --checkpoint-timelimit=requeue --checkpoint-net=private --output=count.%A_%a \
		"${COUNT//stop.\$SLURM_JOB_ID/stop.\$SLURM_ARRAY_JOB_ID}"
	minute end --nodelist=n1 "$COUNT"
	minute sum --nodelist=n1 --checkpoint-timelimit=requeue --checkpoint-total-time=2m "$COUNT"
	minute total --nodelist=n1 --time=10 --checkpoint-total-time=1m "$COUNT"
	minute later --nodelist=n1 "$COUNT"
	minute paused --nodelist=n1 --checkpoint-timelimit=requeue "$COUNT"
	# shellcheck disable=SC2016 # expanded in the job
	minute blocked --nodelist=n1 --checkpoint-timelimit=requeue './blocker seccomp "ready.$SLURM_JOB_ID"'
	# shellcheck disable=SC2016
	minute once --nodelist=n1 --checkpoint-timelimit=requeue --no-requeue "$COUNT" 2>"$BATS_FILE_TMPDIR/once.said"
}

# minute NAME [SBATCH-OPTION]... SCRIPT
minute() {
	local name=$1
	shift
	submit_as "$name" --oversubscribe --mem=200M --time=1 --output=count.%j --error=errors.%j "$@"
}

setup() {
	need_spank_cr
}

teardown_file() {
	have_spank_cr || return 0
	on n0 root scontrol delete ReservationName=maint || true
	nodes_back
}

# started NAME, at NAME GENERATION - seconds since 1970: its start here, and of a checkpoint
started() {
	date -d "$(job_field "$(job "$1")" StartTime)Z" +%s
}

at() {
	date -d "$(manifest "$(job "$1")" "$2" .time)" +%s
}

@test "a limit that is extended while the job runs is the one that counts" {
	wait_file alice "$(store "$(job later)")/crinit.log" 'the time limit is at' 30
	on n0 root scontrol update jobid="$(job later)" TimeLimit=10
}

@test "a job that is suspended past its limit has that later" {
	local id
	id=$(job paused)
	wait_file alice "$(store "$id")/crinit.log" 'the time limit is at' 30
	on n0 root scontrol suspend "$id"
	wait_field "$id" JobState SUSPENDED 20
}

@test "a job that cannot be checkpointed says early what will be lost, and when; one with --no-requeue that it will end" {
	grep -q 'spank_cr: --checkpoint-timelimit=requeue: with --no-requeue the job will end at its time limit' \
		"$BATS_FILE_TMPDIR/once.said"
	wait_file alice "errors.$(job once)" 'may not be requeued .*: it will end at its time limit, [0-9:]+, after' 30
	wait_file alice "errors.$(job blocked)" 'seccomp' 40
	wait_file alice "errors.$(job blocked)" 'all that it has done will be lost at [0-9]+:[0-9]+:[0-9]+, its time limit' 40
	[ "$(job_field "$(job blocked)" JobState)" = RUNNING ]
	# there was time to do something about it
	[ "$(date +%s)" -lt $(($(started blocked) + 50)) ]
}

@test "end: there is a checkpoint from just before the limit and one from Slurm's SIGTERM, and the job is TIMEOUT" {
	local limit
	for name in end once blocked; do
		wait_state "$(job "$name")" TIMEOUT 140
	done
	for name in end once; do
		limit=$(($(started "$name") + 60))
		[ "$(records "$(job "$name")" 'map("\(.generation) \(.state) \(.reason)") | join(",")')" = \
			"2 committed timelimit,3 committed timelimit" ]
		[ "$(at "$name" 2)" -lt "$limit" ]
		[ "$(at "$name" 2)" -ge $((limit - 20)) ]
		[ "$(at "$name" 3)" -ge "$limit" ]
		[ "$(job_field "$(job "$name")" Restarts)" = 0 ]
	done
	# said once
	[ "$(on n0 alice grep -c 'will be lost' "errors.$(job blocked)")" = 1 ]
	[ "$(newest "$(job blocked)")" = 0 ]
	[ "$(job_field "$(job blocked)" Restarts)" = 0 ]
}

@test "and does not requeue itself before that, when it goes on" {
	local id n
	id=$(job paused)
	# it was suspended after some seconds
	[ "$(date +%s)" -gt $(($(started paused) + 60)) ]
	n=$(lines "count.$id")
	on n0 root scontrol resume "$id"
	# some seconds of work
	wait_until 40 _longer "count.$id" $((n + 50))
	[ "$(job_field "$id" JobState) $(job_field "$id" Restarts)" = "RUNNING 0" ]
	[ "$(records "$id" 'map(select(.reason == "timelimit")) | length')" = 0 ]
	finish "$id"
	counted "count.$id"
}

@test "the extended job has not taken its last checkpoint, and ends as it wants" {
	# those whose limit was the same are TIMEOUT
	[ "$(date +%s)" -gt $(($(started later) + 60)) ]
	[ "$(job_field "$(job later)" JobState)" = RUNNING ]
	[ "$(records "$(job later)" 'map(select(.reason == "timelimit")) | length')" = 0 ]
	finish "$(job later)"
	counted "count.$(job later)"
}

@test "the total time becomes the time limit, and the job is TIMEOUT" {
	wait_state "$(job total)" TIMEOUT 60
	[ "$(job_field "$(job total)" TimeLimit)" = 00:01:00 ]
	on n0 root grep -q "^JobId=$(job total) .* JobState=TIMEOUT .*TimeLimit=1 " /var/log/slurm/jobcomp.log
	[ "$(records "$(job total)" '.[-1].reason')" = timelimit ]
}

@test "a job waits for the end of a maintenance that its next slot would reach into; one that runs goes on all the way through" {
	[ "$(job_field "$(job maint)" Restarts)" = 1 ]
	wait_until "$BEFORE" maintenance_is ACTIVE
	wait_field "$(job maint)" JobState PENDING 10
	wait_until 30 node_in_maintenance
	[ "$(job_field "$(job through)" JobState)" = RUNNING ]
	wait_longer "count.$(job through)" 20
	maintenance_is ACTIVE
	[ "$(job_field "$(job maint)" JobState)" = PENDING ]
}

node_in_maintenance() {
	on n0 root scontrol --oneliner show node n2 | grep -q 'State=[A-Z+]*MAINT'
}

maintenance_is() {
	on n0 root scontrol --oneliner show reservation maint | grep -q " State=$1 "
}

@test "requeue: the job goes on in slot after slot, nothing lost and nothing twice" {
	local id
	id=$(job array)
	wait_restored "$(job slots)" 2 180
	[ "$(records "$(job slots)" 'map("\(.state) \(.reason)") | unique | join(",")')" = "committed timelimit" ]
	# two slots, each of them nearly a minute
	ran=$(manifest "$(job slots)" "$(newest "$(job slots)")" .ran_ms)
	echo "ran $ran ms"
	[ "$ran" -gt 80000 ] && [ "$ran" -le $((61000 * ($(job_field "$(job slots)" Restarts) + 1))) ]
	wait_restarted "${id}_3" 2 60
	wait_restarted "${id}_4" 2 60
	on n0 alice touch "stop.$id"
	finish "$(job slots)"
	counted "count.$(job slots)"
	# each element by itself
	for task in 3 4; do
		wait_state "${id}_$task" COMPLETED 30
		[ "$(job_field "${id}_$task" Restarts)" -ge 2 ]
		counted "count.${id}_$task"
	done
}

@test "the total time over two slots: the second one is the last, and TIMEOUT" {
	wait_state "$(job sum)" TIMEOUT 120
	[ "$(job_field "$(job sum)" Restarts)" = 1 ]
	[ "$(job_field "$(job sum)" TimeLimit)" = 00:01:00 ]
	[ "$(records "$(job sum)" '.[-1].reason')" = timelimit ]
}

@test "after the maintenance the job goes on from its checkpoint" {
	wait_restored "$(job maint)" 1 200
	finish "$(job maint)" "$(job through)"
	counted "count.$(job maint)"
	counted "count.$(job through)"
	[ "$(job_field "$(job through)" Restarts)" = 0 ]
}
