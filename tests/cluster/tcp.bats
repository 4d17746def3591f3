# SPDX-License-Identifier: GPL-2.0-or-later
# tcp.bats - busy connections over loopback through checkpoints and restores in a row: none hangs, every byte is checked
#
# TCP_ROUNDS=N bats tests/cluster/tcp.bats takes more of them than the five that are enough for every day.

load helpers

: "${TCP_ROUNDS:=5}"

setup() {
	need_spank_cr
}

teardown() {
	cancel_all
	on n0 alice rm -f busy.0 busy.1 busy.bad busy.stop
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

@test "twelve busy connections go on after each checkpoint and each restore" {
	on n0 alice tee busy.py <"$BATS_TEST_DIRNAME/busy.py" >/dev/null
	job=$(submit --checkpoint=1h --checkpoint-net=private --mem=300 --output=out.%j 'exec python3 busy.py 12')
	wait_file alice busy.0 . 30
	wait_file alice busy.1 . 30
	for ((round = 1; round <= TCP_ROUNDS; round++)); do
		on n0 alice scheckpoint create "$job"
		all_move
		on n0 alice scheckpoint vacate "$job"
		wait_restored "$job" "$round" 60
		all_move
		not on n0 alice cat busy.bad
	done
	on n0 alice touch busy.stop
	wait_state "$job" COMPLETED 30
}
