# SPDX-License-Identifier: GPL-2.0-or-later
# faults.bats - what a checkpoint, a restore and a job need is killed or restarted under them: the job ends with the right
# result or a clear failure, no checkpoint that was committed is lost, and nothing is left on a node
#
# storefaults.bats kills what makes a checkpoint, frozen.bats has storage that hangs, fence.bats a network that is cut.

load helpers

setup_file() {
	have_spank_cr || return 0
	on n0 alice tee churn.py <"$BATS_TEST_DIRNAME/churn.py" >/dev/null
}

setup() {
	need_spank_cr
}

teardown() {
	local daemon
	on n0 root pgrep -x slurmctld || daemon_start n0 slurmctld
	# a node that was killed comes back with its daemons
	if on n1 root true 2>/dev/null; then
		for daemon in munged slurmd; do
			on n1 root pgrep -x $daemon || daemon_start n1 $daemon
		done
		on n1 root pkill -CONT '^crwriter' || true
	fi
	nodes_back
	let_plans n1
	let_plans n2
	site_arguments_reset
}

# counting NAME [OPTION]... - a job on n1 that counts, with some memory, and one checkpoint
counting() {
	local name=$1
	shift
	submit_as "$name" --output=out.%j --error=errors.%j "$@" "python3 churn.py 10 gone.\$SLURM_JOB_ID >churn.\$SLURM_JOB_ID &
		$COUNT; touch gone.\$SLURM_JOB_ID; wait"
}

# counting_all NAME... - they all have a checkpoint, and do some work after it
counting_all() {
	local name
	for name; do
		wait_file alice "out.$(job "$name")" '^5$' 60
		wait_file alice "churn.$(job "$name")" churning 60
	done
	for name; do
		on n0 alice scheckpoint create "$(job "$name")"
	done
	for name; do
		wait_longer "out.$(job "$name")" 20
	done
}

# right NAME... - they come to their end, with all that they were to write, and leave nothing on a node that runs
right() {
	local name node
	for name; do
		wait_longer "out.$(job "$name")" 90
	done
	for name; do
		finish "$(job "$name")"
		counted "out.$(job "$name")"
		on n0 alice grep -x intact "churn.$(job "$name")"
		for node in n1 n2; do
			nothing_left "$node" "$(job "$name")"
		done
	done
}

# kept NAME - its first checkpoint is there, and whole
kept() {
	[ "$(records "$(job "$1")" '[.[] | select(.state == "committed").generation] | min')" -ge 1 ]
	on n0 alice scheckpoint verify "$(job "$1")"
}

# caught JOB WHERE [VERB] - while a checkpoint of it is written, stop who writes it. WHERE: frozen, the job stands still
# (for long: $SLOWLY); or draining, it runs again. VERB: what crinit is asked for; without, somebody else asks. Prints a pid
caught() {
	# shellcheck disable=SC2016 # expanded over there
	on n1 root timeout 90 bash -c '
		main=$(pgrep -o -f -- "^crinit .*--job=$1 ") || exit
		if [ -n "$3" ]; then
			setpriv --reuid=alice --regid=alice --init-groups \
				scheckpoint agent "$3" "$1" >"/run/asked.$1" 2>&1 </dev/null 3>&- &
		fi
		until worker=$(pgrep -P "$main" -x crworker); do sleep 0.01; done
		until [ "$2" = frozen ] || [ -n "$(find "$4" -path "*.tmp/pack" -size +0)" ]; do sleep 0.05; done
		until [ "$2" = draining ] || pgrep -P "$worker" -f "criu.* dump" >/dev/null; do sleep 0.01; done
		until writer=$(pgrep -o -P "$worker" -x crwriter); do sleep 0.01; done
		kill -s STOP "$writer" && echo "$writer"' bash "$1" "$2" "${3:-}" "$(store "$1")"
}

SLOWLY='--checkpoint-pool=1M --checkpoint-compress=6'

# restoring NODE JOB - its restore is at criu, and stopped there by hold_restores. Prints the pid
restoring() {
	# shellcheck disable=SC2016 # expanded over there
	on "$1" root timeout 120 bash -c '
		until main=$(pgrep -o -f -- "^crinit restore .*--job=$1 ") && worker=$(pgrep -P "$main" -x crworker) &&
			criu=$(pgrep -P "$worker" -f "criu-held.* restore") && grep -q "^State:.T" "/proc/$criu/status"; do
			sleep 0.1
		done
		echo "$criu"' bash "$2"
}

@test "crinit or T is killed: the job fails clearly, can be requeued, and goes on; without a notary it goes on at once" {
	local name pid
	only_n1
	for name in crinit t notary; do
		counting $name
	done
	counting_all crinit t notary
	pid=$(crinit_pid n1 "$(job t)")
	on n1 root bash -c 'kill -s KILL "$(ps -o ppid= -p "$1")"' bash "$pid"
	on n1 root kill -s KILL "$(crinit_pid n1 "$(job crinit)")"
	on n1 root pkill -KILL -f "^crnotary $(job notary) "
	for name in crinit t; do
		wait_state "$(job $name)" FAILED 30
		[ "$(job_field "$(job $name)" ExitCode)" = 0:9 ]
		nothing_left n1 "$(job $name)"
		kept $name
	done
	on n0 alice grep 'spank_cr: crinit is gone, and with it the job' "errors.$(job crinit)"
	run on n0 alice scheckpoint create "$(job notary)"
	echo "$output"
	[ "$status" = 1 ]
	[[ $output == *"the notary is gone"* ]]
	kept notary
	for name in crinit t; do
		on n0 root scontrol requeue "$(job $name)"
	done
	for name in crinit t; do
		wait_restored "$(job $name)" 1 60
	done
	right crinit t notary
}

