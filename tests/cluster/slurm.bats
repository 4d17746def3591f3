# SPDX-License-Identifier: GPL-2.0-or-later
# slurm.bats - the testbed itself: plain jobs, without --checkpoint, behave as on any cluster

load helpers

teardown() {
	cancel_all
}

# bats test_tags=core
@test "a plain job completes and its exit status reaches Slurm" {
	job=$(submit 'hostname; exit 7')
	wait_state "$job" FAILED 20
	[ "$(job_field "$job" ExitCode)" = 7:0 ]
	on n0 alice grep -qE '^n[0-9]+$' "slurm-$job.out"
}

# bats test_tags=core
@test "a plain job starts again on another node when its node is lost" {
	job=$(submit 'hostname; sleep 300')
	wait_state "$job" RUNNING 20
	node=$(job_field "$job" BatchHost)
	"$TESTBED" kill-node "$node"
	wait_restarts "$job" 1 60
	[ "$(job_field "$job" BatchHost)" != "$node" ]
	"$TESTBED" start-node "$node"
	nodes_ready 30
}

@test "a plain job in the urgent partition preempts one in main, which starts again" {
	job=$(submit --nodes=2 --exclusive 'sleep 300')
	wait_state "$job" RUNNING 20
	urgent=$(submit --partition=urgent --nodes=2 --exclusive 'sleep 1')
	wait_state "$urgent" COMPLETED 60
	wait_restarts "$job" 1 60
}
