# SPDX-License-Identifier: GPL-2.0-or-later
# fit.bats - a node that cannot go on with a job: it says what it lacks, and the job goes to another one
#
# n1 and n2 are alike; what n2 is made to lack is laid over its own files.

load helpers

setup_file() {
	have_spank_cr || return 0
	# shellcheck disable=SC2016 # C's, and expanded over there
	on n0 alice sh -c 'mkdir -p fit && cd fit && cat >step.c && cat >fit.c <<-END
		#include <stdio.h>
		#include <stdlib.h>
		#include <unistd.h>
		int step(int);
		int main(void)
		{
			char stop[64];
			snprintf(stop, sizeof(stop), "stop.%s", getenv("SLURM_JOB_ID"));
			setvbuf(stdout, NULL, _IOLBF, 0);
			for (int n = 0; access(stop, F_OK); n = step(n), usleep(100000))
				printf("%d\n", n);
			puts("end");
		}
	END
	gcc -shared -fPIC -o libfit.so step.c && gcc -shared -fPIC -DOTHER -o libfit.other.so step.c &&
	gcc -o fit fit.c -L. -lfit -Wl,-rpath,/usr/local/lib && gcc -o alone fit.c step.c &&
	gcc -Wl,--build-id=none -o nameless fit.c step.c' <<-'END'
		int step(int n)
		{
		#ifdef OTHER
			if (n < 0)
				return 0;
		#endif
			return n + 1;
		}
	END
	local home node
	home=$(on n0 alice pwd)
	for node in n1 n2; do
		# shellcheck disable=SC2016
		on "$node" root sh -c 'cd "$1/fit" && cp -p libfit.so /usr/local/lib && cp -p fit /usr/local/bin/fit-changed &&
			cp -p alone /usr/local/bin/fit-same && cp -p alone /usr/local/bin/fit-missing &&
			cp -p nameless /usr/local/bin/fit-nameless' sh "$home"
	done
	# shellcheck disable=SC2016
	on n2 root sh -c 'cp "$1/fit/libfit.other.so" /usr/local/lib/libfit.so; rm /usr/local/bin/fit-missing
		touch /usr/local/bin/fit-same /usr/local/bin/fit-nameless' sh "$home"
}

setup() {
	need_spank_cr
	on n0 root scontrol update nodename=n1 state=resume 2>/dev/null || true
	only_n1
}

teardown() {
	on n2 root bash -c "$(declare -f fakes_lift); fakes_lift"
	cancel_all
	! on n2 root mountpoint -q /var/spool/spank_cr || on n2 root umount -l /var/spool/spank_cr
	for node in n1 n2; do
		on n0 root scontrol update nodename=$node state=resume 2>/dev/null || true
	done
	nodes_ready 60
}