# not in the middle of a requeue: doc/faults.md
@test "slurmctld restarts and slurmd is killed during a checkpoint, a vacate and a restore at once: all jobs go on" {
	local name pids=() status=0
	only_n1
	site_arguments bandwidth=4M
	counting dump
	counting restore
	# shellcheck disable=SC2086 # two options
	counting vacate $SLOWLY
	counting_all dump vacate restore
	hold_restores n1
	on n0 root scontrol requeue "$(job restore)"
	pids+=("$(restoring n1 "$(job restore)")")
	let_plans n1
	pids+=("$(caught "$(job dump)" draining create)")
	on n0 alice scheckpoint vacate "$(job vacate)" >"$BATS_TEST_TMPDIR/vacated" 2>&1 3>&- &
	vacate=$!
	pids+=("$(caught "$(job vacate)" frozen)")
	echo "stopped: ${pids[*]}"

	daemon_end n0 slurmctld TERM
	daemon_end n1 slurmd KILL
	daemon_start n0 slurmctld
	daemon_start n1 slurmd
	on n1 root kill -s CONT "${pids[@]}"

	wait "$vacate" || status=$?
	cat "$BATS_TEST_TMPDIR/vacated"
	wait_restored "$(job restore)" 1 90
	# what it said is what it did
	if [ "$status" = 0 ]; then
		wait_restored "$(job vacate)" 1 90
	else
		grep 'it goes on' "$BATS_TEST_TMPDIR/vacated"
	fi
	wait_committed "$(job dump)" 2 60
	for name in dump vacate restore; do
		kept $name
	done
	right dump vacate restore
}

@test "munged is down: no checkpoint is committed, none is passed over, and all goes on when it is back" {
	only_n1
	counting runs
	counting held
	counting_all runs held
	hold_plans n1
	on n0 root scontrol requeue "$(job held)"
	wait_held n1 "$(job held)" 60

	daemon_end n1 munged
	go_on n1 "$(job held)"
	on n1 alice scheckpoint agent create "$(job runs)" | tee "$BATS_TEST_TMPDIR/said"
	jq -e '.ok == false and (.error | test("munge"))' "$BATS_TEST_TMPDIR/said"
	wait_longer "out.$(job runs)" 20
	[ "$(newest "$(job runs)")" = 1 ]
	wait_until 20 on n1 root grep "job $(job held): generation .* cannot be read or checked on n1, the job waits" /var/log/slurm/slurmd.log
	not _restored "$(job held)" 1
	daemon_start n1 munged

	wait_restored "$(job held)" 1 60
	[ "$(journal "$(job held)" '[.[] | select(.event == "fresh")] | length')" = 1 ]
	# Slurm needs it, too
	wait_until 60 on n0 alice scheckpoint create "$(job runs)"
	[ "$(newest "$(job runs)")" -gt 1 ]
	kept runs
	right runs held
}

@test "a job is vacated twice at once: it is requeued once, and whoever is told that it was tells the truth" {
	local job one two first=0 second=0
	only_n1
	counting twice
	counting_all twice
	job=$(job twice)
	on n0 alice scheckpoint vacate "$job" >"$BATS_TEST_TMPDIR/first" 2>&1 3>&- &
	one=$!
	on n0 alice scheckpoint vacate "$job" >"$BATS_TEST_TMPDIR/second" 2>&1 3>&- &
	two=$!
	wait $one || first=$?
	wait $two || second=$?
	echo "$first, $second:"
	cat "$BATS_TEST_TMPDIR/first" "$BATS_TEST_TMPDIR/second"
	[ "$first" = 0 ] || [ "$second" = 0 ]
	wait_restored "$job" 1 60
	wait_longer "out.$job" 20
	[ "$(job_field "$job" Restarts)" = 1 ]
	right twice
}

_restored_again() {
	[ "$(journal "$1" '[.[] | select(.event == "restored" and .restart > 1)] | length')" -gt 0 ]
}

@test "a node dies during a dump and a drain, and the next one during a restore: the last checkpoint before counts" {
	local name
	only_n1
	site_arguments bandwidth=4M
	# shellcheck disable=SC2086 # two options
	counting dump $SLOWLY
	counting drain
	counting_all dump drain
	caught "$(job drain)" draining create
	caught "$(job dump)" frozen create
	on n0 root scontrol update nodename=n2 state=resume
	hold_restores n2
	lose_node n1
	restoring n2 "$(job dump)"
	let_plans n2
	"$TESTBED" start-node n1
	nodes_ready 60
	lose_node n2
	# a start that was lost in its restore is reason enough to put off the next one
	for name in dump drain; do
		wait_until 180 _restored_again "$(job $name)"
	done
	"$TESTBED" start-node n2
	for name in dump drain; do
		[ "$(journal "$(job $name)" '[.[] | select(.event == "restored" and .restart > 1)] | last.generation')" = 1 ]
		kept $name
	done
	right dump drain
}
