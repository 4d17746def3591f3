# SPDX-License-Identifier: GPL-2.0-or-later
# fence.bats - a node is cut off from the network, but not from the shared directory: Slurm starts its jobs again
# elsewhere while they still run there. What it does from then on counts for nothing, and harms nothing
#
# often   is being checkpointed all the time
# late    was about to commit a checkpoint, and wakes up when the job goes on on n2 already
# held    was about to look at its checkpoints, to go on on n1, and wakes up then, too
# back    was being restored on n1

load helpers

JOBS=(often late held back)

setup_file() {
	have_spank_cr || return 0
	local name
	on n0 alice tee churn.py <"$BATS_TEST_DIRNAME/churn.py" >/dev/null
	site_arguments bandwidth=4M
	only_n1
	submit_as often --checkpoint="$OFTEN" --output=out.%j "$COUNT"
	submit_as late --output=out.%j "python3 churn.py 20 stop.\$SLURM_JOB_ID | tail -n 1 >end.\$SLURM_JOB_ID"
	submit_as held --output=out.%j "$COUNT"
	submit_as back --output=out.%j "$COUNT"
	for name in often held back; do
		wait_file alice "out.$(job $name)" '^10$' 60
	done
	on n0 alice scheckpoint create "$(job late)"
	on n0 alice scheckpoint create "$(job back)"
	hold_restores n1
	on n0 root scontrol requeue "$(job back)"
	wait_until 120 restoring n1 "$(job back)"
	let_plans n1
	hold_plans n1
	on n0 root scontrol requeue "$(job held)"
	wait_held n1 "$(job held)" 60
	wait_committed "$(job often)" 1 30
	late_stop

	on n0 root scontrol update nodename=n2 state=resume
	"$TESTBED" cut-node n1
	for name in often late; do
		wait_restored "$(job $name)" 1 120
	done
	wait_restored "$(job held)" 2 120
	wait_restored "$(job back)" 2 120
}

# restoring NODE JOB - criu is to restore it there, and was stopped
restoring() {
	# shellcheck disable=SC2016 # expanded over there
	on "$1" root bash -c '
		main=$(pgrep -o -f -- "^crinit restore .*--job=$1 ") && worker=$(pgrep -P "$main" -x crworker) &&
			criu=$(pgrep -P "$worker" -f "criu-held.* restore") && grep -q "^State:.T" "/proc/$criu/status"' bash "$2"
}

setup() {
	need_spank_cr
}

teardown_file() {
	"$TESTBED" join-node n1
	on n1 root pkill -CONT '^cr' || true
	let_plans n1
	site_arguments_reset
	nodes_back
}

# late_stop - have it checkpointed, and while that is written stop who does it, and crinit
late_stop() {
	# shellcheck disable=SC2016 # expanded over there
	on n1 root timeout 60 bash -c '
		main=$(pgrep -o -f -- "^crinit .*--job=$1 ") || exit
		setpriv --reuid=alice --regid=alice --init-groups scheckpoint agent create "$1" \
			>/dev/null 2>&1 </dev/null 3>&- &
		until worker=$(pgrep -P "$main" -x crworker); do sleep 0.01; done
		until [ -n "$(find "$2" -path "*.tmp/pack" -size +0)" ]; do sleep 0.05; done
		writer=$(pgrep -o -P "$worker" -x crwriter) && kill -s STOP "$writer" "$main" &&
			echo "$main $worker $writer"' bash "$(job late)" "$(store "$(job late)")" >"$BATS_FILE_TMPDIR/late"
}

# processes NODE JOB - what the job's program has there
processes() {
	# shellcheck disable=SC2016 # expanded over there
	on "$1" root bash -c 'grep -lzx "SLURM_JOB_ID=$1" /proc/[0-9]*/environ 2>/dev/null' bash "$2"
}

_no_processes() {
	[ -z "$(processes "$1" "$2")" ]
}

