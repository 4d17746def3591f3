# SPDX-License-Identifier: GPL-2.0-or-later
# storefaults.bats - a file system that is full, read-only or gone, and processes that are killed: the
# job goes on, its last checkpoint stays good, and the next one comes once the cause is gone
#
# The checkpoints of these jobs lie in /mnt/NAME of n1. On n0, where jobs are submitted, that is an empty directory.

load helpers

CONF=/etc/slurm/plugstack.conf.d/spank_cr.conf

setup() {
	need_spank_cr
	name=full
	on n0 root install -d -o alice -g alice -m 700 /mnt/full /mnt/plain
	on n1 root install -d -o alice -g alice -m 700 /mnt/full /mnt/plain
}

teardown() {
	cancel_all
	on n1 root sed -i 's/ bandwidth=[^ ]*//' "$CONF"
	# shellcheck disable=SC2016 # expanded over there
	on n1 root bash -c 'for ((i = 0; i < 50; i++)); do
			! mountpoint -q /mnt/full || umount /mnt/full || sleep 0.2
		done; rm -rf /mnt/plain/*'
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

# start MIB [OPTION]... - a job on n1 that counts, with MIB of memory (hexadecimal digits: work for who compresses them)
# that is another one every moment; sets job
start() {
	local mib=$1
	shift
	job=$(submit --nodelist=n1 --checkpoint=1h --checkpoint-dir="/mnt/$name" --output=out.%j "$@" \
		"python3 -c 'import os, time, zlib
b = bytearray($mib << 20)
while True:
	for at in range(0, len(b), 1 << 16): b[at:at + (1 << 16)] = os.urandom(1 << 15).hex().encode()
	sum = zlib.crc32(b)
	time.sleep(0.3)
	if zlib.crc32(b) != sum: print(\"damaged\", flush=True)' &
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

# caught PROCESS SIGNAL - wait until a checkpoint of the job is being written while the job runs again, and send SIGNAL to one
# of those who do it: worker or writer. Prints its pid. It looks without starting programs: on a busy machine these take
# longer than the writing
caught() {
	# shellcheck disable=SC2016 # expanded over there
	on n1 root timeout 60 bash -c '
		child() {
			local pids name
			read -r pids <"/proc/$1/task/$1/children"
			for found in $pids; do
				! read -r name <"/proc/$found/comm" || [ "$name" != "$2" ] || return 0
			done
			return 1
		} 2>/dev/null
		written() {
			local pack
			for pack in "$1"/.*.tmp/pack; do
				[ ! -s "$pack" ] || return 0
			done
			return 1
		}
		main=$(pgrep -o -f -- "^crinit .*--job=$1 ") || exit
		exec {never}<> <(:)
		until child "$main" crworker && worker=$found && child "$worker" crwriter && writer=$found &&
			written "$2" && ! child "$worker" criu; do
			read -rt 0.01 -u "$never"
		done
		pid=${!3}
		kill -s "$4" "$pid" && echo "$pid"' bash "$job" "$(store "$job")" "$@"
}

# caught_frozen PROCESS SECONDS - wait until criu has stopped all of the job's tasks, and so many seconds longer; then kill
# PROCESS (criu, crworker, crwriter). It fails when one of them was not stopped at that moment. Prints the tasks' states.
# The job stands still for as long as the writer does, which therefore waits until it was seen; as above, nothing is
# started meanwhile
caught_frozen() {
	# shellcheck disable=SC2016 # expanded over there
	on n1 root timeout 200 bash -c '
		child() {
			local pids name
			read -r pids <"/proc/$1/task/$1/children"
			for found in $pids; do
				! read -r name <"/proc/$found/comm" || [ "$name" != "$2" ] || return 0
			done
			return 1
		}
		tasks() {
			local pids pid name
			read -r pids <"/proc/$1/task/$1/children"
			for pid in $pids; do
				read -r name <"/proc/$pid/comm" && [[ $name != cr* ]] || continue
				all+=("$pid")
				tasks "$pid"
			done
		}
		# into about: a line of each task; fails unless criu traces all of them
		look() {
			local pid lines line value name state tracer rc=0
			all=() about= some=
			tasks "$main"
			for pid in "${all[@]}"; do
				tracer=
				# at once: its lines move while criu runs code in the task, or stops it
				mapfile -t lines <"/proc/$pid/status"
				for line in "${lines[@]}"; do
					value=${line#*:[[:space:]]} value=${value%% *}
					case $line in
					Name:*) name=$value ;;
					State:*) state=$value ;;
					TracerPid:*) tracer=$value ;;
					esac
				done
				about+=" $name $state $tracer"
				if [ "$tracer" = "$criu" ]; then some=yes; else rc=1; fi
			done
			[ -n "$about" ] && return "$rc"
		}
		pause() {
			read -rt "$1" -u "$never"
		}
		main=$(pgrep -o -f -- "^crinit .*--job=$1 ") || exit
		exec {never}<> <(:) 2>/dev/null # processes go while they are looked at
		until child "$main" crworker && worker=$found && child "$worker" crwriter && writer=$found &&
			child "$worker" criu && criu=$found && mapfile -d "" args <"/proc/$criu/cmdline" && [ "${args[1]}" = dump ]; do
			pause 0.01
		done
		until look; do
			# not before criu has said to the writer what it is to write: it would wait for that, with nothing frozen
			[ -z "$some" ] || kill -s STOP "$writer"
			[ -e "/proc/$criu" ] || { echo "criu ended unseen"; exit 1; }
			pause 0.01
		done
		kill -s CONT "$writer"
		pause "$3"
		case $2 in
		criu) pid=$criu ;;
		crworker) pid=$worker ;;
		crwriter) pid=$writer ;;
		esac
		look
		rc=$?
		echo "before:$about"
		[ "$rc" = 0 ] && kill -s KILL "$pid" || exit
		pause 0.2
		look
		echo "after:$about"' bash "$job" "$@"
}

# create_behind - as create, while the test does something else; created waits for it
create_behind() {
	create >"$BATS_TEST_TMPDIR/created" 2>&1 3>&- &
	behind=$!
}

@test "a file system that is full in the middle of a drain: the checkpoint before it counts" {
	name=full
	on n1 root mount -t tmpfs -o size=50m,mode=700,uid=1001,gid=1001 tmpfs /mnt/full
	start 50
	create
	refused 'No space left'
	refused 'No space left'
	restored_alone
	on n1 root mount -o remount,size=600m /mnt/full
	goes_on
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

# criu is in a test of its own below: killed at any moment it may take the program along
@test "the image writer and the worker are killed: the job goes on, and so do its checkpoints" {
	local before process
	name=plain
	slowly
	start 50
	create
	for process in writer worker; do
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

# killed_frozen PROCESS SECONDS... - each time the checkpoint fails, the job goes on and has lost none
killed_frozen() {
	local before process=$1 seconds
	shift
	name=plain
	start 24 --checkpoint-pool=1M --checkpoint-compress=12
	create
	for seconds; do
		before=$(newest "$job")
		create_behind
		caught_frozen "$process" "$seconds"
		not wait "$behind"
		cat "$BATS_TEST_TMPDIR/created"
		wait_longer "out.$job" 20
		[ "$(newest "$job")" = "$before" ]
	done
	create
	tidy
	goes_on
}

@test "the image writer is killed while the job stands still: the job goes on, and so do its checkpoints" {
	killed_frozen crwriter 0 0.5
	grep 'the image process was killed' "$BATS_TEST_TMPDIR/created"
}

@test "the worker is killed while the job stands still: the job goes on, and so do its checkpoints" {
	killed_frozen crworker 0 0.5
}

# while it writes out pages. In the milliseconds in which it puts its code into a task, and removes it, a kill -9 ends the
# task by SIGTRAP; when that is the script, the job fails
@test "criu is killed while the job stands still: the job goes on, and so do its checkpoints" {
	killed_frozen criu 0.3 0.6 1
}
