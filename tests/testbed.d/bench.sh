# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# shellcheck disable=SC2016 # awk's fields, and scripts for elsewhere
# bench.sh - what spank_cr costs: at a job's launch, while no checkpoint is taken, and during one
#
#   launch   from slurmd's "Launching batch job" to the first line of the job's script, by the one clock of this machine.
#            slurmctld's schedule, the prolog and sbatch are not in it; slurmstepd's start is, for both.
#   compute  wall and processor time of a program that only computes, measured by itself
#   freeze   how long the tree stands still in `scheckpoint create`, as its manifest says
#
# Launch and compute are pairs of a job with --checkpoint=1h and one without, one after the other, the first of a
# pair taking turns: what else the machine does hits both alike. Results are differences and ratios, not seconds.

BENCH_PAIRS=7
BENCH_SIZES='16 256' # MiB resident
BENCH_CREATES=5      # checkpoints per size
BENCH_SECONDS=5      # of the program that computes
BENCH_GOAL_MS=100    # a launch adds less than this

bench_main() {
	local size
	while [ $# -gt 0 ]; do
		case $1 in
		--pairs)
			[[ ${2:-} =~ ^([5-9]|[1-9][0-9]+)$ ]] || die "--pairs takes a number from 5"
			BENCH_PAIRS=$2
			shift 2
			;;
		*) die "usage: tests/testbed bench [--pairs N]" ;;
		esac
	done
	build_possible || die "there is nothing to measure: no configure.ac"
	"$TESTBED" up
	BENCH_DATA=$STATE/log/bench
	rm -rf "$BENCH_DATA" "$STATE/log/bench.json"
	mkdir -p "$BENCH_DATA"
	bench_programs
	say "bench: launch, $BENCH_PAIRS pairs"
	bench_pairs launch
	say "bench: compute, $BENCH_PAIRS pairs"
	bench_pairs compute
	for size in $BENCH_SIZES; do
		say "bench: freeze with $size MiB"
		bench_freeze "$size"
	done
	bench_json >"$STATE/log/bench.json.new"
	"$TESTBED" sh n0 jq -e . <"$STATE/log/bench.json.new" >/dev/null || die "$STATE/log/bench.json.new is no JSON"
	mv "$STATE/log/bench.json.new" "$STATE/log/bench.json"
	bench_table
	say "the figures: $STATE/log/bench.json"
}

# bench_on USER CMD... - on the login node
bench_on() {
	local user=$1
	shift
	"$TESTBED" sh n0 --user "$user" "$@" </dev/null
}

# bench_programs - compiled on a node, into alice's home; bench-compute's rounds fit this machine
bench_programs() {
	local home=$STATE/shared/home/alice rounds
	cat >"$home/bench-compute.c" <<-'END'
	#include <stdio.h>
	#include <stdlib.h>
	#include <sys/resource.h>
	#include <time.h>
	int main(int argc, char **argv)
	{
		unsigned long long x = 88172645463325252ull, n = strtoull(argv[argc - 1], NULL, 10);
		static double field[1 << 14];
		struct timespec from, to;
		struct rusage used;
		double sum = 0;
		clock_gettime(CLOCK_MONOTONIC, &from);
		for (unsigned long long i = 0; i < n; i++) {
			x ^= x << 13, x ^= x >> 7, x ^= x << 17;
			field[x & 16383] += 1e-9 * (double)(x >> 40);
			sum += field[(x >> 20) & 16383];
		}
		clock_gettime(CLOCK_MONOTONIC, &to);
		getrusage(RUSAGE_SELF, &used);
		printf("%.6f %.6f %g\n", to.tv_sec - from.tv_sec + 1e-9 * (to.tv_nsec - from.tv_nsec),
		       used.ru_utime.tv_sec + used.ru_stime.tv_sec +
			       1e-6 * (used.ru_utime.tv_usec + used.ru_stime.tv_usec), sum);
		return 0;
	}
	END
	cat >"$home/bench-memory.c" <<-'END'
	#include <stdio.h>
	#include <stdlib.h>
	#include <unistd.h>
	int main(int argc, char **argv)
	{
		size_t n = strtoull(argv[argc - 1], NULL, 10) << 17;
		unsigned long long x = 88172645463325252ull, *heap = malloc(n * sizeof(x));
		for (size_t i = 0; heap && i < n; i++) {
			x ^= x << 13, x ^= x >> 7, x ^= x << 17;
			heap[i] = x;
		}
		puts(heap ? "ready" : "no memory");
		fflush(stdout);
		for (size_t i = 0;; i++) {
			heap[i % n] ^= i;
			usleep(1000);
		}
	}
	END
	bench_on alice bash -c 'gcc -O2 -o bench-compute bench-compute.c && gcc -O2 -o bench-memory bench-memory.c' ||
		die "the programs do not compile"
	bench_on alice ./bench-compute 1000000 >/dev/null
	rounds=$(bench_on alice ./bench-compute 100000000 | awk -v s="$BENCH_SECONDS" '{ printf "%.0f", 1e8 * s / $1 }')
	[[ $rounds =~ ^[1-9][0-9]*$ ]] || die "bench-compute does not run"
	echo "$rounds" >"$BENCH_DATA/rounds"
}

