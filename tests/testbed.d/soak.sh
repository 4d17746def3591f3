# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# soak.sh - many jobs of several kinds (tests/soak/jobs), interrupted at random for a while; then each must have the
# result that it has undisturbed (tests/soak/report.py)
#
# The order of what is done follows from the seed, which is printed. The checkpoints lie in a small tmpfs, which is full
# at times: it is mounted in a mount namespace of the soak's own, from where all nodes have it. All that is left of a
# soak is in LOG: events, what was done and when; soak.log; the jobs' directories; their journals and logs.

SOAK_MINUTES=${SOAK_MINUTES:-60}
SOAK_STORE=2000M
SOAK_EVERY=${SOAK_EVERY:-15s} # --checkpoint=
SOAK_JOBS=${SOAK_JOBS:-}      # their names; all of them
# bob's jobs: what a user may have in pipes on a machine (fs.pipe-user-pages-soft) would otherwise be short for the tests
# of alice's beside it, and for criu
export SUBMIT_USER=bob
SOAK_DIR=/shared/home/bob/soak
# what is done, the more often the more it is named. criu is killed while it restores, not in a dump: in the milliseconds
# in which its code is in a task, that dies with it (doc/store.md)
SOAK_DEEDS=(node node requeue requeue vacate preempt preempt full full writer worker reader criu crinit)

