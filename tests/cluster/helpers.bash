# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# helpers.bash - words for the cluster tests; `load helpers` at the top of a .bats file
#
# The tests run on the machine that carries the testbed, against the cluster that is up.

TESTBED=$(realpath "${BATS_TEST_DIRNAME:-.}/../testbed")
STATE=$(realpath -m "${TESTBED_STATE:-/var/cache/spank_cr-testbed}")
# shellcheck source=tests/testbed.d/enter.sh
. "$TESTBED.d/enter.sh"
# a process that only waits costs more than all else that is done while waiting
enable -f /usr/lib/bash/sleep sleep 2>/dev/null || true

# the virtual machine is emulated: everything takes longer, and so may every wait
PATIENCE=${TESTBED_IN_VM:+8}
# --checkpoint=$OFTEN: several checkpoints during a test, and time to do some work between them
OFTEN=${TESTBED_IN_VM:+12s}
: "${PATIENCE:=1}" "${OFTEN:=2s}"

# a script that counts to stdout until stop.JOBID is there, then says end
# shellcheck disable=SC2034,SC2016 # expanded in the job
COUNT='i=0; until [ -e "stop.$SLURM_JOB_ID" ]; do echo $((i++)); sleep 0.1; done; echo end'

# on NODE USER CMD... - run CMD there; its exit status is ours
on() {
	(enter_node "$@")
}

# submit [SBATCH-OPTION]... SCRIPT - SCRIPT (text) as a batch job of alice's, in which sleep starts no process; prints the job
# id
submit() {
	local script=${*: -1}
	set -- "${@:1:$#-1}"
	# shellcheck disable=SC2086 # a command with its arguments, or none
	on n0 "${SUBMIT_USER:-alice}" ${SUBMIT_UNDER:-} sbatch --parsable "$@" <<<"#!/bin/bash
enable -f /usr/lib/bash/sleep sleep
$script"
}

