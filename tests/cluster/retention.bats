# SPDX-License-Identifier: GPL-2.0-or-later
# retention.bats - which checkpoints stay, which go, and what scheckpoint gc removes

bats_require_minimum_version 1.5.0
load helpers

CONF=/etc/slurm/plugstack.conf.d/spank_cr.conf

setup() {
	need_spank_cr
}

teardown() {
	cancel_all
	on n0 root rm -rf /shared/home/{alice,bob}/999 /shared/checkpoints/{alice/998,alice/999,bob/999}
	configure 's/ on_\(complete\|failure\)=[a-z]*//g'
}

# configure SED-SCRIPT - change the plugin's line on all nodes; jobs that start from then on go by it
configure() {
	local node
	for node in n0 n1 n2; do
		on "$node" root sed -i "/spank_cr\\.so/{$1}" "$CONF"
	done
}

# kept JOB - the names in its part's directory, hidden ones too, on one line
kept() {
	on n0 root ls -A "$(store "$1")" | LC_ALL=C sort | tr '\n' ' '
}

# generations JOB - those of them that are committed
generations() {
	on n0 root ls "$(store "$1")" | grep -xE '[0-9]+' | tr '\n' ' '
}

# ended JOB - what the journal says of its end
ended() {
	on n0 root jq -r 'select(.event == "completed" or .event == "ended") | "\(.event) \(.generation) \(.text)"' \
		"$(store "$1")/journal.jsonl"
}

# failed_job - a job with a checkpoint that has ended with exit code 3; prints its id
failed_job() {
	local job
	# shellcheck disable=SC2016 # expanded in the job
	job=$(submit --checkpoint=1h 'until [ -e "stop.$SLURM_JOB_ID" ]; do sleep 0.1; done; exit 3')
	wait_state "$job" RUNNING 20
	on n0 alice scheckpoint create "$job" >&2
	on n0 alice touch "stop.$job"
	wait_state "$job" FAILED 20
	echo "$job"
}

# plant JOB - what a crash leaves
plant() {
	# shellcheck disable=SC2016 # expanded over there
	on n0 root bash -ec 'cd "$1"; mkdir -p .000008.tmp .000007.del/images packs
		head -c 100000 /dev/zero >.000008.tmp/pack; echo x >.000007.del/images/x
		head -c 50000 /dev/zero >packs/000077.pack; chown -R alice: .' bash "$(store "$1")"
}

# aged JOB - as if it had ended two days ago
aged() {
	# shellcheck disable=SC2016 # expanded over there
	on n0 root bash -ec 'find "$1" -exec touch -h -d "2 days ago" {} +' bash "$(store "$1")"
}

# a_day - the site's settings, but a maximal age of one day; prints the option
a_day() {
	# shellcheck disable=SC2016 # expanded over there
	on n0 root bash -c 'sed "s/spank_cr\.so/& max_age=1d/" "$1" >/shared/a-day.conf; chmod 644 /shared/a-day.conf' \
		bash "$CONF"
	echo --config=/shared/a-day.conf
}

@test "as many checkpoints are kept as the job asks for" {
	job=$(submit --checkpoint=1h --checkpoint-keep=3 "$COUNT")
	wait_state "$job" RUNNING 20
	wait_file alice "slurm-$job.out" 3 20
	for _ in 1 2 3 4 5; do
		on n0 alice scheckpoint create "$job"
	done
	wait_until 10 test "$(generations "$job")" = '000003 000004 000005 '
	# and no pack that nobody refers to
	for pack in $(on n0 root bash -c "cd '$(store "$job")'; ls packs 2>/dev/null || true"); do
		on n0 root jq -se --argjson n "$((10#${pack%.pack}))" 'any(.[].packs[]; .generation == $n)' \
			"$(store "$job")"/00000{3,4,5}/manifest.json
	done
	# an option alone asks for checkpoints
	job=$(submit --checkpoint-keep=1 "$COUNT")
	wait_state "$job" RUNNING 20
	wait_file alice "slurm-$job.out" 3 20
	on n0 alice scheckpoint create "$job"
	on n0 alice scheckpoint create "$job"
	wait_until 10 test "$(generations "$job")" = '000002 '
}