soak_main() {
	[ $# -le 1 ] || die "usage: tests/testbed soak [MINUTES]"
	SOAK_MINUTES=${1:-$SOAK_MINUTES}
	[[ $SOAK_MINUTES =~ ^[1-9][0-9]*$ ]] || die "a soak takes a number of minutes"
	SOAK_SEED=${SOAK_SEED:-$((RANDOM % 10000))}
	[[ $SOAK_SEED =~ ^[0-9]+$ ]] || die "SOAK_SEED is a number"
	soak_lock
	"$TESTBED" down
	export SOAK_MINUTES SOAK_SEED SOAK_EVERY SOAK_JOBS TESTBED_PROGRAMS=1 TESTBED_MEMORY="${TESTBED_MEMORY:-8000}" TESTBED_STORE_SIZE=$SOAK_STORE
	exec unshare --mount --propagation private \
		bash "$TESTBED" internal eval ". ${TESTBED_LIB@Q}/soak.sh; soak_run"
}

# soak_lock - one soak at a time in a state; held until its end
soak_lock() {
	local fd
	mkdir -p "$STATE"
	exec {fd}>"$STATE/soak.lock"
	flock -n "$fd" || die "another soak runs in $STATE"
}

# soak_run - in the mount namespace
soak_run() {
	local began
	LOG=$STATE/log/soak
	rm -rf "$LOG"
	mkdir -p "$LOG"
	: >"$LOG/events"
	: >"$LOG/left"
	echo "soak: $SOAK_MINUTES minutes, seed $SOAK_SEED (SOAK_SEED=$SOAK_SEED tests/testbed soak $SOAK_MINUTES)"
	trap soak_end EXIT
	"$TESTBED" up
	# the words of the cluster tests
	BATS_TEST_DIRNAME=$CLONE/tests/cluster
	# shellcheck source=tests/cluster/helpers.bash
	. "$CLONE/tests/cluster/helpers.bash"
	have_spank_cr || die "spank_cr is not installed"
	soak_prepare
	began=$SECONDS
	soak_submit
	RANDOM=$SOAK_SEED
	while [ $((SECONDS - began)) -lt $((SOAK_MINUTES * 60)) ]; do
		soak_deed
	done
	soak_calm
	soak_finish
	soak_left
	soak_keep
	soak_report
}

# soak_end - the cluster has a store that nobody else can see
soak_end() {
	local rc=$?
	trap '' INT TERM HUP
	[ "$rc" = 0 ] || soak_keep || true
	"$TESTBED" down || true
	exit "$rc"
}

# soak_jobs - the lines of tests/soak/jobs that are wanted
soak_jobs() {
	awk -v names=" $SOAK_JOBS " '!/^#/ && (names == "  " || index(names, " " $1 " "))' "$CLONE/tests/soak/jobs"
}

# soak_script COMMAND - a job's script, and that of the run alone. There are more of them than processors
soak_script() {
	echo "renice -n 19 \$\$ >/dev/null; P=$SOAK_DIR/programs S=$SOAK_DIR/source; export P S; echo started >>starts; $1"
}

# soak_prepare - the programs, and the results of those that are compared with a run alone
soak_prepare() {
	local name memory cpus how options command
	# shellcheck disable=SC2016 # expanded over there
	on n0 bob bash -ec 'rm -rf soak; mkdir -p soak/source soak/programs soak/run'
	tar -C "$CLONE/tests/soak" -c . | on n0 bob tar -C soak/source -x
	tar -C "$CLONE/tests/cluster" -c programs hold.c | on n0 bob tar -C soak -x
	tar -C "$CLONE" -c libcrcore | on n0 bob tar -C soak/programs -x
	on n0 bob bash -ec 'cd soak/programs
		gcc -std=gnu11 -O2 -Wall -pthread -o threads threads.c; gcc -std=gnu11 -O2 -Wall -o hold ../hold.c
		gcc -std=gnu11 -O2 -Wall -fopenmp -o loops loops.c'
	while read -r name memory cpus how options command <&4; do
		on n0 bob mkdir -p "soak/run/$name/books" "soak/run/$name.alone"
		[ "$how" != alone ] || soak_alone "$name" "$command"
	done 4< <(soak_jobs)
}

# soak_alone NAME COMMAND - left in peace, on n0
soak_alone() {
	# shellcheck disable=SC2016 # expanded over there
	on n0 bob timeout 300 bash -c 'cd "soak/run/$1.alone" && touch go && exec bash -c "$2" >out 2>errors </dev/null' \
		bash "$1" "$(soak_script "$2")" || die "$1 does not work undisturbed, see $SOAK_DIR/run/$1.alone"
}

# soak_submit - all of them; returns when each has a checkpoint, and one to go back to when the reader of that is killed
soak_submit() {
	local name memory cpus how options command id
	SOAK_IDS=()
	while read -r name memory cpus how options command <&4; do
		[ "$options" != - ] || options=
		options=${options//@/$SOAK_DIR/run/$name}
		# shellcheck disable=SC2086 # several
		id=$(submit --job-name="$name" --checkpoint="$SOAK_EVERY" --oversubscribe --mem="$memory" \
			--cpus-per-task="$cpus" --chdir="$SOAK_DIR/run/$name" --output=out --error=errors $options \
			"$(soak_script "$command")")
		SOAK_IDS+=("$id")
		echo "$name $id $how" >>"$LOG/jobs"
	done 4< <(soak_jobs)
	for id in "${SOAK_IDS[@]}"; do
		wait_committed "$id" 2 300 || die "job $id has no two checkpoints"
	done
}

# ---- what is done ----

# soak_say WORD... - what happens, for soak.log
soak_say() {
	echo "$(date -u +%T) $*" >>"$LOG/soak.log"
}

# soak_event KIND WHAT... - an interruption, which report.py counts
soak_event() {
	echo "$(date +%s.%N) $*" >>"$LOG/events"
	soak_say "$*"
}

# soak_deed - one of them, then a while of peace. What is random is drawn here, so that it follows from the seed
soak_deed() {
	local deed=${SOAK_DEEDS[RANDOM % ${#SOAK_DEEDS[@]}]} node=n$((RANDOM % 2 + 1)) pause=$((RANDOM % 20 + 1))
	local id=${SOAK_IDS[RANDOM % ${#SOAK_IDS[@]}]} other=${SOAK_IDS[RANDOM % ${#SOAK_IDS[@]}]} settle=$((RANDOM % 4))
	"soak_$deed" "$id" "$other" "$node" "$pause" >>"$LOG/soak.log" 2>&1 || soak_say "$deed: not done"
	# most of the time it meets jobs that run
	[ "$settle" = 0 ] || wait_until 90 soak_calmed || soak_say "not all of them run"
	sleep $((pause % 5 + 1))
}

# soak_calmed - all of them run, some perhaps because somebody helped
soak_calmed() {
	soak_again
	soak_all_run
}

soak_all_run() {
	[ "$(on n0 root squeue -h -t running -u bob -o %i | wc -l)" = ${#SOAK_IDS[@]} ]
}

# soak_again - a job whose crinit was killed has failed: somebody starts it again
soak_again() {
	local id
	for id in $(soak_in_state 'F|NF|CA|OOM|TO'); do
		soak_say "job $id is $(job_field "$id" JobState), $(job_field "$id" ExitCode), and is requeued"
		on n0 root scontrol requeue "$id" || true
	done
	# Slurm holds a job that it could not launch
	for id in $(on n0 root squeue -h -u bob -t pending -o '%i %r' | awk '/[Hh]eld/ { print $1 }'); do
		soak_say "job $id is held, and released"
		on n0 root scontrol release "$id" || true
	done
}

# soak_in_state REGEXP - our jobs in those states
soak_in_state() {
	on n0 root squeue -h -t all -u bob -o '%i %t' | awk -v states="^($1)\$" '$2 ~ states { print $1 }'
}

# soak_node - a node loses its power for a while: Slurm notices, or does not
soak_node() {
	soak_event node "$3"
	"$TESTBED" kill-node "$3"
	sleep $(($4 * 3 / 2))
	"$TESTBED" start-node "$3"
	soak_say "$3 is back"
	nodes_ready 90
}

soak_requeue() {
	soak_event requeue "$1"
	on n0 root scontrol requeue "$1"
}

soak_vacate() {
	soak_event vacate "$1"
	on n0 bob scheckpoint vacate "$1"
}

# soak_preempt - somebody takes a node, or both
soak_preempt() {
	local nodes=(--nodelist="$3") urgent
	[ $(($4 % 3)) != 0 ] || nodes=(--nodes=2)
	soak_event preempt "${nodes[*]#--}"
	urgent=$(SUBMIT_USER=alice submit --partition=urgent --exclusive --output=/dev/null "${nodes[@]}" "sleep $(($4 % 4))")
	wait_state "$urgent" COMPLETED 120 || on n0 root scancel "$urgent"
}

# soak_full - there is no room for checkpoints for a while
soak_full() {
	soak_event full "$4"
	mount -o "remount,size=$(soak_used)k" "$STATE/shared/checkpoints"
	on n0 bob scheckpoint create "$1" || true
	on n0 root scontrol requeue "$2" || true
	sleep "$4"
	mount -o "remount,size=$SOAK_STORE" "$STATE/shared/checkpoints"
	soak_say "there is room again"
}

soak_used() {
	# no size at all would be no limit
	df --output=used -k "$STATE/shared/checkpoints" | awk 'NR == 2 { print ($1 < 4 ? 4 : $1) }'
}

# soak_writer, soak_worker - who makes a checkpoint of the job is killed
soak_writer() {
	soak_catch create "$1" crwriter ''
}

soak_worker() {
	soak_catch create "$1" crworker ''
}

# soak_reader, soak_criu - who restores the job is killed; it has an older checkpoint to go back to
soak_reader() {
	soak_two "$1" && soak_catch requeue "$1" crreader ''
}

soak_criu() {
	soak_two "$1" && soak_catch requeue "$1" criu " restore "
}

soak_two() {
	[ "$(records "$1" 'map(select(.state == "committed")) | length')" -ge 2 ]
}

# soak_catch VERB JOB PROCESS WORD - the next such process of the job, with WORD among its arguments
soak_catch() {
	local node nodes=(n1 n2) pid pids=() kind
	kind=${3/#crr/r} kind=${kind/#crw/w}
	[ "$1" = requeue ] || nodes=("$(job_field "$2" BatchHost)")
	on n0 root rm -f "$SOAK_DIR/caught"
	for node in "${nodes[@]}"; do
		soak_catch_on "$node" "$3" "$2" "$4" && soak_event "$kind" "$node" "$2" &
		pids+=($!)
	done
	if [ "$1" = create ]; then
		on n0 bob scheckpoint create "$2" || true
	else
		soak_event requeue "$2"
		on n0 root scontrol requeue "$2" || true
	fi
	for pid in "${pids[@]}"; do
		wait "$pid" || true
	done
}

# soak_catch_on NODE PROCESS JOB WORD - it lives for some milliseconds: nothing is started while it is looked for
soak_catch_on() {
	# shellcheck disable=SC2016 # expanded over there
	on "$1" root timeout 40 bash -c '
		child() {
			local pids name
			read -r pids <"/proc/$1/task/$1/children"
			for found in $pids; do
				! read -r name <"/proc/$found/comm" || [ "$name" != "$2" ] || return 0
			done
			return 1
		}
		exec {never}<> <(:) 2>/dev/null # processes go while they are looked at
		until [ -e "$4" ]; do
			main=$(pgrep -o -f -- "^crinit (run|restore) .*--job=$2 ")
			while [ -e "/proc/${main:-none}" ] && [ ! -e "$4" ]; do
				child "$main" crworker && { [ "$1" = crworker ] || child "$found" "$1"; } &&
					[[ $(tr "\0" " " <"/proc/$found/cmdline") == *"$3"* ]] && kill -KILL "$found" && : >"$4" && exit
				read -rt 0.01 -u "$never"
			done
		done
		exit 1' bash "$2" "$3" "$4" "$SOAK_DIR/caught"
}

# soak_crinit - the job's first process is killed, and with it all of the job
soak_crinit() {
	local node pid
	node=$(job_field "$1" BatchHost)
	# it does not run now, or ends at this moment
	[ -n "$node" ] && pid=$(crinit_pid "$node" "$1") || return
	soak_event crinit "$node" "$1"
	on "$node" root kill -KILL "$pid"
	wait_until 30 soak_stopped "$1"
}

soak_stopped() {
	[ "$(job_field "$1" JobState)" != RUNNING ]
}

# ---- the end ----

# soak_calm - everything is as it was, and every job runs
soak_calm() {
	soak_say "that was it"
	mount -o "remount,size=$SOAK_STORE" "$STATE/shared/checkpoints"
	all_started || true
	wait_until 240 soak_calmed || soak_say "not all of them run"
}

# soak_finish - they may come to their end
soak_finish() {
	local name id how
	# shellcheck disable=SC2016 # expanded over there
	on n0 bob bash -c 'for dir in soak/run/*; do touch "$dir/go"; done'
	wait_until 300 soak_all_ended || soak_say "not all of them have ended"
	while read -r name id how <&4; do
		echo "$name $id $how $(job_field "$id" JobState)"
	done 4<"$LOG/jobs" >"$LOG/jobs.new"
	mv "$LOG/jobs.new" "$LOG/jobs"
}

soak_all_ended() {
	[ -z "$(on n0 root squeue -h -u bob)" ]
}

# soak_left - what is still there of any of them
soak_left() {
	local node id
	for node in n1 n2; do
		for id in "${SOAK_IDS[@]}"; do
			wait_until 20 _nothing_left "$node" "$id" ||
				leftovers "$node" "$id" | sed "s/^/$node, job $id: /" >>"$LOG/left"
		done
	done
}

# soak_keep - what is looked at when something was wrong
soak_keep() {
	local node
	rm -rf "$LOG/run" "$LOG/store"
	cp -a "$STATE/shared/home/bob/soak/run" "$LOG/run"
	(cd "$STATE/shared/checkpoints/bob" && find . \( -name '*.log' -o -name '*.jsonl' -o -name manifest.json \) -print0 |
		tar --null -T - -c) | (mkdir -p "$LOG/store" && tar -C "$LOG/store" -x)
	for node in n0 n1 n2; do
		cp "$STATE/nodes/$node/upper/var/log/slurm/"slurm{d,ctld}.log "$LOG/" 2>/dev/null || true
		[ ! -e "$LOG/slurmd.log" ] || mv "$LOG/slurmd.log" "$LOG/slurmd.$node.log"
	done
}

soak_report() {
	local rc=0
	on n0 root mkdir -p /root/soak
	tar -C "$LOG" -c jobs events left run | on n0 root tar -C /root/soak -x
	on n0 root python3 "$SOAK_DIR/source/report.py" /root/soak /shared/checkpoints/bob | tee "$LOG/report" || rc=$?
	echo "soak: all of it is in $LOG"
	return "$rc"
}
