# SPDX-License-Identifier: GPL-2.0-or-later
# able.bats - what cannot be checkpointed is named before, by process and descriptor, and again when a checkpoint is
# refused; what is said to be fine is. One job gets hold of one thing after the other.

bats_require_minimum_version 1.5.0
load helpers

HOME_DIR=/shared/home/alice

# driver - the script of a job that starts blocker on each line that it is given, until the next
driver() {
	cat <<-'END'
		n=1
		while [ ! -e "stop.$SLURM_JOB_ID" ]; do
			if [ -e "do.$SLURM_JOB_ID.$n" ]; then
				read -r kind arg <"do.$SLURM_JOB_ID.$n"
				./blocker $kind "ready.$SLURM_JOB_ID.$n" $arg </dev/null >/dev/null 2>"blocker.$SLURM_JOB_ID.$n" &
				until [ -e "undo.$SLURM_JOB_ID.$n" ]; do sleep 0.05; done
				kill -KILL $! $(pgrep -P $!)
				wait
				n=$((n + 1))
			fi
			sleep 0.05
		done 2>/dev/null
		echo end
	END
}

setup_file() {
	have_spank_cr || return 0
	program blocker
	on n1 alice tee outside.py <"$BATS_TEST_DIRNAME/outside.py" >/dev/null
	local name
	# for what is refused because of it
	site_arguments ghost_limit=64M
	for name in processes descriptors counters sockets; do
		export "JOB_$name=$(submit --nodelist=n1 --mem=200M --checkpoint=1h --output=out.%j --error=errors.%j "$(driver)")"
	done
	# what sg may change to
	on n1 root groupadd --force --gid 4711 --users alice blockers
}

setup() {
	need_spank_cr
	TRIED=0
}

teardown() {
	on n1 root rm -f /dev/nvidia0 /dev/mqueue/blocker
	on n1 alice rm -f given.pty given.quiet given
}

teardown_file() {
	cancel_all
	site_arguments_reset
	on n1 root groupdel blockers || true
}

_ready() {
	on n1 alice test -s "ready.$1.$2"
}

# hold JOB KIND [ARG] - the job has it now; sets pid and fd
hold() {
	job=$1
	TRIED=$((TRIED + 1))
	on n1 alice tee "do.$job.new" <<<"$2 ${3:-}" >/dev/null
	on n1 alice mv "do.$job.new" "do.$job.$TRIED"
	wait_until 20 _ready "$job" "$TRIED" || {
		echo "$2 came to nothing:"
		on n1 alice cat "blocker.$job.$TRIED"
		return 1
	}
	read -r pid fd < <(on n1 alice cat "ready.$job.$TRIED")
}

# release - and now it has it no more
release() {
	on n1 alice touch "undo.$job.$TRIED"
	wait_until 20 _released
}

_released() {
	! in_job n1 "$job" pgrep -x "blocker|su|srun"
}

# refused KIND [WHO] - able names pid and fd with kind KIND; create names WHO first and fails; the job goes on
refused() {
	local first who=${2-pid $pid blocker}
	run --separate-stderr on n1 alice scheckpoint able --json "$job"
	# shellcheck disable=SC2154 # bats sets it
	echo "$output" "$stderr"
	[ "$status" = 1 ]
	first=$(jq -r '.findings[0].text' <<<"$output")
	[[ $stderr = *"job $job cannot be checkpointed: "*" blocker"* ]]
	# the one or other that this is in front of
	jq -e --arg kind "$1" --argjson pid "$pid" --argjson fd "$fd" '.able == false and .ok and .blockers > 0 and
		(.findings | any(.kind == $kind and .pid == $pid and .fd == $fd and .severity == "blocker" and
			(.remedy | length) > 0 and ($pid == 0 or (.text | test("pid \($pid) ")))))' <<<"$output"
	run on n1 alice scheckpoint create "$job"
	echo "$output"
	[ "$status" = 1 ]
	[[ $output = *"$who"* && $output = *"$first"* ]]
	[ "$(job_field "$job" JobState)" = RUNNING ]
	release
}

# warned TEXT - able warns of TEXT and says yes, and a checkpoint is taken
warned() {
	run on n1 alice scheckpoint able "$job"
	echo "$output"
	[[ $output = *"warning: $1"* ]]
	fine
	release
}

# fine - able says yes, and a checkpoint is taken
fine() {
	run on n1 alice scheckpoint able "$job"
	echo "$output"
	[ "$status" = 0 ]
	[[ $output = *"job $job can be checkpointed" ]]
	on n1 alice scheckpoint create "$job"
}

