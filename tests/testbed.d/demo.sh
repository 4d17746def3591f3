# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# demo.sh - the main job: a LAMMPS run survives a lost node, a preemption and a requeue, and nobody can tell from its
# output
#
#   demo_main       the story, in order
#   act             what is done to the job, and the proof that it went on
#   poll            what happens, from Slurm and from scheckpoint; one line per event
#   compare         the job's output against that of the same run left in peace
#   summary         what it cost
#
# Times are milliseconds since 1970, from the one clock of this machine: all "nodes" share it.

DEMO_WORK=90     # seconds of pure computation, whatever the machine: the number of steps is measured
DEMO_BOX=20      # the melt has 4 * DEMO_BOX^3 atoms
DEMO_ROWS=450    # thermo lines
DEMO_EVERY=10s   # --checkpoint=
DEMO_AHEAD=70    # percent of the reference that is done when the job starts
DEMO_LINGER=4    # seconds between a checkpoint and the interruption that follows it
DEMO_PATIENCE=1  # all timeouts are multiplied by this
if [ -n "${TESTBED_IN_VM:-}" ]; then
	# emulated: everything is some twenty times slower
	DEMO_WORK=130
	DEMO_BOX=8
	DEMO_PATIENCE=4
fi

demo_main() {
	[ $# -eq 0 ] || die "usage: tests/testbed demo"
	"$TESTBED" up
	demo_state_init
	trap demo_end EXIT
	demo_prepare
	demo_reference
	demo_submit

	demo_until 60 "two checkpoints" demo_committed 2
	demo_until $((DEMO_WORK * 4)) "the end of the reference" demo_reference_ended
	demo_linger
	demo_node_loss
	demo_until 30 "a checkpoint after the first restore" demo_checkpointed_again
	demo_linger
	demo_preemption
	demo_until 30 "a checkpoint after the second restore" demo_checkpointed_again
	demo_linger
	demo_requeue

	demo_until $((DEMO_WORK * 4)) "the end of the job" demo_job_is COMPLETED
	demo_event "$(demo_now)" "job $DEMO_JOB is COMPLETED"
	demo_verify_job
	demo_compare
	demo_summary
	demo_verdict
}

demo_state_init() {
	declare -g DEMO_BEGAN DEMO_DIR DEMO_STEPS DEMO_JOB='' DEMO_REFERENCE='' DEMO_URGENT=''
	# the job as Slurm sees it, renewed by each poll
	declare -g DEMO_JOB_STATE='' DEMO_JOB_NODE='' DEMO_JOB_RESTARTS=0 DEMO_JOB_EXIT='' DEMO_REFERENCE_STATE='' DEMO_REFERENCE_NODE='' DEMO_REFERENCE_RESTARTS=''
	# checkpoints by generation; starts of the job by Slurm's restart count (0: from the beginning)
	declare -gA DEMO_GEN_TIME=() DEMO_GEN_REASON=() DEMO_GEN_FREEZE=() DEMO_FAILED=()
	declare -gA DEMO_START_TIME=() DEMO_START_GEN=() DEMO_START_MS=() DEMO_START_NODE=()
	declare -g DEMO_NEWEST=0
	# interruptions, in order: what, when the job stood still, the checkpoint it should go on from, why that was taken
	declare -ga DEMO_WHAT=() DEMO_STOP=() DEMO_FROM=()
	declare -ga DEMO_PROBLEMS=()
	declare -g DEMO_FINISHED=''
	DEMO_BEGAN=$(demo_now)
}

# ---- words ----

demo_now() {
	local now=${EPOCHREALTIME/[.,]/}
	echo $((now / 1000))
}

# demo_seconds MS - as 12.3
demo_seconds() {
	printf '%d.%d' $(($1 / 1000)) $(($1 % 1000 / 100))
}

# demo_event TIME TEXT
demo_event() {
	printf '%7s s  %s\n' "$(demo_seconds $(($1 - DEMO_BEGAN)))" "$2"
}

# demo_problem TEXT - the demo goes on, but it will not end well
demo_problem() {
	DEMO_PROBLEMS+=("$1")
	demo_event "$(demo_now)" "WRONG: $1"
}

# demo_on USER CMD... - on the login node
demo_on() {
	local user=$1
	shift
	timeout $((30 * DEMO_PATIENCE)) "$TESTBED" sh n0 --user "$user" "$@" </dev/null
}

# demo_until SECONDS WHAT CMD... - poll until CMD succeeds
demo_until() {
	local what=$2 limit=$(($1 * DEMO_PATIENCE)) deadline=$((SECONDS + $1 * DEMO_PATIENCE))
	shift 2
	while demo_poll && ! "$@"; do
		demo_alive || demo_give_up "the job is $DEMO_JOB_STATE (exit code $DEMO_JOB_EXIT) before $what"
		[ "$SECONDS" -lt "$deadline" ] || demo_give_up "no sign of $what after $limit s"
		sleep 0.5
	done
}

# demo_give_up WHY - with what is needed to find out
demo_give_up() {
	local node log dir=$STATE/shared/checkpoints/alice/$DEMO_JOB/batch.0
	{
		echo "--- job $DEMO_JOB in Slurm"
		demo_on root scontrol show job "$DEMO_JOB" || true
		for log in "$dir/crinit.log" "$dir/journal.jsonl" "$dir"/failed/*.log; do
			[ ! -s "$log" ] || {
				echo "--- $log"
				tail -n 15 "$log"
			}
		done
		for node in $(cluster_nodes); do
			log=$STATE/nodes/$node/upper/var/log/slurm/slurmd.log
			[ ! -s "$log" ] || {
				echo "--- $log"
				grep -E 'spank_cr|error' "$log" | tail -n 15 || true
			}
		done
	} >&2
	die "demo: $1"
}

# demo_end - however the demo ends, its jobs do too
demo_end() {
	[ -n "$DEMO_FINISHED" ] || [ -z "$DEMO_JOB" ] ||
		demo_on root scancel "$DEMO_JOB" ${DEMO_REFERENCE:+"$DEMO_REFERENCE"} ${DEMO_URGENT:+"$DEMO_URGENT"} || true
}

# demo_linger - let some work be done that the last checkpoint does not have
demo_linger() {
	sleep "$DEMO_LINGER"
	demo_poll
}

# ---- before: the input, the two jobs ----

demo_prepare() {
	local busy
	busy=$(demo_on root squeue -h -o %i | tr '\n' ' ')
	[ -z "$busy" ] || die "the cluster has other jobs ($busy): wait for them, or tests/testbed down"
	[ "$(cluster_size)" -ge 2 ] || die "the demo needs two compute nodes"
	DEMO_DIR=/shared/home/alice/demo-$(date +%Y%m%d-%H%M%S)
	demo_on alice mkdir -p "$DEMO_DIR/job" "$DEMO_DIR/reference"
	demo_measure
	demo_input "$DEMO_STEPS" | demo_write "$DEMO_DIR/melt.in"
	demo_write "$DEMO_DIR/melt.sh" <<-'EOS'
		#!/bin/bash
		export OMP_NUM_THREADS=1
		lmp -in ../melt.in
	EOS
}

# demo_write FILE - alice's, from standard input
demo_write() {
	"$TESTBED" sh n0 --user alice tee "$1" >/dev/null
}

# demo_input STEPS - LAMMPS' own melt, with thermodynamic output often
demo_input() {
	cat <<-EOS
		# Lennard-Jones melt, $((4 * DEMO_BOX ** 3)) atoms
		units lj
		atom_style atomic
		lattice fcc 0.8442
		region box block 0 $DEMO_BOX 0 $DEMO_BOX 0 $DEMO_BOX
		create_box 1 box
		create_atoms 1 box
		mass 1 1.0
		velocity all create 3.0 87287 loop geom
		pair_style lj/cut 2.5
		pair_coeff 1 1 1.0 1.0 2.5
		neighbor 0.3 bin
		neigh_modify every 20 delay 0 check no
		fix 1 all nve
		thermo_style custom step temp epair etotal press
		thermo $(($1 > DEMO_ROWS ? $1 / DEMO_ROWS : 1))
		run $1
	EOS
}

# demo_measure - how many steps make DEMO_WORK seconds here
demo_measure() {
	local took
	demo_input 100 | demo_write "$DEMO_DIR/measure.in"
	took=$(demo_on alice env OMP_NUM_THREADS=1 lmp -log none -in "$DEMO_DIR/measure.in" |
		sed -n 's/^Loop time of \([0-9.]*\) .*/\1/p')
	[ -n "$took" ] || die "demo: LAMMPS does not run on n0"
	DEMO_STEPS=$(awk -v took="$took" -v work="$DEMO_WORK" -v rows="$DEMO_ROWS" \
		'BEGIN { every = int(100 * work / took / rows); print rows * (every > 0 ? every : 1) }')
	demo_event "$(demo_now)" "LAMMPS: $((4 * DEMO_BOX ** 3)) atoms, 100 steps in $took s; the run will have $DEMO_STEPS"
}

# demo_reference - the same input, left in peace, in the partition that is not preempted. It starts well before the job
# and has ended before the job loses its node: Debian's LAMMPS is linked with Open MPI, which listens on the first
# free port from 1024 on, so that a second one on the node would be in the way of a restore there.
demo_reference() {
	DEMO_REFERENCE=$(demo_on alice sbatch --parsable --job-name=reference --partition=urgent \
		--chdir="$DEMO_DIR/reference" --output="$DEMO_DIR/reference/stdout" "$DEMO_DIR/melt.sh") ||
		die "demo: sbatch failed"
	demo_event "$(demo_now)" "alice submits job $DEMO_REFERENCE, the reference: sbatch melt.sh"
	demo_until 30 "the start of the reference" demo_reference_runs
	demo_event "$(demo_now)" "job $DEMO_REFERENCE is RUNNING on $DEMO_REFERENCE_NODE"
	demo_until $((DEMO_WORK * 4)) "most of the reference" demo_reference_ahead
}

demo_submit() {
	DEMO_JOB=$(demo_on alice sbatch --parsable --job-name=melt --checkpoint="$DEMO_EVERY" \
		--chdir="$DEMO_DIR/job" --output="$DEMO_DIR/job/stdout" "$DEMO_DIR/melt.sh") || die "demo: sbatch failed"
	demo_event "$(demo_now)" "alice submits job $DEMO_JOB: sbatch --checkpoint=$DEMO_EVERY melt.sh"
	demo_until 30 "the start of the job" demo_job_is RUNNING
}

# ---- act ----

demo_node_loss() {
	local node=$DEMO_JOB_NODE
	demo_stopped_by "node $node lost" "$(demo_now)" "$DEMO_NEWEST"
	"$TESTBED" kill-node "$node"
	demo_event "$(demo_now)" "node $node is killed"
	# the state last seen is the dead node's
	demo_until 120 "a restore on another node" demo_started 1
	[ "${DEMO_START_NODE[1]}" != "$node" ] || demo_problem "the job was restored on $node, which is dead"
	demo_expect_from 1
	"$TESTBED" start-node "$node"
	demo_event "$(demo_now)" "node $node is switched on again"
	demo_until 60 "$node ready for jobs" demo_node_idle "$node"
	demo_event "$(demo_now)" "node $node is back"
}

demo_preemption() {
	local node=$DEMO_JOB_NODE asked
	asked=$(demo_now)
	DEMO_URGENT=$(demo_on alice sbatch --parsable --job-name=urgent --partition=urgent --nodelist="$node" \
		--exclusive --mem=100 --output=/dev/null --wrap='sleep 5') || die "demo: sbatch failed"
	demo_event "$(demo_now)" "job $DEMO_URGENT in partition urgent wants $node"
	demo_until 60 "the preemption" demo_restarts 2
	demo_stopped_with preempt "preempted" "$asked"
	demo_until 90 "a restore after the preemption" demo_started 2
	demo_expect_from 2
}

demo_requeue() {
	local asked
	asked=$(demo_now)
	demo_on root scontrol requeue "$DEMO_JOB" || demo_give_up "scontrol requeue failed"
	demo_event "$(demo_now)" "scontrol requeue $DEMO_JOB"
	demo_stopped_with requeue "scontrol requeue" "$asked"
	demo_until 90 "a restore after the requeue" demo_started 3
	demo_expect_from 3
}

# demo_stopped_by WHAT TIME GENERATION
demo_stopped_by() {
	DEMO_WHAT+=("$1")
	DEMO_STOP+=("$2")
	DEMO_FROM+=("$3")
}

# demo_stopped_with REASON WHAT ASKED - a last checkpoint for REASON; the job stands still from its moment on
demo_stopped_with() {
	DEMO_ASKED=$3
	demo_until 60 "a last checkpoint ($1)" demo_last_checkpoint
	[ "${DEMO_GEN_REASON[$DEMO_NEWEST]}" = "$1" ] ||
		demo_problem "the last checkpoint, generation $DEMO_NEWEST, has the reason ${DEMO_GEN_REASON[$DEMO_NEWEST]}, not $1"
	demo_stopped_by "$2" "${DEMO_GEN_TIME[$DEMO_NEWEST]}" "$DEMO_NEWEST"
}

# demo_expect_from START - it went on from the checkpoint that was the newest
demo_expect_from() {
	local from=${DEMO_FROM[$1 - 1]} is=${DEMO_START_GEN[$1]}
	[ "$is" = "$from" ] || demo_problem "the job went on from generation $is, not from $from"
}

# ---- conditions, on what the last poll saw ----

demo_job_is() {
	[ "$DEMO_JOB_STATE" = "$1" ]
}

demo_reference_is() {
	[ "$DEMO_REFERENCE_STATE" = "$1" ]
}

demo_reference_runs() {
	demo_reference_is RUNNING
}

# by the rows in its output, which LAMMPS writes a block at a time
demo_reference_ahead() {
	local rows
	rows=$(demo_rows "$STATE$DEMO_DIR/reference/stdout" 2>/dev/null | wc -l)
	[ $((100 * rows)) -ge $((DEMO_AHEAD * DEMO_ROWS)) ] || [ "$DEMO_REFERENCE_STATE" != RUNNING ]
}

demo_reference_ended() {
	if demo_reference_is COMPLETED; then
		demo_event "$(demo_now)" "job $DEMO_REFERENCE, the reference, is COMPLETED"
		return
	fi
	[ "$DEMO_REFERENCE_STATE" = RUNNING ] || demo_give_up "the reference is $DEMO_REFERENCE_STATE"
	return 1
}

# the job may still do what the demo waits for (node failure, preemption: Slurm starts it again)
demo_alive() {
	case $DEMO_JOB_STATE in
	COMPLETED | FAILED | TIMEOUT | CANCELLED | OUT_OF_MEMORY | DEADLINE) false ;;
	esac
}

demo_committed() {
	[ ${#DEMO_GEN_TIME[@]} -ge "$1" ]
}

# a checkpoint since the last start
demo_checkpointed_again() {
	[ "$DEMO_NEWEST" -gt "${DEMO_START_GEN[${#DEMO_WHAT[@]}]}" ]
}

# the newest checkpoint is none of the periodic ones, and newer than the request
demo_last_checkpoint() {
	[ "${DEMO_GEN_TIME[$DEMO_NEWEST]}" -ge "$DEMO_ASKED" ] && [ "${DEMO_GEN_REASON[$DEMO_NEWEST]}" != interval ]
}

demo_started() {
	[ -n "${DEMO_START_TIME[$1]:-}" ]
}

demo_restarts() {
	[ "$DEMO_JOB_RESTARTS" -ge "$1" ]
}

demo_node_idle() {
	demo_on root sinfo -h -r -n "$1" -p main -t idle -o %N 2>/dev/null | grep -qx "$1"
}

# ---- poll ----

# demo_poll - look at Slurm and at the checkpoints, tell what is new
demo_poll() {
	local polled kind rest
	polled=$(demo_on alice bash -c "$(demo_poll_script)" sh "$DEMO_JOB" "$DEMO_REFERENCE" 2>/dev/null) || return 0
	# in the order it happened
	while IFS=' ' read -r _ kind rest; do
		case $kind in
		checkpoint | failed | fresh | restored | restore-failed) "demo_see_$kind" "$rest" ;;
		esac
	done < <(grep '^[0-9]' <<<"$polled" | sort -n || true)
	while IFS=' ' read -r kind rest; do
		case $kind in
		job | reference) "demo_see_$kind" "$rest" ;;
		esac
	done <<<"$polled"
}

# demo_poll_script - on the login node, for $1 = job and $2 = reference: "job STATE...", "reference STATE...", and
# "TIME EVENT TIME DETAIL..." for each checkpoint and each line of its journal
demo_poll_script() {
	cat <<-'EOS'
		see() {
			scontrol --oneliner show job "$2" | tr ' ' '\n' | awk -F= -v kind="$1" '
				{ is[$1] = $2 }
				END { print kind, is["JobState"], is["Restarts"], is["BatchHost"] ? is["BatchHost"] : "-", is["ExitCode"] }'
		}
		[ -z "$2" ] || see reference "$2"
		[ -n "$1" ] || exit 0
		see job "$1"
		ms='def ms: (.[0:19] + "Z" | fromdateiso8601) * 1000 + (.[20:23] | tonumber);'
		scheckpoint list "$1" --json | jq -r "$ms"'.[] | select(.time != null) |
			if .state == "committed" then
				"\(.time | ms) checkpoint \(.time | ms) \(.generation) \(.reason) \(.freeze_ms) \(.node) \(.image_bytes)"
			elif .state == "failed" then
				"\(.time | ms) failed \(.time | ms) \(.generation) \(.reason) \(.error)"
			else empty end'
		scheckpoint show "$1" --json | jq -r "$ms"'.events[] |
			"\(.time | ms) \(.event) \(.time | ms) \(.restart) \(.generation) \(.node) \(.ms // 0) \(.text // "")"'
	EOS
}

demo_see_job() {
	local was=$DEMO_JOB_STATE node=$DEMO_JOB_NODE restarts=$DEMO_JOB_RESTARTS
	read -r DEMO_JOB_STATE DEMO_JOB_RESTARTS DEMO_JOB_NODE DEMO_JOB_EXIT <<<"$1"
	[ "$was $node $restarts" != "$DEMO_JOB_STATE $DEMO_JOB_NODE $DEMO_JOB_RESTARTS" ] || return 0
	case $DEMO_JOB_STATE in
	RUNNING) demo_event "$(demo_now)" "job $DEMO_JOB is RUNNING on $DEMO_JOB_NODE" ;;
	PENDING) [ -z "$was" ] || demo_event "$(demo_now)" "job $DEMO_JOB is PENDING again" ;;
	esac
}

