# SPDX-License-Identifier: GPL-2.0-or-later
# frozen.bats - storage that hangs while a job stands still for its checkpoint: the job does not stand still with it, a
# SIGTERM reaches it, and the next checkpoint succeeds once storage answers
#
# hang.py is a file system on n1 whose only file can be made not to answer: who reads it cannot even be killed.

load helpers

FLAG=/run/hang.flag

setup() {
	need_spank_cr
	on n1 root install -d /mnt/hang
	on n1 root tee /run/hang.py <"$BATS_TEST_DIRNAME/hang.py" >/dev/null
	# shellcheck disable=SC2016 # expanded over there
	on n1 root bash -c '[ -e /dev/fuse ] || mknod /dev/fuse c 10 229
		setsid python3 /run/hang.py /mnt/hang "$(id -u alice)" "$1" >/run/hang.log 2>&1 </dev/null &' bash "$FLAG"
	wait_until 10 on n1 root mountpoint -q /mnt/hang
}

teardown() {
	on n1 root rm -f "$FLAG" "$FLAG.held"
	let_plans n1
	cancel_all
	# shellcheck disable=SC2016 # expanded over there
	on n1 root bash -c 'for ((i = 0; i < 50; i++)); do
			! mountpoint -q /mnt/hang || umount /mnt/hang || sleep 0.2
		done; cat /run/hang.log'
}

create() {
	on n0 alice scheckpoint create "$job"
}

# create_hung - as create, while the test does something else, with storage that hangs; returns once it does and the job stands
# still for it
create_hung() {
	on n1 root rm -f "$FLAG.held"
	create >"$BATS_TEST_TMPDIR/created" 2>&1 3>&- &
	behind=$!
	wait_until 30 hung
}

# hung - the file is being read and does not answer, and the script is stopped
hung() {
	# shellcheck disable=SC2016 # expanded over there
	on n1 root bash -c '[ -e "$1.held" ] && grep -q "^State:.t" "/proc/$(pgrep -x slurm_script)/status"' bash "$FLAG"
}

# failed PATTERN - the checkpoint that was begun fails, with one line; the job goes on
failed() {
	not wait "$behind"
	cat "$BATS_TEST_TMPDIR/created"
	grep -qE "$1" "$BATS_TEST_TMPDIR/created"
	[ "$(wc -l <"$BATS_TEST_TMPDIR/created")" = 1 ]
	wait_longer "out.$job" 20
	[ "$(newest "$job")" = 1 ]
}

@test "storage hangs while the job stands still: it goes on, gets its SIGTERM, and has its next checkpoint later" {
	job=$(submit --nodelist=n1 --checkpoint=1h --output=out.%j \
		"trap 'touch term.\$SLURM_JOB_ID' TERM; exec 5<>/mnt/hang/data; $COUNT")
	wait_file alice "out.$job" '^20$' 60
	create
	on n1 root touch "$FLAG"

	create_hung
	on n0 alice scancel --batch --signal=TERM "$job"
	wait_until 40 on n0 alice test -e "term.$job"
	failed 'storage did not answer for [0-9]+ s while the job stood still: copying the files'

	# the first one's process hangs there still
	create_hung
	failed 'storage did not answer for 12[0-9] s while the job stood still: copying the files'
	crinit_log "$job"
	on n0 root grep -c 'no checkpoint: storage did not answer' "$(store "$job")/crinit.log"

	on n1 root rm "$FLAG"
	create
	[ "$(newest "$job")" -gt 1 ]
	on n0 root ls -A "$(store "$job")"
	[ -z "$(on n0 root find "$(store "$job")" -mindepth 1 -maxdepth 1 -name '.*')" ]
	requeue "$job"
	wait_longer "out.$job" 20
	finish "$job"
	counted "out.$job"
}

_ending() {
	[[ $(job_field "$1" JobState) =~ ^(COMPLETING|CANCELLED)$ ]]
}

@test "storage hangs while a job is restored: it waits, scancel ends one that does, and the other goes on" {
	local job other id
	hold_plans n1
	for id in job other; do
		read -r "${id?}" < <(submit --nodelist=n1 --checkpoint=1h --output=out.%j "exec 5<>/mnt/hang/data; $COUNT")
	done
	for id in $job $other; do
		wait_held n1 "$id" 60
		go_on n1 "$id"
		wait_file alice "out.$id" '^20$' 60
		on n0 root scontrol requeue "$id"
	done
	for id in $job $other; do
		wait_held n1 "$id" 60
	done
	on n1 root touch "$FLAG"
	for id in $job $other; do
		on n1 root rm -f "$FLAG.held"
		go_on n1 "$id"
		wait_until 60 on n1 root test -e "$FLAG.held"
	done
	on n0 alice scancel "$other"
	# its process cannot be killed while the kernel waits for the storage
	wait_until 20 _ending "$other"
	not _restored "$job" 1
	not _restored "$other" 1
	on n1 root rm "$FLAG"
	wait_state "$other" CANCELLED 60
	let_plans n1
	wait_restored "$job" 1 60
	wait_longer "out.$job" 20
	finish "$job"
	counted "out.$job"
	for id in $job $other; do
		nothing_left n1 "$id"
	done
}