# bench_job WHAT with|without - one job to its end; prints its figures: milliseconds, or wall and processor seconds
bench_job() {
	local option=() id script out
	[ "$2" = without ] || option=(--checkpoint=1h)
	case $1 in
	launch) script='echo $EPOCHREALTIME' ;;
	compute) script="./bench-compute $(<"$BENCH_DATA/rounds")" ;;
	esac
	# the whole script is one line: the time it takes bash to read it is the same in both
	id=$(bench_on alice bash -c 'script=$1; shift; exec sbatch --parsable --wait -w n1 -o bench-%j.out "$@" <<<"#!/bin/bash
$script"' bash "$script" "${option[@]}") || die "the job of a $1 $2 failed"
	out=$(bench_on alice cat "bench-$id.out")
	bench_supervised "$id" "$2"
	case $1 in
	launch) bench_launched "$id" "$out" ;;
	compute) echo "$out" | cut -d' ' -f1,2 ;;
	esac
}

# bench_supervised ID with|without - a job that ran without checkpoints when it asked for them measures nothing
bench_supervised() {
	local line="spank_cr: job $1: the job started on"
	if bench_log | grep -qF "$line"; then
		[ "$2" = with ] || die "job $1 did not ask for checkpoints and was supervised"
	else
		[ "$2" = without ] || die "job $1 was not supervised, see slurmd.log on n1"
	fi
}

bench_log() {
	"$TESTBED" sh n1 cat /var/log/slurm/slurmd.log </dev/null
}

# bench_launched ID TIME - milliseconds from slurmd's line to TIME; its stamps have milliseconds, in the node's UTC
bench_launched() {
	local stamp
	stamp=$(bench_log | sed -n "s/^\[\([^]]*\)\] Launching batch job $1 for UID .*/\1/p" | tail -1)
	[ -n "$stamp" ] || die "slurmd's log on n1 does not say when job $1 was launched"
	awk -v from="$(TZ=UTC date -d "$stamp" +%s.%3N)" -v to="$2" 'BEGIN { printf "%.1f\n", (to - from) * 1000 }'
}

# bench_pairs WHAT - a line a pair into WHAT.data: the figures with, then those without
bench_pairs() {
	local pair with without
	# the first job of each kind finds caches cold
	bench_job launch with >/dev/null
	bench_job launch without >/dev/null
	for pair in $(seq "$BENCH_PAIRS"); do
		if [ $((pair % 2)) = 1 ]; then
			with=$(bench_job "$1" with)
			without=$(bench_job "$1" without)
		else
			without=$(bench_job "$1" without)
			with=$(bench_job "$1" with)
		fi
		[[ $with =~ [0-9] && $without =~ [0-9] ]] || die "a $1 gave no figures"
		echo "$with $without" | tee -a "$BENCH_DATA/$1.data" >&2
	done
}

# bench_freeze MIB - a line a checkpoint into freeze-MIB.data: freeze_ms, drain_ms and image_bytes
bench_freeze() {
	local size=$1 id n
	id=$(bench_on alice sbatch --parsable --checkpoint=1h --mem=$((size + 200)) -w n1 -o bench-%j.out --wrap "exec ./bench-memory $size")
	wait_until 60 bench_ready "$id" || die "job $id does not run"
	# generations before the last two are removed: each is asked for its figures at once
	for n in $(seq "$BENCH_CREATES"); do
		bench_on alice scheckpoint create "$id" >/dev/null || die "no checkpoint of job $id"
		bench_on alice scheckpoint show "$id.$n" --json >"$BENCH_DATA/show"
		echo "$(bench_field freeze_ms) $(bench_field drain_ms) $(bench_field image_bytes)" |
			tee -a "$BENCH_DATA/freeze-$size.data" >&2
	done
	bench_on root scancel "$id"
	wait_until 60 bench_idle || die "job $id does not end"
}

