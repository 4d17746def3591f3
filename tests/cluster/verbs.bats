# SPDX-License-Identifier: GPL-2.0-or-later
# verbs.bats - create, vacate and hold for several jobs at once: named ones, arrays, a node's, a user's, a partition's;
# and a job that is sent to a node. The same jobs go through one test after the other.

bats_require_minimum_version 1.5.0
load helpers

# bobs CMD... - about a job of bob's
bobs() {
	SUBMIT_USER=bob "$@"
}

setup_file() {
	have_spank_cr || return 0
	local name
	program blocker
	# shellcheck disable=SC2016 # expanded in the job
	local unable="./blocker io_uring ready.\$SLURM_JOB_ID </dev/null >/dev/null 2>&1 &
		$COUNT; kill \$!"
	set -- --oversubscribe --mem=100M --output=count.%j
	only_n1
	submit_as one "$@" "$COUNT"
	bobs submit_as his "$@" "$COUNT"
	submit_as unable "$@" "$unable"
	submit "$@" "$COUNT" >"$BATS_FILE_TMPDIR/plain.id"
	for name in one his unable plain; do
		wait_state "$(job $name)" RUNNING 20
	done
	on n0 root scontrol update nodename=n2 state=resume
	submit_as tasks "$@" --array=1-2 --output=count.%A_%a --nodelist=n2 "${COUNT//SLURM_JOB_ID/SLURM_ARRAY_JOB_ID}"
	for name in one unable plain; do
		wait_file alice "count.$(job $name)" '^9$' 40
	done
	wait_file bob "count.$(job his)" '^9$' 40
	wait_file alice "count.$(job tasks)_2" '^9$' 40
	wait_file alice "ready.$(job unable)" . 20
}

setup() {
	need_spank_cr
}

teardown_file() {
	nodes_back
}

# task N - the id of the array's task of that number
task() {
	on n0 root squeue -h --array --states=all --jobs="$(job tasks)" --format='%K %A' | sed -n "s/^$1 //p"
}

# wrong STATUS PATTERN CMD... - CMD ends with STATUS and says one line that matches PATTERN
wrong() {
	local want=$1 pattern=$2
	shift 2
	run --separate-stderr on n0 "$@"
	echo "$*: $status: $output $stderr"
	[ "$status" = "$want" ]
	[[ ${stderr_lines[0]} == *$pattern* ]]
	[ "$want" = 2 ] || [ "${#stderr_lines[@]}" = 1 ]
	[ -z "$output" ]
}

@test "what cannot be meant is one clear line, and no job is touched" {
	wrong 1 'Slurm knows no node n9' alice scheckpoint vacate --node=n9
	wrong 1 'Slurm knows no node n3' alice scheckpoint vacate '--node=n[1-3]'
	wrong 1 'Invalid user: nobody-here' alice scheckpoint hold --user=nobody-here
	wrong 1 'Slurm knows no partition dark' alice scheckpoint create --partition=main,dark
	wrong 1 'no job that runs is selected' alice scheckpoint vacate --partition=urgent
	wrong 1 'job 999999: Slurm knows no such job' alice scheckpoint vacate 999999
	wrong 1 "job $(job his) belongs to bob, not to you" alice scheckpoint hold "$(job his)"
	wrong 2 "--node=--all: names" alice scheckpoint vacate --node=--all
	wrong 2 "which job?" alice scheckpoint vacate
	wrong 2 "hold has no such option" alice scheckpoint hold --to=n2 "$(job one)"
	wrong 2 "--drain: which nodes?" root scheckpoint vacate --drain "$(job one)"
	wrong 1 'Slurm knows no node n9' alice scheckpoint vacate --to=n9 "$(job one)"
	wrong 1 "it is on n1 already" alice scheckpoint vacate --to=n1 "$(job one)"
	# only Slurm's admins drain
	wrong 1 '--drain: n1: scontrol: ' alice scheckpoint vacate --node=n1 --drain
	[[ $(on n0 root sinfo -h -n n1 -o %T) != *drain* ]]
	# what Slurm prints of a job is the user's in part; root does not believe it
	forged=$(submit --checkpoint=1h --mem=60M --output=count.%j --job-name=$'x\n   UserId=root(0) GroupId=root(0)' "$COUNT")
	wait_file alice "count.$forged" '^3$' 30
	wrong 1 "job $forged: scontrol's answer is not understood" root scheckpoint vacate "$forged"
	# what waits or has ended
	on n0 root scancel "$forged"
	wait_until 60 _gone "$forged"
	wrong 1 "job $forged" alice scheckpoint vacate "$forged"
	for name in one unable plain; do
		[ "$(job_field "$(job $name)" Restarts)" = 0 ]
	done
	[ "$(newest "$(job one)")" = 0 ]
}

