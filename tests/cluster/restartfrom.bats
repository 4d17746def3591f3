# SPDX-License-Identifier: GPL-2.0-or-later
# restartfrom.bats - sbatch --restart-from: new jobs that begin from the checkpoint of one that has ended in one of all
# ways, or still runs. The first jobs are warm once for all of these tests.

load helpers

# Warm, it asks for a checkpoint of itself; what the first job does then is in HOW, which is in every copy's memory.
# shellcheck disable=SC2016 # expanded in the job
WARM='n=$RANDOM$RANDOM; exec 7>>"log.$SLURM_JOB_ID"; echo a >&7; echo "warm $n"
scheckpoint create "$SLURM_JOB_ID" >/dev/null || exit 9
. "$SPANK_CR_INFO"
echo "$SPANK_CR_EVENT $n $SLURM_JOB_ID ${SLURM_ARRAY_TASK_ID-none}"
echo b >&7
case $SPANK_CR_EVENT.$HOW in
start.fail) exit 3 ;;
start.wait) until [ -e "late.$n" ]; do sleep 0.1; done; . "$SPANK_CR_INFO"; echo "late $n $SLURM_JOB_ID" ;;
start.stay) sleep 600 ;;
restore.stay) touch "arrived.$n.$SLURM_JOB_ID"; until [ -e "leave.$n" ]; do sleep 0.1; done; echo left ;;
esac'

# warm NAME HOW [SBATCH-OPTION]... - a first job
warm() {
	local name=$1 how=$2
	shift 2
	submit_as "$name" --oversubscribe --nodelist=n1 --output=out.%j --export="ALL,HOW=$how" "$@" "$WARM"
}

