# SPDX-License-Identifier: GPL-2.0-or-later
# drain.bats - a site limits how fast, and how many at a time, jobs write what they have checkpointed

bats_require_minimum_version 1.5.0
load helpers

DRAIN=/shared/checkpoints/.drain

setup() {
	need_spank_cr
	program hold
}

teardown() {
	site_arguments_reset
	on n0 root touch /run/tickets.stop
	cancel_all
	all_started
}

# holding MIB OPTION... - job: SUBMIT_USER's, with so much random memory
holding() {
	local mib=$1
	shift
	job=$(submit --checkpoint=1h --output=out.%j --error=errors.%j "$@" "exec ./hold $mib stop.\$SLURM_JOB_ID")
	wait_file "${SUBMIT_USER:-alice}" "out.$job" '^holding$' 60
}

# gap JOB - it comes to its end, with its memory as it was; how long it has stood still, ms
gap() {
	on n0 "${SUBMIT_USER:-alice}" touch "stop.$1"
	wait_state "$1" COMPLETED 30
	on n0 "${SUBMIT_USER:-alice}" sed -nE 's/^intact, .* largest gap ([0-9]+) ms$/\1/p' "out.$1"
}

# tickets_watch - write down what is in the ticket directory, again and again; until tickets_end
tickets_watch() {
	# shellcheck disable=SC2016 # expanded over there
	on n0 root bash -c 'rm -f /run/tickets.stop
		until [ -e /run/tickets.stop ]; do echo $(ls "$1"); sleep 0.05; done' bash "$DRAIN" >"$BATS_TEST_TMPDIR/tickets" 3>&- &
	WATCHER=$!
}

tickets_end() {
	on n0 root touch /run/tickets.stop
	wait "$WATCHER"
	uniq -c "$BATS_TEST_TMPDIR/tickets"
}

@test "bytes per second: the job goes on while its checkpoint is written slowly, by threads that stand back" {
	site_arguments bandwidth=4M
	holding 32 --nodelist=n1
	watch n1 "$job"
	on n0 alice scheckpoint create "$job"
	watch_end n1 "$job"
	manifest "$job" 1 '[.freeze_ms, .drain_ms]'
	# 32 MiB, less what is saved up
	[ "$(manifest "$job" 1 '.drain_ms >= 6000 and .drain_ms < 20000')" = true ]
	[ "$(manifest "$job" 1 '.freeze_ms < 1000')" = true ]
	# those that write are behind the job, the one that copies while it stands still is not
	[ "$(watched "$job" '.crwriter.nice | tostring')" = '[0,10]' ]
	[ "$(gap "$job")" -lt 1500 ]
}

@test "a requeue while a checkpoint is written slowly: the last one is quick, and good; nothing waits for the first" {
	site_arguments bandwidth=1M drain_jobs=1
	holding 32 --nodelist=n1
	on n0 alice scheckpoint create "$job" 2>"$BATS_TEST_TMPDIR/said" 3>&- &
	create=$!
	wait_until 20 on n0 root sh -c "ls $DRAIN | grep -q ^h-"
	on n0 root scontrol requeue "$job"
	status=0
	wait "$create" || status=$?
	cat "$BATS_TEST_TMPDIR/said"
	[ "$status" != 0 ]
	[ "$(grep -c '^scheckpoint: ' "$BATS_TEST_TMPDIR/said")" = 1 ]
	wait_restored "$job" 1 40
	[ "$(records "$job" '[.[] | select(.state == "committed").reason] | join(" ")')" = requeue ]
	generation=$(newest "$job")
	frozen=$(manifest "$job" "$generation" '.time | sub("\\..*"; "Z") | fromdate')
	committed=$(on n0 alice stat -c %Y "$(store "$job")/$(printf %06d "$generation")/manifest.json")
	echo "generation $generation was written in $((committed - frozen)) s"
	[ $((committed - frozen)) -le 5 ]
	[ -z "$(on n0 alice find "$(store "$job")" -mindepth 1 -maxdepth 1 -name '.*')" ]
	[ -z "$(on n0 root ls "$DRAIN")" ]
	gap "$job"
	on n0 alice grep '^intact' "out.$job"
}

@test "one job of the site at a time: two users' jobs take turns to write, and neither stands still for that" {
	site_arguments bandwidth=4M drain_jobs=1
	holding 16 --nodelist=n1
	alice=$job
	export SUBMIT_USER=bob
	program hold
	holding 16 --nodelist=n2
	bob=$job
	tickets_watch
	on n0 bob scheckpoint create "$bob" 3>&- &
	other=$!
	SUBMIT_USER=alice
	on n0 alice scheckpoint create "$alice"
	wait "$other"
	tickets_end
	# at some moment one has waited for the other; at no moment two were at it
	grep -qE '^h-[0-9]+-[^ ]* w-[0-9]+-[^ ]*$' "$BATS_TEST_TMPDIR/tickets"
	not grep -qE 'h-[^ ]* h-' "$BATS_TEST_TMPDIR/tickets"
	[ -z "$(on n0 root ls "$DRAIN")" ]
	first=$(manifest "$alice" 1 .drain_ms) freeze=$(manifest "$alice" 1 .freeze_ms)
	SUBMIT_USER=bob
	second=$(manifest "$bob" 1 .drain_ms)
	echo "drains took $first and $second ms, alice's job was frozen for $freeze ms, bob's for $(manifest "$bob" 1 .freeze_ms) ms"
	# 16 MiB at 4 MiB/s, and twice that for who came second
	[ $((first < second ? first : second)) -ge 3000 ]
	[ $((first < second ? second : first)) -ge 6500 ]
	[ "$freeze" -lt 2500 ]
	[ "$(manifest "$bob" 1 .freeze_ms)" -lt 2500 ]
	[ "$(gap "$bob")" -lt 2700 ]
	SUBMIT_USER=alice
	[ "$(gap "$alice")" -lt 2700 ]
}

@test "without a ticket directory that can be used a job writes all the same, and says so in its log" {
	site_arguments drain_jobs=1
	holding 4
	on n0 root chmod 0755 "$DRAIN"
	on n0 alice scheckpoint create "$job" || { on n0 root chmod 1777 "$DRAIN"; false; }
	on n0 root chmod 1777 "$DRAIN"
	on n0 alice grep -E 'info: draining without a token: .*Permission denied' "$(store "$job")/crinit.log"
	gap "$job"
}