# job_field JOBID FIELD - one field of `scontrol show job`, such as JobState, Restarts, BatchHost, Reason, ExitCode
job_field() {
	local job
	job=" $(on n0 root scontrol --oneliner show job "$1" 2>/dev/null)" || true
	[[ $job != *[[:space:]]"$2="* ]] || {
		job=${job#*[[:space:]]"$2="}
		echo "${job%%[[:space:]]*}"
	}
}

# wait_until SECONDS CMD... - until CMD succeeds
wait_until() {
	local deadline=$((SECONDS + $1 * PATIENCE))
	shift
	until "$@"; do
		[ "$SECONDS" -lt "$deadline" ] || return 1
		sleep 0.5
	done
}

# wait_field JOBID FIELD VALUE SECONDS
wait_field() {
	wait_until "$4" _job_field_is "$1" "$2" "$3" && return
	echo "job $1: $2 is $(job_field "$1" "$2") after $4 s, not $3 (state $(job_field "$1" JobState), reason" \
		"$(job_field "$1" Reason))" >&2
	return 1
}

_job_field_is() {
	[ "$(job_field "$1" "$2")" = "$3" ]
}

# wait_state JOBID STATE SECONDS - e.g. RUNNING, COMPLETED, FAILED, PENDING, TIMEOUT
wait_state() {
	wait_field "$1" JobState "$2" "$3"
}

# wait_restarts JOBID COUNT SECONDS - until the job runs for the COUNTth time after its first
wait_restarts() {
	wait_field "$1" Restarts "$2" "$3" && wait_state "$1" RUNNING "$3"
}

# wait_restarted JOBID COUNT SECONDS - until the job has been put back into the queue so often, or more often
wait_restarted() {
	wait_until "$3" _restarted "$1" "$2" && return
	echo "job $1: Restarts is $(job_field "$1" Restarts) after $3 s, not $2 (state $(job_field "$1" JobState))" >&2
	return 1
}

_restarted() {
	[ "$(job_field "$1" Restarts)" -ge "$2" ]
}

# wait_file USER FILE PATTERN SECONDS - until a line of FILE (as n0 sees it) matches the extended regexp PATTERN
wait_file() {
	wait_until "$4" on n0 "$1" grep -qE -- "$3" "$2" 2>/dev/null && return
	echo "$2 has no line matching $3 after $4 s; its end:" >&2
	on n0 "$1" tail -n 5 "$2" >&2
	return 1
}

# cancel_all - no job left, for the next test
cancel_all() {
	on n0 root bash -c 'scancel --ctld --signal=KILL --full --state=RUNNING 2>/dev/null; scancel --state=PENDING
		scancel --state=RUNNING; scancel --user=alice; scancel --user=bob'
	wait_until 60 _no_jobs
}

_no_jobs() {
	[ -z "$(on n0 root squeue -h)" ]
}

# nodes_ready SECONDS - every compute node is idle or in use
nodes_ready() {
	wait_until "$1" _nodes_ready
}

_nodes_ready() {
	! on n0 root sinfo -h -N -p main -o %T | grep -qvE '^(idle|allocated|mixed|completing)$'
}

# all_started - nodes that were killed run again and take jobs
all_started() {
	local node
	for node in n1 n2; do
		if "$TESTBED" status | grep -qx "$node not running"; then
			"$TESTBED" start-node "$node"
		fi
	done
	nodes_ready 60
}

# have_spank_cr - is spank_cr part of this cluster?
have_spank_cr() {
	local conf
	conf=$(on n0 root cat /etc/slurm/plugstack.conf.d/spank_cr.conf) || return 2
	grep -q '^required' <<<"$conf"
}

# need_spank_cr - tests of it skip, with a reason, when it is not; a cluster that does not answer is a failure
need_spank_cr() {
	local rc=0
	have_spank_cr || rc=$?
	[ "$rc" != 1 ] || skip "spank_cr is not installed"
	return "$rc"
}

# ---- jobs with checkpoints; JOB's are alice's unless SUBMIT_USER says otherwise ----

# store JOB - where its generations are; an array's task has them under its own job id
store() {
	[[ $1 != *_* ]] || set -- "$(job_field "$1" JobId)"
	echo "/shared/checkpoints/${SUBMIT_USER:-alice}/$1/batch.0"
}

# records JOB FILTER - jq FILTER over `scheckpoint list --json JOB`
records() {
	# shellcheck disable=SC2016 # expanded over there
	on n0 "${SUBMIT_USER:-alice}" bash -c 'set -o pipefail; scheckpoint list --json "$1" | jq -r "$2"' bash "$@"
}

# newest JOB - its newest committed generation; 0 when there is none
newest() {
	records "$1" '[.[] | select(.state == "committed").generation] | max // 0' 2>/dev/null || echo 0
}

_committed() {
	[ "$(newest "$1")" -ge "$2" ]
}

# wait_committed JOB GENERATION SECONDS - until that generation, or a later one, is committed
wait_committed() {
	wait_until "$3" _committed "$1" "$2" && return
	echo "job $1: generation $(newest "$1") after $3 s, not $2; what crinit says:" >&2
	crinit_log "$1" >&2
	return 1
}

crinit_log() {
	on n0 root tail -n 15 "$(store "$1")/crinit.log"
	on n0 root cat "$(store "$1")/failed/dump.log" 2>/dev/null | grep -E 'Error|Warn' | tail -n 5
}

# wait_restored JOB RESTARTS SECONDS - until it runs for the RESTARTSth time after its first, from a checkpoint. Its state
# is not asked for: it may end at once.
wait_restored() {
	wait_restarted "$1" "$2" "$3"
	wait_until "$3" _restored "$1" "$2" && return
	echo "job $1 was not restored; what crinit says:" >&2
	crinit_log "$1" >&2
	on n0 root cat "$(store "$1")/journal.jsonl" >&2
	return 1
}

_restored() {
	# shellcheck disable=SC2016 # jq's
	on n0 root jq -en --argjson n "$2" '[inputs | select(.event == "restored" and .restart == $n)] | length > 0' \
		"$(store "$1")/journal.jsonl" >/dev/null 2>&1
}

# requeue JOB... - requeue them all, and wait until each goes on from the checkpoint that was taken then
requeue() {
	local job
	local -A count=()
	for job; do
		count[$job]=$(job_field "$job" Restarts)
		on n0 root scontrol requeue "$job"
	done
	for job; do
		wait_restored "$job" $((count[$job] + 1)) 120
	done
}

# finish JOB... - let jobs that run $COUNT come to their end
finish() {
	local job
	for job; do
		on n0 "${SUBMIT_USER:-alice}" touch "stop.$job"
	done
	for job; do
		wait_state "$job" COMPLETED 30
	done
}

# counted FILE - it has every number once, in order, and then the end, and nothing else but what Slurm says when it
# ends a job
counted() {
	# shellcheck disable=SC2016 # awk's
	on n0 "${SUBMIT_USER:-alice}" awk '
		/^slurmstepd-/ { next }
		done { print FILENAME ": there is more after the end: " $0; bad = 1; exit }
		$0 == "end" { done = 1; next }
		$0 != n + 0 { print FILENAME ": line " NR " is \"" $0 "\", not " n + 0; bad = 1; exit }
		{ n++ }
		END { if (!bad && !done) { print FILENAME ": no end after " n; bad = 1 }; exit bad }' "$1"
}

# lines FILE - how many it has
lines() {
	# shellcheck disable=SC2016 # expanded over there
	on n0 "${SUBMIT_USER:-alice}" sh -c 'wc -l <"$1"' sh "$1"
}

# wait_longer FILE SECONDS - until FILE has more lines than now
wait_longer() {
	local now
	now=$(lines "$1")
	wait_until "$2" _longer "$1" "$now" && return
	echo "$1 still has $now lines after $2 s" >&2
	return 1
}

_longer() {
	[ "$(lines "$1")" -gt "$2" ]
}

# crinit_pid NODE JOB - as the node numbers it; crinit is older than its workers
crinit_pid() {
	on "$1" root pgrep --oldest -f -- "^crinit .*--job=$2 "
}

# in_job NODE JOB CMD... - CMD as root in the mount and pid namespaces of the job
in_job() {
	local node=$1 job=$2
	shift 2
	on "$node" root nsenter --mount --pid --target "$(crinit_pid "$node" "$job")" -- "$@"
}

# capabilities NODE JOB - "PID NAME Cap…: bits" of each process of the job, crinit (PID 1) too, other helpers not
capabilities() {
	# shellcheck disable=SC2016 # expanded over there
	in_job "$1" "$2" bash -c 'for status in /proc/[0-9]*/status; do
		awk -v self=$$ "/^Name:/ { name = \$2 } /^NSpid:/ { pid = \$NF }
			/^Cap(Inh|Prm|Eff|Amb):/ { caps = caps \" \" \$1 \$2 }
			END { if (pid == 1 || (pid >= 1000 && name !~ /^(awk|crpreflight|crfacts|scontrol)\$/ && pid != self)) print pid, name caps }" \
			"$status" 2>/dev/null
	done'
}

# leftovers NODE JOB - all that is still there of it, one a line
leftovers() {
	# shellcheck disable=SC2016 # expanded over there
	on "$1" root bash -c 'job=$1
		pgrep -a -f -- "^crinit .*--job=$job |^crnotary $job "
		grep -lzx "SLURM_JOB_ID=$job" /proc/[0-9]*/environ 2>/dev/null
		grep -E "/spank_cr/$job(/| )" /proc/[0-9]*/mounts | sort -u
		find /sys/fs/cgroup -depth \( -name "job_$job" -o -path "*/job_$job/*" \)
		ls -d "/run/spank_cr/$job" "/var/spool/spank_cr/spank_cr.$job" 2>/dev/null' bash "$2"
	return 0
}

_nothing_left() {
	[ -z "$(leftovers "$1" "$2")" ]
}

# nothing_left NODE JOB - no process, mount, cgroup, directory of the job within 20 s
nothing_left() {
	wait_until 20 _nothing_left "$1" "$2" && return
	echo "job $2 left on $1:" >&2
	leftovers "$1" "$2" >&2
	return 1
}

# not CMD... - for set -e, to which a plain ! never is a failure
not() {
	! "$@"
}

# site_arguments ARG... - the site says so too, on all compute nodes, for jobs that start from now on
site_arguments() {
	local node
	for node in n1 n2; do
		on "$node" root sed -i "s|\$| $*|" /etc/slurm/plugstack.conf.d/spank_cr.conf
	done
}

# site_arguments_reset - as it was on n0, where nobody changes it
site_arguments_reset() {
	local node
	for node in n1 n2; do
		on n0 root cat /etc/slurm/plugstack.conf.d/spank_cr.conf |
			on "$node" root tee /etc/slurm/plugstack.conf.d/spank_cr.conf >/dev/null
	done
}

# ---- several jobs of a test file that go through one loss of a node together: each has a name ----

# submit_as NAME [SBATCH-OPTION]... SCRIPT - as submit, with --checkpoint=1h; the job is called NAME from then on
submit_as() {
	local name=$1
	shift
	submit --checkpoint=1h "$@" >"$BATS_FILE_TMPDIR/$name.id"
}

# job NAME - its id
job() {
	cat "$BATS_FILE_TMPDIR/$1.id"
}

# only_n1 - jobs that are submitted from now on start on n1
only_n1() {
	on n0 root scontrol update nodename=n2 state=drain reason="the jobs are to start on n1"
}

# lose_node NODE - it loses its power; Slurm finds out within half a minute. It is not told by state=down: a registration of
# the node's that is still on its way would bring it back (ReturnToService), and jobs would be sent there once more
lose_node() {
	"$TESTBED" kill-node "$1"
}

# lose_n1 NAME... - n1 loses its power; returns when each of the jobs goes on on n2 from its checkpoint
lose_n1() {
	local name
	on n0 root scontrol update nodename=n2 state=resume
	lose_node n1
	for name; do
		wait_restored "$(job "$name")" 1 120
	done
}

# nodes_back - for teardown_file: no job, and both nodes as they were
nodes_back() {
	cancel_all
	on n0 root scontrol update nodename=n1,n2 state=resume 2>/dev/null || true
	all_started
}

# ---- programs ----

# program NAME - compile tests/cluster/NAME.c into the home directory
program() {
	# shellcheck disable=SC2016 # expanded over there
	on n0 "${SUBMIT_USER:-alice}" sh -c 'cat >"$1.c" && gcc -std=gnu11 -O2 -Wall -o "$1" "$1.c"' sh "$1" <"$BATS_TEST_DIRNAME/$1.c"
}

# manifest JOB GENERATION FILTER - jq FILTER over its manifest
manifest() {
	on n0 "${SUBMIT_USER:-alice}" jq -r "$3" "$(store "$1")/$(printf %06d "$2")/manifest.json"
}

# watch NODE JOB - from now on look at what checkpoints and restores it there (watch.py)
watch() {
	on "$1" root rm -f "/run/watched.$2"
	on "$1" root python3 - "$2" "/run/watched.$2" <"$BATS_TEST_DIRNAME/watch.py" >"$BATS_TEST_TMPDIR/watched.$2" 3>&- &
	WATCHER=$!
	sleep 0.3
}

# watch_end NODE JOB - that was it
watch_end() {
	on "$1" root touch "/run/watched.$2"
	wait "$WATCHER"
	cat "$BATS_TEST_TMPDIR/watched.$2"
}

# watched JOB FILTER - jq FILTER over what was seen
watched() {
	jq -r "$2" "$BATS_TEST_TMPDIR/watched.$1"
}

# ---- faults ----

# criu_held NODE SCRIPT - jobs that start there from now on run SCRIPT before criu; until let_plans
criu_held() {
	printf '#!/bin/sh\n%s\nexec criu "$@"\n' "$2" | on "$1" root tee /usr/local/sbin/criu-held >/dev/null
	on "$1" root chmod 755 /usr/local/sbin/criu-held
	on "$1" root sed -i '/spank_cr\.so/s|$| criu=/usr/local/sbin/criu-held|' /etc/slurm/plugstack.conf.d/spank_cr.conf
}

# hold_plans NODE - jobs that start there from now on stop before they look at their checkpoints; once, for who has had no
# answer from criu in time asks again
hold_plans() {
	# shellcheck disable=SC2016 # expanded over there
	criu_held "$1" '[ "$1" != --version ] || ! grep -q plan "/proc/$PPID/cmdline" ||
		! mkdir "/tmp/criu-held.$(cut -d " " -f 22 "/proc/$PPID/stat")" 2>/dev/null || kill -s STOP "$PPID"'
}

# hold_restores NODE - they stop when criu is to restore them
hold_restores() {
	# shellcheck disable=SC2016 # expanded over there
	criu_held "$1" 'case " $* " in *" restore "*) kill -s STOP $$ ;; esac'
}

let_plans() {
	on "$1" root sed -i 's| criu=/usr/local/sbin/criu-held||' /etc/slurm/plugstack.conf.d/spank_cr.conf
}

# wait_held NODE JOB SECONDS - until it has stopped there
wait_held() {
	wait_until "$3" _held "$1" "$2" && return
	echo "job $2 does not stop on $1" >&2
	on "$1" root tail -n 20 /var/log/slurm/slurmd.log >&2
	return 1
}

_held() {
	# shellcheck disable=SC2016 # expanded over there
	on "$1" root bash -c 'pid=$(pgrep -f -- "^crinit plan.*--job=$1 ") && grep -q "^State:.T" "/proc/$pid/status"' bash "$2"
}

# go_on NODE JOB - and from there it goes on
go_on() {
	on "$1" root pkill -CONT -f -- "^crinit plan.*--job=$2 "
}

# journal JOB FILTER - jq FILTER over the lines of its journal, as an array
journal() {
	on n0 root jq -sr "$2" "$(store "$1")/journal.jsonl"
}

# daemon_end NODE DAEMON [SIGNAL] - munged, slurmd or slurmctld there; KILL unless told
daemon_end() {
	on "$1" root pkill "-${3:-KILL}" -x "$2"
	wait_until 20 _daemon_gone "$1" "$2"
}

_daemon_gone() {
	! on "$1" root pgrep -x "$2" >/dev/null
}

# daemon_start NODE DAEMON - as the node's init does
daemon_start() {
	# shellcheck disable=SC2016 # expanded over there
	on "$1" root bash -c 'ulimit -l unlimited 2>/dev/null
		case $1 in
		munged)
			setsid setpriv --reuid=munge --regid=munge --clear-groups munged --force --foreground >/dev/null 2>&1 </dev/null &
			until munge -n >/dev/null 2>&1; do sleep 0.1; done
			;;
		*) setsid "$1" -D >>/var/log/slurm/stdout.log 2>&1 </dev/null & ;;
		esac' bash "$2" 3>&-
	wait_until 30 _slurm_answers
}

_slurm_answers() {
	on n0 root scontrol ping 2>/dev/null | grep -q UP
}
