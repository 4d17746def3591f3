# SPDX-License-Identifier: GPL-2.0-or-later
# node.bats - a node where checkpoints are not possible: the job runs without, and one line says why

bats_require_minimum_version 1.5.0
load helpers

setup() {
	need_spank_cr
}

teardown() {
	on n1 root bash -c 'for place in /usr/sbin/criu /proc/sys/kernel /shared/checkpoints/alice; do
		while mountpoint -q "$place" || grep -q " $place " /proc/mounts; do umount -l "$place"; done; done; rm -f /run/criu-fake'
	on n0 root bash -c 'chmod 700 /shared/checkpoints/alice; chmod -f 700 /shared/checkpoints/alice/*/batch.0; true'
	cancel_all
}

# runs_without PATTERN - a job on n1 completes, with one line that says why there are no checkpoints
runs_without() {
	local job
	job=$(submit --nodelist=n1 --checkpoint=1s --output=out.%j --error=errors.%j 'echo one; sleep 3; echo two')
	wait_state "$job" COMPLETED 30
	on n0 alice cat "errors.$job"
	[ "$(on n0 alice cat "out.$job")" = $'one\ntwo' ]
	[ "$(on n0 alice grep -c . "errors.$job")" = 1 ]
	on n0 alice grep -qE "spank_cr: this job runs without checkpoints: .*$1" "errors.$job"
	nothing_left n1 "$job"
}

@test "criu is not there" {
	on n1 root mount --bind /dev/null /usr/sbin/criu
	runs_without 'criu cannot be run on this node \(install criu 3.18'
}

@test "criu is no program" {
	on n1 root bash -c 'echo "no ELF file, no script" >/run/criu-fake; chmod 755 /run/criu-fake
		mount --bind /run/criu-fake /usr/sbin/criu'
	runs_without 'criu cannot be run on this node'
}

@test "criu is too old" {
	on n1 root bash -c 'printf "#!/bin/sh\necho Version: 3.17\n" >/run/criu-fake; chmod 755 /run/criu-fake
		mount --bind /run/criu-fake /usr/sbin/criu'
	runs_without 'criu 3.17 is too old: 3.18 or later is needed'
}

@test "the kernel has no CONFIG_CHECKPOINT_RESTORE" {
	on n1 root bash -c 'cp -r /proc/sys/kernel /run/kernel 2>/dev/null; rm /run/kernel/ns_last_pid
		mount --bind /run/kernel /proc/sys/kernel'
	runs_without 'kernel of n1 is built without CONFIG_CHECKPOINT_RESTORE'
}

@test "the store cannot be written when the job starts" {
	on n0 root chmod 500 /shared/checkpoints/alice
	runs_without '/shared/checkpoints/alice.*Permission denied'
}

@test "the store's file system is read-only" {
	on n1 root bash -c 'mount --bind /shared/checkpoints/alice /shared/checkpoints/alice
		mount -o remount,bind,ro /shared/checkpoints/alice'
	runs_without '/shared/checkpoints/alice.*Read-only'
}

@test "the store cannot be written any more while the job runs: it goes on, and checkpoints do when that is mended" {
	job=$(submit --nodelist=n1 --checkpoint=1h --output=out.%j --error=errors.%j "$COUNT")
	wait_file alice "out.$job" '^5$' 30
	on n0 alice scheckpoint create "$job"
	on n0 root chmod 500 "$(store "$job")"
	for _ in 1 2; do
		run --separate-stderr on n0 alice scheckpoint create "$job"
		echo "$stderr"
		[ "$status" = 1 ]
		[ "$(grep -c . <<<"$stderr")" = 1 ]
		[[ $stderr == *"$(store "$job")"*"Permission denied"* ]]
	done
	# said once, not every time
	on n0 alice cat "errors.$job"
	[ "$(on n0 alice grep -c 'spank_cr: .*no checkpoint: .*Permission denied' "errors.$job")" = 1 ]
	on n0 root chmod 700 "$(store "$job")"
	on n0 alice scheckpoint create "$job"
	[ "$(newest "$job")" -ge 2 ]
	finish "$job"
	counted "out.$job"
}

@test "the store is full: the checkpoint fails, the one before it stays, the job goes on" {
	on n1 root mount -t tmpfs -o size=4m,mode=700,uid="$(on n0 alice id -u)",gid="$(on n0 alice id -g)" tmpfs \
		/shared/checkpoints/alice
	job=$(submit --nodelist=n1 --checkpoint=1h --output=out.%j --error=errors.%j "$COUNT")
	wait_file alice "out.$job" '^5$' 30
	on n0 alice scheckpoint create "$job"
	on n1 root dd if=/dev/zero of=/shared/checkpoints/alice/filler bs=64k status=none || true
	run --separate-stderr on n0 alice scheckpoint create "$job"
	echo "$stderr"
	[ "$status" = 1 ]
	[ "$(grep -c . <<<"$stderr")" = 1 ]
	[[ $stderr == *"o space left"* ]]
	[ "$(on n1 alice ls "$(store "$job")" | grep -xE '[0-9]+')" = 000001 ]
	[ -z "$(on n1 alice find "$(store "$job")" -mindepth 1 -maxdepth 1 -name '.*')" ]
	on n1 alice jq -e '.generation == 1' "$(store "$job")/000001/manifest.json"
	# and when there is room again, there are checkpoints again
	on n1 root rm /shared/checkpoints/alice/filler
	on n0 alice scheckpoint create "$job"
	finish "$job"
	counted "out.$job"
}
