# SPDX-License-Identifier: GPL-2.0-or-later
# fallback.bats - what becomes of a job whose checkpoints cannot be used, or that gets nowhere with them
#
# The jobs are held while their checkpoints are spoilt, and released together. Slurm starts what ends with exit code 85
# again (RequeueExit), and criu is a script that can kill the image reader first: both for this file alone.

load helpers

STORE=/shared/checkpoints/alice
SPOILT=(hold fail fresh)

setup_file() {
	have_spank_cr || return 0
	local name
	requeue_exit 85
	criu_script
	site_arguments restart_soon=60s restart_delay=2s store_wait=20s criu=/usr/local/bin/criu-test
	for name in "${SPOILT[@]}"; do
		counting "$name" --checkpoint-fallback="$name"
	done
	on n0 alice mkdir -p -m 700 /shared/home/alice/kept || return
	counting away --checkpoint-dir=/shared/home/alice/kept
	counting script
	counting once
	counting elsewhere
	counting killed
	counting typo
	for name in "${SPOILT[@]}" away script once elsewhere killed typo; do
		wait_file alice "out.$(job "$name")" '^5$' 60
		on n0 alice scheckpoint create "$(job "$name")"
		on n0 root scontrol requeuehold "$(job "$name")"
	done
	for name in "${SPOILT[@]}" away script once elsewhere killed typo; do
		wait_field "$(job "$name")" JobState PENDING 30
	done
	dying dies
	dying capped --checkpoint-restarts=1 --checkpoint-fallback=fail
	for name in dies capped; do
		wait_file alice "starts.$(job "$name")" started 60
		on n0 alice scheckpoint create "$(job "$name")"
	done
	on n0 alice scheckpoint create "$(job dies)"
	on n0 alice touch "die.$(job dies)" "die.$(job capped)"
	for name in "${SPOILT[@]}"; do
		in_store "$name" 'for g in 1 2; do cp 00000$g/manifest.json saved.$g; echo >00000$g/manifest.json; done'
	done
	on n0 alice mv /shared/home/alice/kept /shared/home/alice/away
	script_edit "$(job script)"
	for name in "${SPOILT[@]}" away script; do
		on n0 root scontrol release "$(job "$name")"
	done
}

# counting NAME [OPTION]...
counting() {
	local name=$1
	shift
	submit_as "$name" --output=out.%j --error=errors.%j "$@" "echo started >>starts.\$SLURM_JOB_ID; $COUNT"
}

# dying NAME [OPTION]... - it ends soon after each of its starts
dying() {
	local name=$1
	shift
	# shellcheck disable=SC2016 # expanded in the job
	submit_as "$name" --output=out.%j --error=errors.%j "$@" 'echo started >>starts.$SLURM_JOB_ID
		until [ -e "die.$SLURM_JOB_ID" ]; do sleep 0.1; done
		[ -e "mended.$SLURM_JOB_ID" ] || { echo died >>deaths.$SLURM_JOB_ID; exit 85; }
		echo end'
}

# in_store NAME SCRIPT - run it where its generations are
in_store() {
	on n0 alice bash -ec "cd '$(store "$(job "$1")")'; $2"
}

# requeue_exit [CODE] - slurmctld starts batch jobs again that end with it; without CODE none
requeue_exit() {
	on n0 root sed -i '/^RequeueExit=/d' /etc/slurm/slurm.conf
	[ -z "${1-}" ] || on n0 root tee -a /etc/slurm/slurm.conf <<<"RequeueExit=$1" >/dev/null
	on n0 root scontrol reconfigure
}

# criu_script - a criu that kills the image reader before a restore when $STORE/.kill says so: "once", or the name of a
# node; "first" becomes the node that reads it first
criu_script() {
	local node
	for node in n1 n2; do
		on "$node" root tee /usr/local/bin/criu-test <<-END >/dev/null
			#!/bin/bash
			what=\$(cat $STORE/.kill 2>/dev/null)
			if [ "\$1" = restore ] && [ -n "\$what" ]; then
				[ "\$what" != once ] || rm $STORE/.kill
				[ "\$what" != first ] || uname -n >$STORE/.kill
				case \$what in
				once | first | "\$(uname -n)") pkill -KILL -P "\$PPID" -x crreader ;;
				esac
			fi
			exec /usr/sbin/criu "\$@"
		END
		on "$node" root chmod 755 /usr/local/bin/criu-test
	done
}

