# SPDX-License-Identifier: GPL-2.0-or-later
# storefaults.bats - a file system that is full, beyond a quota, read-only or gone, and processes that are killed: the
# job goes on, its last checkpoint stays good, and the next one comes once the cause is gone
#
# The checkpoints of these jobs lie in /mnt/NAME of n1. On n0, where jobs are submitted, that is an empty directory.

load helpers

CONF=/etc/slurm/plugstack.conf.d/spank_cr.conf

setup() {
	need_spank_cr
	name=full
	on n0 root install -d -o alice -g alice -m 700 /mnt/full /mnt/quota /mnt/plain
	on n1 root install -d -o alice -g alice -m 700 /mnt/full /mnt/quota /mnt/plain
}

teardown() {
	cancel_all
	on n1 root sed -i 's/ bandwidth=[^ ]*//' "$CONF"
	# shellcheck disable=SC2016 # expanded over there
	on n1 root bash -c 'for dir in full quota; do
			for ((i = 0; i < 50; i++)); do
				! mountpoint -q "/mnt/$dir" || umount "/mnt/$dir" || sleep 0.2
			done
		done; rm -f /dev/cr-quota; rm -rf /mnt/plain/*'
	[ ! -e "$BATS_TEST_TMPDIR/loop" ] || losetup -d "$(cat "$BATS_TEST_TMPDIR/loop")"
}

# what the words of helpers.bash mean for such a job
store() {
	echo "/mnt/$name/$1/batch.0"
}

newest() {
	on n1 root ls "$(store "$1")" | sed -nE 's/^0*([0-9]+)$/\1/p' | sort -n | tail -1 | grep . || echo 0
}

_restored() {
	# shellcheck disable=SC2016 # jq's
	on n1 root jq -en --argjson n "$2" '[inputs | select(.event == "restored" and .restart == $n)] | length > 0' \
		"$(store "$1")/journal.jsonl" >/dev/null 2>&1
}

crinit_log() {
	on n1 root tail -n 15 "$(store "$1")/crinit.log" || true
}

# start MIB - a job on n1 that counts, with MIB of memory that is another one every moment; sets job
start() {
	job=$(submit --nodelist=n1 --checkpoint=1h --checkpoint-dir="/mnt/$name" --output=out.%j \
		"python3 -c 'import os, time
while True: b = os.urandom($1 << 20); time.sleep(0.3)' &
		$COUNT
		kill \$!")
	wait_file alice "out.$job" '^20$' 60
}

# slowly - jobs that start from now on drain so slowly that they can be caught at it
slowly() {
	on n1 root sed -i '/spank_cr\.so/s/$/ bandwidth=16M/' "$CONF"
}

# create - a checkpoint now
create() {
	on n0 alice scheckpoint create "$job"
}

# refused PATTERN - a checkpoint now fails, with PATTERN; the job goes on; nothing is left of it
refused() {
	local before
	before=$(newest "$job")
	wait_longer "out.$job" 20
	sleep 1
	run create
	echo "$status: $output"
	[ "$status" != 0 ]
	grep -qE "$1" <<<"$output"
	wait_longer "out.$job" 20
	[ "$(newest "$job")" = "$before" ]
	tidy
}

# tidy - no temporary directory, and a pack for no other generation than those that are there
tidy() {
	on n1 root ls -A "$(store "$job")" "$(store "$job")/packs"
	[ -z "$(on n1 root find "$(store "$job")" -mindepth 1 -maxdepth 1 -name '.*')" ]
	[ "$(on n1 root find "$(store "$job")/packs" -name '*.pack' | wc -l)" -le \
		"$(on n1 root find "$(store "$job")" -mindepth 1 -maxdepth 1 -name '0*' | wc -l)" ]
}

# goes_on - the next checkpoint succeeds, the job is restored from one, and its output has no gap
goes_on() {
	local before
	before=$(newest "$job")
	create
	[ "$(newest "$job")" -gt "$before" ]
	requeue "$job"
	wait_longer "out.$job" 20
	finish "$job"
	counted "out.$job"
}

# restored_alone - requeued while no checkpoint can be made, the job goes on from the one it has
restored_alone() {
	requeue "$job"
	wait_longer "out.$job" 20
}

# caught PROCESS SIGNAL - wait for a process that makes a checkpoint of the job, and send it SIGNAL: criu; or when it has
# ended, and the job runs again, worker or writer. Prints its pid
caught() {
	# shellcheck disable=SC2016 # expanded over there
	on n1 root timeout 30 bash -c '
		main=$(pgrep -o -f -- "^crinit .*--job=$1 ") || exit
		until worker=$(pgrep -P "$main" -f "^crinit ") && criu=$(pgrep -P "$worker" -f "criu.* dump"); do
			sleep 0.01
		done
		if [ "$2" = criu ]; then
			pid=$criu
		else
			while kill -0 "$criu" 2>/dev/null; do sleep 0.05; done
			pid=$worker
			[ "$2" = worker ] || pid=$(pgrep -o -P "$worker" -f "^crinit ")
		fi
		kill -s "$3" "$pid" && echo "$pid"' bash "$job" "$@"
}

# create_behind - as create, while the test does something else; created waits for it
create_behind() {
	create >"$BATS_TEST_TMPDIR/created" 2>&1 3>&- &
	behind=$!
}

@test "a file system that is full in the middle of a drain: the checkpoint before it counts" {
	name=full
	on n1 root mount -t tmpfs -o size=90m,mode=700,uid=1001,gid=1001 tmpfs /mnt/full
	start 50
	create
	refused 'No space left'
	refused 'No space left'
	restored_alone
	on n1 root mount -o remount,size=600m /mnt/full
	goes_on
}

@test "a quota that is used up in the middle of a drain: the checkpoint before it counts" {
	local loop
	name=quota
	[ -z "${TESTBED_IN_VM:-}" ] && command -v mkfs.ext4 >/dev/null || skip "there is no mkfs.ext4"
	truncate -s 800M "$BATS_TEST_TMPDIR/image"
	mkfs.ext4 -q -O quota -E quotatype=usrquota,lazy_itable_init=0 "$BATS_TEST_TMPDIR/image"
	loop=$(losetup -f --show "$BATS_TEST_TMPDIR/image") || skip "there is no loop device"
	echo "$loop" >"$BATS_TEST_TMPDIR/loop"
	on n1 root bash -ec "mknod -m 600 /dev/cr-quota b 7 ${loop#/dev/loop}
		mount -t ext4 -o usrquota /dev/cr-quota /mnt/quota && chown alice: /mnt/quota && chmod 700 /mnt/quota" ||
		skip "this kernel has no quotas for ext4 (CONFIG_QFMT_V2)"
	quota 90
	start 50
	create
	refused 'quota exceeded'
	restored_alone
	quota 700
	goes_on
}

# quota MIB - what alice may have in /mnt/quota
quota() {
	on n1 root python3 - "$1" <<-'END'
		import ctypes, struct, sys
		blocks = int(sys.argv[1]) << 10
		limits = struct.pack("=8Q2I", blocks, blocks, 0, 0, 0, 0, 0, 0, 1, 0)
		libc = ctypes.CDLL(None, use_errno=True)
		if libc.quotactl(0x800008 << 8, b"/dev/cr-quota", 1001, limits) < 0:
		    sys.exit("quotactl: errno %d" % ctypes.get_errno())
	END
}

@test "a directory that became read-only: the job goes on, and so do its checkpoints afterwards" {
	name=plain
	start 5
	create
	# as the job sees it; a remount of all of it is refused while a log is open for writing
	# shellcheck disable=SC2016 # expanded over there
	in_job n1 "$job" bash -ec 'mount --bind "$1" "$1"; mount -o remount,bind,ro "$1"' bash "$(store "$job")"
	refused 'Read-only file system'
	in_job n1 "$job" umount "$(store "$job")"
	goes_on
}

@test "the checkpoint directory is removed in the middle of a drain: the job goes on, and makes another" {
	local writer
	name=plain
	slowly
	start 50
	create
	create_behind
	writer=$(caught writer STOP)
	on n1 root rm -rf "/mnt/plain/$job"
	on n1 root kill -s CONT "$writer"
	not wait "$behind"
	cat "$BATS_TEST_TMPDIR/created"
	wait_longer "out.$job" 20
	goes_on
}

@test "the image writer, criu and the worker are killed: the job goes on, and so do its checkpoints" {
	local before process
	name=plain
	slowly
	start 50
	create
	for process in writer criu worker; do
		before=$(newest "$job")
		create_behind
		caught "$process" KILL
		not wait "$behind"
		cat "$BATS_TEST_TMPDIR/created"
		wait_longer "out.$job" 20
		[ "$(newest "$job")" = "$before" ]
	done
	create
	tidy
	goes_on
}
