# SPDX-License-Identifier: GPL-2.0-or-later
# users.bats - two users at once; neither gets at the other's

load helpers

setup() {
	need_spank_cr
}

teardown() {
	cancel_all
}

@test "two users' jobs on one node are checkpointed and restored; the stores are closed to each other" {
	job=$(submit --checkpoint=1h --nodelist=n1 --output=count.%j "$COUNT")
	his=$(SUBMIT_USER=bob submit --checkpoint=1h --nodelist=n1 --output=count.%j "$COUNT")
	wait_file alice "count.$job" '^5$' 30
	wait_file bob "count.$his" '^5$' 30
	on n0 alice scheckpoint create "$job" &
	on n0 bob scheckpoint create "$his"
	wait $!
	# 0700 from the site's directory down
	for dir in /shared/checkpoints/alice{,/"$job",/"$job/batch.0",/"$job/batch.0/000001"}; do
		[ "$(on n0 root stat -c '%a %U' "$dir")" = "700 alice" ]
	done
	[ "$(on n0 root stat -c '%a %U' "/shared/checkpoints/bob/$his")" = "700 bob" ]
	[ -z "$(on n0 root find "/shared/checkpoints/alice/$job" "/shared/checkpoints/bob/$his" -type d -perm /077)" ]
	not on n0 bob ls "/shared/checkpoints/alice/$job"
	run on n0 bob scheckpoint list --dir=/shared/checkpoints/alice "$job"
	[ "$status" = 1 ]
	[[ $output == *"Permission denied"* ]]
	for verb in create vacate; do
		run on n0 bob scheckpoint $verb "$job"
		[ "$status" = 1 ]
		[[ $output == *"job $job belongs to alice, not to you"* ]]
	done
	# nor through the socket itself
	not on n1 bob ls "/run/spank_cr/$job"
	not on n1 bob ls "/var/spool/spank_cr/spank_cr.$job"
	[ "$(newest "$job")" = 1 ]
	run on n0 bob scheckpoint list --user=alice
	[ "$status" = 1 ]
	# root may look
	on n0 root scheckpoint list --user=alice --json "$job" | jq -e 'length == 1'
	[ "$(on n0 bob scheckpoint list --json | jq --argjson job "$job" 'any(.[]; .job == $job)')" = false ]
	requeue "$job"
	SUBMIT_USER=bob requeue "$his"
	wait_longer "count.$job" 20
	finish "$job"
	SUBMIT_USER=bob finish "$his"
	counted "count.$job"
	SUBMIT_USER=bob counted "count.$his"
}