# on_n2 JOB RESTARTS - it runs there, as it should, and what n1 had of it is no part of what it has
on_n2() {
	[ "$(job_field "$1" BatchHost) $(job_field "$1" JobState) $(job_field "$1" Restarts)" = "n2 RUNNING $2" ]
	# nothing was written into its journal but by the newest start from when that was there
	journal "$1" "[.[] | .restart] | . == sort" | grep -qx true
	on n0 alice scheckpoint create "$1"
	on n0 alice scheckpoint verify "$1"
	[ "$(records "$1" '[.[] | select(.state == "committed")] | max_by(.generation).node')" = n2 ]
}

@test "the node that is cut off ends what it still runs of a job that goes on elsewhere, and publishes nothing" {
	local job
	job=$(job often)
	wait_until 30 _no_processes n1 "$job"
	on n1 root grep "job $job: .*Slurm has started this job again on n2 (restart 1, this is 0 on n1)" /var/log/slurm/slurmd.log
	not on n0 alice grep -i 'spank_cr' "out.$job"
	on_n2 "$job" 1
	# from the newest that there was
	[ "$(journal "$job" '.[] | select(.event == "start") | "\(.restart) \(.node)"')" = "1 n2" ]
	generation=$(journal "$job" '.[] | select(.event == "restored").generation')
	[ "$(records "$job" "[.[] | select(.node == \"n1\" and .generation > $generation)] | length")" = 0 ]
}

@test "a checkpoint that it was about to commit is not there, and nothing of the newer start's is gone" {
	local job main worker writer
	job=$(job late)
	read -r main worker writer <"$BATS_FILE_TMPDIR/late"
	on n0 alice scheckpoint create "$job"
	on n1 root kill -s CONT "$writer"
	# crinit reaps it later
	wait_until 60 on n1 root grep -q '^State:.Z' "/proc/$worker/status"
	[ "$(records "$job" '[.[] | select(.state == "committed") | "\(.generation) \(.node)"] | sort | join(",")')" = "1 n1,3 n2" ]
	on n1 root kill -s CONT "$main"
	wait_until 30 _no_processes n1 "$job"
	on_n2 "$job" 1
}

@test "a start that wakes up too late does not run, and touches no file" {
	local job
	job=$(job held)
	[ "$(journal "$job" '.[] | select(.event == "start") | "\(.restart) \(.node)"')" = "2 n2" ]
	go_on n1 "$job"
	wait_until 60 on n1 root grep "job $job does not run here: Slurm has started this job again on n2 (restart 2, this is 1 on n1)" /var/log/slurm/slurmd.log
	wait_until 10 _no_processes n1 "$job"
	on_n2 "$job" 2
}

@test "a restore that is at it ends, and says nothing of it" {
	local job
	job=$(job back)
	[ "$(journal "$job" '.[] | select(.event == "start") | "\(.restart) \(.node)"')" = "1 n1
2 n2" ]
	wait_until 30 _no_processes n1 "$job"
	wait_until 10 on n1 root grep "job $job: .*Slurm has started this job again on n2 (restart 2, this is 1 on n1)" /var/log/slurm/slurmd.log
	[ "$(journal "$job" '[.[] | select(.node == "n1" and .restart == 1) | .event] | unique | join(",")')" = "restoring,start" ]
	on_n2 "$job" 2
}

@test "when the node is back the jobs go on where they are, and nothing is left of them on it" {
	local name
	"$TESTBED" join-node n1
	nodes_ready 120
	for name in "${JOBS[@]}"; do
		nothing_left n1 "$(job $name)"
		[ "$(job_field "$(job $name)" BatchHost)" = n2 ]
	done
	requeue "$(job often)" "$(job late)"
	for name in often held back; do
		wait_longer "out.$(job $name)" 20
	done
	finish "$(job often)" "$(job late)" "$(job held)" "$(job back)"
	for name in often held back; do
		counted "out.$(job $name)"
	done
	on n0 alice grep -x intact "end.$(job late)"
}
