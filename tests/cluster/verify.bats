# SPDX-License-Identifier: GPL-2.0-or-later
# verify.bats - scheckpoint verify reads all of a checkpoint: what is good, and what is wrong with the others

bats_require_minimum_version 1.5.0
load helpers

setup_file() {
	have_spank_cr || return 0
	local job
	job=$(submit --checkpoint=1h "$COUNT")
	wait_state "$job" RUNNING 20
	wait_file alice "slurm-$job.out" 3 20
	on n0 alice scheckpoint create "$job"
	on n0 alice scheckpoint create "$job"
	echo "$job" >"$BATS_FILE_TMPDIR/job"
}

teardown_file() {
	! have_spank_cr || cancel_all
}

setup() {
	need_spank_cr
	job=$(<"$BATS_FILE_TMPDIR/job")
	dir=$(store "$job")
	on n0 root bash -c "rm -rf /tmp/kept; cp -a '$dir' /tmp/kept"
}

teardown() {
	have_spank_cr || return 0
	on n0 root bash -c "rm -rf '$dir'; cp -a /tmp/kept '$dir'"
}

# flip FILE OFFSET - one bit of a file in the part's directory
flip() {
	# shellcheck disable=SC2016 # expanded over there
	on n0 alice bash -ec 'byte=$(od -An -tu1 -j "$2" -N 1 "$1"); printf "\\$(printf %o $((byte ^ 1)))" |
		dd of="$1" bs=1 seek="$2" conv=notrunc status=none' bash "$dir/$1" "$2"
}

@test "what is good is said to be, the newest, one or all" {
	run -0 --separate-stderr on n0 alice scheckpoint verify "$job"
	[[ $output =~ ^generation\ 2:\ good,\ [0-9]{5,}\ bytes\ in\ [0-9]+\ streams$ ]]
	# no bar where nobody looks
	[ -z "$stderr" ]
	run -0 on n0 alice scheckpoint verify "$job.1"
	[[ $output == 'generation 1: good, '* ]]
	run -0 on n0 alice scheckpoint verify --all "$job"
	[ "${#lines[@]}" = 2 ]
	run -0 on n0 alice scheckpoint verify --all --json "$job"
	jq -e --argjson job "$job" 'map(.generation) == [2, 1] and all(.[]; .job == $job and .part == "batch.0" and
		.state == "good" and .seal == "good" and .bytes > 10000 and .streams > 5 and .error == null)' <<<"$output"
	run -0 on n0 root scheckpoint verify --user=alice "$job"
	[[ $output == 'generation 2: good, '* ]]
}

@test "a bar shows how far it is, on a terminal" {
	run -0 on n0 alice script -qec "scheckpoint verify $job" /dev/null
	[[ $output == *'generation 2 [########################################] 100%'*'generation 2: good, '* ]]
}

@test "one bit of a pack is found: generation, stream and offset" {
	size=$(on n0 root stat -c %s "$dir/packs/000001.pack")
	flip packs/000001.pack $((size / 2))
	run on n0 alice scheckpoint verify "$job.1"
	echo "$output"
	[ "$status" = 1 ]
	[[ ${lines[0]} =~ ^generation\ 1:\ damaged:\ generation\ 1,\ .+,\ offset\ [0-9]+ ]]
	[[ ${lines[1]} == "scheckpoint: job $job: the checkpoint is not good" ]]
	run on n0 alice scheckpoint verify --all --json "$job"
	[ "$status" = 1 ]
	[[ $output == *'"damaged"'* ]]
}

@test "an index, a manifest, a seal that is not right, a pack that is gone" {
	flip 000002/index 300
	run on n0 alice scheckpoint verify "$job"
	[ "$status" = 1 ]
	[[ ${lines[0]} == "generation 2: damaged: "*"index"* ]]
	on n0 alice cp "$dir/000001/manifest.seal" "$dir/000002/manifest.seal"
	run on n0 alice scheckpoint verify "$job"
	[ "$status" = 1 ]
	[[ ${lines[0]} == "generation 2: damaged: manifest.seal: the seal is that of another manifest" ]]
	on n0 alice truncate -s 100 "$dir/000002/manifest.json"
	run on n0 alice scheckpoint verify "$job"
	[ "$status" = 1 ]
	[[ ${lines[0]} == "generation 2: damaged: "*"manifest.json: "* ]]
	on n0 alice rm "$dir/packs/000001.pack"
	run on n0 alice scheckpoint verify --all "$job"
	[ "$status" = 1 ]
	[[ $output == *"generation 1: damaged: "*"000001.pack"* ]]
	[[ $output == *"job $job: 2 of 2 checkpoints are not good"* ]]
}

@test "what is not there is said in one line" {
	run on n0 alice scheckpoint verify "$job.7"
	[ "$status" = 1 ]
	[ "$output" = "scheckpoint: job $job has no generation 7" ]
	run on n0 alice scheckpoint verify 999999
	[ "$status" = 1 ]
	[[ $output == 'scheckpoint: job 999999 has no checkpoints below '* ]]
	run on n0 alice scheckpoint verify
	[ "$status" = 2 ]
	run on n0 alice scheckpoint verify --all "$job.1"
	[ "$status" = 1 ]
	[[ $output == 'scheckpoint: verify: either --all or one generation' ]]
}
