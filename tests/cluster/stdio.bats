# SPDX-License-Identifier: GPL-2.0-or-later
# stdio.bats - stdin, stdout and stderr of batch jobs go on in the new place, whatever they are. One node is lost for
# all of these tests.

load helpers

# a program that prints the numbers of its lines of stdin, or just numbers, to stdout until stop.JOBID is there
# shellcheck disable=SC2016 # expanded in the job
SLOWLY='slowly() { while read -r line; do echo "$line"; [ -e "stop.$SLURM_JOB_ID" ] || sleep 0.1; done; echo end; }'

NAMES=(input null same append)

setup_file() {
	have_spank_cr || return 0
	on n0 alice sh -c 'seq 0 2000 >numbers; echo before >appended'
	only_n1
	# shellcheck disable=SC2016 # expanded in the jobs
	{
		submit_as input --mem=100M --input=numbers --output=out.%j.%N --error=errors.%j.%N "$SLOWLY; slowly | tee /dev/stderr"
		submit_as same --mem=100M --output=out.%j --error=out.%j 'i=0
			until [ -e stop.$SLURM_JOB_ID ]; do echo $((i++)); echo $((i++)) >&2; sleep 0.1; done; echo end'
		submit_as append --mem=100M --open-mode=append --output=appended "$COUNT"
		# a job of its own for each would take more nodes than there are
		submit_as null --mem=100M --output=/dev/null "$SLOWLY
			count() { $COUNT; }; export -f count
			mkfifo /tmp/fifo; cat /tmp/fifo >fifo.\$SLURM_JOB_ID & count >/tmp/fifo &
			(exec >&- 2>&-; count >closed.\$SLURM_JOB_ID) &
			python3 -c 'import pty; pty.spawn([\"bash\", \"-c\", \"tty >tty.\$SLURM_JOB_ID; count\"])' </dev/null >pty.\$SLURM_JOB_ID &
			export SCREENDIR=/tmp/screens; mkdir -m 700 /tmp/screens
			screen -dmS s bash -c 'tty >screentty.\$SLURM_JOB_ID; count >screen.\$SLURM_JOB_ID; sleep 3'
			slowly < <(exec cat numbers) > >(exec tee process.\$SLURM_JOB_ID >process2.\$SLURM_JOB_ID) &
			slowly >here.\$SLURM_JOB_ID <<-END &
			\$(cat numbers)
			END
			count; echo nobody reads this
			screen -ls >screens.\$SLURM_JOB_ID
			while screen -ls | grep -q '[.]s[[:space:]]'; do sleep 0.1; done
			wait"
	}
	wait_file alice "out.$(job input).n1" '^10$' 60
	wait_file alice "out.$(job same)" '^10$' 60
	wait_file alice appended '^10$' 60
	for name in fifo closed pty $(have_screen && echo screen) process process2 here; do
		wait_file alice "$name.$(job null)" '^10.?$' 60
	done
	for name in "${NAMES[@]}"; do
		on n0 alice scheckpoint create "$(job $name)"
	done
	wait_longer "closed.$(job null)" 10
	lose_n1 "${NAMES[@]}"
	for name in "${NAMES[@]}"; do
		on n0 alice touch "stop.$(job $name)"
	done
	all_started
}

# have_screen - it is in the root file system (TESTBED_PROGRAMS=1)
have_screen() {
	on n0 alice sh -c 'command -v screen' >/dev/null
}

setup() {
	need_spank_cr
}

teardown_file() {
	nodes_back
}

# ended NAME - it went on on n2 from its checkpoint, and has come to its end
ended() {
	wait_state "$(job "$1")" COMPLETED 60
	[ "$(job_field "$(job "$1")" BatchHost)" = n2 ]
	_restored "$(job "$1")" 1
	[ "$(on n0 alice grep -c '"event":"fresh"' "$(store "$(job "$1")")/journal.jsonl")" = 1 ]
}

# all_numbers FILE - 0 to 2000, and the end
all_numbers() {
	on n0 alice cat "$1" | grep -v ^slurmstepd | diff - <(seq 0 2000; echo end)
}

@test "--input=FILE is read on where it was; --output and --error have other names on the next node; a pipe to tee" {
	ended input
	all_numbers "out.$(job input).n2"
	all_numbers "errors.$(job input).n2"
}

@test "one file for stdout and stderr" {
	ended same
	counted "out.$(job same)"
}

@test "--open-mode=append: what was there before the job stays" {
	ended append
	[ "$(on n0 alice head -n 1 appended)" = before ]
	on n0 alice sh -c 'grep -vx before appended >appended.rest'
	counted appended.rest
}

@test "--output=/dev/null" {
	ended null
}

@test "a named pipe" {
	ended null
	counted "fifo.$(job null)"
}

@test "stdout and stderr closed" {
	ended null
	counted "closed.$(job null)"
}

@test "a terminal that a program has made for another" {
	ended null
	on n0 alice grep -q '^/dev/pts/' "tty.$(job null)"
	# shellcheck disable=SC2016 # expanded over there
	on n0 alice sh -c 'tr -d "\r" <"$1" >"$1.plain"' sh "pty.$(job null)"
	counted "pty.$(job null).plain"
}

@test "a terminal that screen has made" {
	have_screen || skip "no screen: TESTBED_PROGRAMS=1 has it"
	ended null
	counted "screen.$(job null)"
	on n0 alice grep -q '^/dev/pts/' "screentty.$(job null)"
	# and its socket is there: it can be talked to
	on n0 alice grep -q '[.]s' "screens.$(job null)"
}

@test "process substitution, for reading and for writing" {
	ended null
	all_numbers "process.$(job null)"
	all_numbers "process2.$(job null)"
}

@test "a here-document" {
	ended null
	all_numbers "here.$(job null)"
}
