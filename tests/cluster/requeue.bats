# SPDX-License-Identifier: GPL-2.0-or-later
# requeue.bats - `scontrol requeue`: a last checkpoint is taken, and the job goes on from it

load helpers

setup() {
	need_spank_cr
}

teardown() {
	cancel_all
}

# bats test_tags=core
@test "a requeued job is checkpointed first and goes on from there, under its id, nothing lost and nothing twice" {
	job=$(submit --checkpoint=1h --output=count.%j --error=errors.%j "$COUNT")
	wait_file alice "count.$job" '^9$' 30
	requeue "$job"
	[ "$(records "$job" '.[-1] | "\(.generation) \(.state) \(.reason) \(.restores)"')" = "1 committed requeue 1" ]
	wait_longer "count.$job" 20
	requeue "$job"
	[ "$(records "$job" '.[-1] | "\(.generation) \(.state) \(.reason) \(.restores)"')" = "2 committed requeue 1" ]
	wait_longer "count.$job" 20
	finish "$job"
	counted "count.$job"
	[ "$(job_field "$job" Restarts)" = 2 ]
	[ "$(job_field "$job" ExitCode)" = 0:0 ]
	# not one word of ours where there is nothing to tell
	not on n0 alice grep -v '^slurmstepd-.* DUE TO JOB REQUEUE' "errors.$job"
}

@test "a job that was complete starts from the beginning when it is requeued" {
	# shellcheck disable=SC2016
	job=$(submit --checkpoint=1h 'echo "run $SLURM_RESTART_COUNT"; touch "ran.$SLURM_JOB_ID"; until [ -e "stop.$SLURM_JOB_ID" ]; do sleep 0.1; done')
	wait_file alice "slurm-$job.out" run 20
	on n0 alice scheckpoint create "$job"
	finish "$job"
	on n0 alice rm "ran.$job"
	on n0 root scontrol requeue "$job"
	wait_until 30 on n0 alice test -e "ran.$job"
	wait_state "$job" COMPLETED 20
	on n0 alice grep -qx 'run 1' "slurm-$job.out"
}
