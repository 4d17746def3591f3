# SPDX-License-Identifier: GPL-2.0-or-later
# vacate.bats - scheckpoint vacate: a checkpoint, then back into the queue

bats_require_minimum_version 1.5.0
load helpers

setup() {
	need_spank_cr
}

teardown() {
	cancel_all
}

@test "a vacated job is checkpointed, requeued, and goes on from exactly there" {
	job=$(submit --checkpoint=1h --output=count.%j "$COUNT")
	plain=$(submit --checkpoint=1h --output=count.%j "$COUNT")
	for id in $job $plain; do
		wait_file alice "count.$id" '^9$' 30
	done
	run --separate-stderr on n0 alice scheckpoint vacate "$plain"
	echo "$output$stderr"
	[ "$status" = 0 ]
	[[ $output =~ ^job\ $plain:\ generation\ 1\ committed,\ frozen\ [0-9]+\ ms,\ requeued$ ]]
	on n0 alice scheckpoint vacate --json "$job" >"$BATS_TEST_TMPDIR/vacate"
	jq -e --argjson job "$job" '.job == $job and .step == "batch" and .state == "committed" and .requeued == true' \
		"$BATS_TEST_TMPDIR/vacate"
	for id in $job $plain; do
		wait_restored "$id" 1 40
		# one checkpoint: what Slurm's SIGTERM found was frozen already
		[ "$(records "$id" 'map("\(.generation) \(.state) \(.reason) \(.restores)") | join(",")')" = \
			"1 committed vacate 1" ]
		wait_longer "count.$id" 20
	done
	finish "$job" "$plain"
	counted "count.$job"
	counted "count.$plain"
}

@test "a job that may not be requeued is not vacated, and goes on" {
	job=$(submit --checkpoint=1h --no-requeue --output=count.%j "$COUNT")
	wait_file alice "count.$job" '^9$' 30
	run on n0 alice scheckpoint vacate "$job"
	[ "$status" = 1 ]
	[[ $output == *"may not be requeued"*"requeue=1"* ]]
	wait_longer "count.$job" 20
	finish "$job"
	counted "count.$job"
}
