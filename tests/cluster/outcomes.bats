# SPDX-License-Identifier: GPL-2.0-or-later
# outcomes.bats - how a job ends, what it is charged, and what waits for it: as without checkpoints

load helpers

# every kind of end, each by a plain job, by one with --checkpoint, and by one that was restored before
KINDS=(limit zero code status deadly memory)
declare -gA ENDS=(
	[zero]='exit 0'
	[code]='exit 7'
	[status]='bash -c "kill -SEGV \$\$"; exit $?'
	[deadly]='kill -KILL $$'
	[memory]='python3 -c "x = bytearray(400 << 20)"; exit $?'
	[limit]='sleep 600'
)

# four seconds of work, a pause, and four more, with 200 MiB in use
WORK='python3 -c "
import os, time
data = bytearray(os.urandom(1 << 20)) * 200
def work():
    end = time.process_time() + 4
    while time.process_time() < end:
        sum(range(10000))
work()
print(\"half\", flush=True)
while not os.path.exists(\"go.\" + os.environ[\"SLURM_JOB_ID\"]):
    time.sleep(0.1)
work()
"'
# a task of an array: its own checkpoint makes it go on as itself
TASK='me=$SLURM_ARRAY_TASK_ID
	until [ -e "go.${SLURM_ARRAY_JOB_ID}_$me" ]; do sleep 0.1; done
	echo "task $me"'

work_submit() {
	submit --mem=500M --oversubscribe --output=work.%j "$@" "$WORK"
}

waited_submit() {
	submit --checkpoint=1h --mem=100M --oversubscribe --output=ends.%j \
		'until [ -e "go.$SLURM_JOB_ID" ]; do sleep 0.1; done; echo all of it'
}

# wide_submit OPTION... - a job whose script counts, tells of SIGUSR1, and ends when go.JOBID is there
wide_submit() {
	local args=(--checkpoint=1h --mem=100M --oversubscribe "$@")
	on n0 alice sbatch --parsable "${args[@]}" <<<'#!/bin/bash
		trap "(. \"\$SPANK_CR_INFO\"; echo warned \$SLURM_RESTART_COUNT)" USR1
		i=0; until [ -e "go.$SLURM_JOB_ID" ]; do echo $((i++)); sleep 0.1; done; echo end' | cut -d+ -f1
}

# end_submit KIND [OPTION]... - a job that comes to its end when go.JOBID is there
end_submit() {
	local kind=$1
	shift
	[ "$kind" != limit ] || set -- "$@" --time=1
	submit --job-name="$kind" --mem=100M --oversubscribe --output=ends.%j "$@" "
		until [ -e go.\$SLURM_JOB_ID ]; do sleep 0.1; done
		${ENDS[$kind]}"
}

setup_file() {
	local kind jobs=() work job array
	need_spank_cr && have_accounting || return 0
	work=("work plain $(work_submit)" "work restored $(work_submit --checkpoint=1h)")
	wait_file alice "work.${work[1]##* }" half 300
	for kind in "${KINDS[@]}"; do
		jobs+=("$kind plain $(end_submit "$kind")")
		jobs+=("$kind covered $(end_submit "$kind" --checkpoint=1h --checkpoint-timelimit=end)")
		jobs+=("$kind restored $(end_submit "$kind" --checkpoint=1h --checkpoint-timelimit=end)")
	done
	printf '%s\n' "${jobs[@]}" >"$BATS_FILE_TMPDIR/jobs"
	jobs+=("${work[@]}")
	job=$(waited_submit)
	jobs+=("waited restored $job")
	jobs+=("after waiting $(submit --dependency="afterok:$job" --output=after.%j 'cat ends.'"$job")")
	jobs+=("never waiting $(submit --dependency="afternotok:$job" --output=after.%j 'echo never')")
	array=$(submit --array=3,5 --checkpoint=1h --oversubscribe --mem=100M --output=ends.%A_%a "$TASK")
	jobs+=("array restored ${array}_3" "array restored ${array}_5")
	# more than a batch script: two nodes, two components, a warning before the limit
	jobs+=("nodes restored $(wide_submit --nodes=2 --output=ends.%j)")
	jobs+=("het restored $(wide_submit --output=ends.%j : --ntasks=1 --mem=100M --oversubscribe)")
	jobs+=("warned restored $(wide_submit --output=ends.%j --time=2 --signal=B:USR1@60)")
	printf '%s\n' "${jobs[@]}" >"$BATS_FILE_TMPDIR/jobs"
	requeue_all
	# Slurm sends it up to a minute early
	wait_file alice "ends.$(kind_job warned restored)" '^warned 1$' 130
	on n0 alice touch $(awk '{ print "go." $3 }' "$BATS_FILE_TMPDIR/jobs")
}

have_accounting() {
	on n0 root test -e /etc/slurm/slurmdbd.conf
}

# requeue_all - those that are to be restored; a checkpoint first, so that none of them starts afresh
requeue_all() {
	local job restored=()
	mapfile -t restored < <(awk '$2 == "restored" { print $3 }' "$BATS_FILE_TMPDIR/jobs")
	for job in "${restored[@]}"; do
		wait_state "$job" RUNNING 60
		wait_until 20 on n0 alice scheckpoint create "$job"
	done
	requeue "${restored[@]}"
}

setup() {
	need_spank_cr
	have_accounting || skip "no accounting in this cluster (TESTBED_ACCOUNTING)"
}

teardown_file() {
	cancel_all
}

# kind_job KIND HOW
kind_job() {
	awk -v kind="$1" -v how="$2" '$1 == kind && $2 == how { print $3 }' "$BATS_FILE_TMPDIR/jobs"
}

# said JOB FORMAT - what sacct has of the last start of the job itself
said() {
	on n0 root sacct --noheader --parsable2 --allocations --jobs="$1" --format="$2" | tail -n 1
}

_said_is() {
	[ "$(said "$1" "$2")" = "$3" ]
}

# same_end KIND EXPECTED - the three are the same to Slurm: state, exit code, the highest one of its steps
same_end() {
	local how
	for how in plain covered restored; do
		wait_until 150 _said_is "$(kind_job "$1" $how)" State,ExitCode,DerivedExitCode "$2" || {
			echo "$how: job $(kind_job "$1" $how) is" \
				"$(said "$(kind_job "$1" $how)" State,ExitCode,DerivedExitCode), not $2"
			return 1
		}
	done
	[ "$(job_field "$(kind_job "$1" restored)" Restarts)" = 1 ]
}

@test "COMPLETED" {
	same_end zero 'COMPLETED|0:0|0:0'
}

@test "FAILED with the exit code" {
	same_end code 'FAILED|7:0|0:0'
	same_end status 'FAILED|11:0|0:0' # 128 + 11, as Slurm has it
}

@test "FAILED by a signal" {
	same_end deadly 'FAILED|0:9|0:0'
}

@test "OUT_OF_MEMORY" {
	same_end memory 'OUT_OF_MEMORY|0:125|0:0'
}

@test "TIMEOUT" {
	same_end limit 'TIMEOUT|0:0|0:0'
}

@test "CPU time, memory and elapsed time are those of the restored tree" {
	# a plain job, and one that did half of its work before it was requeued: TotalCPU in seconds
	plain=$(kind_job work plain) restored=$(kind_job work restored)
	wait_state "$plain" COMPLETED 60
	wait_state "$restored" COMPLETED 60
	on n0 root sacct --duplicates --parsable2 --jobs="$plain,$restored" \
		--format=JobID,State,ElapsedRaw,CPUTimeRAW,TotalCPU,MaxRSS
	cpu_between "$plain" 1 7.5 11
	# its checkpoint took some, too
	cpu_between "$restored" 1 3.5 14
	# half of the work and the restore, not all of it
	cpu_between "$restored" 2 3.5 9.5
	for job in $plain $restored; do
		rss=$(on n0 root sacct --noheader --parsable2 --units=M --jobs="$job.batch" --format=MaxRSS | tail -n 1)
		echo "job $job: $rss"
		awk -v m="${rss%M}" 'BEGIN { exit !(m > 190 && m < 330) }'
	done
	began=$(on n0 root jq -r 'select(.event == "restored") | .time' "$(store "$restored")/journal.jsonl" | tail -n 1)
	ended=$(said "$restored" End)
	elapsed=$(said "$restored" ElapsedRaw)
	echo "restored $began, ended $ended, elapsed $elapsed s"
	ran=$(($(date -d "$ended" +%s) - $(date -d "$began" +%s)))
	[ "$elapsed" -ge "$ran" ]
	[ "$elapsed" -le $((ran + 15)) ]
}

# cpu_between JOB START LEAST MOST - seconds of processor time in the STARTth record of the job's batch step
cpu_between() {
	on n0 root sacct --duplicates --noheader --parsable2 --jobs="$1.batch" --format=TotalCPU |
		awk -v start="$2" -v least="$3" -v most="$4" -v job="$1" '
		NR == start {
			seen = 1
			n = split($0, part, /[:-]/)
			for (i = 1; i <= n; i++) s = s * 60 + part[i]
			if (s < least || s > most) { print "job " job ", start " start ": " $0; exit 1 }
		}
		END { if (!seen) { print "job " job " has no start " start; exit 1 } }'
}

@test "what depends on a job sees it once, when it has really come to its end" {
	waited=$(kind_job waited restored)
	wait_state "$waited" COMPLETED 60
	wait_state "$(kind_job after waiting)" COMPLETED 60
	[ "$(on n0 alice cat "after.$(kind_job after waiting)")" = "all of it" ]
	[ "$(job_field "$(kind_job never waiting)" JobState)" = PENDING ]
	[ "$(job_field "$(kind_job never waiting)" Reason)" = DependencyNeverSatisfied ]
}

@test "each task of an array has its own checkpoints" {
	for job in $(kind_job array restored); do
		wait_state "$job" COMPLETED 60
		[ "$(on n0 alice cat "ends.$job")" = "task ${job#*_}" ]
	done
}

@test "a job over two nodes: its script is restored, and what is not covered is said" {
	job=$(kind_job nodes restored)
	wait_state "$job" COMPLETED 60
	on n0 alice grep -q 'this job has 2 nodes: checkpoints cover the batch script and what it starts on its own node' \
		"ends.$job"
	on n0 alice sed -i '/spank_cr:/d' "ends.$job"
	counted "ends.$job"
}

@test "a heterogeneous job: the same" {
	job=$(kind_job het restored)
	wait_state "$job" COMPLETED 60
	on n0 alice grep -q 'this job has 2 components: checkpoints cover' "ends.$job"
	on n0 alice sed -i '/spank_cr:/d' "ends.$job"
	counted "ends.$job"
}

@test "--signal is sent to the restored script as well" {
	job=$(kind_job warned restored)
	wait_state "$job" COMPLETED 60
	on n0 alice grep -q '^warned 1$' "ends.$job"
}
