# SPDX-License-Identifier: GPL-2.0-or-later
# dedup.bats - what is in the store already is not stored again; how much each checkpoint adds to it

load helpers

setup() {
	need_spank_cr
	program hold
}

teardown() {
	cancel_all
}

# stored JOB GENERATION - bytes that it has added
stored() {
	local bytes
	bytes=$(manifest "$1" "$2" .stored_bytes)
	echo "job $1: generation $2 has $(manifest "$1" "$2" .image_bytes) bytes and stored $bytes" >&2
	echo "$bytes"
}

# running SCRIPT [OPTION]... - job: one that says ready
running() {
	local script=$1
	shift
	job=$(submit --checkpoint=1h --mem=1000M --output=out.%j --error=errors.%j "$@" "$script")
	wait_file alice "out.$job" '^(ready|holding)$' 90
}

HOLD='exec ./hold 64 stop.$SLURM_JOB_ID'

@test "a second checkpoint stores what has changed, few files for each, and all of it comes back" {
	running "$HOLD" --checkpoint-keep=3
	for generation in 1 2 3; do
		on n0 alice scheckpoint create "$job"
	done
	first=$(stored "$job" 1)
	[ "$first" -gt $((64 * 1048576)) ]
	# 64 pages are written all the time, 256 KiB, and there is an index of 16 bytes a page
	for generation in 2 3; do
		again=$(stored "$job" "$generation")
		[ "$again" -lt $((first / 40)) ]
		[ "$(manifest "$job" "$generation" .image_bytes)" -gt $((64 * 1048576)) ]
	done
	# manifest, seal and index, and one pack; however many images there are
	[ "$(on n0 alice find "$(store "$job")" -mindepth 2 -type f | wc -l)" = 12 ]
	# what is on disk is what was said: all of it, less the little that manifests take
	# shellcheck disable=SC2016
	size=$(on n0 alice sh -c 'cat "$1"/00000[123]/index "$1"/packs/* | wc -c' sh "$(store "$job")")
	[ "$size" = "$(($(stored "$job" 1) + $(stored "$job" 2) + $(stored "$job" 3)))" ]
	requeue "$job"
	on n0 alice touch "stop.$job"
	wait_state "$job" COMPLETED 30
	on n0 alice grep '^intact' "out.$job"
}

@test "10,000 small files in /tmp and one in /dev/shm come back, and cost little the second time" {
	# shellcheck disable=SC2016 # expanded in the job
	running 'python3 -c "
import os, random
for i in range(10000):
    with open(f\"/tmp/f{i:05}\", \"wb\") as f: f.write(random.randbytes(random.randrange(3000)))
with open(\"/dev/shm/big\", \"wb\") as f: f.write(random.randbytes(8 << 20))"
		(cd / && sha256sum tmp/f* dev/shm/big) >"sums.$SLURM_JOB_ID"; echo ready
		until [ -e "front.$SLURM_JOB_ID" ]; do sleep 0.1; done; echo new >/tmp/a; echo newer >>/tmp/f00007; echo made
		until [ -e "stop.$SLURM_JOB_ID" ]; do sleep 0.1; done
		cat /tmp/a; tail -n 1 /tmp/f00007 | tail -c 6; truncate -s -6 /tmp/f00007
		home=$PWD; cd /; sha256sum tmp/f* dev/shm/big | cmp - "$home/sums.$SLURM_JOB_ID" && echo end'
	on n0 alice scheckpoint create "$job"
	on n0 alice scheckpoint create "$job"
	first=$(stored "$job" 1)
	[ "$first" -gt $((20 * 1048576)) ]
	[ "$(stored "$job" 2)" -lt $((first / 10)) ]
	# all that is behind a new file in the archive lies elsewhere in it now, and is known all the same
	on n0 alice touch "front.$job"
	wait_file alice "out.$job" '^made$' 10
	on n0 alice scheckpoint create "$job"
	[ "$(stored "$job" 3)" -lt $((first / 10)) ]
	requeue "$job"
	on n0 alice touch "stop.$job"
	wait_state "$job" COMPLETED 60
	on n0 alice cat "errors.$job"
	[ "$(on n0 alice grep -v ^slurmstepd "out.$job" | tail -n 3)" = $'new\nnewer\nend' ]
}

@test "output that grows is stored once" {
	# shellcheck disable=SC2016 # expanded in the job
	running 'head -c 12000000 /dev/urandom | base64 -w 99; echo ready
		until [ -e "more.$SLURM_JOB_ID" ]; do sleep 0.1; done; head -c 6000000 /dev/urandom | base64 -w 99; echo more
		until [ -e "stop.$SLURM_JOB_ID" ]; do sleep 0.1; done; echo end'
	on n0 alice scheckpoint create "$job"
	on n0 alice scheckpoint create "$job"
	[ "$(stored "$job" 1)" -gt 12000000 ]
	[ "$(stored "$job" 2)" -lt 1000000 ]
	on n0 alice touch "more.$job"
	wait_file alice "out.$job" '^more$' 10
	sum=$(on n0 alice sha256sum "out.$job" | cut -c1-64)
	on n0 alice scheckpoint create "$job"
	more=$(stored "$job" 3)
	[ "$more" -gt 6000000 ]
	[ "$more" -lt 9000000 ]
	requeue "$job"
	on n0 alice touch "stop.$job"
	wait_state "$job" COMPLETED 30
	[ "$(on n0 alice grep -v ^slurmstepd "out.$job" | head -n -1 | sha256sum | cut -c1-64)" = "$sum" ]
}

@test "the level of compression is the job's choice: none stores all, 19 less than fast" {
	declare -A bytes
	for level in none fast 19; do
		running 'exec ./hold 8 stop.$SLURM_JOB_ID text' --checkpoint-compress="$level"
		on n0 alice scheckpoint create "$job"
		bytes[$level]=$(stored "$job" 1)
		[ "$level" != 19 ] || requeue "$job"
		on n0 alice touch "stop.$job"
		wait_state "$job" COMPLETED 30
		on n0 alice grep '^intact' "out.$job"
	done
	[ "${bytes[none]}" -gt $((8 * 1048576)) ]
	[ "${bytes[fast]}" -lt $((bytes[none] * 3 / 4)) ]
	[ "${bytes[19]}" -lt $((bytes[fast] * 95 / 100)) ]
}