_gone() {
	[ -z "$(on n0 root squeue -h -j "$1")" ]
}

@test "create takes arrays, named jobs, a user's, a partition's, a node's; the others are named" {
	run --separate-stderr on n0 alice scheckpoint create "$(job tasks)" "$(job one)"
	echo "$output$stderr"
	[ "$status" = 0 ]
	for name in "$(job one)" "$(job tasks)_1" "$(job tasks)_2"; do
		[[ $output =~ job\ $name:\ generation\ 1\ committed,\ frozen\ [0-9]+\ ms ]]
	done
	[ "${lines[3]}" = "3 checkpointed" ]
	# a task of its own
	on n0 alice scheckpoint create "$(job tasks)_2" | grep "^job $(job tasks)_2: generation 2 committed"

	# a user's; one cannot be checkpointed, and one has no checkpoints
	run --separate-stderr on n0 alice scheckpoint create --user=alice --node=n1 --at-once=1
	echo "$output$stderr"
	[ "$status" = 1 ]
	[[ $output = *"job $(job one): generation 2 committed"* ]]
	[[ $output = *"not covered (no --checkpoint, or only just started): $(job plain)"* ]]
	[[ $output = *"1 checkpointed, 1 failed, 1 not covered" ]]
	[[ $stderr = *"job $(job unable):"*"io_uring"* ]]

	# by root, of all users; the same in JSON
	run --separate-stderr on n0 root scheckpoint create --json --partition=main --user=alice,bob "$(job one)" "$(job his)"
	echo "$output$stderr"
	[ "$status" = 0 ]
	jq -e --argjson one "$(job one)" --argjson his "$(job his)" '.done == 2 and .failed == 0
		and ([.jobs[] | select(.ok and .state == "committed" and .step == "batch" and .generation > 0).job] | sort)
			== ([$one, $his] | sort)' <<<"$output"
	on n0 root scheckpoint create "$(job his)" | grep "^job $(job his): generation 2 committed"

	# a user's command leaves others alone
	before=$(newest "$(task 1)")
	run --separate-stderr on n0 bob scheckpoint create '--node=n[1-2]'
	echo "$output$stderr"
	[ "$status" = 4 ]
	[[ $output = *"job $(job his): generation 3 committed"* ]]
	[[ $output = *"not yours: "*"$(job tasks)_1 (alice)"* ]]
	[[ $output = *"1 checkpointed, 5 not yours" ]]
	[ "$(newest "$(task 1)")" = "$before" ]
}

@test "an admin empties a node: its jobs go on elsewhere, one that cannot be checkpointed goes on there" {
	run --separate-stderr on n0 root scheckpoint vacate --node=n1 '--drain=new memory'
	echo "$output$stderr"
	[ "$status" = 1 ]
	[[ $output =~ job\ $(job one):\ generation\ [0-9]+\ committed,\ frozen\ [0-9]+\ ms,\ requeued ]]
	[[ $output = *"not covered (no --checkpoint, or only just started): $(job plain)"* ]]
	[[ $stderr = *"job $(job unable):"*"io_uring"* ]]
	on n0 root scontrol show node n1 | grep -q 'Reason=new memory'
	on n0 root sinfo -h -n n1 -o %T | grep -q drain
	wait_restored "$(job one)" 1 40
	[ "$(job_field "$(job one)" BatchHost)" = n2 ]
	bobs wait_restored "$(job his)" 1 40
	[ "$(job_field "$(job his)" BatchHost)" = n2 ]
	for name in unable plain; do
		[ "$(job_field "$(job $name)" JobState)" = RUNNING ]
		[ "$(job_field "$(job $name)" Restarts)" = 0 ]
		wait_longer "count.$(job $name)" 20
	done
	on n0 root scontrol update nodename=n1 state=resume
}

