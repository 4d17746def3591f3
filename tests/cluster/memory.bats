# SPDX-License-Identifier: GPL-2.0-or-later
# memory.bats - a checkpoint takes what memory the job's limit leaves, and the job is never killed for it

load helpers

setup() {
	need_spank_cr
	program hold
}

teardown() {
	on n1 root bash -c 'for f in /run/watched.*; do :; done; pids=$(pgrep -f "python3 - [0-9]+ /run/watched") && kill $pids; true'
	cancel_all
}

# holding MIB OPTION... - job: one on n1 that has so much random memory
holding() {
	local mib=$1
	shift
	job=$(submit --nodelist=n1 --checkpoint=1h --output=out.%j --error=errors.%j "$@" \
		"exec ./hold $mib stop.\$SLURM_JOB_ID")
	wait_file alice "out.$job" '^holding$' 60
}

# killed_by_limit JOB - how many of its processes the kernel has killed at its memory limit
killed_by_limit() {
	# shellcheck disable=SC2016 # expanded over there
	on n1 root bash -c 'shopt -s globstar nullglob
		cat /sys/fs/cgroup/{memory/,}slurm*/**/job_$1/**/memory.{oom_control,events} /sys/fs/cgroup/**/job_$1/**/memory.events \
			2>/dev/null | awk "\$1 == \"oom_kill\" { n += \$2 } END { print n + 0 }"' bash "$1"
}

# intact JOB - it comes to its end, with its memory as it was
intact() {
	on n0 alice touch "stop.$1"
	wait_state "$1" COMPLETED 60 || true
	on n0 alice cat "out.$1" "errors.$1"
	[ "$(job_field "$1" JobState)" = COMPLETED ]
	on n0 alice grep -q '^intact' "out.$1"
}

@test "a job at 95% of its memory limit is checkpointed and restored, and the kernel kills nobody" {
	holding 486 --mem=512M
	watch n1 "$job"
	on n0 alice scheckpoint create "$job"
	watch_end n1 "$job"
	# inside of the job's limit; the pool is what was left of it
	[[ $(watched "$job" .crwriter.cgroup) == */job_"$job"/* ]]
	[ "$(watched "$job" '.crwriter.biggest < 24 * 1048576')" = true ]
	[ "$(watched "$job" '.sum < 48 * 1048576')" = true ]
	[ "$(killed_by_limit "$job")" = 0 ]
	# now with what is known, and once more as the job is restored
	on n0 alice scheckpoint create "$job"
	requeue "$job"
	on n0 alice scheckpoint create "$job"
	[ "$(newest "$job")" = 4 ]
	[ "$(killed_by_limit "$job")" = 0 ]
	intact "$job"
}

@test "the limit is a real one: what takes more than it is killed, and counted" {
	job=$(submit --nodelist=n1 --mem=64M --checkpoint=1h --output=out.%j \
		"./hold 128 stop.\$SLURM_JOB_ID; echo \"killed: \$?\"
		$COUNT")
	# the script lives on, and so does the cgroup with its counter
	wait_file alice "out.$job" '^killed: 137$' 30
	wait_file alice "out.$job" '^3$' 30
	# the same counting that finds nothing elsewhere
	[ "$(killed_by_limit "$job")" -ge 1 ]
	on n0 alice touch "stop.$job"
	wait_state "$job" OUT_OF_MEMORY 30
}

@test "a job that leaves memory free has it used: all that is new fits into the pool, and the freeze is short" {
	holding 100 --mem=1000M
	watch n1 "$job"
	on n0 alice scheckpoint create "$job"
	watch_end n1 "$job"
	[ "$(watched "$job" '.crwriter.biggest > 100 * 1048576')" = true ]
	[ "$(watched "$job" '.crwriter.biggest < 140 * 1048576')" = true ]
	intact "$job"
}

@test "our own processes take less than 64 MiB beside the pool for 1 GiB, on the way out and on the way in" {
	holding 1024 --mem=2000M --checkpoint-pool=16M
	watch n1 "$job"
	on n0 alice scheckpoint create "$job"
	# and with a generation to compare with
	on n0 alice scheckpoint create "$job"
	watch_end n1 "$job"
	[ "$(watched "$job" '.crwriter.biggest >= 16 * 1048576 and .crwriter.biggest < 40 * 1048576')" = true ]
	[ "$(watched "$job" '.sum - 16 * 1048576 < 64 * 1048576')" = true ]
	[ "$(manifest "$job" 2 '.image_bytes > 1073741824')" = true ]
	watch n1 "$job"
	requeue "$job"
	watch_end n1 "$job"
	[ "$(watched "$job" '.crreader.rss > 0 and .crworker.rss > 0')" = true ]
	[ "$(watched "$job" '.sum - 16 * 1048576 < 64 * 1048576')" = true ]
	[ "$(watched "$job" '.crreader.rss < 64 * 1048576')" = true ]
	intact "$job"
}