@test "some seconds after its start, or its restore, a job with blockers says so in its stderr and in the journal, a fine one nothing" {
	local able unable
	able=$(submit --nodelist=n2 --mem=200M --checkpoint=1h --output=out.%j --error=errors.%j './blocker fine ready.$SLURM_JOB_ID')
	unable=$(submit --nodelist=n2 --mem=60M --checkpoint=1h --output=out.%j --error=errors.%j \
		'for kind in uffd seccomp tcp; do ./blocker $kind ready.$SLURM_JOB_ID.$kind & done
		until [ -e another.$SLURM_JOB_ID ]; do sleep 0.1; done
		kill -KILL $(pgrep -x blocker); ./blocker unlinked ready.$SLURM_JOB_ID.another')
	wait_file alice "errors.$unable" 'cannot be checkpointed as it is now: pid [0-9]+ blocker, descriptor 3: a userfaultfd; ' 30
	wait_file alice "errors.$unable" 'cannot be checkpointed as it is now: pid [0-9]+ blocker: a seccomp filter; ' 5
	# one line for the kind: the process has both ends
	wait_file alice "errors.$unable" 'now: pid [0-9]+ blocker, descriptor 4: a TCP connection of the job to itself.*and 1 more of this kind$' 5
	[ "$(on n0 alice grep -c 'spank_cr: ' "errors.$unable")" = 3 ]
	run on n0 alice scheckpoint show "$unable"
	[ "$status" = 1 ]
	[[ $output = *"cannot be checkpointed: pid "*"a seccomp filter; "*"and 3 more: scheckpoint able $unable" ]]
	# known already: a checkpoint that fails says no more in the job's stderr
	run on n0 alice scheckpoint create "$unable"
	[ "$status" = 1 ]
	[[ $output = *"a seccomp filter; "*"and 3 more: scheckpoint able $unable" ]]
	[ "$(on n0 alice grep -c 'spank_cr: ' "errors.$unable")" = 3 ]
	# but when it fails for another reason it does, once
	on n0 alice touch "another.$unable"
	wait_until 20 on n0 alice test -s "ready.$unable.another"
	run on n0 alice scheckpoint create "$unable"
	[ "$status" = 1 ]
	run on n0 alice scheckpoint create "$unable"
	[ "$status" = 1 ]
	[ "$(on n0 alice grep -c 'no checkpoint: pid [0-9]* blocker, .*an open file that is not at its path' "errors.$unable")" = 1 ]
	[ "$(on n0 alice grep -c 'spank_cr: ' "errors.$unable")" = 4 ]
	wait_until 20 on n0 root grep -q 'the job can be checkpointed as it is' "$(store "$able")/crinit.log"
	not on n0 alice grep 'spank_cr: ' "errors.$able"
	job=$able
	fine
	on n0 root scancel "$unable"
	# what is fine comes back from its checkpoint, and is looked at there, too
	requeue "$able"
	wait_until 20 _looked_twice "$able"
	not on n0 alice grep 'spank_cr: ' "errors.$able"
	on n0 root scancel "$able"
}

_looked_twice() {
	[ "$(on n0 root grep -c 'the job can be checkpointed as it is' "$(store "$1")/crinit.log")" = 2 ]
}

@test "processes: seccomp, another user's rights, a debugger, namespaces, no first thread, secrets" {
	local verb
	hold "$JOB_processes" seccomp
	refused seccomp
	hold "$JOB_processes" sigtrap
	refused sigtrap
	hold "$JOB_processes" setuid
	refused setuid "pid $pid su"
	hold "$JOB_processes" newgrp blockers
	refused group ""
	hold "$JOB_processes" undumpable
	refused undumpable
	hold "$JOB_processes" traced
	refused traced
	hold "$JOB_processes" leader
	refused thread
	hold "$JOB_processes" namespace
	refused namespace
	hold "$JOB_processes" shared
	refused shared
	hold "$JOB_processes" shared_directory
	refused shared
	hold "$JOB_processes" ended
	refused ended
	hold "$JOB_processes" session
	refused session
	hold "$JOB_processes" login
	warned "pid $pid blocker: it has set its login id"
	# how much is free differs from one look to the next
	hold "$JOB_processes" pool 60,4
	for verb in able create; do
		run on n1 alice scheckpoint "$verb" "$job"
		echo "$output"
		[ "$status" = 1 ]
		[[ $output = *"a restore would take more memory than the job may have"*" MiB instead of "* ]]
	done
	release
	hold "$JOB_processes" pool 40,2
	warned "a restore takes more memory"
	hold "$JOB_processes" locked
	warned "pid $pid blocker: all of its memory is locked"
	hold "$JOB_processes" terminal
	warned "pid $pid blocker: it did not make the session that it is in"
	hold "$JOB_processes" fine
	fine
	release
}

@test "descriptors and mappings: io_uring, perf, userfaultfd, System V shared memory, devices, files without a name, inotify" {
	hold "$JOB_descriptors" io_uring
	refused io_uring
	hold "$JOB_descriptors" io_uring_map
	refused io_uring
	hold "$JOB_descriptors" uffd
	refused userfaultfd
	hold "$JOB_descriptors" sysv_shm
	refused sysv_shm
	hold "$JOB_descriptors" secret
	refused secretmem
	hold "$JOB_descriptors" mqueue
	refused mqueue
	hold "$JOB_descriptors" pipes 1025
	pid=0
	refused pipes ""
	hold "$JOB_descriptors" full
	refused full
	hold "$JOB_descriptors" packets
	refused packets
	hold "$JOB_descriptors" unlinked_closed
	refused unlinked
	hold "$JOB_descriptors" long_mapping
	refused long_path
	hold "$JOB_descriptors" ctty
	refused ctty
	hold "$JOB_descriptors" semaphore
	warned "pid $pid blocker, descriptor $fd: an eventfd that forgets"
	hold "$JOB_descriptors" nameless 129
	warned "pid $pid blocker, descriptor $fd: a file that was made without a name"
	hold "$JOB_descriptors" deleted 70000000
	refused deleted
	hold "$JOB_descriptors" unlinked
	refused unlinked
	hold "$JOB_descriptors" inotify_lone
	refused inotify
	hold "$JOB_descriptors" unread
	warned "pid $pid blocker, descriptor $fd: it watches files (inotify), and not all of that"
	hold "$JOB_descriptors" inotify .
	fine
	release
	hold "$JOB_descriptors" inotify /etc
	fine
	release
	hold "$JOB_descriptors" pidfd 1
	refused pidfd
	hold "$JOB_descriptors" pidfd_thread
	refused pidfd_thread
	hold "$JOB_descriptors" pidfd
	fine
	release
	# what the kernel has for /dev/fuse stands for a GPU: by their names they are told apart
	on n1 root mknod -m 666 /dev/nvidia0 c 10 229
	hold "$JOB_descriptors" device /dev/nvidia0
	refused gpu
}

@test "a performance counter" {
	local paranoid
	paranoid=$(on n1 root cat /proc/sys/kernel/perf_event_paranoid)
	[ "$paranoid" -le 2 ] || skip "kernel.perf_event_paranoid is $paranoid: users have no performance counters"
	hold "$JOB_counters" perf
	refused perf
}

@test "what leads out of the job: TCP to itself and to another node, UNIX sockets, a terminal from outside, an srun" {
	local server
	server=$(on n0 root hostname -I | tr -d ' ')
	hold "$JOB_sockets" tcp
	refused tcp_self
	hold "$JOB_sockets" over
	[[ $(on n1 alice scheckpoint able "$job" 2>/dev/null) = *"to 127.0.0.1:"*", over;"* ]]
	refused tcp
	hold "$JOB_sockets" adrift
	refused unix_name
	hold "$JOB_sockets" tcp_out "$server:6817"
	[[ $(on n1 alice scheckpoint able "$job" 2>/dev/null) = *"to $server:6817;"* ]]
	refused tcp
	on n1 alice python3 outside.py "$HOME_DIR/given.quiet" 3>&- &
	wait_until 10 on n1 alice test -S given.quiet
	hold "$JOB_sockets" unix_out "$HOME_DIR/given.quiet"
	[[ $(on n1 alice scheckpoint able "$job" 2>/dev/null) = *"to $HOME_DIR/given.quiet;"* ]]
	refused unix
	hold "$JOB_sockets" cork
	refused udp_cork
	hold "$JOB_sockets" half
	refused udp_cork
	hold "$JOB_sockets" mptcp
	refused socket
	on n1 alice python3 outside.py "$HOME_DIR/given.pty" 3>&- &
	wait_until 10 on n1 alice test -S given.pty
	hold "$JOB_sockets" received "$HOME_DIR/given.pty"
	refused pty
	hold "$JOB_sockets" srun
	refused srun "pid $pid srun"
	hold "$JOB_sockets" sysv_sem
	warned "System V semaphores are not part of a checkpoint: "
	on n1 alice ipcrm --all=sem
	hold "$JOB_sockets" sysv_msg
	warned "System V message queues are not part of a checkpoint: "
	on n1 alice ipcrm --all=msg
	hold "$JOB_sockets" sysv_idle
	warned "System V shared memory that nobody has attached is not part of a checkpoint: "
	on n1 alice ipcrm --all=shm
	hold "$JOB_sockets" listening
	warned "pid $pid blocker, descriptor $fd: it listens at a port"
	on n1 alice python3 outside.py "$HOME_DIR/given" 3>&- &
	wait_until 10 on n1 alice test -S given
	hold "$JOB_sockets" received "$HOME_DIR/given"
	run on n1 alice scheckpoint able "$job"
	echo "$output"
	[[ $output = *"warning: pid $pid blocker, descriptor $fd: a file opened outside of the job's mounts"* ]]
	release
}

@test "able of a job that does not run, or runs without checkpoints, is one clear line" {
	run on n0 alice scheckpoint able 999999
	[ "$status" = 3 ]
	[ "${#lines[@]}" = 1 ]
	job=$(submit --mem=60M 'sleep 100')
	wait_state "$job" RUNNING 20
	run on n0 alice scheckpoint able "$job"
	[ "$status" = 3 ]
	[ "${#lines[@]}" = 1 ]
	[[ $output = *"job $job: it was not started with --checkpoint"* ]]
	on n0 root scancel "$job"
}