@test "of a completed job the journal and the log stay, of a failed one everything" {
	failed=$(failed_job)
	job=$(submit --checkpoint=1h "$COUNT")
	wait_state "$job" RUNNING 20
	wait_file alice "slurm-$job.out" 3 20
	on n0 alice scheckpoint create "$job"
	requeue "$job"
	finish "$job"
	wait_until 10 test "$(kept "$job")" = 'crinit.log journal.jsonl '
	[ "$(ended "$job")" = 'completed 2 null' ]
	[ "$(generations "$failed")" = '000001 ' ]
	[ "$(ended "$failed")" = 'ended 1 exit code 3' ]
	# what is completed starts from its beginning, should somebody want it once more
	on n0 alice rm "stop.$job"
	on n0 root scontrol requeue "$job"
	wait_restarts "$job" 2 60
	wait_file alice "slurm-$job.out" 3 20
	on n0 alice scheckpoint create "$job"
	[ "$(newest "$job")" = 3 ]
	finish "$job"
	counted "slurm-$job.out"
	wait_until 10 test "$(kept "$job")" = 'crinit.log journal.jsonl '
}

@test "a job that is cancelled keeps its checkpoints" {
	job=$(submit --checkpoint=1h "$COUNT")
	wait_state "$job" RUNNING 20
	wait_file alice "slurm-$job.out" 3 20
	on n0 alice scheckpoint create "$job"
	on n0 alice scancel "$job"
	wait_state "$job" CANCELLED 40
	[ "$(generations "$job")" = '000001 ' ]
	[ -z "$(ended "$job")" ]
}

@test "the site may keep those of completed jobs, and remove those of failed ones" {
	configure 's/$/ on_complete=keep on_failure=remove/'
	failed=$(failed_job)
	job=$(submit --checkpoint=1h "$COUNT")
	wait_state "$job" RUNNING 20
	wait_file alice "slurm-$job.out" 3 20
	on n0 alice scheckpoint create "$job"
	finish "$job"
	[ "$(generations "$job")" = '000001 ' ]
	wait_until 10 test "$(kept "$failed")" = 'crinit.log journal.jsonl '
}

@test "gc removes what a crash left of an ended job, and nothing of a running one" {
	failed=$(failed_job)
	running=$(submit --checkpoint=1h "$COUNT")
	wait_state "$running" RUNNING 20
	wait_file alice "slurm-$running.out" 3 20
	on n0 alice scheckpoint create "$running"
	held=$(submit --checkpoint=1h --hold "$COUNT")
	run -0 on n0 alice scheckpoint gc
	plant "$failed"
	plant "$running"
	before=$(kept "$running")
	run -0 on n0 alice scheckpoint gc --dry-run
	echo "$output"
	[[ $output == *"job $failed: "*"/.000008.tmp (left by a crash, 97.7K)"* ]]
	[[ $output == *"job $failed: "*"/packs/000077.pack (left by a crash, 48.8K)"* ]]
	[[ $output == *"would remove 146.5K" ]]
	[[ $output != *"job $running"* ]]
	[[ $(kept "$failed") == '.000007.del .000008.tmp '* ]]
	run -0 on n0 alice scheckpoint gc --json
	jq -e --argjson job "$failed" 'map(select(.job == $job)) | length == 3 and (map(.bytes) | add) == 150002' <<<"$output"
	run -0 on n0 alice scheckpoint gc
	[ "${lines[-1]}" = 'removed 0B' ]
	[ "$(generations "$failed")" = '000001 ' ]
	not on n0 alice test -e "$(store "$failed")/packs/000077.pack"
	[[ $(kept "$failed") != *.0* ]]
	[ "$(kept "$running")" = "$before" ]
	on n0 alice test -e "$(store "$running")/packs/000077.pack"
	run on n0 alice scheckpoint gc "$running"
	[[ $output == *"job $running has not ended: nothing of it is removed"* ]]
	on n0 root scancel "$held"
	# the next checkpoint of the running one does it itself
	on n0 alice scheckpoint create "$running"
	not on n0 alice test -e "$(store "$running")/packs/000077.pack"
}

