# SPDX-License-Identifier: GPL-2.0-or-later
# cases.bats - what a job may have at the moment of a checkpoint, a directory of cases/ each, all side by side
#
# A case makes a file ready, waits for a file go, and writes result; cases/README.md has the form. Each is run in peace
# on n0, and as a job on n1: asked whether it can be checkpointed, vacated to n2, checkpointed there, its node lost, gone
# on with on n1. What it says in outcome must become of it: the result of the peaceful run after both restores, or a
# refusal before the freeze, in our words, and that result without one.

load helpers

CASES=$BATS_TEST_DIRNAME/cases

setup_file() {
	have_spank_cr || return 0
	chosen >"$BATS_FILE_TMPDIR/chosen"
	prepare
	only_n1
	each submit_one
	each wait_ready
	each as_root ready.root n1
	on n0 root scontrol update nodename=n2 state=resume
	on n0 root scontrol update nodename=n1 state=drain reason="the jobs are to go on on n2"
	each_of_four vacate
	each wait_back 1
	each_of_four create
	each meddle
	"$TESTBED" kill-node n2
	each keep_back
	on n0 root scontrol update nodename=n1 state=resume
	go_on_by_eight
	each open_gate
	each alone
	each wait_result
	all_started
}

# chosen - the names of the cases, or of them what CASE names; those that hold a node back longest first
chosen() {
	local dir name
	for dir in "$CASES"/*/; do
		name=$(basename "$dir")
		[[ -z ${CASE:-} || " $CASE " == *" $name "* ]] || continue
		echo "$name"
	done
}

# each CMD ARG... - CMD NAME ARG... for each chosen case
each() {
	local cmd=$1 name
	shift
	while read -r name <&4; do
		"$cmd" "$name" "$@"
	done 4<"$BATS_FILE_TMPDIR/chosen"
}

# each_of_four CMD - the same, four at a time
each_of_four() {
	local name n=0
	while read -r name <&4; do
		[ $((n++)) -lt 4 ] || wait -n || true
		"$1" "$name" 3>&- 4<&- &
	done 4<"$BATS_FILE_TMPDIR/chosen"
	wait
}

# prepare - directories for both runs, programs compiled; what a case's own setup does
prepare() {
	tar -C "$BATS_TEST_DIRNAME" -c cases | on n0 alice sh -c 'rm -rf cases; tar -x'
	# shellcheck disable=SC2016 # expanded over there
	on n0 alice bash -ec 'cd cases
		for name; do
			for source in "$name"/*.c; do
				[ ! -e "$source" ] || gcc -std=gnu11 -O1 -Wall -pthread -o "${source%.c}" "$source"
			done
			mkdir -p run; cp -a "$name" "run/$name"; cp -a "$name" "run/$name.alone"
			for dir in "run/$name" "run/$name.alone"; do
				[ ! -e "$name/setup" ] || (cd "$dir" && bash ./setup)
			done
		done' bash $(cat "$BATS_FILE_TMPDIR/chosen")
	each as_root setup.root n0 n1 n2
}

# options NAME - what its file opts says
options() {
	cat "$CASES/$1/opts" 2>/dev/null || true
}

# under NAME - the command that sbatch is run by, so that it has the limits of its file limits
under() {
	[ ! -e "$CASES/$1/limits" ] || echo "prlimit $(cat "$CASES/$1/limits")"
}

submit_one() {
	local dir=/shared/home/alice/cases/run/$1
	# shellcheck disable=SC2046 # several options
	SUBMIT_UNDER=$(under "$1") submit --job-name="$1" --checkpoint=1h --oversubscribe --mem=80M $(options "$1") --chdir="$dir" --output=out \
		--error=errors "$(cat "$CASES/$1/job.sh")" >"$BATS_FILE_TMPDIR/$1.id"
}

# trouble NAME TEXT... - what its test will tell
trouble() {
	local name=$1
	shift
	echo "$*" >>"$BATS_FILE_TMPDIR/$name.trouble"
}

in_trouble() {
	[ -e "$BATS_FILE_TMPDIR/$1.trouble" ]
}

# refused NAME - is it to be?
refused() {
	grep -q '^refused ' "$CASES/$1/outcome"
}

wait_ready() {
	wait_until 120 on n0 alice test -e "cases/run/$1/ready" || trouble "$1" "it is not ready"
}

# vacate NAME - is it said to be fine? Then to the other node with it; one that is refused stays where it is
vacate() {
	local rc=0
	! in_trouble "$1" || return 0
	on n0 alice scheckpoint able "$(job "$1")" >"$BATS_FILE_TMPDIR/$1.able" 2>&1 || rc=$?
	echo "$rc" >"$BATS_FILE_TMPDIR/$1.able.status"
	if refused "$1"; then
		! on n0 alice scheckpoint create "$(job "$1")" >"$BATS_FILE_TMPDIR/$1.create" 2>&1 || trouble "$1" "it was not refused"
		# it does not outlive the job
		on n0 root cat "$(store "$(job "$1")")/failed/dump.log" >"$BATS_FILE_TMPDIR/$1.dumplog" || true
	else
		on n0 alice scheckpoint vacate "$(job "$1")" >"$BATS_FILE_TMPDIR/$1.vacate" 2>&1 ||
			trouble "$1" "not vacated: $(cat "$BATS_FILE_TMPDIR/$1.vacate")"
	fi
}

wait_back() {
	in_trouble "$1" || refused "$1" || wait_restored "$(job "$1")" "$2" 120 >"$BATS_FILE_TMPDIR/$1.back" 2>&1 ||
		trouble "$1" "not restored: $(cat "$BATS_FILE_TMPDIR/$1.back"; on n0 alice cat "cases/run/$1/errors")"
}

# keep_back NAME - when slurmctld has found its node lost
keep_back() {
	in_trouble "$1" || refused "$1" || { wait_state "$(job "$1")" PENDING 60 && on n0 root scontrol hold "$(job "$1")"; } ||
		trouble "$1" "it is not kept back"
}

# go_on_by_eight - not all at once: what takes longer than BatchStartTimeout to start, slurmctld starts anew
go_on_by_eight() {
	local -a names
	local name
	while mapfile -n 8 -t names <&5 && [ ${#names[@]} -gt 0 ]; do
		for name in "${names[@]}"; do
			in_trouble "$name" || refused "$name" || on n0 root scontrol release "$(job "$name")"
		done
		for name in "${names[@]}"; do
			wait_back "$name" 2
		done
	done 5<"$BATS_FILE_TMPDIR/chosen"
}

create() {
	local why
	in_trouble "$1" || refused "$1" || why=$(on n0 alice scheckpoint create "$(job "$1")" 2>&1) ||
		trouble "$1" "no checkpoint after the restore: $why"
}

# meddle NAME - what somebody does to its directory after the checkpoint
meddle() {
	run_there n0 alice "$1" meddle
	as_root "$1" meddle.root n0
}

# as_root NAME FILE NODE...
as_root() {
	local name=$1 file=$2 node
	shift 2
	for node; do
		run_there "$node" root "$name" "$file"
	done
}

# run_there NODE USER NAME FILE - a file of the case's, if it has it, in its directory
run_there() {
	[ ! -e "$CASES/$3/$4" ] || on "$1" "$2" bash -ec 'cd "/shared/home/alice/cases/run/$1" && . "./$2"' bash "$3" "$4" ||
		trouble "$3" "$4 failed"
}

open_gate() {
	on n0 alice touch "cases/run/$1/go"
}

# alone NAME - the same in peace, on n0
alone() {
	# shellcheck disable=SC2016 # expanded over there
	on n0 alice timeout 60 bash -c 'cd "cases/run/$1.alone" && { until [ -e ready ]; do sleep 0.1; done; sleep 0.3; touch go; } &
		cd "cases/run/$1.alone" && bash ./job.sh >out 2>errors </dev/null; wait' bash "$1" 3>&- || trouble "$1" "it does not work in peace"
}

wait_result() {
	in_trouble "$1" || wait_until 60 ended "$(job "$1")" || trouble "$1" "it does not end"
}

ended() {
	case $(job_field "$1" JobState) in
	COMPLETED | FAILED | OUT_OF_MEMORY | CANCELLED | TIMEOUT) true ;;
	*) false ;;
	esac
}

setup() {
	need_spank_cr
}

teardown_file() {
	nodes_back
	on n0 alice rm -rf cases
}

# holds NAME - what its outcome says became of it
holds() {
	local dir=cases/run/$1 kind outcome
	[[ -z ${CASE:-} || " $CASE " == *" $1 "* ]] || skip "not among CASE"
	echo "able: $(cat "$BATS_FILE_TMPDIR/$1.able")"
	if in_trouble "$1"; then
		cat "$BATS_FILE_TMPDIR/$1.trouble"
		on n0 alice tail -n 5 "$dir/errors"
		crinit_log "$(job "$1")"
		return 1
	fi
	read -r outcome kind <"$CASES/$1/outcome"
	"holds_$outcome" "$1" "$kind"
	echo "in peace: $(on n0 alice cat "$dir.alone/result")"
	echo "as a job: $(on n0 alice cat "$dir/result"; on n0 alice tail -n 5 "$dir/errors")"
	[ -n "$(on n0 alice cat "$dir.alone/result")" ]
	on n0 alice diff "$dir.alone/result" "$dir/result"
	[ "$(job_field "$(job "$1")" JobState)" = COMPLETED ]
}

holds_restored() {
	[ "$(cat "$BATS_FILE_TMPDIR/$1.able.status")" = 0 ]
	not grep -qi warning "$BATS_FILE_TMPDIR/$1.able"
}

# holds_warned NAME TEXT - able says so, and yes
holds_warned() {
	[ "$(cat "$BATS_FILE_TMPDIR/$1.able.status")" = 0 ]
	grep -q -- "$2" "$BATS_FILE_TMPDIR/$1.able"
}

# holds_refused NAME TEXT - able says no, and so does what refuses the checkpoint, before criu has frozen anything
holds_refused() {
	[ "$(cat "$BATS_FILE_TMPDIR/$1.able.status")" = 1 ]
	grep -q -- "$2" "$BATS_FILE_TMPDIR/$1.able"
	grep -q -- "$2" "$BATS_FILE_TMPDIR/$1.create"
	[ "$(newest "$(job "$1")")" = 0 ]
	[ "$(job_field "$(job "$1")" Restarts)" = 0 ]
	grep -q '^criu was not started' "$BATS_FILE_TMPDIR/$1.dumplog"
}

@test "every case has a test, and every test a case" {
	diff <(cd "$CASES" && find . -mindepth 1 -maxdepth 1 -type d -printf '%f\n' | sort) \
		<(sed -n 's/^	holds \([a-z0-9-]*\)$/\1/p' "$BATS_TEST_DIRNAME/cases.bats" | sort)
}

# ---- a test for each ----
@test "file leases" {
	holds lease
}

@test "a file lease in the job's own /tmp" {
	holds lease-private
}

@test "a working directory deeper than any path leads" {
	holds long-path
}

@test "names with any bytes" {
	holds odd-names
}

@test "files and directories in /tmp that nobody may read" {
	holds private-closed
}

@test "files that vanish in a directory of --checkpoint-rollback" {
	holds vanishing
}

@test "inputs, directories and a program that others change" {
	holds meddled-inputs
}

@test "a shell with a child, a pipe and a file" {
	holds shell
}

@test "a system call filter (seccomp)" {
	holds seccomp
}

@test "timerfds: armed or not, expired, read, with a reader" {
	holds timerfd
}

@test "UDP: datagrams that wait, options, multicast groups" {
	holds udp
}

@test "the same in a network of the job's own" {
	holds udp-private
}

@test "sockets bound to the address of the node" {
	holds addresses
}

@test "UNIX datagrams that wait, and where they came from" {
	holds unix-dgram
}

@test "TCP: full in both directions, every byte" {
	holds tcp-full
}

@test "TCP: one end or both have shut down, or closed" {
	holds tcp-half
}

@test "TCP: a connection that nobody accepts" {
	holds tcp-accept
}

@test "TCP: the other end has reset it" {
	holds tcp-reset
}

@test "UNIX sockets whose names were removed, or lead to something else" {
	holds unix-names
}

@test "UNIX: a connection that nobody has accepted yet" {
	holds unix-accept
}

@test "UNIX: one that has sent something already" {
	holds unix-said
}

@test "half an UDP datagram" {
	holds udp-cork
}

@test "POSIX timers: of ended threads, pending, of processor time" {
	holds timers
}

@test "libraries, programs and files that are replaced or removed where their user may not write" {
	holds removed
}

@test "the same of root's, on the node that the job runs on" {
	holds upgraded
}

@test "working directories that were removed, and made again" {
	holds cwd-removed
}

@test "files that were made without a name, and are given one later" {
	holds tmpfile
}

@test "children that have ended and were not waited for" {
	holds ended
}

@test "limits, each so low that who works under it notices" {
	holds limits
}

@test "limits of whoever submits it" {
	holds submitted-limits
}

@test "a child of vfork that has not executed anything" {
	holds vfork
}

@test "an epoll set that watches what its process has closed" {
	holds epoll-closed
}

@test "stopped processes, and what their parents hear" {
	holds stopped
}

@test "empty datagrams and packets" {
	holds unix-empty
}

@test "messages that tell who has sent them" {
	holds unix-credentials
}

@test "named semaphores, and files whose name is gone while they have another" {
	holds sem-open
}

@test "Python's pools whose workers are not forked" {
	holds spawn
}

@test "reservations larger than the memory of the machine" {
	holds reserve
}

@test "a table that forked processes share, in areas that differ" {
	holds cow-pool
}

@test "a program that is executed from a memfd" {
	holds memfd-program
}

@test "descriptors at the top of the hard limit, and no vDSO" {
	holds high-descriptors
}

@test "what madvise, mlock and mmap leave on memory, and a low limit of locked memory" {
	holds madvise
}

@test "files and directories that are watched (inotify)" {
	holds watched
}

@test "xz in its Landlock sandbox" {
	holds xz
}

@test "joblib's workers" {
	holds joblib
}

@test "named pipes, with and without readers and writers, with data in them" {
	holds fifo
}

@test "open files and directories of /proc and /sys" {
	holds proc-files
}

@test "an open file of a thread's in /proc" {
	holds proc-thread
}

@test "memory policies, memory locked on fault, personalities" {
	holds placed
}

@test "programs that have /dev/tty open for a moment" {
	holds tty
}