# script_edit JOB - slurmctld's copy of the batch script gets another end, and is longer before it
script_edit() {
	# shellcheck disable=SC2016 # expanded over there
	on n0 root bash -ec 'f=$(ls /var/lib/slurm/slurmctld/hash.*/job.$1/script)
		sed -i "s/echo end/echo another end/; 1a # a longer script" "$f"; grep -q "another end" "$f"' bash "$1"
}

setup() {
	need_spank_cr
}

teardown_file() {
	cancel_all
	site_arguments_reset
	requeue_exit
	# nothing of these is the store's, and gc leaves what it does not know
	on n0 alice sh -c 'rm -f "$1/.kill" /shared/checkpoints/alice/*/batch.0/saved.*' sh "$STORE"
}

# held JOB - it waits for somebody to release it
held() {
	wait_field "$1" Reason job_requeued_in_held_state 60
	wait_state "$1" PENDING 30 # its start before has to end first
}

# shown JOB FILTER - jq FILTER over what show says
shown() {
	on n0 alice scheckpoint show --json "$1" | jq -r "$2"
}

@test "hold: no checkpoint can be read, the job is held and says why; mended and released it goes on" {
	job=$(job hold)
	held "$job"
	on n0 alice cat "errors.$job"
	on n0 alice grep -qE "spank_cr: .*none of its checkpoints can be used: generation 2: .*manifest.*is held.*scontrol release $job" \
		"errors.$job"
	on n0 root scontrol show job "$job" | grep -q 'Comment=spank_cr: held at 20.*Z: none of its checkpoints'
	shown "$job" '.starts[-1] | "\(.how) \(.why)"' | grep -q '^held none of its checkpoints can be used: generation 2'
	shown "$job" .next | grep -q '^is held, unless .*: generation 2: its manifest cannot be read'
	in_store hold 'for g in 1 2; do cat saved.$g >00000$g/manifest.json; done'
	[ "$(shown "$job" .next)" = 'generation 2' ]
	on n0 alice scontrol release "$job"
	wait_until 60 _restored "$job" "$(job_field "$job" Restarts)"
	finish "$job"
	counted "out.$job"
	[ "$(on n0 alice cat "starts.$job")" = started ]
}

@test "fail: the job ends with exit code 74, and its checkpoints stay" {
	job=$(job fail)
	wait_state "$job" FAILED 60
	[ "$(job_field "$job" ExitCode)" = 74:0 ]
	on n0 alice grep -qE "spank_cr: .*none of its checkpoints can be used.*ends here, with exit code 74" "errors.$job"
	in_store fail 'ls 000001/index 000002/index packs/000001.pack'
	shown "$job" '.starts[-1].how' | grep -qx failed
	[ "$(on n0 alice cat "starts.$job")" = started ]
}

@test "fresh: the job starts from its beginning, says so, and its checkpoints stay" {
	job=$(job fresh)
	wait_until 60 on n0 alice grep -qE "spank_cr: .*none of its checkpoints can be used.*starts from the beginning" \
		"errors.$job"
	wait_until 20 _twice "$job"
	finish "$job"
	counted "out.$job"
	on n0 root jq -e 'select(.event == "fresh" and .restart > 0).text | test("^generation 2: ")' \
		"$(store "$job")/journal.jsonl"
}

_twice() {
	[ "$(lines "starts.$1")" = 2 ]
}

@test "the checkpoint directory is away: waited for, then held, and not taken for none; it comes back in time: no word" {
	job=$(job away)
	held "$job"
	on n0 alice grep -E "spank_cr: .*not known which checkpoints there are: .*kept.*is held" "errors.$job"
	[ "$(on n0 alice cat "starts.$job")" = started ]
	# released, and back while it is waited for
	restarts=$(job_field "$job" Restarts)
	on n0 alice scontrol release "$job"
	wait_state "$job" RUNNING 60
	node=$(job_field "$job" BatchHost)
	wait_until 30 on "$node" root grep -q "job $job: waiting for its checkpoints" /var/log/slurm/slurmd.log
	on n0 alice mv /shared/home/alice/away /shared/home/alice/kept
	store() { echo "/shared/home/alice/kept/$1/batch.0"; }
	wait_until 60 _restored "$job" "$restarts"
	finish "$job"
	counted "out.$job"
	[ "$(on n0 alice cat "starts.$job")" = started ]
}

@test "root changes the batch script while the job waits: it goes on with the one that it began with" {
	job=$(job script)
	wait_until 60 _restored "$job" "$(job_field "$job" Restarts)"
	finish "$job"
	counted "out.$job"
	on n0 alice grep -q "spank_cr: .*the batch script is not the one that the job was started with" "errors.$job"
}

