# SPDX-License-Identifier: GPL-2.0-or-later
# mpi.bats - MPI programs of one node, in a network of their own, go on on another node. One node is lost for all of
# these tests.

load helpers

STEPS=3000

setup_file() {
	have_spank_cr || return 0
	have_mpi || return 0
	# shellcheck disable=SC2016 # expanded over there
	on n0 alice sh -c 'cat >mpi.c && for mpi in openmpi mpich; do mpicc.$mpi -O2 -Wall -o mpi.$mpi mpi.c || exit; done' \
		<"$BATS_TEST_DIRNAME/mpi.c"
	# undisturbed, and without a pause
	on n0 alice sbatch --wait --output=mpi.expected --wrap "exec mpirun.openmpi --oversubscribe -np 2 ./mpi.openmpi $STEPS"
	only_n1
	local OPTIONS=(--checkpoint-net=private --output=out.%j)
	on n0 alice rm -f mpi.fast
	local openmpi="exec mpirun.openmpi --oversubscribe --mca mpi_yield_when_idle 1 -np 2" mpich="exec mpiexec.mpich -np 2"
	submit_as openmpi "${OPTIONS[@]}" "$openmpi ./mpi.openmpi $STEPS mpi.fast"
	submit_as openmpi_tcp "${OPTIONS[@]}" "$openmpi --mca btl tcp,self --mca btl_tcp_if_include lo ./mpi.openmpi $STEPS mpi.fast"
	submit_as mpich "${OPTIONS[@]}" "$mpich ./mpi.mpich $STEPS mpi.fast"
	submit_as mpich_tcp "${OPTIONS[@]}" "export UCX_TLS=tcp,self; $mpich ./mpi.mpich $STEPS mpi.fast"
	for name in openmpi openmpi_tcp mpich mpich_tcp; do
		wait_file alice "out.$(job $name)" '^100 ' 120
		# what is in the checkpoint: each of them has connections, the ones over TCP between the ranks too
		connections "$(job $name)" >"$BATS_FILE_TMPDIR/$name.connections"
		on n0 alice scheckpoint create "$(job $name)"
	done
	wait_longer "out.$(job mpich_tcp)" 10
	lose_n1 openmpi openmpi_tcp mpich mpich_tcp
	on n0 alice touch mpi.fast
	all_started
}

# have_mpi - the root file system has both, with their compilers (TESTBED_PROGRAMS=1)
have_mpi() {
	on n0 alice sh -c 'command -v mpicc.openmpi mpicc.mpich' >/dev/null
}

# connections JOB - how many ends of established TCP connections its network has
connections() {
	local net
	net=/proc/$(crinit_pid n1 "$1")/net
	on n1 root awk '$4 == "01" { n++ } END { print n + 0 }' "$net/tcp" "$net/tcp6"
}

setup() {
	need_spank_cr
	have_mpi || skip "no compilers of Open MPI and MPICH: TESTBED_PROGRAMS=1 has them"
}

teardown_file() {
	nodes_back
}

# as_undisturbed NAME CONNECTIONS - it ends on n2 with the same results; it had that many connections, or more
as_undisturbed() {
	echo "connections: $(cat "$BATS_FILE_TMPDIR/$1.connections")"
	[ "$(job_field "$(job "$1")" BatchHost)" = n2 ]
	[ "$(cat "$BATS_FILE_TMPDIR/$1.connections")" -ge "$2" ]
	wait_state "$(job "$1")" COMPLETED 240
	on n0 alice cat "out.$(job "$1")" | grep -v ^slurmstepd | diff - <(on n0 alice cat mpi.expected)
	[ "$(grep -c . <(on n0 alice cat mpi.expected))" = $((STEPS / 50 + 1)) ]
	# from the one checkpoint that was taken, and not from the beginning
	on n0 alice grep -c '"event":"fresh"' "$(store "$(job "$1")")/journal.jsonl" | grep -x 1
}

@test "Open MPI over shared memory, its run-time system over TCP" {
	as_undisturbed openmpi 4
}

@test "Open MPI over TCP" {
	as_undisturbed openmpi_tcp 6
}

@test "MPICH over shared memory" {
	as_undisturbed mpich 0
}

@test "MPICH over TCP" {
	as_undisturbed mpich_tcp 4
}