# an older kernel, C library and CRIU, and a processor without SSE2, as far as crinit can tell
fakes_lay() {
	mkdir -p /run/fit
	cp /usr/sbin/criu /usr/libexec/spank_cr/crinit /run/fit
	sed -E 's/^(flags.*) sse2\b/\1/' /proc/cpuinfo >/run/fit/cpuinfo
	printf 'const char *gnu_get_libc_version(void) { return "2.31"; }\n' |
		gcc -shared -fPIC -x c -o /run/fit/libc.so -
	cat >/run/fit/criu.sh <<-'END'
		#!/bin/sh
		[ "$*" != --version ] || exec echo Version: 3.18
		exec /run/fit/criu "$@"
	END
	cat >/run/fit/crinit.sh <<-'END'
		#!/bin/sh
		[ "$1" != plan ] || exec env LD_PRELOAD=/run/fit/libc.so setarch --uname-2.6 /run/fit/crinit "$@"
		exec /run/fit/crinit "$@"
	END
	chmod -R a+rX /run/fit
	chmod 755 /run/fit/*.sh
	mount --bind /run/fit/cpuinfo /proc/cpuinfo
	mount --bind /run/fit/criu.sh /usr/sbin/criu
	mount --bind /run/fit/crinit.sh /usr/libexec/spank_cr/crinit
}

fakes_lift() {
	for place in /proc/cpuinfo /usr/sbin/criu /usr/libexec/spank_cr/crinit; do
		while grep -q " $place " /proc/mounts; do umount -l "$place"; done
	done
	rm -rf /run/fit
}

# start [SBATCH-OPTION]... SCRIPT - a job on n1 that counts, with a checkpoint; prints its number
start() {
	local job
	job=$(submit --checkpoint=1h --checkpoint-fallback=fresh --output=out.%j --error=errors.%j "$@")
	wait_file alice "out.$job" '^5$' 30
	on n0 alice scheckpoint create "$job" >&2
	echo "$job"
}

# to_n2 JOB... - n1 is bob's; what is requeued now starts on n2. Held: release them one by one. A node that was
# drained would be none that a job could go to.
to_n2() {
	local job busy
	on n0 root scontrol update nodename=n2 state=resume
	for job; do
		on n0 alice scontrol requeuehold "$job"
	done
	for job; do
		wait_state "$job" PENDING 30
	done
	busy=$(on n0 bob sbatch --parsable --exclusive --nodelist=n1 --output=/dev/null --wrap 'sleep 3600')
	wait_state "$busy" RUNNING 30
}

# n1_free - it is not bob's any more
n1_free() {
	on n0 root scancel --user=bob
}

release() {
	local job
	for job; do
		on n0 alice scontrol release "$job"
	done
}

# journal JOB FILTER - jq FILTER over the events
journal() {
	# shellcheck disable=SC2016 # expanded over there
	on n0 alice jq -rs "$2" "$(store "$1")/journal.jsonl"
}

_in_journal() {
	[ "$(journal "$1" "any(.[]; $2)")" = true ]
}

# wait_journal JOB CONDITION - until there is an event for which it is true
wait_journal() {
	wait_until 60 _in_journal "$1" "$2" && return
	echo "job $1: no event with $2:" >&2
	on n0 alice cat "$(store "$1")/journal.jsonl" "errors.$1" >&2
	return 1
}

# sent_away JOB PATTERN - n2 did not take it, for a reason like PATTERN, and n2 is excluded from now on
sent_away() {
	wait_journal "$1" '.event == "requeue" and .node == "n2" and .reason == "unfit"'
	wait_field "$1" ExcNodeList n2 30
	wait_state "$1" PENDING 30
	journal "$1" '.[] | select(.event == "unfit").text' | grep -E -- "$2"
	# in the job's stderr as well, once
	on n0 alice grep -E "spank_cr: .*cannot be restored on n2: .*($2).*; the job is requeued" "errors.$1"
	[ "$(on n0 alice grep -c 'spank_cr:' "errors.$1")" = 1 ]
	# and nothing of it has run there
	[ "$(journal "$1" '[.[] | select(.event == "fresh" or .event == "restored")] | length')" = 1 ]
	[ "$(on n0 alice grep -c . "out.$1")" = 0 ]
}

# back_on_n1 JOB RESTARTS - it goes on there
back_on_n1() {
	wait_restored "$1" "$2" 60
	[ "$(job_field "$1" BatchHost)" = n1 ]
	[ "$(records "$1" '[.[].restores] | add')" = 1 ]
	finish "$1"
	counted "out.$1"
}

@test "a program that is missing or a library that is another build: not there; the same build with another time is" {
	same=$(start 'exec /usr/local/bin/fit-same')
	missing=$(start 'exec /usr/local/bin/fit-missing')
	changed=$(start '/usr/local/bin/fit-changed')
	nameless=$(start '/usr/local/bin/fit-nameless')
	manifest "$changed" 1 '.binaries[].path' | sort >"$BATS_TEST_TMPDIR/paths"
	cat "$BATS_TEST_TMPDIR/paths"
	grep -qx /usr/local/bin/fit-changed "$BATS_TEST_TMPDIR/paths"
	grep -qx /usr/local/lib/libfit.so "$BATS_TEST_TMPDIR/paths"
	grep -qE '/bash$' "$BATS_TEST_TMPDIR/paths"
	[ -z "$(uniq -d "$BATS_TEST_TMPDIR/paths")" ]
	[ "$(manifest "$changed" 1 '.binaries[] | select(.path == "/usr/local/lib/libfit.so").build_id')" = \
		"$(on n1 root sh -c 'readelf -n /usr/local/lib/libfit.so | sed -n "s/.*Build ID: //p"')" ]
	[ "$(manifest "$changed" 1 '.xsave_bytes >= 576 and .glibc > "2"')" = true ] || [ "$(uname -m)" != x86_64 ]
	to_n2 "$same" "$missing" "$changed" "$nameless"
	release "$same" "$missing" "$changed" "$nameless"
	sent_away "$missing" '/usr/local/bin/fit-missing is missing'
	sent_away "$changed" '/usr/local/lib/libfit.so has changed \(build id [0-9a-f]{12}, was [0-9a-f]{12}\)'
	sent_away "$nameless" '/usr/local/bin/fit-nameless may have changed'
	wait_restored "$same" 1 30
	[ "$(job_field "$same" BatchHost)" = n2 ]
	finish "$same"
	counted "out.$same"
	on n0 alice scheckpoint show "$missing" | grep -E 'event .* unfit generation [0-9]+ on n2: /usr/local/bin/fit-missing is missing$'
	on n0 alice scheckpoint show "$missing" | grep -E 'event .* requeue generation [0-9]+ on n2, reason unfit$'
	n1_free
	back_on_n1 "$missing" 2
	back_on_n1 "$changed" 2
	back_on_n1 "$nameless" 2
}

@test "a processor, kernel, C library or CRIU that is not enough; no CRIU; jobs that may not be requeued or come back" {
	older=$(start "$COUNT")
	back=$(start "$COUNT")
	stays=$(start "$COUNT")
	gone=$(start "$COUNT")
	to_n2 "$older" "$back" "$stays" "$gone"
	on n2 root bash -c "$(declare -f fakes_lay); fakes_lay"
	on n0 alice scontrol update JobId="$stays" Requeue=0
	release "$older" "$back" "$stays"
	sent_away "$older" 'the processor has no sse2; the kernel is 2\.6, [0-9.]+ or later is needed; criu is 3\.18, [0-9.]+ or later is needed; glibc is 2\.31, 2\.[0-9]+ or later is needed'
	sent_away "$back" 'the processor has no sse2'
	# it may not be requeued: as before, from the beginning, with the reason
	wait_journal "$stays" '.event == "fresh" and .node == "n2"'
	on n0 alice cat "errors.$stays"
	on n0 alice grep -E 'cannot be restored on n2: the processor has no sse2.*; not requeued: it may not be \(--no-requeue\)' "errors.$stays"
	on n0 alice grep -qE 'starts from the beginning' "errors.$stays"
	[ "$(job_field "$stays" Restarts)" = 1 ]
	not _in_journal "$stays" '.event == "requeue"'
	finish "$stays"
	counted "out.$stays"
	# its user lets it come back: it is not sent away from the same node a second time
	on n0 alice scontrol update JobId="$back" ExcNodeList=
	wait_journal "$back" '.event == "fresh" and .node == "n2"'
	on n0 alice grep -E '; not requeued: it was requeued for this node before, and came back' "errors.$back"
	[ "$(journal "$back" '[.[] | select(.event == "requeue")] | length')" = 1 ]
	[ "$(job_field "$back" Restarts)" = 2 ]
	finish "$back"
	counted "out.$back"
	# no criu at all: the job would have run there without checkpoints, from the beginning
	on n2 root mount --bind /dev/null /usr/sbin/criu
	release "$gone"
	sent_away "$gone" 'criu cannot be run on this node'
	# nor is it the node for a new job that is to begin from that
	begins=$(submit --restart-from="$gone" --output=out.%j --error=errors.%j --job-name=begins "$COUNT")
	wait_journal "$begins" '.event == "requeue" and .node == "n2" and .reason == "unfit"'
	wait_field "$begins" ExcNodeList n2 30
	on n0 alice grep -E 'spank_cr: .*criu cannot be run on this node.*; the job is requeued' "errors.$begins"
	n1_free
	back_on_n1 "$older" 2
	back_on_n1 "$gone" 2
}

@test "an older checkpoint that would fit: not while the job can go to another node; no other node is left" {
	# the second checkpoint is of a program that n2 has not
	# shellcheck disable=SC2016 # expanded in the job
	local later='i=0; until [ -e "stop.$SLURM_JOB_ID" ]; do [ ! -e "next.$SLURM_JOB_ID" ] || exec /usr/local/bin/fit-missing
		echo $((i++)); sleep 0.1; done; echo end' job
	goes=$(start --checkpoint-keep=5 "$later")
	stays=$(start --checkpoint-keep=5 "$later")
	only=$(start "$COUNT")
	down=$(start "$COUNT")
	for job in "$goes" "$stays"; do
		on n0 alice touch "next.$job"
		# shellcheck disable=SC2016 # it counts from 0 again
		wait_until 30 on n0 alice sh -c '[ "$(grep -cx 0 "out.$1")" = 2 ]' sh "$job"
		wait_longer "out.$job" 20
		on n0 alice scheckpoint create "$job"
	done
	to_n2 "$goes" "$stays" "$only" "$down"
	on n0 alice rm "next.$goes" "next.$stays"
	on n0 alice scontrol update JobId="$stays" Requeue=0
	release "$goes" "$stays"
	sent_away "$goes" 'fit-missing is missing'
	wait_journal "$stays" '.event == "restored" and .node == "n2" and .generation == 1'
	finish "$stays"
	counted "out.$stays"
	# n2 is all that is left to this one
	on n2 root bash -c "$(declare -f fakes_lay); fakes_lay"
	on n0 alice scontrol update JobId="$only" ExcNodeList=n1
	release "$only"
	wait_journal "$only" '.event == "fresh" and .node == "n2"'
	on n0 alice cat "errors.$only"
	on n0 alice grep -E '; not requeued: no other node is left in partition main' "errors.$only"
	[ "$(job_field "$only" ExcNodeList)" = n1 ]
	finish "$only"
	counted "out.$only"
	# nor is one that cannot be had
	on n0 root scontrol update nodename=n1 state=drain reason="it is not to be had"
	release "$down"
	wait_journal "$down" '.event == "fresh" and .node == "n2"'
	on n0 alice grep -E '; not requeued: no other node is left in partition main that is up' "errors.$down"
	[ "$(job_field "$down" Restarts)" = 1 ]
	finish "$down"
	counted "out.$down"
}

@test "a program that was rebuilt on shared storage is so on every node; a capability, or a cgroup, is this node's" {
	# shellcheck disable=SC2016 # expanded over there
	on n0 alice sh -c 'cd fit && cp alone rebuilt'
	home=$(on n0 alice pwd)
	rebuilt=$(start "exec $home/fit/rebuilt")
	lacks=$(start "$COUNT")
	to_n2 "$rebuilt" "$lacks"
	# shellcheck disable=SC2016
	on n0 alice sh -c 'cd fit && rm rebuilt && gcc -DOTHER -O1 -o rebuilt fit.c step.c'
	release "$rebuilt"
	wait_journal "$rebuilt" '.event == "fresh" and .node == "n2"'
	on n0 alice cat "errors.$rebuilt"
	on n0 alice grep -E "generation 1 is passed over: $home/fit/rebuilt has changed .*; that is so on every node" "errors.$rebuilt"
	not _in_journal "$rebuilt" '.event == "requeue"'
	[ "$(job_field "$rebuilt" Restarts)" = 1 ]
	finish "$rebuilt"
	counted "out.$rebuilt"
	# the scratch directory cannot be made
	on n2 root mount -t tmpfs -o ro none /var/spool/spank_cr
	release "$lacks"
	wait_journal "$lacks" '.event == "requeue" and .node == "n2" and .reason == "unfit"'
	on n2 root umount -l /var/spool/spank_cr
	wait_field "$lacks" ExcNodeList n2 30
	on n0 alice cat "errors.$lacks"
	n1_free
	back_on_n1 "$lacks" 2
}
