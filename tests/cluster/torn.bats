# SPDX-License-Identifier: GPL-2.0-or-later
# torn.bats - a checkpoint of a job that goes on writing is of one instant
#
# CRIU hands the job's pages over without copying them. What is not read before the job goes on shows what the job
# wrote later, and CRIU reports success.

load helpers

setup() {
	need_spank_cr
	program instant
}

teardown() {
	cancel_all
	all_started
}

# one_instant MIB OPTION... - a checkpoint taken in passing, the node is lost, and the job finds itself whole
one_instant() {
	local mib=$1 node said
	shift
	job=$(submit --checkpoint=1h --output=out.%j --error=errors.%j --mem=1500M --cpus-per-task=2 "$@" \
		"./instant $mib restored.\$SLURM_JOB_ID")
	wait_file alice "out.$job" '^running$' 60
	on n0 alice scheckpoint create "$job"
	on n0 alice scheckpoint create "$job"
	[ "$(newest "$job")" = 2 ]
	node=$(job_field "$job" BatchHost)
	lose_node "$node"
	on n0 alice touch "restored.$job"
	wait_restored "$job" 1 90
	wait_state "$job" COMPLETED 180 || true
	on n0 alice cat "errors.$job"
	said=$(on n0 alice cat "out.$job")
	echo "$said"
	[ "$(tail -n 1 <<<"$said")" = "one instant" ]
	[ "$(job_field "$job" JobState)" = COMPLETED ]
}

@test "256 MiB that are written all the time are restored as they were at one instant" {
	one_instant 256
}

@test "the same when the job must wait for the storage: a pool of 1 MiB, and a compression that takes long" {
	one_instant 16 --checkpoint-pool=1M --checkpoint-compress=12
}