setup_file() {
	have_spank_cr || return 0
	warm timeout stay --time=1 --checkpoint-keep=9 --checkpoint-on-complete=keep
	warm completed end --no-requeue --checkpoint-on-complete=keep
	warm gone end
	warm failed fail
	warm cancelled stay
	warm running stay
	warm late wait
	# no shell reads on in this one's script; and it takes more memory
	# shellcheck disable=SC2016 # expanded in the job
	submit_as taken --oversubscribe --nodelist=n1 --output=out.%j 'exec bash -c "
		big=\$(head -c 60000000 /dev/zero | tr \"\\0\" x)
		scheckpoint create \$SLURM_JOB_ID >/dev/null || exit 9
		. \$SPANK_CR_INFO; echo \$SPANK_CR_EVENT \${#big}; exit 4"'
	for name in timeout completed gone failed cancelled running late taken; do
		wait_file alice "out.$(job $name)" '^start ' 60
	done
	on n0 alice scancel "$(job cancelled)"
	on n0 alice scheckpoint create "$(job late)"
	wait_state "$(job completed)" COMPLETED 20
	wait_state "$(job gone)" COMPLETED 20
	wait_state "$(job failed)" FAILED 20
	wait_state "$(job cancelled)" CANCELLED 60
}

setup() {
	need_spank_cr
}

teardown_file() {
	site_arguments_reset
	cancel_all
}

# number NAME - what only that job's memory has
number() {
	on n0 alice sed -n 's/^warm //p' "out.$(job "$1")"
}

# begin [SBATCH-OPTION]... - a job with the first jobs' script; prints its id
begin() {
	submit --oversubscribe --output=out.%j "$@" "$WARM"
}

# begun ID NAME ELEMENT - all that it printed: nothing from before the checkpoint, all that came after it, with its own
# number
begun() {
	local want
	want="restore $(number "$2") $1 $3"
	[ "$(on n0 alice grep -v '^slurmstepd' "out.$1")" = "$want" ] && return
	echo "out.$1 is not \"$want\":" >&2
	on n0 alice cat "out.$1" >&2
	return 1
}

# never_started ID PATTERN - it failed, said why, and ran nothing
never_started() {
	wait_state "$1" FAILED 30
	[ "$(job_field "$1" ExitCode)" = 1:0 ]
	on n0 alice cat "out.$1"
	on n0 alice grep -q "$2" "out.$1"
	not on n0 alice grep -qE '^(warm|start|restore)' "out.$1"
}

@test "a job begins from one that has completed, failed, or was cancelled, and from --no-requeue's" {
	local id
	declare -A id
	for name in completed failed; do
		on n0 alice cat "out.$(job $name)" >"$BATS_TEST_TMPDIR/$name"
		id[$name]=$(begin --restart-from="$(job $name)")
	done
	for name in completed failed; do
		wait_state "${id[$name]}" COMPLETED 30
		begun "${id[$name]}" $name none
		# the first job's own is as it was
		on n0 alice cat "out.$(job $name)" | cmp - "$BATS_TEST_TMPDIR/$name"
		[ "$(on n0 root jq -r 'select(.event == "fresh").text' "$(store "${id[$name]}")/journal.jsonl")" = \
			"from generation 1 of job $(job $name)" ]
	done
	[ "$(job_field "$(job completed)" Requeue)" = 0 ]
	# what has taken the shell's place needs no script
	id[taken]=$(submit --oversubscribe --output=out.%j --restart-from="$(job taken)" 'echo another')
	wait_state "${id[taken]}" FAILED 30
	[ "$(job_field "${id[taken]}" ExitCode)" = 4:0 ]
	[ "$(on n0 alice grep -v '^slurmstepd' "out.${id[taken]}")" = "restore 60000000" ]
	# a file that was open for writing is left as it is, and was not put back under what the first wrote since then
	[ "$(on n0 alice sh -c "tr -d '\n' <log.$(job failed)")" = abb ]
}

@test "the elements of an array begin at once on one node, each in its own pid namespace" {
	local n id first
	n=$(number cancelled)
	first=$(begin --restart-from="$(job cancelled)" --array=1-6 --nodelist=n2 --mem=100)
	wait_until 60 elements_arrived "$n" 6
	for id in $(on n0 alice sh -c "ls arrived.$n.* | sed 's/.*\.//'"); do
		[ "$(job_field "$id" BatchHost)" = n2 ]
		capabilities n2 "$id" >"$BATS_TEST_TMPDIR/caps"
		grep -qE '^10[0-9]+ ' "$BATS_TEST_TMPDIR/caps"
		not grep -vqE '^1 |CapInh:0{16} CapPrm:0{16} CapEff:0{16} CapAmb:0{16}$' "$BATS_TEST_TMPDIR/caps"
	done
	on n0 alice touch "leave.$n"
	for i in 1 2 3 4 5 6; do
		wait_until 30 on n0 alice sh -c "grep -lE '^restore $n [0-9]+ $i\$' out.* >/dev/null"
		id=$(on n0 alice sh -c "grep -hE '^restore $n [0-9]+ $i\$' out.* | cut -d' ' -f3")
		wait_state "$id" COMPLETED 30
		[ "$(on n0 alice sh -c "grep -v '^slurmstepd' out.$id | tail -n 1")" = left ]
	done
	# the array's own number is one of them
	[ -n "$first" ]
}

elements_arrived() {
	[ "$(on n0 alice sh -c "ls arrived.$1.* 2>/dev/null | wc -l")" = "$2" ]
}

@test "the generation that is named, while the first job runs; and the job's own once it has one" {
	local n one two
	n=$(number late)
	one=$(begin --restart-from="$(job late).1")
	two=$(begin --restart-from="$(job late)")
	wait_state "$one" COMPLETED 30
	begun "$one" late none
	wait_state "$two" RUNNING 30
	wait_until 30 begun_from "$two" 2
	# requeued it has a generation of its own, from the requeue
	on n0 root scontrol requeue "$two"
	wait_restored "$two" 1 60
	[ "$(manifest "$two" 1 .job)" = "$two" ]
	# and without that one it begins as it began
	on n0 root scontrol requeuehold "$two"
	wait_until 60 _committed "$two" 2
	wait_until 60 requeued "$two"
	on n0 alice sh -c "rm -r $(store "$two")/0*"
	on n0 root scontrol release "$two"
	wait_until 60 begun_from "$two" '2 2'
	on n0 alice touch "late.$n"
	wait_state "$two" COMPLETED 30
	[ "$(on n0 alice sh -c "grep -v '^slurmstepd' out.$two")" = "late $n $two" ]
	wait_state "$(job late)" COMPLETED 30
	on n0 alice grep -qx "late $n $(job late)" "out.$(job late)"
}

# begun_from ID "GENERATION..." - of job late, so often
begun_from() {
	[ "$(on n0 root jq -rn '[inputs | select(.event == "fresh").text | ltrimstr("from generation ") | .[:1]] | join(" ")' \
		"$(store "$1")/journal.jsonl" 2>/dev/null)" = "$2" ]
}

requeued() {
	[ "$(job_field "$1" JobState)" = PENDING ] || [ "$(job_field "$1" JobState)" = REQUEUE_HOLD ]
}

@test "what cannot be is refused by sbatch, in a line" {
	local value
	for value in x 0 1.0 "$(job running)x" 4294967296 "$(job running).1.2"; do
		run begin --restart-from="$value"
		[ "$status" != 0 ]
		[[ $output == *"--restart-from=$value: not a job: write JOBID or JOBID.GENERATION"* ]]
	done
	run begin --restart-from="$(job running)_1"
	[ "$status" != 0 ]
	[[ $output == *"by its own job id"* ]]
	run begin --restart-from="$(job running).99"
	[ "$status" != 0 ]
	[[ $output == *"has no generation 99"* ]]
	run begin --restart-from=99999
	[ "$status" != 0 ]
	[[ $output == *"job 99999 has no checkpoints below /shared/checkpoints/alice"* ]]
	# removed when it had completed
	run begin --restart-from="$(job gone)"
	[ "$status" != 0 ]
	[[ $output == *"--checkpoint-on-complete=keep"* ]]
	# another user's: by number, and by its directory
	SUBMIT_USER=bob run begin --restart-from="$(job running)"
	[ "$status" != 0 ]
	[[ $output == *"has no checkpoints below /shared/checkpoints/bob"* ]]
	SUBMIT_USER=bob run begin --checkpoint-dir=/shared/checkpoints/alice --restart-from="$(job running)"
	[ "$status" != 0 ]
	run begin --checkpoint-on-complete=maybe
	[ "$status" != 0 ]
	[[ $output == *"not one of keep, remove"* ]]
}

@test "a job that finds nothing to begin from on its node fails, and does not run from its first line" {
	local other small files moved stolen
	other=$(submit --oversubscribe --output=out.%j --restart-from="$(job running)" "$WARM
echo more")
	files=$(begin --restart-from="$(job running)" --checkpoint-files=copy)
	small=$(begin --restart-from="$(job taken)" --mem=40)
	# removed while it waits
	on n0 alice sh -c "mkdir -m 700 -p kept; cp -r /shared/checkpoints/alice/$(job running) kept/"
	moved=$(begin --checkpoint-dir=/shared/home/alice/kept --restart-from="$(job running)" --hold)
	on n0 alice sh -c "rm -r kept/$(job running)/batch.0/000001"
	on n0 root scontrol release "$moved"
	# another user's, copied: the seal says whose it is
	on n0 root sh -c "mkdir -p /shared/checkpoints/bob; chown bob: /shared/checkpoints/bob; chmod 700 /shared/checkpoints/bob
		cp -r /shared/checkpoints/alice/$(job running) /shared/checkpoints/bob/; chown -R bob: /shared/checkpoints/bob"
	stolen=$(SUBMIT_USER=bob begin --restart-from="$(job running)")
	never_started "$other" 'batch script that is not the same'
	never_started "$files" 'is RUNNING, and its files are not put back under it'
	never_started "$moved" "no checkpoint of job $(job running)"
	never_started "$small" 'and this job may use 40 MB: give it more'
	wait_state "$stolen" FAILED 30
	on n0 bob cat "out.$stolen"
	on n0 bob grep -q 'generation 1 is passed over' "out.$stolen"
	not on n0 bob grep -q '^restore' "out.$stolen"
}

@test "files that the first job had open go back when the new job wants it" {
	local id
	id=$(begin --restart-from="$(job cancelled)" --checkpoint-files=copy)
	wait_state "$id" COMPLETED 30
	[ "$(on n0 alice sh -c "tr -d '\n' <log.$(job cancelled)")" = ab ]
}

@test "what a completed job was to keep is kept by gc, and taken from a job that was not to" {
	on n0 alice scheckpoint gc
	[ "$(newest "$(job completed)")" = 1 ]
	[ "$(newest "$(job gone)")" = 0 ]
	[ "$(on n0 root jq -r 'select(.event == "completed").reason' "$(store "$(job completed)")/journal.jsonl")" = keep ]
}

@test "a job begins from one that ran out of time" {
	local id
	wait_state "$(job timeout)" TIMEOUT 150
	id=$(begin --restart-from="$(job timeout).1")
	on n0 alice touch "leave.$(number timeout)"
	wait_state "$id" COMPLETED 30
	[ "$(on n0 alice grep -v '^slurmstepd' "out.$id")" = "restore $(number timeout) $id none
left" ]
	# the last one is from the end of its time
	[ "$(manifest "$(job timeout)" "$(newest "$(job timeout)")" .reason)" = timelimit ]
}
