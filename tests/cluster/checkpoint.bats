# SPDX-License-Identifier: GPL-2.0-or-later
# checkpoint.bats - checkpoints at an interval, and on demand; what scheckpoint says of them

bats_require_minimum_version 1.5.0
load helpers

setup() {
	need_spank_cr
}

teardown() {
	cancel_all
}

# bats test_tags=core
@test "checkpoints are taken at the interval, and by scheckpoint create, while the job goes on" {
	job=$(submit --checkpoint="$OFTEN" --output=count.%j "$COUNT")
	wait_committed "$job" 3 30
	# two are kept
	[ "$(records "$job" '[.[] | select(.state == "committed")] | length')" -le 3 ]
	[ "$(records "$job" 'map(select(.state == "committed").reason) | unique | join(" ")')" = interval ]
	run on n0 alice scheckpoint create "$job"
	echo "$output"
	[ "$status" = 0 ]
	[[ $output =~ ^job\ $job:\ generation\ ([0-9]+)\ committed,\ frozen\ [0-9]+\ ms$ ]]
	generation=${BASH_REMATCH[1]}
	# it is on disk when create returns
	on n0 alice test -e "$(store "$job")/$(printf %06d "$generation")/manifest.json"
	[ "$(on n0 alice jq -r .reason "$(store "$job")/$(printf %06d "$generation")/manifest.json")" = user ]
	wait_longer "count.$job" 20
	finish "$job"
	counted "count.$job"
	not on n0 alice test -s "slurm-$job.out"
	# nothing half-written stays
	[ -z "$(on n0 alice find "$(store "$job")" -mindepth 1 -maxdepth 1 -name '.*')" ]
}

@test "a job with a zombie is checkpointed, and goes on with it" {
	on n0 alice tee zombie.py <<-'END' >/dev/null
		import os, time
		pid = os.fork()
		if pid == 0:
		    os._exit(7)
		print("ready", flush=True)
		while not os.path.exists("stop." + os.environ["SLURM_JOB_ID"]):
		    time.sleep(0.1)
		print("status", os.waitpid(pid, 0)[1] >> 8, flush=True)
	END
	job=$(submit --checkpoint=1h --output=out.%j 'python3 zombie.py')
	wait_file alice "out.$job" ready 20
	sleep 0.5
	on n0 alice scheckpoint create "$job"
	requeue "$job"
	on n0 alice touch "stop.$job"
	wait_state "$job" COMPLETED 20
	on n0 alice grep -x 'status 7' "out.$job"
}

@test "list and show have the fields that others rely on, with values that make sense" {
	job=$(submit --checkpoint=1h "$COUNT")
	wait_state "$job" RUNNING 20
	wait_file alice "slurm-$job.out" 5 20
	before=$(date +%s)
	on n0 alice scheckpoint create --json "$job" >"$BATS_TEST_TMPDIR/create"
	jq -e --argjson job "$job" '.job == $job and .step == "batch" and .generation == 1 and .state == "committed" and
		(.freeze_ms | type) == "number" and .image_bytes > 10000' "$BATS_TEST_TMPDIR/create"
	on n0 alice scheckpoint list --json "$job" >"$BATS_TEST_TMPDIR/list"
	on n0 alice scheckpoint show --json "$job" >"$BATS_TEST_TMPDIR/show"
	on n0 alice scheckpoint show --json "$job.1" >"$BATS_TEST_TMPDIR/show1"
	cmp "$BATS_TEST_TMPDIR/show" "$BATS_TEST_TMPDIR/show1"
	[ "$(jq length "$BATS_TEST_TMPDIR/list")" = 1 ]
	for record in <(jq '.[0]' "$BATS_TEST_TMPDIR/list") "$BATS_TEST_TMPDIR/show"; do
		jq -e --argjson job "$job" --arg node "$(job_field "$job" BatchHost)" --argjson before "$before" '
			.job == $job and .step == "batch" and .node == $node and .generation == 1 and
			.state == "committed" and .reason == "user" and .restores == 0 and
			(.time | test("^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:]{8}(\\.[0-9]+)?Z$")) and
			(.time | sub("\\.[0-9]+"; "") | fromdate) >= $before - 1 and
			(.time | sub("\\.[0-9]+"; "") | fromdate) <= now and
			.freeze_ms >= 1 and .freeze_ms < 60000 and .drain_ms >= 0 and .drain_ms < 60000 and
			.image_bytes > 10000 and .stored_bytes > 10000' "$record"
	done
	# it froze for as long as it says: create returned no sooner
	run on n0 alice scheckpoint list "$job"
	[ "${#lines[@]}" = 2 ]
	[[ ${lines[1]} =~ ^\ *$job\ +1\ +committed\ .*\ user\ .*ms\ .*\ 0$ ]]
	run on n0 alice scheckpoint show "$job"
	[ "$status" = 0 ]
	[[ $output == *user* ]]
	requeue "$job"
	[ "$(on n0 alice scheckpoint show --json "$job" | jq -c '[.generation, .reason, .restores]')" = '[2,"requeue",1]' ]
	[ "$(on n0 alice scheckpoint show --json "$job.1" | jq -c '[.generation, .reason, .restores]')" = '[1,"user",0]' ]
	# and without a job id all of the user's jobs
	on n0 alice scheckpoint list --json | jq -e --argjson job "$job" 'any(.[]; .job == $job)'
}

@test "scheckpoint says what is wrong, in one line, and fails" {
	job=$(submit --checkpoint=1h "$COUNT")
	ended=$(submit --checkpoint=1h true)
	wait_state "$job" RUNNING 20
	wait_state "$ended" COMPLETED 20
	refused 1 'no.*(generation|checkpoint)' show "$job"
	refused 1 '99999' create 99999
	refused 1 '99999' list 99999
	refused 1 'COMPLETED' create "$ended"
	refused 1 'COMPLETED' vacate "$ended"
	refused 2 'abc' create abc
	refused 2 'generations' create "$job.1"
	refused 2 'vanish' vanish "$job"
	on n0 alice scheckpoint create "$job"
	refused 1 'generation 7' show "$job.7"
}

# refused STATUS PATTERN ARG... - alice's scheckpoint ARG... ends with STATUS and one line that says so
refused() {
	local status_wanted=$1 pattern=$2
	shift 2
	run --separate-stderr on n0 alice scheckpoint "$@"
	echo "scheckpoint $*: $status $stderr"
	[ "$status" = "$status_wanted" ]
	[ -z "$output" ]
	# shellcheck disable=SC2154 # bats sets it
	[ "$(grep -c '^scheckpoint: ' <<<"$stderr")" = 1 ]
	grep -qE "^scheckpoint: .*$pattern" <<<"$stderr"
}
