# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# shellcheck disable=SC2016 # awk's fields, and scripts for elsewhere
# bench-launch.sh - what --checkpoint costs a job that takes none: pairs of a job with --checkpoint=1h and one
# without
#
#   launch   from slurmd's "Launching batch job" to the first line of the job's script, by the one clock of this
#            machine. slurmctld's schedule, the prolog and sbatch are not in it; slurmstepd's start is, for both.
#   compute  wall and processor time of a program that only computes, measured by itself

BENCH_GOAL_MS=100 # a launch adds less than this

# bench_pairs WHAT - a line a pair: the figures with, then those without
bench_pairs() {
	local what=$1 pair with without data=$BENCH_DATA/$1.data
	[ "$what" = launch ] || bench_rounds
	# the first job of each kind finds caches cold
	bench_job "$what" with >/dev/null
	bench_job "$what" without >/dev/null
	for pair in $(seq "$BENCH_PAIRS"); do
		if [ $((pair % 2)) = 1 ]; then
			with=$(bench_job "$what" with)
			without=$(bench_job "$what" without)
		else
			without=$(bench_job "$what" without)
			with=$(bench_job "$what" with)
		fi
		[[ $with =~ [0-9] && $without =~ [0-9] ]] || die "a $what gave no figures"
		echo "$with $without" | tee -a "$data" >&2
	done
	"bench_${what}_rows" "$data" >"$BENCH_DATA/$what.json"
}

bench_launch_rows() {
	printf '{"rows": [%s, %s, %s]}\n' \
		"$(bench_row '' 'launch, what --checkpoint adds, ms' '$1 - $2' "$1" "$BENCH_GOAL_MS")" \
		"$(bench_row '' '  with, ms' '$1' "$1")" "$(bench_row '' '  without, ms' '$2' "$1")"
}

bench_compute_rows() {
	printf '{"rows": [%s, %s]}\n' "$(bench_row '' 'compute, wall time with / without' '$1 / $3' "$1")" \
		"$(bench_row '' 'compute, processor time with / without' '$2 / $4' "$1")"
}

# bench_rounds - as many as fit this machine
bench_rounds() {
	local rounds
	bench_on alice "$BENCH_SHARED/compute" 1000000 >/dev/null
	rounds=$(bench_on alice "$BENCH_SHARED/compute" 100000000 |
		awk -v s="$BENCH_SECONDS" '{ printf "%.0f", 1e8 * s / $1 }')
	[[ $rounds =~ ^[1-9][0-9]*$ ]] || die "the program that computes does not run"
	echo "$rounds" >"$BENCH_DATA/rounds"
}

# bench_job WHAT with|without - one job to its end; prints its figures: milliseconds, or wall and processor seconds
bench_job() {
	local option=() id script out
	[ "$2" = without ] || option=(--checkpoint=1h)
	case $1 in
	launch) script='echo $EPOCHREALTIME' ;;
	compute) script="$BENCH_SHARED/compute $(<"$BENCH_DATA/rounds")" ;;
	esac
	# the whole script is one line: the time it takes bash to read it is the same in both
	id=$(bench_on alice bash -c 'script=$1; shift
exec sbatch --parsable --wait -w n1 -o bench-%j.out "$@" <<EOF
#!/bin/bash
$script
EOF' bash "$script" "${option[@]}") || die "the job of a $1 $2 failed"
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
	# all of it is read: a writer that dies of SIGPIPE would count
	if bench_log | grep -F "$line" >/dev/null; then
		[ "$2" = with ] || die "job $1 did not ask for checkpoints and was supervised"
	else
		[ "$2" = without ] || die "job $1 was not supervised, see slurmd.log on n1"
	fi
}

bench_log() {
	bench_node cat /var/log/slurm/slurmd.log
}

# bench_launched ID TIME - milliseconds from slurmd's line to TIME; its stamps have milliseconds, in the node's UTC
bench_launched() {
	local stamp
	stamp=$(bench_log | sed -n "s/^\[\([^]]*\)\] Launching batch job $1 for UID .*/\1/p" | tail -1)
	[ -n "$stamp" ] || die "slurmd's log on n1 does not say when job $1 was launched"
	awk -v from="$(TZ=UTC date -d "$stamp" +%s.%3N)" -v to="$2" 'BEGIN { printf "%.1f\n", (to - from) * 1000 }'
}
