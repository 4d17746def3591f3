# SPDX-License-Identifier: GPL-2.0-or-later
# damage.bats - checkpoints that were damaged or forged while the job waited: an older one, or the beginning
#
# Each job has two generations, and is held while they are spoilt.

load helpers

JOBS=(manifest all shared chunk gone index seal forged)

setup_file() {
	have_spank_cr || return 0
	local name
	program hold
	# each has memory that is the same in every run of it
	for name in "${JOBS[@]}"; do
		submit_as "$name" --checkpoint-fallback=fresh --output=out.%j --error=errors.%j \
			"echo started >>starts.\$SLURM_JOB_ID
			./hold 4 stop.\$SLURM_JOB_ID >held.\$SLURM_JOB_ID & $COUNT; wait"
	done
	for name in "${JOBS[@]}"; do
		wait_file alice "out.$(job "$name")" '^5$' 30
	done
	for name in "${JOBS[@]}"; do
		on n0 alice scheckpoint create "$(job "$name")"
	done
	for name in "${JOBS[@]}"; do
		wait_longer "out.$(job "$name")" 10
		on n0 root scontrol requeuehold "$(job "$name")"
	done
	for name in "${JOBS[@]}"; do
		wait_state "$(job "$name")" PENDING 20
		wait_committed "$(job "$name")" 2 5
	done
	spoil manifest 'head -c 500 manifest.json >new; cat new >manifest.json; rm new'
	spoil all 'echo >manifest.json; echo >../000001/manifest.json'
	flip='flip() { byte=$(od -An -tu1 -j "$2" -N 1 "$1"); printf "\\$(printf %o $((byte ^ 1)))" |
		dd of="$1" bs=1 seek="$2" conv=notrunc status=none; };'
	# one bit of what was new in that generation, and of memory that both need
	spoil chunk "$flip flip ../packs/000002.pack 5000"
	spoil shared "$flip flip ../packs/000001.pack 3000000"
	spoil index "$flip flip index 400"
	spoil gone 'rm ../packs/000002.pack'
	spoil seal 'cat ../000001/manifest.seal >manifest.seal'
	# the index and its hash in the manifest, but not the seal
	spoil forged 'jq "(.files[] | select(.path == \"index\").hash) |= (.[1:] + .[:1])" manifest.json >new
		cat new >manifest.json; rm new'
	for name in "${JOBS[@]}"; do
		on n0 root scontrol release "$(job "$name")"
	done
	for name in "${JOBS[@]}"; do
		wait_restarts "$(job "$name")" 1 60
	done
}

# spoil NAME SCRIPT - run it in the newest generation
spoil() {
	on n0 alice bash -ec "cd '$(store "$(job "$1")")/000002'; $2"
}

setup() {
	need_spank_cr
}

teardown_file() {
	cancel_all
}

# older_used NAME PATTERN - it went on from generation 1, and Slurm's log says why not from 2
older_used() {
	local job
	job=$(job "$1")
	wait_until 20 _restored "$job" 1
	[ "$(records "$job" '.[] | select(.generation == 1).restores')" = 1 ]
	[ "$(on n0 alice cat "starts.$job")" = started ]
	on "$(job_field "$job" BatchHost)" root grep "job $job: generation 2" /var/log/slurm/slurmd.log |
		tee "$BATS_TEST_TMPDIR/said"
	grep -qE "spank_cr: job $job: generation 2 .*$2" "$BATS_TEST_TMPDIR/said"
	# nothing was thrown away; but it is not the past of what the job does now
	on n0 alice test -d "$(store "$job")/000002.bad"
	not on n0 alice test -e "$(store "$job")/000002"
	finish "$job"
	counted "out.$job"
}

@test "the newest manifest is cut short: the generation before it is used" {
	older_used manifest 'manifest.json'
}

@test "one bit of the newest pack is another: told with its place, the generation before it is used" {
	older_used chunk 'packs/000002.pack.*(offset|byte) [0-9]+.*(sum|hash|differs|changed|damaged)'
}

@test "the newest pack is missing: the generation before it is used" {
	older_used gone 'packs/000002.pack.*No such file'
}

@test "one bit of the index is another: refused by its hash, the generation before it is used" {
	older_used index 'index.*(hash|differs|changed|damaged)'
}

@test "the seal is that of another manifest: refused, the generation before it is used" {
	older_used seal 'seal'
}

@test "the manifest was changed after it had been sealed: refused, the generation before it is used" {
	older_used forged 'seal'
}

# from_the_beginning NAME - it started anew, once, says so, and what it has is kept
from_the_beginning() {
	local job generation
	job=$(job "$1")
	wait_until 20 on n0 alice grep -qx started "starts.$job"
	wait_until 20 _is_started_twice "$job"
	not _restored "$job" 1
	on n0 alice cat "errors.$job"
	for generation in 000001 000002; do
		on n0 alice test -e "$(store "$job")/$generation/index"
		on n0 alice test -e "$(store "$job")/packs/$generation.pack"
	done
	# and it is checkpointed again, on nothing but itself
	on n0 alice scheckpoint create "$job"
	[ "$(newest "$job")" = 3 ]
	requeue "$job"
	finish "$job"
	counted "out.$job"
	[ "$(on n0 alice grep -c "spank_cr: .*starts from the beginning" "errors.$job")" = 1 ]
}

@test "all manifests are damaged: the job starts from the beginning, says so, and they are kept" {
	from_the_beginning all
}

@test "a pack that all generations share is damaged: the job starts from the beginning, says so, and they are kept" {
	from_the_beginning shared
}

_is_started_twice() {
	[ "$(on n0 alice grep -c started "starts.$1")" = 2 ]
}