@test "vacated twice at once is requeued once; held jobs wait for their release" {
	one=$(job one) his=$(job his)
	local -A count
	for id in "$one" "$his"; do
		count[$id]=$(job_field "$id" Restarts)
	done
	on n0 alice scheckpoint vacate "$one" >"$BATS_TEST_TMPDIR/first" 2>&1 3>&- &
	first=$!
	run on n0 alice scheckpoint vacate "$one"
	rc=0
	wait "$first" || rc=$?
	both="$(cat "$BATS_TEST_TMPDIR/first")"$'\n'"$output"
	echo "$both"
	# one and the same checkpoint; who came second says whose requeue it was, or that the job is gone already
	[ "$status" = 0 ] || [ "$rc" = 0 ]
	[ "$(grep -oE 'generation [0-9]+ committed' <<<"$both" | sort -u | wc -l)" = 1 ]
	[ "$(grep -c 'requeued$' <<<"$both")" = 1 ]
	[ "$status$rc" != 00 ] || grep -q 'requeued by another command$' <<<"$both"

	run --separate-stderr on n0 alice scheckpoint hold "$(job tasks)"
	echo "$output$stderr"
	[ "$status" = 0 ]
	[[ $output = *"requeued, held"*"requeued, held"*"2 held" ]]
	on n0 root scheckpoint hold --json "$his" | jq -e '.held and .requeued and .state == "committed"'
	wait_state "$his" PENDING 40
	[ "$(job_field "$his" Priority)" = 0 ]
	# the admin's hold is not the user's to release
	not on n0 bob scontrol release "$his"
	wrong 1 "job $(job tasks)_1 is PENDING, not RUNNING" alice scheckpoint vacate "$(job tasks)_1"
	wait_restored "$one" $((count[$one] + 1)) 40
	[ "$(job_field "$his" JobState)" = PENDING ]
	[ "$(job_field "$(job tasks)_1" JobState)" = PENDING ]
	on n0 root scontrol release "$his"
	on n0 alice scontrol release "$(job tasks)"
	wait_restored "$(task 1)" 1 40
	wait_restored "$(task 2)" 1 40
	bobs wait_restored "$his" $((count[$his] + 1)) 40
	[ "$(job_field "$one" Restarts)" = $((count[$one] + 1)) ]
}

@test "a job goes on on the node that it is sent to, and is bound to it for no longer than that" {
	one=$(job one)
	count=$(job_field "$one" Restarts)
	# it may have come back to either
	to=n2
	[ "$(job_field "$one" BatchHost)" != n2 ] || to=n1
	on n0 root scontrol update nodename=$to state=drain reason=test
	wrong 1 "node $to takes no jobs: it is drain" alice scheckpoint vacate --to=$to "$one"
	on n0 root scontrol update nodename=$to state=resume
	nodes_ready 60
	run --separate-stderr on n0 alice scheckpoint vacate --to=$to "$one"
	echo "$output$stderr"
	[ "$status" = 0 ]
	[[ $output = *", requeued, to start on $to" ]]
	wait_restored "$one" $((count + 1)) 40
	[ "$(job_field "$one" BatchHost)" = $to ]
	on n0 alice scontrol requeue "$one"
	wait_restored "$one" $((count + 2)) 40
	[ "$(job_field "$one" ReqNodeList)" = "(null)" ]
	finish "$one" "$(job unable)" "$(job plain)"
	bobs finish "$(job his)"
	counted "count.$one"
	counted "count.$(job plain)"
	bobs counted "count.$(job his)"
	on n0 alice touch "stop.$(job tasks)"
	for n in 1 2; do
		wait_state "$(task $n)" COMPLETED 30
		counted "count.$(job tasks)_$n"
	done
}