demo_see_reference() {
	read -r DEMO_REFERENCE_STATE DEMO_REFERENCE_RESTARTS DEMO_REFERENCE_NODE _ <<<"$1"
}

demo_see_checkpoint() {
	local time generation reason freeze node bytes
	read -r time generation reason freeze node bytes <<<"$1"
	[ -z "${DEMO_GEN_TIME[$generation]:-}" ] || return 0
	DEMO_GEN_TIME[$generation]=$time
	DEMO_GEN_REASON[$generation]=$reason
	DEMO_GEN_FREEZE[$generation]=$freeze
	[ "$generation" -lt "$DEMO_NEWEST" ] || DEMO_NEWEST=$generation
	demo_event "$time" "checkpoint $generation ($reason) on $node: frozen $freeze ms, $((bytes / 1048576)) MiB"
}

demo_see_failed() {
	local generation reason error
	read -r _ generation reason error <<<"$1"
	[ -z "${DEMO_FAILED[$generation]:-}" ] || return 0
	DEMO_FAILED[$generation]=$error
	demo_problem "checkpoint $generation ($reason) failed: $error"
}

demo_see_fresh() {
	local time restart node
	read -r time restart _ node _ <<<"$1"
	demo_see_start "$time" "$restart" 0 "$node" 0 || return 0
	[ "$restart" = 0 ] || demo_problem "the job started from the beginning on $node (restart $restart)"
}

