# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# shellcheck disable=SC2016 # awk's fields
# bench-restart.sh - what --restart-from saves a program that is slow to start: pairs of a job that starts a Java virtual
# machine and has javac compile something in it, and a job that begins from a checkpoint in which javac is warm
#
# Both from slurmd's "Launching batch job" to the line that the program prints when it has compiled, by the one clock of
# this machine; the class files must be as many bytes in both. What the warm-up took is told beside that: it is paid
# once, whatever the number of jobs.

BENCH_WARM=40 # rounds of javac until it is warm

# bench_restart - a line a pair: milliseconds from the checkpoint, and without
bench_restart() {
	local pair from cold source seconds data=$BENCH_DATA/restart.data
	[ -z "$BENCH_QUICK" ] || BENCH_WARM=5
	[ -z "$BENCH_SHORT" ] || BENCH_WARM=1
	bench_node sh -c "cd $BENCH_SHARED && java -m jdk.compiler/com.sun.tools.javac.Main -d . Compile.java" ||
		die "Compile.java does not compile"
	seconds=$EPOCHREALTIME
	source=$(bench_compile warm "$BENCH_WARM" --checkpoint=1h --checkpoint-on-complete=keep)
	[ -n "$source" ] || die "nothing to begin from"
	seconds=$(awk -v a="$seconds" -v b="$EPOCHREALTIME" 'BEGIN { printf "%.1f", b - a }')
	say "bench: $BENCH_WARM rounds and the checkpoint took $seconds s"
	bench_compile cold 0 >/dev/null # caches
	for pair in $(seq "$BENCH_PAIRS"); do
		if [ $((pair % 2)) = 1 ]; then
			from=$(bench_compiled from "$source")
			cold=$(bench_compiled cold)
		else
			cold=$(bench_compiled cold)
			from=$(bench_compiled from "$source")
		fi
		[[ $from =~ [0-9] && $cold =~ [0-9] ]] || die "no figures"
		echo "$from $cold" | tee -a "$data" >&2
	done
	printf '{"rows": [%s, %s, %s, %s]}\n' \
		"$(bench_row '' 'restart, a JVM job with --restart-from / without' '$1 / $2' "$data")" \
		"$(bench_row '' '  from a warm checkpoint, ms' '$1' "$data")" \
		"$(bench_row '' '  from the beginning, ms' '$2' "$data")" \
		"$(bench_row '' '  warm-up and checkpoint, once, s' "$seconds" <(echo))" >"$BENCH_DATA/restart.json"
}

# bench_compile KIND ROUNDS [SBATCH-OPTION]... - such a job to its end; prints its id
bench_compile() {
	local kind=$1 rounds=$2 id
	shift 2
	# the script of a job that begins from a checkpoint is that of the first
	id=$(bench_on alice sbatch --parsable --wait -w n1 --mem=1G -o "bench-restart-%j.out" "$@" \
		"$BENCH_SHARED/compile.sh" "$rounds") || die "the $kind job failed"
	echo "$id"
}

# bench_compiled cold|from [JOB] - one job; milliseconds
bench_compiled() {
	local id when="" classes=""
	if [ "$1" = cold ]; then
		id=$(bench_compile cold 0)
	else
		id=$(bench_compile from 0 --restart-from="$2")
	fi
	[ -n "$id" ] || die "no job"
	read -r _ when classes < <(bench_on alice grep '^done ' "bench-restart-$id.out") ||
		die "job $id did not compile"
	[ "${classes%% *}" = 0 ] || die "job $id: javac failed"
	[ "$classes" = "${BENCH_CLASSES:=$classes}" ] || die "job $id: $classes, not $BENCH_CLASSES"
	if [ "$1" = from ] && bench_on alice grep -q '^warm' "bench-restart-$id.out"; then
		die "job $id did not begin from the checkpoint"
	fi
	bench_launched "$id" "$(awk -v ms="$when" 'BEGIN { printf "%.3f", ms / 1000 }')"
}