@test "a job that dies soon after each restore: an older checkpoint, a wait, then it is held; mended it completes" {
	job=$(job dies)
	held "$job"
	# the first start, and two from each generation
	[ "$(lines "deaths.$job")" = 5 ]
	[ "$(on n0 root jq -r 'select(.event == "restored").generation' "$(store "$job")/journal.jsonl" | xargs)" = "2 2 1 1" ]
	on n0 root jq -e 'select(.event == "delayed")' "$(store "$job")/journal.jsonl"
	on n0 alice cat "errors.$job"
	on n0 alice grep -q "was over within 1m of each of 2 restores from it; it is held" "errors.$job"
	shown "$job" '.starts[] | "\(.restart) \(.how) \(.generation) \(.why) \(.end)"' >"$BATS_TEST_TMPDIR/starts"
	cat "$BATS_TEST_TMPDIR/starts"
	grep -q ' restored 1 generation 2: the job was over within 1m .* exit code 85$' "$BATS_TEST_TMPDIR/starts"
	[ "$(shown "$job" .next)" = 'generation 1' ]
	on n0 alice touch "mended.$job"
	on n0 alice scontrol release "$job"
	wait_state "$job" COMPLETED 60
	[ "$(on n0 alice cat "starts.$job")" = started ]
}

@test "more restarts than --checkpoint-restarts without getting further: the policy, exit code 74" {
	job=$(job capped)
	wait_state "$job" FAILED 60
	[ "$(job_field "$job" ExitCode)" = 74:0 ]
	[ "$(lines "deaths.$job")" = 3 ]
	on n0 alice grep -q "spank_cr: .*started 2 times in a row and has not got any further; it ends here" "errors.$job"
	in_store capped 'ls 000001/index'
}

@test "the image reader is killed once: the same checkpoint is tried again, and no work is lost" {
	job=$(job once)
	on n0 alice tee "$STORE/.kill" <<<once >/dev/null
	on n0 root scontrol release "$job"
	wait_until 60 _restored "$job" "$(job_field "$job" Restarts)"
	[ "$(on n0 root jq -r 'select(.event == "restored" or .event == "restore-failed") | "\(.event) \(.generation)"' \
		"$(store "$job")/journal.jsonl" | xargs)" = "restore-failed 2 restored 2" ]
	finish "$job"
	counted "out.$job"
}

@test "the image reader is killed each time on a node: the job goes to another one with its newest checkpoint" {
	job=$(job elsewhere)
	on n0 alice tee "$STORE/.kill" <<<first >/dev/null
	on n0 root scontrol release "$job"
	wait_until 90 _restored_at_last "$job"
	[ "$(on n0 root jq -r 'select(.event | test("^restore(d$|-)|^requeue$")) | "\(.event) \(.generation)"' \
		"$(store "$job")/journal.jsonl" | xargs)" = "restore-failed 2 restore-failed 2 requeue 2 restored 2" ]
	[ "$(job_field "$job" BatchHost)" != "$(on n0 alice cat "$STORE/.kill")" ]
	finish "$job"
	counted "out.$job"
}

_restored_at_last() {
	on n0 root jq -e 'select(.event == "restored")' "$(store "$1")/journal.jsonl" >/dev/null
}

@test "the plan is killed while it waits for a manifest: the job is held, and does not start from its beginning" {
	job=$(job killed)
	in_store killed 'chmod 0 00000*/manifest.json'
	on n0 root scontrol release "$job"
	wait_until 60 _plan_waits "$job"
	on "$(job_field "$job" BatchHost)" root pkill -KILL -f "^crinit plan --job=$job "
	held "$job"
	on n0 alice cat "errors.$job"
	on n0 alice grep -q "spank_cr: .*not known which checkpoints there are: .*is held" "errors.$job"
	[ "$(on n0 alice cat "starts.$job")" = started ]
}

_plan_waits() {
	on "$(job_field "$1" BatchHost)" root grep -q "job $1: generation .* cannot be read .* the job waits" /var/log/slurm/slurmd.log
}

@test "plugstack.conf is wrong on the node: the job is held; mended and released it goes on" {
	job=$(job typo)
	site_arguments restart_sooner=1
	on n0 root scontrol release "$job"
	held "$job"
	on n0 alice cat "errors.$job"
	on n0 alice grep -q "spank_cr: .*nothing can be restored on .*plugstack.conf are wrong on this node; it is held" "errors.$job"
	site_arguments_reset
	on n0 root scontrol release "$job"
	wait_until 60 _restored "$job" "$(job_field "$job" Restarts)"
	finish "$job"
	counted "out.$job"
	[ "$(on n0 alice cat "starts.$job")" = started ]
}
