# SPDX-License-Identifier: GPL-2.0-or-later
# interval.bats - when a checkpoint is due: by itself (auto), apart from those of other jobs, and not while the job is
# suspended

load helpers

EVERY=12

setup_file() {
	have_spank_cr || return 0
	site_arguments max_interval=8s max_share=50
	# shellcheck disable=SC2016 # expanded in the job
	local count='python3 -c "while True: pass" & '"$COUNT"'; kill $!'
	submit --checkpoint=auto --mem=100M --output=auto.%j "$count" >"$BATS_FILE_TMPDIR/auto.id"
	on n0 alice tee count.sh <<<"#!/bin/bash
$COUNT" >/dev/null
	# all of them with one command, so that they start together
	on n0 alice sbatch --parsable --array=1-8 --checkpoint=${EVERY}s --checkpoint-keep=20 --oversubscribe --mem=50M --output=/dev/null \
		count.sh >"$BATS_FILE_TMPDIR/array.id"
}

setup() {
	need_spank_cr
}

teardown_file() {
	site_arguments_reset
	cancel_all
}

# interval JOB - what show has to say of it
interval() {
	on n0 alice scheckpoint show --json "$1" | jq -r '.interval'
}

_interval_learnt() {
	interval "$1" | grep -q 'one costs'
}

# frozen JOB GENERATION - when its tree was, in seconds since 1970
frozen() {
	date -d "$(manifest "$1" "$2" .time)" +%s.%N
}

# suspended FILE - the job that writes it does not any more
suspended() {
	local now
	now=$(lines "$1")
	sleep 1
	[ "$(lines "$1")" = "$now" ]
}

@test "auto begins soon, learns what a checkpoint costs, and show says how it came by its interval" {
	job=$(job auto)
	wait_committed "$job" 1 40
	wait_until 20 _interval_learnt "$job"
	interval "$job"
	interval "$job" | grep -E '^[0-9.]+ ?[a-z0-9]+ \(auto: one costs [0-9.]+ s, [0-9.]+ s frozen and [0-9.]+ s of writing at [0-9]+% less speed, and a failure is expected every 30d; best were [0-9a-z.]+, '
	# no longer than the site allows, but for half of the job's time that they may cost
	ms=$(on n0 alice scheckpoint show --json "$job" | jq '.interval_ms')
	[ "$ms" -ge 8000 ]
	on n0 alice scheckpoint show "$job" | grep -E '^interval +[0-9.]+ s \(auto: one costs'
	on n0 alice scheckpoint show "$job" | grep -E '^event .* interval on n[12]: 8.00 s \(auto: until one has told what it costs\)'
	[ "$(records "$job" '[.[] | select(.state == "committed").reason] | unique[]')" = interval ]
	# what it knows it knows after a restore, too
	requeue "$job"
	wait_until 20 _interval_learnt "$job"
	on n0 alice jq -r 'select(.event == "interval" and .restart == 1).text' "$(store "$job")/journal.jsonl" | head -1 |
		grep 'one costs'
	on n0 alice touch "stop.$job"
	wait_state "$job" COMPLETED 30
}

@test "jobs that started together have their first checkpoint at different moments, and every one after an interval" {
	firsts=()
	for job in $(on n0 alice squeue -h -r -o %A -u alice -n count.sh); do
		wait_committed "$job" 2 60
		first=$(frozen "$job" 1) second=$(frozen "$job" 2)
		echo "job $job: $first, $second"
		read -r said after < <(on n0 root sed -nE 's/^([^ ]+) .* a checkpoint every 12.0 s, the first after ([0-9.]+) s$/\1 \2/p' \
			"$(store "$job")/crinit.log")
		echo "at $said: the first after $after s"
		# from beginning to beginning: a busy machine freezes a tree some time after that
		awk "BEGIN { begun = $(date -d "$said" +%s.%N) + $after
			exit !($second - begun > $EVERY - 2 && $second - $first < $EVERY + 5 * $PATIENCE) }"
		firsts+=("$after")
		[ "$(interval "$job")" = '12.0 s' ]
	done
	[ ${#firsts[@]} = 8 ]
	printf '%s\n' "${firsts[@]}" | awk -v every=$EVERY '
		$1 < every / 4 || $1 > every { bad = 1 }
		{ min = NR == 1 || $1 < min ? $1 : min; max = $1 > max ? $1 : max }
		END { exit bad || max - min < 2 }'
	on n0 alice scancel "$(job array)"
}

@test "no checkpoint of a suspended job; it goes on with nothing stopped, also from a checkpoint" {
	# shellcheck disable=SC2016 # expanded in the job
	script='set -m
		(i=0; while :; do echo $((i++)) >>"bg.$SLURM_JOB_ID"; sleep 0.1; done) &
		trap "date +%s.%N >stopped.$SLURM_JOB_ID" TSTP; trap "touch told.$SLURM_JOB_ID" USR1; '"$COUNT"'; kill %1'
	job=$(submit --checkpoint=1s --output=out.%j "$script")
	at_work=$(submit --checkpoint=1h --checkpoint-signal=USR1@8 --output=out.%j "$script")
	cancelled=$(submit --checkpoint=1h --nodelist=n1 --output=out.%j "$script")
	wait_committed "$job" 2 30
	wait_file alice "out.$cancelled" '^5$' 30
	# one of them has a checkpoint begun that waits for the program
	on n0 alice scheckpoint create "$at_work" >"$BATS_TEST_TMPDIR/created" 2>&1 3>&- &
	behind=$!
	wait_until 20 on n0 alice test -e "told.$at_work"

	for id in "$job" "$at_work" "$cancelled"; do
		on n0 root scontrol suspend "$id"
	done
	for id in "$job" "$at_work" "$cancelled"; do
		[ "$(job_field "$id" JobState)" = SUSPENDED ]
		wait_until 20 suspended "out.$id"
		suspended "bg.$id"
	done
	wait_until 5 on n0 alice test -s "stopped.$job"
	last=$(newest "$job")
	echo "generation $last at $(frozen "$job" "$last"), SIGTSTP at $(on n0 alice cat "stopped.$job")"
	awk "BEGIN { exit !($(frozen "$job" "$last") <= $(on n0 alice cat "stopped.$job")) }"
	sleep 2
	[ "$(newest "$job")" = "$last" ]
	[ "$(newest "$at_work")" = 0 ]

	on n0 root scontrol resume "$job"
	on n0 root scontrol resume "$at_work"
	on n0 root scancel "$cancelled"
	wait_longer "bg.$job" 10
	wait_committed "$job" $((last + 1)) 20
	wait_until 20 on n0 root grep -q 'the job did not run for' "$(store "$job")/crinit.log"
	wait "$behind" || { cat "$BATS_TEST_TMPDIR/created"; false; }
	[ "$(newest "$at_work")" = 1 ]
	wait_state "$cancelled" CANCELLED 60
	nothing_left n1 "$cancelled"

	# Slurm holds what is requeued while it is suspended, and gives it no time: the newest checkpoint counts
	on n0 root scontrol suspend "$job"
	wait_until 20 suspended "out.$job"
	on n0 root scontrol requeue "$job"
	requeue "$at_work"
	wait_state "$job" PENDING 60
	on n0 root scontrol release "$job"
	wait_restored "$job" 1 60
	for id in "$job" "$at_work"; do
		wait_longer "out.$id" 20
		wait_longer "bg.$id" 20
	done
	finish "$job" "$at_work"
	counted "out.$job"
	counted "out.$at_work"
}