bench_ready() {
	bench_on alice grep -q ready "bench-$1.out" 2>/dev/null
}

bench_idle() {
	[ -z "$(bench_on root squeue -h)" ]
}

# bench_field NAME - the first number of that name in the text of `scheckpoint show --json`
bench_field() {
	local value
	value=$(grep -oE "\"$1\": *[0-9]+" "$BENCH_DATA/show" | head -1 | grep -oE '[0-9]+$')
	echo "${value:-0}"
}

# bench_stats EXPRESSION FILE - "median worst" of an awk expression over the lines
bench_stats() {
	awk "{ print $1 }" "$2" | sort -g | awk '{ v[NR] = $1 }
		END { printf "%.4f %.4f\n", NR % 2 ? v[(NR + 1) / 2] : (v[NR / 2] + v[NR / 2 + 1]) / 2, v[NR] }'
}

# bench_all EXPRESSION FILE - every value, for JSON
bench_all() {
	awk "{ printf \"%s%.4f\", (NR > 1 ? \", \" : \"\"), $1 }" "$2"
}

# bench_item NAME EXPRESSION FILE - "NAME": {…}
bench_item() {
	local median worst
	read -r median worst <<<"$(bench_stats "$2" "$3")"
	printf '"%s": {"median": %s, "worst": %s, "all": [%s]}' "$1" "$median" "$worst" "$(bench_all "$2" "$3")"
}

bench_json() {
	local launch=$BENCH_DATA/launch.data compute=$BENCH_DATA/compute.data size comma=''
	printf '{\n  "format": 1,\n  "time": "%s",\n  "kernel": "%s",\n  "processors": %s,\n  "pairs": %s,\n' \
		"$(date -u +%FT%TZ)" "$(uname -r)" "$(nproc)" "$BENCH_PAIRS"
	printf '  "launch": {\n    %s,\n    %s,\n    %s,\n    "goal_ms": %s\n  },\n' \
		"$(bench_item with_ms '$1' "$launch")" "$(bench_item without_ms '$2' "$launch")" \
		"$(bench_item added_ms '$1 - $2' "$launch")" "$BENCH_GOAL_MS"
	printf '  "compute": {\n    %s,\n    %s\n  },\n  "freeze": [' \
		"$(bench_item wall_ratio '$1 / $3' "$compute")" "$(bench_item processor_ratio '$2 / $4' "$compute")"
	for size in $BENCH_SIZES; do
		printf '%s\n    {"resident_mib": %s, %s, %s, %s}' "$comma" "$size" \
			"$(bench_item freeze_ms '$1' "$BENCH_DATA/freeze-$size.data")" \
			"$(bench_item drain_ms '$2' "$BENCH_DATA/freeze-$size.data")" \
			"$(bench_item image_bytes '$3' "$BENCH_DATA/freeze-$size.data")"
		comma=,
	done
	printf '\n  ]\n}\n'
}

# bench_row NAME EXPRESSION FILE FORMAT [REMARK]
bench_row() {
	local median worst
	read -r median worst <<<"$(bench_stats "$2" "$3")"
	# shellcheck disable=SC2059 # the format is one of ours
	printf "%-44s $4 $4  %s\n" "$1" "$median" "$worst" "${5:-}"
}

bench_table() {
	local launch=$BENCH_DATA/launch.data compute=$BENCH_DATA/compute.data size added remark
	added=$(bench_stats '$1 - $2' "$launch" | cut -d' ' -f1)
	remark=$(awk -v a="$added" -v g="$BENCH_GOAL_MS" \
		'BEGIN { printf "goal: median below %d ms, %s", g, a < g ? "met" : "MISSED" }')
	printf '%-44s %10s %10s\n' "$BENCH_PAIRS pairs, with and without --checkpoint" median worst
	bench_row 'launch with, ms' '$1' "$launch" %10.1f
	bench_row 'launch without, ms' '$2' "$launch" %10.1f
	bench_row 'launch, what it adds, ms' '$1 - $2' "$launch" %10.1f "$remark"
	bench_row 'compute, wall time with / without' '$1 / $3' "$compute" %10.4f
	bench_row 'compute, processor time with / without' '$2 / $4' "$compute" %10.4f
	for size in $BENCH_SIZES; do
		bench_row "freeze with $size MiB resident, ms" '$1' "$BENCH_DATA/freeze-$size.data" %10.1f
		bench_row "  from thaw to commit, ms" '$2' "$BENCH_DATA/freeze-$size.data" %10.1f
	done
}
