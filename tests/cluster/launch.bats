# SPDX-License-Identifier: GPL-2.0-or-later
# launch.bats - what a job with --checkpoint is started in, and that other jobs are left alone

load helpers

setup() {
	need_spank_cr
}

teardown() {
	cancel_all
}

# bats test_tags=core
@test "a job with --checkpoint runs under crinit in namespaces of its own, and has no capability" {
	# shellcheck disable=SC2016
	job=$(submit --checkpoint=1h 'echo "$$ $PPID"; readlink /proc/self/ns/{pid,mnt,time}; sleep 300 & wait')
	wait_file alice "slurm-$job.out" '^time:' 30
	node=$(job_field "$job" BatchHost)
	# the first pid that is not kept for crinit's own use
	[ "$(on n0 alice sed -n 1p "slurm-$job.out")" = "1000 1" ]
	for kind in pid mnt time; do
		not on n0 alice grep -qxF "$(on "$node" root readlink /proc/1/ns/$kind)" "slurm-$job.out"
	done
	capabilities "$node" "$job" | tee "$BATS_TEST_TMPDIR/caps"
	[ "$(grep -c . "$BATS_TEST_TMPDIR/caps")" = 3 ]
	# bash and sleep have none, crinit its budget: CHECKPOINT_RESTORE, and what the node asks for
	[ "$(grep -cE 'CapInh:0{16} CapPrm:0{16} CapEff:0{16} CapAmb:0{16}$' "$BATS_TEST_TMPDIR/caps")" = 2 ]
	[ -z "$(grep -vE '^1 |CapInh:0{16} CapPrm:0{16} CapEff:0{16} CapAmb:0{16}$' "$BATS_TEST_TMPDIR/caps")" ]
	caps=$(sed -nE 's/^1 crinit .*CapEff:([0-9a-f]{16}) .*/\1/p' "$BATS_TEST_TMPDIR/caps")
	grep -qx "1 crinit CapInh:$caps CapPrm:$caps CapEff:$caps CapAmb:$caps" "$BATS_TEST_TMPDIR/caps"
	[ "$caps" = "$(expected_budget "$node")" ]
	on "$node" root grep -F "job $job: ambient capabilities for crinit and criu: CAP_CHECKPOINT_RESTORE" \
		/var/log/slurm/slurmd.log
}

# expected_budget NODE - as design section 5 has it
expected_budget() {
	# shellcheck disable=SC2016
	on "$1" root bash -c '
		budget=$((1 << 40))
		bounding=$((0x$(sed -n "s/^CapBnd:\s*//p" /proc/1/status)))
		[ "$bounding" = $(((1 << ($(</proc/sys/kernel/cap_last_cap) + 1)) - 1)) ] || budget=$((budget | 1 << 8))
		[ "$(cat /proc/sys/kernel/yama/ptrace_scope 2>/dev/null || echo 0)" = 0 ] || budget=$((budget | 1 << 19))
		printf "%016x\n" "$budget"'
}

@test "a job without --checkpoint is not touched" {
	job=$(submit 'readlink /proc/self/ns/{pid,mnt,time}; readlink -f /tmp; grep -c /spank_cr/ /proc/self/mounts
		env | grep -ci spank_cr; echo ready; sleep 300')
	wait_file alice "slurm-$job.out" '^ready' 30
	node=$(job_field "$job" BatchHost)
	diff <(on n0 alice cat "slurm-$job.out") \
		<(on "$node" root readlink /proc/1/ns/{pid,mnt,time}; printf '%s\n' /tmp 0 0 ready)
	not crinit_pid "$node" "$job"
	[ -z "$(on "$node" root bash -c "ls -d /run/spank_cr/$job /var/spool/spank_cr/spank_cr.$job 2>/dev/null")" ]
	[ -z "$(on "$node" root find /sys/fs/cgroup -name spank_cr -path "*job_$job*")" ]
	[ -z "$(on n0 root bash -c "ls -d /shared/checkpoints/*/$job 2>/dev/null")" ]
	run on n0 alice scheckpoint create "$job"
	[ "$status" = 1 ]
	[ "${#lines[@]}" = 1 ]
	[[ $output == *"$job"*"--checkpoint"* ]]
}
