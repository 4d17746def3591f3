# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# bench-store.sh - what a checkpoint and a restore cost: tests/bench/store.py on a compute node, which says how

# bench_store PART
bench_store() {
	local json=$BENCH_DATA/$1.json
	bench_node python3 "$BENCH_SHARED/store.py" ${BENCH_SHORT:+--short} --pairs "$BENCH_PAIRS" --mib "$BENCH_MIB" \
		--small "$BENCH_SMALL" "$1" >"$json.new" || die "no figures of $1"
	mv "$json.new" "$json"
}
