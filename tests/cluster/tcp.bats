# SPDX-License-Identifier: GPL-2.0-or-later
# tcp.bats - busy and full connections over loopback through checkpoints and restores in a row: none hangs, every byte is checked
#
# TCP_ROUNDS=N tests/testbed check tcp takes more of them than the five that are enough for every day; make soak does.

load helpers

: "${TCP_ROUNDS:=5}"

setup() {
	need_spank_cr
}

teardown() {
	cancel_all
	on n0 alice sh -c 'rm -f busy.* refill.* full.* go.*'
}

# all_move - each connection has had a message since the last call of this kind began, at both ends
all_move() {
	local end
	for end in 0 1; do
		on n0 alice cat "busy.$end" >"$BATS_TEST_TMPDIR/before.$end"
	done
	wait_until 60 _all_moved && return
	echo "a connection does not move; its ends had, and have:" >&2
	for end in 0 1; do
		cat "$BATS_TEST_TMPDIR/before.$end" >&2
		on n0 alice cat "busy.$end" >&2
	done
	return 1
}

_all_moved() {
	local end
	for end in 0 1; do
		on n0 alice cat "busy.$end" | paste -d ' ' - "$BATS_TEST_TMPDIR/before.$end" |
			awk '{ for (i = 1; i <= NF / 2; i++) if ($i <= $(i + NF / 2)) exit 1 }' || return 1
	done
}

# tell_silence WHAT - the longest time in which a connection had no message
tell_silence() {
	echo "# round $round, $1: a connection was silent for $(on n0 alice sh -c 'sort -n busy.silence | tail -1; rm busy.silence') ms," \
		"the job stood still for $(records "$job" 'max_by(.generation).freeze_ms') ms" >&3
}

@test "twelve busy connections and six full ones go on after each checkpoint and each restore" {
	for program in busy refill; do
		on n0 alice tee "$program.py" <"$BATS_TEST_DIRNAME/$program.py" >/dev/null
	done
	job=$(submit --checkpoint=1h --checkpoint-net=private --mem=300 --output=out.%j 'exec python3 busy.py 12')
	full=$(submit --checkpoint=1h --checkpoint-net=private --mem=300 --output=refill.out --chdir=/shared/home/alice \
		"exec python3 refill.py $TCP_ROUNDS")
	wait_file alice busy.0 . 30
	wait_file alice busy.1 . 30
	for ((round = 1; round <= TCP_ROUNDS; round++)); do
		wait_until 60 on n0 alice test -e "full.$round"
		on n0 alice scheckpoint create "$job" "$full"
		all_move
		tell_silence checkpoint
		on n0 alice scheckpoint vacate "$job" "$full"
		wait_restored "$job" "$round" 60
		wait_restored "$full" "$round" 60
		on n0 alice touch "go.$round"
		all_move
		tell_silence restore
		not on n0 alice cat busy.bad
		wait_file alice refill.out "^$round whole$" 70
	done
	on n0 alice touch busy.stop
	wait_state "$job" COMPLETED 30
	wait_state "$full" COMPLETED 30
}
