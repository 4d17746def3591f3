# SPDX-License-Identifier: GPL-2.0-or-later
# programs.bats - what people run, taken to another node in the middle of it: the output is that of a run left in peace
#
# Each program of programs/ works until it says ready, then works at a gate, over and over, until there is the file go, then
# works on. All of them get a checkpoint at the gate and lose their node; alone, the gate is open from the beginning.

load helpers

# table - NAME, memory in MB, processors, command; $S is where the sources and what is made of them are. What takes
# longest comes first
table() {
	cat <<-'END'
		memory 5120 1 $S/hold 4096 go text
		lammps 150 1 lmp -nb -in $S/melt.in
		java 450 2 java -XX:+UseG1GC -XX:ParallelGCThreads=4 -Xmx200m $S/Threads.java
		openblas 150 2 env OPENBLAS_NUM_THREADS=4 python3 $S/blas.py
		multiprocessing 150 1 python3 $S/pool.py
		r 150 1 Rscript --vanilla $S/model.R
		octave 200 1 octave-cli -qf $S/series.m
		openmp 50 1 $S/loops
		nodejs 200 1 env LD_PRELOAD=$S/nouring.so node $S/worker.js
		go 60 1 $S/routines
		sqlite 60 1 python3 $S/accounts.py delete
		sqlite-wal 60 1 python3 $S/accounts.py wal
		make 150 1 bash $S/build.sh $S/libcrcore
		parallel 60 1 bash $S/parallel.sh
		xargs 40 1 bash $S/xargs.sh
		shell 40 1 bash $S/shell.sh
		screen 40 1 bash $S/screen.sh $S/terminal.sh
		pty 40 1 python3 $S/session.py $S/terminal.sh
		tree 250 1 $S/tree
		threads 150 1 $S/threads
		descriptors 80 1 bash -c 'ulimit -n 10050 && exec $S/descriptors'
	END
}

# chosen - the table, or of it what PROGRAMS names
chosen() {
	table | while read -r name memory cpus command; do
		[[ -z ${PROGRAMS:-} || " $PROGRAMS " == *" $name "* ]] || continue
		[ "$memory" -lt 4000 ] || have_memory || continue
		echo "$name $memory $cpus $command"
	done
}

have_programs() {
	on n0 alice sh -c 'command -v java Rscript octave-cli node go sqlite3 parallel screen' >/dev/null
}

# the nodes have room for the large one beside the others
have_memory() {
	[ "$(on n0 root sinfo -h -n n1 -o %m)" -ge 7600 ]
}

setup_file() {
	have_spank_cr && have_programs || return 0
	chosen >"$BATS_FILE_TMPDIR/chosen"
	prepare
	only_n1
	each submit_one
	each wait_ready
	each_of_four create
	# they go on a little, and write
	sleep 2
	on n0 root scontrol update nodename=n2 state=resume
	lose_node n1
	each alone
	# what fails here is for its own test to say
	each come_back
	each open_gate
	all_started
}

# each CMD - CMD NAME MEMORY CPUS COMMAND for each chosen program
each() {
	local name memory cpus command
	while read -r name memory cpus command <&4; do
		"$1" "$name" "$memory" "$cpus" "$command"
	done 4<"$BATS_FILE_TMPDIR/chosen"
}

# each_of_four CMD - the same, four at a time
each_of_four() {
	local name memory cpus command n=0
	while read -r name memory cpus command <&4; do
		[ $((n++)) -lt 4 ] || wait -n || true
		"$1" "$name" "$memory" "$cpus" "$command" 3>&- 4<&- &
	done 4<"$BATS_FILE_TMPDIR/chosen"
	wait
}

# prepare - the sources, and what is made of them
prepare() {
	tar -C "$BATS_TEST_DIRNAME" -c programs hold.c | on n0 alice tar -x
	tar -C "$BATS_TEST_DIRNAME/../.." -c libcrcore | on n0 alice tar -C programs -x
	# shellcheck disable=SC2016 # expanded over there
	on n0 alice bash -ec 'cd programs; rm -rf run; mkdir run; mv ../hold.c .
		for name in tree threads descriptors hold; do gcc -std=gnu11 -O2 -Wall -pthread -o $name $name.c; done
		gcc -std=gnu11 -O2 -Wall -fopenmp -o loops loops.c
		gcc -std=gnu11 -O2 -Wall -shared -fPIC -o nouring.so nouring.c
		HOME=/tmp/go.$$; go build -o routines routines.go; go clean -cache; rm -rf "$HOME"'
}

# script COMMAND [NICENESS] - the job's script, and that of the run alone. There are more of them than processors: they work in
# the time that Slurm and the checkpoints leave
script() {
	echo "renice -n ${2:-19} \$\$ >/dev/null; S=\$HOME/programs; export S; echo started >>starts; $1"
}

submit_one() {
	local nice=19
	[ "$1" != memory ] || nice=0 # it does nothing once it has its gigabytes
	on n0 alice mkdir -p "programs/run/$1/" "programs/run/$1.alone"
	submit --job-name="$1" --checkpoint=1h --checkpoint-fallback=fresh --oversubscribe --mem="$2" --cpus-per-task="$3" \
		--chdir="/shared/home/alice/programs/run/$1" --output=out --error=errors "$(script "$4" "$nice")" >"$BATS_FILE_TMPDIR/$1.job"
}

job() {
	cat "$BATS_FILE_TMPDIR/$1.job"
}

wait_ready() {
	# shellcheck disable=SC2016
	wait_until 180 on n0 alice bash -c 'cat "programs/run/$1"/{out,status} 2>/dev/null | grep -qxE "ready|holding"' bash "$1" ||
		echo "$1 is not ready" >"$BATS_FILE_TMPDIR/$1.trouble"
}

