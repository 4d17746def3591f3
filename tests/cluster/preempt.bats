# SPDX-License-Identifier: GPL-2.0-or-later
# preempt.bats - a job in a higher partition takes the nodes: a last checkpoint is taken, and the job goes on later

load helpers

setup() {
	need_spank_cr
}

teardown() {
	cancel_all
}

@test "a preempted job is checkpointed first, and goes on when the other job is over" {
	job=$(submit --checkpoint=1h --exclusive --output=count.%j "$COUNT")
	other=$(submit --checkpoint=1h --exclusive --output=count.%j "$COUNT")
	wait_file alice "count.$job" '^9$' 30
	wait_file alice "count.$other" '^9$' 30
	urgent=$(SUBMIT_USER=bob submit --partition=urgent --nodes=2 --exclusive 'sleep 1')
	wait_state "$urgent" COMPLETED 60
	for id in $job $other; do
		wait_restored "$id" 1 60
		[ "$(records "$id" '.[-1] | "\(.generation) \(.state) \(.reason) \(.restores)"')" = "1 committed preempt 1" ]
		wait_longer "count.$id" 20
	done
	finish "$job" "$other"
	counted "count.$job"
	counted "count.$other"
}
