# SPDX-License-Identifier: GPL-2.0-or-later
# net.bats - jobs with a network of their own (--checkpoint-net=private): what goes on there, and what does not

load helpers

setup_file() {
	have_spank_cr || return 0
	for name in sockets half; do
		on n0 alice tee $name.py <"$BATS_TEST_DIRNAME/$name.py" >/dev/null
		submit_as $name --checkpoint-net=private --output=out.%j "exec python3 $name.py"
	done
	# as the site wants it, without a word from the job
	site_arguments net=private
	submit_as site --output=out.%j "$COUNT"
	submit_as host --checkpoint-net=host --output=out.%j "$COUNT"
	wait_file alice "out.$(job sockets)" '^20$' 30
	wait_file alice "out.$(job half)" ready 30
	wait_file alice "out.$(job site)" '^5$' 30
	wait_file alice "out.$(job host)" '^5$' 30
	site_arguments_reset
	on n0 alice scheckpoint create "$(job sockets)"
	wait_longer "out.$(job sockets)" 10
	requeue "$(job sockets)" "$(job half)" "$(job site)" "$(job host)"
}

setup() {
	need_spank_cr
}

teardown_file() {
	cancel_all
	site_arguments_reset
}

# links JOB - the network interfaces that its crinit sees, on the node where it is
links() {
	local node
	node=$(job_field "$1" BatchHost)
	on "$node" root sed -nE 's/^ *([^ :]+):.*/\1/p' "/proc/$(crinit_pid "$node" "$1")/net/dev" | paste -sd ' '
}

@test "connections over loopback, their unread data and their closed halves go on, and so do UDP and open ports" {
	job=$(job sockets)
	# and once more, as what was restored is checkpointed and restored again
	on n0 alice scheckpoint vacate "$job"
	wait_restored "$job" 2 40
	wait_longer "out.$job" 10
	on n0 alice touch "stop.$job"
	wait_state "$job" COMPLETED 30
	[ "$(on n0 alice grep -vE '^[0-9]+$|^slurmstepd' "out.$job")" = "ready
half b'right' b'left' b''
half b'more'
half b'right' b'left' b''
half b'more'
full True
b'new'
b'new'
end" ]
	on n0 alice sh -c 'grep -xE "[0-9]+" "$1" | awk "\$0 != (NR - 1) * 10 { exit 1 }"' sh "out.$job"
	records "$job" '.[].error // empty' | not grep .
}

@test "one end of a half-closed connection may be there long before the other" {
	finish "$(job half)"
	[ "$(on n0 alice grep -v ^slurmstepd "out.$(job half)")" = "ready
b'more'
end" ]
}

@test "the checkpoint, not the site's setting of today, says which network a job goes on with" {
	[ "$(manifest "$(job site)" "$(newest "$(job site)")" .net)" = private ]
	[ "$(manifest "$(job host)" "$(newest "$(job host)")" .net)" = host ]
	[ "$(links "$(job site)")" = lo ]
	[[ $(links "$(job host)") = *eth0* ]]
	on "$(job_field "$(job site)" BatchHost)" root grep -F \
		"spank_cr: job $(job site): generation 1 was taken with --checkpoint-net=private, and goes on with it" \
		/var/log/slurm/slurmd.log
	# the checkpoint that was taken there belongs to a private network, too
	on n0 alice scheckpoint create "$(job site)"
	[ "$(manifest "$(job site)" "$(newest "$(job site)")" .net)" = private ]
	finish "$(job site)" "$(job host)"
	counted "out.$(job site)"
	counted "out.$(job host)"
}

@test "who asks Slurm for such a job has no capability, and cannot be traced; crinit has two more, the job none" {
	job=$(submit --checkpoint=1h --checkpoint-net=private --output=out.%j "$COUNT")
	wait_file alice "out.$job" '^5$' 30
	node=$(job_field "$job" BatchHost)
	capabilities "$node" "$job" >"$BATS_TEST_TMPDIR/caps"
	cat "$BATS_TEST_TMPDIR/caps"
	[ -z "$(grep -vE '^1 |CapInh:0{16} CapPrm:0{16} CapEff:0{16} CapAmb:0{16}$' "$BATS_TEST_TMPDIR/caps")" ]
	caps=$(sed -nE 's/^1 crinit .*CapEff:([0-9a-f]{16}) .*/\1/p' "$BATS_TEST_TMPDIR/caps")
	# CAP_CHECKPOINT_RESTORE, CAP_NET_ADMIN and CAP_NET_RAW, and at the most CAP_SETPCAP and CAP_SYS_PTRACE
	[ $((0x$caps & ~(1 << 8 | 1 << 19))) = $((1 << 40 | 1 << 12 | 1 << 13)) ]
	# shellcheck disable=SC2016 # expanded over there
	ask=$(on "$node" root pgrep -f -- "^crinit ask .*--job=$job ")
	[ "$(on "$node" root sed -nE 's/^Cap(Inh|Prm|Eff|Amb):\t//p' "/proc/$ask/status" | sort -u)" = 0000000000000000 ]
	# what cannot be dumped belongs to root in /proc
	[ "$(on "$node" root stat -c %U "/proc/$ask/maps")" = root ]
	# and holds nothing that root has opened, such as cgroup.procs
	on "$node" root sh -c 'cd "/proc/$1/fd" && readlink -- *' sh "$ask" >"$BATS_TEST_TMPDIR/fds"
	cat "$BATS_TEST_TMPDIR/fds"
	grep -q socket: "$BATS_TEST_TMPDIR/fds"
	not grep cgroup "$BATS_TEST_TMPDIR/fds"
	on "$node" root grep -q '/spank_cr$' "/proc/$ask/cgroup"
	# it is where the node's network is
	on "$node" root grep -q eth0: "/proc/$ask/net/dev"
	[ "$(links "$job")" = lo ]
	# the job does not depend on it
	on "$node" root kill -KILL "$ask"
	on n0 alice scheckpoint create "$job"
	finish "$job"
	counted "out.$job"
	nothing_left "$(job_field "$job" BatchHost)" "$job"
}

@test "srun in such a job says first of all why it cannot work" {
	job=$(submit --checkpoint=1h --checkpoint-net=private --output=out.%j 'timeout 60 srun true; echo "srun: $?"
		getent hosts localhost >/dev/null && echo localhost; echo end')
	wait_state "$job" COMPLETED 60
	on n0 alice cat "out.$job"
	on n0 alice grep -qx 'srun: 1' "out.$job"
	on n0 alice grep -qx 'localhost' "out.$job"
	on n0 alice head -n 1 "out.$job" | grep -q 'spank_cr: this job has a network of its own (--checkpoint-net=private): srun cannot reach Slurm'
}