# create NAME - a checkpoint of it, after the question whether one can be taken; or the reason why not
create() {
	local why
	why=$(on n0 alice scheckpoint able "$(job "$1")" 2>&1) || echo "able says no: $why" >>"$BATS_FILE_TMPDIR/$1.trouble"
	why=$(on n0 alice scheckpoint create "$(job "$1")" 2>&1) || echo "no checkpoint: $why" >>"$BATS_FILE_TMPDIR/$1.trouble"
}

# alone NAME - left in peace, on n0
alone() {
	[ "$1" != memory ] || return 0 # it has nothing to compare
	# shellcheck disable=SC2016
	on n0 alice timeout 100 bash -c 'cd "$HOME/programs/run/$1.alone" && touch go && exec bash -c "$2" >out 2>errors </dev/null' \
		bash "$1" "$(script "$4")" 3>&- || true
}

# come_back NAME - wait until it goes on, from its checkpoint or from the beginning; gigabytes take a while
come_back() {
	[ ! -e "$BATS_FILE_TMPDIR/$1.trouble" ] || return 0
	wait_until 150 back "$(job "$1")" || true
	wait_restored "$(job "$1")" 1 1 >"$BATS_FILE_TMPDIR/$1.back" 2>&1 ||
		cp "$BATS_FILE_TMPDIR/$1.back" "$BATS_FILE_TMPDIR/$1.trouble"
}

back() {
	ended "$1" && return
	# shellcheck disable=SC2016 # jq's
	on n0 root jq -en '[inputs | select(.restart == 1 and (.event == "restored" or .event == "fresh"))] | length > 0' \
		"$(store "$1")/journal.jsonl" >/dev/null 2>&1
}

open_gate() {
	on n0 alice touch "programs/run/$1/go"
}

setup() {
	need_spank_cr
	have_programs && return
	# where they were asked for they must be there
	[ -n "${TESTBED_PROGRAMS:-}" ] || skip "the programs are not installed (TESTBED_PROGRAMS=1 tests/testbed up)"
	echo "TESTBED_PROGRAMS is set, and the nodes do not have them"
	return 1
}

teardown_file() {
	nodes_back
	on n0 alice rm -rf programs
}

# text NAME DIR - its output, without what Slurm says and without what tells the time
text() {
	on n0 alice sed '/^slurmstepd-/d' "programs/run/$2/out" |
		if [ "$1" = lammps ]; then grep -E '^ +[0-9]+( +-?[0-9.]+(e[-+]?[0-9]+)?){4} *$|^ready|^end' | uniq; else cat; fi
}

# survived NAME - it was restored and came to its end, and nobody can tell from its output
survived() {
	local job
	[[ -z ${PROGRAMS:-} || " $PROGRAMS " == *" $1 "* ]] || skip "not among PROGRAMS"
	job=$(job "$1")
	if [ -e "$BATS_FILE_TMPDIR/$1.trouble" ]; then
		cat "$BATS_FILE_TMPDIR/$1.trouble"
		crinit_log "$job"
		return 1
	fi
	wait_until 200 ended "$job" || echo "it has not ended"
	on n0 alice cat "programs/run/$1/errors"
	[ "$(job_field "$job" JobState)" = COMPLETED ]
	[ "$(job_field "$job" BatchHost)" = n2 ]
	[ "$(lines "programs/run/$1/starts")" = 1 ]
	[ "$1" != memory ] || return 0
	text "$1" "$1" >"$BATS_TEST_TMPDIR/is"
	text "$1" "$1.alone" >"$BATS_TEST_TMPDIR/alone"
	grep -qx end "$BATS_TEST_TMPDIR/alone"
	diff -u "$BATS_TEST_TMPDIR/alone" "$BATS_TEST_TMPDIR/is"
}

ended() {
	case $(job_field "$1" JobState) in
	COMPLETED | FAILED | OUT_OF_MEMORY | CANCELLED | TIMEOUT) true ;;
	*) false ;;
	esac
}

@test "LAMMPS" {
	survived lammps
}

@test "a JVM with many threads, virtual threads and garbage" {
	survived java
}

@test "numpy on OpenBLAS's threads" {
	survived openblas
	on n0 alice grep -qx True programs/run/openblas/out
}

@test "Python's multiprocessing: a pool, queues, a manager, shared memory" {
	survived multiprocessing
}

@test "R" {
	survived r
}

@test "Octave" {
	survived octave
}

@test "a C program with OpenMP" {
	survived openmp
}

@test "Node.js where there is no io_uring: worker threads, timers, files, a child process" {
	survived nodejs
}

@test "a Go program: goroutines, timers, garbage" {
	survived go
}

@test "SQLite that writes a database, with a rollback journal" {
	survived sqlite
}

@test "SQLite that writes a database, with a write-ahead log" {
	survived sqlite-wal
}

@test "make -j" {
	survived make
}

@test "GNU parallel" {
	survived parallel
}

@test "xargs -P" {
	survived xargs
}

@test "a shell script with pipes, here-documents, traps, background jobs, a coprocess and a fifo" {
	survived shell
}

@test "a terminal in screen" {
	survived screen
}

@test "a terminal of a program's own (pty)" {
	survived pty
}

@test "a tree of 128 processes" {
	survived tree
}

@test "a process with 1,000 threads" {
	survived threads
}

@test "a process with 10,000 descriptors" {
	survived descriptors
}

@test "4 GiB of memory" {
	have_memory || skip "needs nodes of 7600 MB"
	survived memory
	on n0 alice grep -q '^intact,' programs/run/memory/out
}
