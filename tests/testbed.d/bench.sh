# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# bench.sh - what spank_cr costs: as a table, and in STATE/log/bench.json
#
#   launch    a job's start                                              bench-launch.sh
#   compute   a job that takes no checkpoint                             bench-launch.sh
#   freeze    what a checkpoint of a small job costs                     this and the rest: bench-store.sh
#   dump      how long a checkpoint stops a job, and when it is durable
#   restore   from a checkpoint, with cold caches
#   restart   a new job from a warm JVM's checkpoint                     bench-restart.sh
#   size      what a first checkpoint stores
#   change    what a second one stores
#   drain     what the job loses while a checkpoint is written
#   memory    what our own processes take
#
# What is compared is measured in pairs, one after the other, the first of a pair taking turns: what else the
# machine does hits both alike. Results are ratios and differences, not seconds.
#
# --quick shows that all of it works; --short is the least of each that gives figures, for tests/testbed check, and drops
# no caches: others share the machine.

BENCH_PARTS=(launch compute freeze dump restore restart size change drain memory)
BENCH_PAIRS=5
BENCH_QUICK=
BENCH_SHORT=
# shellcheck disable=SC2034 # used by bench-*.sh
BENCH_SECONDS=5 # of the program that computes
BENCH_MIB=2048  # of the large workload
BENCH_SMALL=512 # of the others
BENCH_SHARED=/shared/bench

bench_main() {
	local part parts=() failed=()
	if [ "$*" = --parts ]; then
		printf '%s\n' "${BENCH_PARTS[@]}"
		return
	fi
	bench_arguments "$@"
	BENCH_JSON=$STATE/log/bench${BENCH_SHORT:+-short}.json
	build_possible || die "there is nothing to measure: no configure.ac"
	for part in launch restart store; do
		# shellcheck source=/dev/null
		. "$TESTBED_LIB/bench-$part.sh"
	done
	# nodes with room for the large workload, and with what the workloads are written in
	export TESTBED_PROGRAMS=1 TESTBED_MEMORY=${TESTBED_MEMORY:-16000}
	"$TESTBED" up
	BENCH_DATA=$STATE/shared/bench/results
	rm -rf "$STATE/shared/bench" "$BENCH_JSON"
	install -d -m 755 "$STATE/shared/bench" "$BENCH_DATA" "$(dirname "$BENCH_JSON")"
	bench_programs
	for part in "${parts[@]}"; do
		say "bench: $part"
		# a process of its own: what it cannot measure does not keep the others from it
		if ! (bench_part "$part"); then
			say "bench: $part FAILED"
			failed+=("$part")
			bench_end_jobs
		fi
	done
	bench_report "${parts[@]}"
	bench_node rm -rf /var/lib/bench "$BENCH_SHARED/peer" # gigabytes
	[ ${#failed[@]} = 0 ] || die "not measured: ${failed[*]}"
}

# bench_arguments ARG... - fills the caller's parts
bench_arguments() {
	while [ $# -gt 0 ]; do
		case $1 in
		--pairs)
			[[ ${2:-} =~ ^([5-9]|[1-9][0-9]+)$ ]] || die "--pairs takes a number from 5"
			BENCH_PAIRS=$2
			shift
			;;
		--quick)
			# shellcheck disable=SC2034 # used by bench-*.sh
			BENCH_QUICK=yes BENCH_PAIRS=2 BENCH_SECONDS=1 BENCH_MIB=512 BENCH_SMALL=128
			;;
		--short)
			# shellcheck disable=SC2034 # used by bench-*.sh
			BENCH_QUICK=yes BENCH_SHORT=yes BENCH_PAIRS=1 BENCH_SECONDS=0.2 BENCH_MIB=64 BENCH_SMALL=32
			;;
		*)
			[[ " ${BENCH_PARTS[*]} " == *" $1 "* ]] ||
				die "usage: bench [--quick | --short | --pairs N] [PART]..., each one of ${BENCH_PARTS[*]}"
			parts+=("$1")
			;;
		esac
		shift
	done
	[ ${#parts[@]} -gt 0 ] || parts=("${BENCH_PARTS[@]}")
}

# bench_part PART - its figures into PART.json
bench_part() {
	case $1 in
	launch | compute) bench_pairs "$1" ;;
	restart) bench_restart ;;
	*) bench_store "$1" ;;
	esac
}

# bench_on USER CMD... - on the login node
bench_on() {
	local user=$1
	shift
	"$TESTBED" sh n0 --user "$user" "$@" </dev/null
}

# bench_node CMD... - as root on the compute node that everything runs on
bench_node() {
	"$TESTBED" sh n1 "$@" </dev/null
}

# bench_programs - the workloads, compiled on a node
bench_programs() {
	cp "$CLONE"/tests/bench/* "$STATE/shared/bench/"
	bench_node make -s -C "$BENCH_SHARED" || die "the benchmark's programs do not compile"
}

bench_end_jobs() {
	bench_on root scancel --user=alice || true
	wait_until 60 bench_idle || say "jobs of alice's do not end"
}

bench_idle() {
	[ -z "$(bench_on root squeue -h)" ]
}

# bench_values EXPRESSION FILE - an awk expression over the lines, as a JSON array
bench_values() {
	awk "{ printf \"%s%.4f\", (NR > 1 ? \", \" : \"[\"), $1 } END { print \"]\" }" "$2"
}

# bench_row NAME WHAT EXPRESSION FILE [REACH] - a row of the table
bench_row() {
	printf '{"name": "%s", "what": "%s", "reach": %s, "values": %s}' \
		"$1" "$2" "${5:-null}" "$(bench_values "$3" "$4")"
}

# bench_report PART... - the table, and bench.json, from each PART.json
bench_report() {
	bench_node python3 "$BENCH_SHARED/report.py" ${BENCH_QUICK:+--quick} --pairs "$BENCH_PAIRS" \
		--processors "$(nproc)" "$BENCH_SHARED/results" "$@" || die "no report"
	mv "$BENCH_DATA/bench.json" "$BENCH_JSON"
	say "the figures: $BENCH_JSON"
}
