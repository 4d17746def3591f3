# SPDX-License-Identifier: GPL-2.0-or-later
# nodeloss.bats - a node dies; its jobs go on elsewhere from their newest checkpoint

load helpers

setup() {
	need_spank_cr
}

teardown() {
	cancel_all
	all_started
}

# bats test_tags=core
@test "a job whose node is lost goes on on the other node from its newest checkpoint" {
	job=$(submit --checkpoint="$OFTEN" --output=count.%j "$COUNT")
	wait_committed "$job" 2 30
	node=$(job_field "$job" BatchHost)
	"$TESTBED" kill-node "$node"
	generation=$(newest "$job")
	wait_restored "$job" 1 90
	[ "$(job_field "$job" BatchHost)" != "$node" ]
	[ "$(records "$job" ".[] | select(.generation == $generation and .state == \"committed\") | \"\(.node) \(.restores)\"")" = "$node 1" ]
	wait_longer "count.$job" 20
	# it is checkpointed there too
	wait_committed "$job" $((generation + 1)) 30
	finish "$job"
	counted "count.$job"
	# what the job had on the dead node is swept when that is back
	all_started
	for node in n1 n2; do
		nothing_left "$node" "$job"
	done
}