demo_see_restored() {
	local time restart generation node ms
	read -r time restart generation node ms _ <<<"$1"
	demo_see_start "$time" "$restart" "$generation" "$node" "$ms" || return 0
	demo_event "$time" "job $DEMO_JOB is restored on $node from checkpoint $generation, in $ms ms"
}

# demo_see_start TIME RESTART GENERATION NODE MS - false when it is known
demo_see_start() {
	[ -z "${DEMO_START_TIME[$2]:-}" ] || return 1
	DEMO_START_TIME[$2]=$1
	DEMO_START_GEN[$2]=$3
	DEMO_START_NODE[$2]=$4
	DEMO_START_MS[$2]=$5
}

demo_see_restore-failed() {
	local restart generation text
	read -r _ restart generation _ _ text <<<"$1"
	[ -z "${DEMO_FAILED[r$restart.$generation]:-}" ] || return 0
	DEMO_FAILED[r$restart.$generation]=$text
	demo_problem "checkpoint $generation could not be restored: $text"
}

# ---- compare ----

demo_verify_job() {
	[ "$DEMO_JOB_EXIT" = 0:0 ] || demo_problem "job $DEMO_JOB has the exit code $DEMO_JOB_EXIT"
	[ "$DEMO_JOB_RESTARTS" = 3 ] || demo_problem "Slurm counts $DEMO_JOB_RESTARTS restarts of job $DEMO_JOB, not 3"
	[ "$DEMO_REFERENCE_RESTARTS" = 0 ] || demo_problem "the reference was interrupted itself"
	[ ${#DEMO_START_TIME[@]} = 4 ] || demo_problem "job $DEMO_JOB was started ${#DEMO_START_TIME[@]} times, not 4"
}

demo_compare() {
	local name dir=$STATE$DEMO_DIR
	mkdir -p "$STATE/log/demo"
	for name in stdout log.lammps; do
		demo_text "$dir/job/$name" >"$STATE/log/demo/job.$name"
		demo_text "$dir/reference/$name" >"$STATE/log/demo/reference.$name"
		demo_compare_rows "$name"
		if ! diff -u "$STATE/log/demo/reference.$name" "$STATE/log/demo/job.$name" >"$STATE/log/demo/$name.diff"; then
			head -n 20 "$STATE/log/demo/$name.diff"
			demo_problem "$name differs from the reference's, see $STATE/log/demo/$name.diff"
		fi
	done
}

# demo_text FILE - without what slurmstepd wrote into it (perhaps in the middle of a line of the program's, which
# writes whole blocks), and without what tells the time of day
demo_text() {
	[ -e "$1" ] || return 0
	sed -z 's/slurmstepd[^ :\n]*: [^\n]*\n//g' "$1" | sed \
		-e '/^Loop time of /d; /^Performance: /d; /% CPU use with /d; /^ *create_atoms CPU = /d; /^Total wall time: /d' \
		-e '/^MPI task timing breakdown:$/,/^$/d'
}

# demo_rows FILE - the thermodynamic output alone
demo_rows() {
	grep -E '^ +[0-9]+( +-?[0-9.]+(e[-+]?[0-9]+)?){4} *$' "$1" || true
}

# demo_compare_rows NAME - every row is there, once, in order, in both runs, and equal
demo_compare_rows() {
	local job=$STATE/log/demo/job.$1 reference=$STATE/log/demo/reference.$1 file rows want
	want=$(seq 0 $((DEMO_STEPS / DEMO_ROWS)) "$DEMO_STEPS")
	for file in "$job" "$reference"; do
		demo_rows "$file" >"$file.rows"
		rows=$(awk '{ print $1 }' "$file.rows")
		[ "$rows" = "$want" ] ||
			demo_problem "${file##*/}: $(wc -l <"$file.rows") thermo rows, not $((DEMO_ROWS + 1)):$(demo_row_faults "$want" "$rows")"
	done
	if cmp -s "$job.rows" "$reference.rows"; then
		demo_event "$(demo_now)" "$1: $(wc -l <"$job.rows") thermo rows, each equal to the reference's"
	else
		demo_problem "$1: the thermo rows of the job and of the reference differ"
	fi
}

# demo_row_faults WANT ROWS - which steps are lost, which are there twice
demo_row_faults() {
	diff <(echo "$1") <(echo "$2") | awk '
		/^</ && n++ < 5 { printf " step %s lost;", $2 }
		/^>/ && m++ < 5 { printf " step %s too much;", $2 }' || true
}

# ---- summary ----

# demo_summary - seconds: the work done when the interruption came; the part of it done again; the time until the job
# ran again; the work to do again without checkpoints, which is all of it
demo_summary() {
	local i base=0 work redone down all_redone=0 all_down=0 all_work=0 checkpoint
	local format='%-18s %8s %10s %12s %10s %14s\n'
	echo
	# shellcheck disable=SC2059
	printf "$format" "seconds" "at" "work done" "work redone" "downtime" "starting over"
	for i in "${!DEMO_WHAT[@]}"; do
		checkpoint=${DEMO_GEN_TIME[${DEMO_START_GEN[$((i + 1))]}]:-${DEMO_START_TIME[$i]}}
		work=$((base + DEMO_STOP[i] - DEMO_START_TIME[$i]))
		redone=$((DEMO_STOP[i] - checkpoint))
		down=$((DEMO_START_TIME[$((i + 1))] - DEMO_STOP[i]))
		base=$((base + checkpoint - DEMO_START_TIME[$i]))
		all_redone=$((all_redone + redone)) all_down=$((all_down + down)) all_work=$((all_work + work))
		# shellcheck disable=SC2059
		printf "$format" "${DEMO_WHAT[$i]}" "$(demo_seconds $((DEMO_STOP[i] - DEMO_BEGAN)))" \
			"$(demo_seconds "$work")" "$(demo_seconds "$redone")" "$(demo_seconds "$down")" "$(demo_seconds "$work")"
	done
	# shellcheck disable=SC2059
	printf "$format" "together" "" "" "$(demo_seconds "$all_redone")" "$(demo_seconds "$all_down")" \
		"$(demo_seconds "$all_work")"
	echo
	echo "with checkpoints $(demo_seconds "$all_redone") s of work had to be done again;" \
		"starting over each time would have cost $(demo_seconds "$all_work") s"
	demo_summary_freeze
}

demo_summary_freeze() {
	local sorted restores
	mapfile -t sorted < <(printf '%s\n' "${DEMO_GEN_FREEZE[@]}" | sort -n)
	restores=$(printf '%s\n' "${DEMO_START_MS[@]}" | sort -n | sed '/^0$/d' | tr '\n' ' ')
	echo "${#sorted[@]} checkpoints; the job was frozen for ${sorted[$((${#sorted[@]} / 2))]} ms (median)," \
		"${sorted[-1]} ms (worst); restores took ${restores% } ms"
}

demo_verdict() {
	DEMO_FINISHED=yes
	if [ ${#DEMO_PROBLEMS[@]} -gt 0 ]; then
		printf 'demo: %s\n' "${DEMO_PROBLEMS[@]}"
		die "the demo failed: ${#DEMO_PROBLEMS[@]} things are wrong; the cluster is still up"
	fi
	echo "job $DEMO_JOB was interrupted three times, is COMPLETED, and its output is that of the uninterrupted run"
	say "the cluster is still up; tests/testbed down stops it"
}
