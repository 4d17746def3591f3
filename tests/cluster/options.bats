# SPDX-License-Identifier: GPL-2.0-or-later
# options.bats - a mistake on the command line: one clear line of ours, and nothing is submitted

load helpers

setup() {
	need_spank_cr
	on n0 bob mkdir -p theirs
	on n0 alice bash -c 'mkdir -p -m 700 mine; mkdir -p writable; chmod 770 writable; touch file; ln -sfn mine link'
	before=$(on n0 root scontrol --oneliner show jobs | wc -l)
}

teardown() {
	cancel_all
}

# refused PATTERN COMMAND... - it fails, with one line of ours, and there is no new job
refused() {
	local pattern=$1
	shift
	run on n0 alice timeout 20 "$@" <<<$'#!/bin/bash\nsleep 60'
	echo "$*: $status $output"
	[ "$status" != 0 ]
	[ "$status" != 124 ]
	[ "$(grep -c 'spank_cr: ' <<<"$output")" = 1 ]
	grep -qE "spank_cr: .*$pattern" <<<"$output"
	[ "$(on n0 root scontrol --oneliner show jobs | wc -l)" = "$before" ]
}

@test "a time that is none is refused" {
	for word in abc -5 10x 5m5 1:2:3:4 99999999999999999999; do
		refused "--checkpoint=$word: .*not a time|--checkpoint=$word: .*too (long|large)" sbatch --checkpoint="$word"
	done
}

@test "a time of zero is refused" {
	refused '--checkpoint=0: .*zero' sbatch --checkpoint=0
	refused '--checkpoint=0s: .*zero' sbatch --checkpoint=0s
}

@test "an unknown word is refused" {
	refused '--checkpoint=sometimes: "sometimes" is not a time: write minutes' sbatch --checkpoint=sometimes
}

@test "a checkpoint directory that does not exist is refused" {
	refused '--checkpoint-dir=/shared/home/alice/none: No such file or directory; .*mkdir' \
		sbatch --checkpoint-dir=/shared/home/alice/none
}

@test "a checkpoint directory of another user is refused" {
	refused '/shared/checkpoints/bob belongs to' sbatch --checkpoint-dir=/shared/checkpoints/bob
	refused '/shared/home/bob/theirs: Permission denied' sbatch --checkpoint-dir=/shared/home/bob/theirs
	refused '/tmp belongs to' sbatch --checkpoint-dir=/tmp
}

@test "a checkpoint directory that is a relative path is refused" {
	refused '--checkpoint-dir=mine: must be an absolute path' sbatch --checkpoint-dir=mine
	# it would come into lines that a process of root's acts on
	refused 'a control character in the directory' sbatch $'--checkpoint-dir=/shared/home/alice/a\ncandidate 0 1 1 host 2001'
}

@test "a file or a symbolic link for a checkpoint directory is refused" {
	refused '/shared/home/alice/file is not a directory' sbatch --checkpoint-dir=/shared/home/alice/file
	refused '/shared/home/alice/link is a symbolic link' sbatch --checkpoint-dir=/shared/home/alice/link
}

@test "a checkpoint directory that others can write is refused" {
	refused '/shared/home/alice/writable can be written by others .*chmod' \
		sbatch --checkpoint-dir=/shared/home/alice/writable
}

@test "a number of checkpoints to keep that is none is refused" {
	for word in 0 -1 two 1001 99999999999999999999; do
		refused "--checkpoint-keep=$word: not a number from 1 to 1000" sbatch --checkpoint-keep="$word"
	done
}

@test "a network that is none is refused" {
	for word in none Private ''; do
		refused "--checkpoint-net=$word: not one of host, private" sbatch --checkpoint-net="$word"
	done
}

@test "a fate at the time limit that is none, and a total time of less than a minute, are refused" {
	for word in later Requeue ''; do
		refused "--checkpoint-timelimit=$word: not one of end, requeue" sbatch --checkpoint-timelimit="$word"
	done
	refused '--checkpoint-total-time=59s: shorter than a minute' sbatch --checkpoint-total-time=59s
	refused '--checkpoint-total-time=long: .*not a time' sbatch --checkpoint-total-time=long
}

@test "a signal that is none, or that nobody can catch, is refused" {
	refused '--checkpoint-signal=USR3: "USR3" is no signal' sbatch --checkpoint-signal=USR3
	refused '--checkpoint-signal=USR1,: "" is no signal' sbatch --checkpoint-signal=USR1,
	refused '--checkpoint-signal=KILL: "KILL" cannot be caught' sbatch --checkpoint-signal=KILL
	refused '--checkpoint-signal=USR1@61: after @ there must be seconds from 0 to 60' sbatch --checkpoint-signal=USR1@61
}

@test "a compression that is none is refused" {
	for word in 0 20 -1 best; do
		refused "--checkpoint-compress=$word: not fast, none or a level from 1 to 19" \
			sbatch --checkpoint-compress="$word"
	done
}

@test "a pool that is no size is refused" {
	refused '--checkpoint-pool=much: not auto and not a number of bytes' sbatch --checkpoint-pool=much
	refused '--checkpoint-pool=1T: not auto and not a number of bytes' sbatch --checkpoint-pool=1T
	refused '--checkpoint-pool=64: less than 1M' sbatch --checkpoint-pool=64
}

@test "a fate of files, or of the job, that is none is refused" {
	refused '--checkpoint-files=all: not one of copy, truncate, keep' sbatch --checkpoint-files=all
	refused '--checkpoint-fallback=none: not one of fresh, fail, hold' sbatch --checkpoint-fallback=none
	refused '--checkpoint-restarts=-1: not a number from 0 to 1000000' sbatch --checkpoint-restarts=-1
}

@test "srun and salloc do not take --checkpoint" {
	refused 'batch jobs only so far: use sbatch' srun --checkpoint true
	refused 'batch jobs only so far: use sbatch' srun --checkpoint=5m true
	refused 'batch jobs only so far: use sbatch' salloc --checkpoint true
}

@test "times as Slurm writes them, and with a unit, are taken, and a directory of one's own is used" {
	jobs=()
	for word in 30 2:00:00 1-12 90s 1.5h 20m 1d; do
		[ "$word" != 1.5h ] || continue
		jobs+=("$(submit --checkpoint=$word --hold true)")
	done
	[ ${#jobs[@]} = 6 ]
	on n0 root scancel "${jobs[@]}"
	job=$(submit --checkpoint-dir=/shared/home/alice/mine "$COUNT")
	wait_state "$job" RUNNING 20
	wait_file alice "slurm-$job.out" 3 20
	on n0 alice scheckpoint create "$job"
	on n0 alice test -e "/shared/home/alice/mine/$job/batch.0/000001/manifest.json"
	# found from the site's directory as well
	[ "$(newest "$job")" = 1 ]
	on n0 root scontrol requeue "$job"
	wait_restarts "$job" 1 40
	wait_longer "slurm-$job.out" 20
	finish "$job"
	counted "slurm-$job.out"
}