@test "gc removes the checkpoints of a completed job that its end did not, and old ones" {
	option=$(a_day)
	old=$(failed_job)
	young=$(failed_job)
	# as if its node had been lost while it was removing them
	job=$(submit --checkpoint=1h "$COUNT")
	wait_state "$job" RUNNING 20
	wait_file alice "slurm-$job.out" 3 20
	finish "$job"
	on n0 root cp -a "$(store "$young")/000001" "$(store "$job")/"
	on n0 root bash -c "cd /shared/checkpoints/alice; mkdir -p 7.old-1700000000/batch.0 8.old-$(date +%s)/batch.0
		touch -d '2 days ago' 7.old-* 8.old-*; chown -R alice: 7.old-* 8.old-*"
	aged "$old"
	run -0 on n0 alice scheckpoint gc
	echo "$output"
	[[ $output == *"job $job: $(store "$job") (of a completed job, "* ]]
	[[ $output != *"job $old"* ]]
	[ "$(kept "$job")" = 'crinit.log journal.jsonl ' ]
	run -0 on n0 alice scheckpoint gc "$option"
	echo "$output"
	[[ $output == *"job $old: $(store "$old") (older than 1d, "* ]]
	[[ $output == *"job 7: /shared/checkpoints/alice/7.old-1700000000 (older than 1d, 0B)"* ]]
	not on n0 alice test -e "/shared/checkpoints/alice/$old"
	not on n0 alice test -e /shared/checkpoints/alice/7.old-1700000000
	on n0 root bash -c 'test -d /shared/checkpoints/alice/8.old-*; rm -r /shared/checkpoints/alice/8.old-*'
	[ "$(generations "$young")" = '000001 ' ]
}

@test "gc as root looks after all users, and follows no link of theirs" {
	failed=$(failed_job)
	plant "$failed"
	# shellcheck disable=SC2016 # expanded over there
	on n0 root bash -ec 'for user in alice bob; do
			mkdir -p /shared/home/$user/999/batch.0/.000003.tmp; chown -R $user: /shared/home/$user/999
		done
		ln -sfn /shared/home/bob/999 /shared/checkpoints/alice/999
		ln -sfn /shared/home/alice/999 /shared/checkpoints/alice/998
		mkdir -p -m 700 /shared/checkpoints/bob/997/batch.0/.000004.tmp
		ln -sfn /shared/home/bob/999 /shared/checkpoints/bob/999
		ln -sfn /nowhere/996 /shared/checkpoints/bob/996
		chmod 700 /shared/checkpoints/bob/997/batch.0; chown -R bob: /shared/checkpoints/bob'
	run on n0 root scheckpoint gc
	echo "$output"
	# alice links to what is not hers, and to what is not the job it is called
	[ "$status" = 1 ]
	[[ $output == *"998 leads to /shared/home/alice/999"* ]]
	[[ $output == *'/shared/checkpoints/alice/999: Permission denied'* ]]
	[[ $output == *"job $failed: "*"/.000008.tmp (left by a crash, 97.7K)"* ]]
	[[ $output == *'/shared/checkpoints/bob/997/batch.0/.000004.tmp (left by a crash, 0B)'* ]]
	not on n0 root test -e /shared/checkpoints/bob/997
	not on n0 root test -L /shared/checkpoints/bob/996
	# by bob's own link, as bob
	not on n0 root test -e /shared/home/bob/999/batch.0/.000003.tmp
	on n0 root test -e /shared/home/alice/999/batch.0/.000003.tmp
	on n0 root rm -rf /shared/home/{alice,bob}/999 /shared/checkpoints/{alice/998,alice/999,bob/999}
	run -0 on n0 root scheckpoint gc
}

@test "gc does nothing when Slurm does not answer" {
	failed=$(failed_job)
	plant "$failed"
	# a port where nobody listens
	on n0 root bash -c 'mkdir -p /tmp/silent; sed "s/^SlurmctldPort=.*//" /etc/slurm/slurm.conf >/tmp/silent/slurm.conf
		echo SlurmctldPort=9 >>/tmp/silent/slurm.conf; chmod -R a+rX /tmp/silent'
	for user in alice root; do
		run on n0 "$user" env SLURM_CONF=/tmp/silent/slurm.conf scheckpoint gc
		echo "$output"
		[ "$status" = 1 ]
		[[ $output == *'nothing is removed: Slurm does not say which jobs there are: '* ]]
		on n0 alice test -e "$(store "$failed")/packs/000077.pack"
	done
}
