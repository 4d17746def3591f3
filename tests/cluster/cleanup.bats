# SPDX-License-Identifier: GPL-2.0-or-later
# cleanup.bats - what is there of a job when it is over: its checkpoints, and nothing on the nodes

load helpers

setup() {
	need_spank_cr
}

teardown() {
	cancel_all
}

# bats test_tags=core
@test "neither a normal end nor scancel leaves a process, mount, cgroup or directory on the node" {
	script='echo x >/tmp/x; echo y >/dev/shm/y; nohup sleep 1000 >/dev/null 2>&1 & '
	normal=$(submit --checkpoint=1h "$script echo ready; sleep 1")
	cancelled=$(submit --checkpoint=1h "$script echo ready; sleep 1000")
	during=$(submit --checkpoint="$OFTEN" "$script echo ready; sleep 1000")
	for job in $normal $cancelled $during; do
		wait_file alice "slurm-$job.out" ready 30
	done
	# what is looked for is there while a job runs
	[ "$(leftovers "$(job_field "$cancelled" BatchHost)" "$cancelled" | grep -cE '^/run/|^/var/spool/|^/sys/|^/proc/|crinit|crnotary')" -ge 5 ]
	on n0 alice scheckpoint create "$cancelled"
	wait_committed "$during" 1 30
	wait_state "$normal" COMPLETED 30
	on n0 alice scancel "$cancelled" "$during"
	for job in $cancelled $during; do
		wait_state "$job" CANCELLED 30
	done
	for job in $normal $cancelled $during; do
		nothing_left "$(job_field "$job" BatchHost)" "$job"
	done
	# no checkpoint was wanted, and what there was is kept
	[ "$(records "$cancelled" 'map(.reason) | join(" ")')" = user ]
	[ "$(records "$during" 'map(select(.reason != "interval")) | length')" = 0 ]
	[ -z "$(on n0 alice find "$(store "$during")" -mindepth 1 -maxdepth 1 -name '.*')" ]
}
