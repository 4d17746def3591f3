# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# check-cluster.sh - the cluster tests: tests/cluster/*.bats, each file on one of several clusters; the soak and the
# benchmarks
#
# The tests mostly wait, so the clusters share the machine. Their states are STATE, whose cluster is left up, and
# STATE/cluster-N, with the same root file systems and the same build. They take the files from one queue, longest
# first. In LOGS/cluster are the queue, what each file has printed (FILE.tap) and the seconds it took; LOGS/cluster.tap is
# all of them. What a cluster that does not come up, or dies, would have taken is left to the others.
#
# Real daemons that lose nodes have time limits, and so have the tests; the machine may be anybody's. A few that fail are
# run once more, alone, when all the rest is done. What they have printed stays, and the check ends with their names.

CHECK_CLUSTERS=${TESTBED_CLUSTERS:-2}
# emulated processors have no time to spare
[ -z "${TESTBED_IN_VM:-}" ] || CHECK_CLUSTERS=1
# the shortest in which most of its kinds of interruption have a chance, with as many jobs as leave the other cluster
# some of the processors; make soak is the long one, with all of them
CHECK_SOAK_MINUTES=4
CHECK_SOAK_JOBS='count2 ledger pipe hold pool accounts make shell'
# more than so many that fail are no accident
CHECK_REPEAT_MOST=8

check_cluster() {
	local dir=$CHECK_LOGS/cluster n items
	# for programs.bats: what it runs, and nodes with room for all of it
	[ -n "${TESTBED_IN_VM:-}" ] || local -x TESTBED_PROGRAMS=1 TESTBED_ACCOUNTING=1 TESTBED_MEMORY="${TESTBED_MEMORY:-8000}"
	host_need bats:bats pkill:procps
	[ -e /usr/lib/bash/sleep ] || host_apt_install bash-builtins
	mkdir -p "$dir"
	check_queue_fill "$dir"
	items=$(wc -l <"$dir/queue")
	[ "$CHECK_CLUSTERS" -le "$items" ] || CHECK_CLUSTERS=$items
	cp "$dir/queue" "$dir/items"
	for n in $(seq "$CHECK_CLUSTERS"); do
		check_background 0 check_lane "$n"
	done
	check_background_end || true
	check_background 0 check_repeat
	check_background_end || true
	check_items_count
}

# check_queue_fill - what is wanted, longest first: NAME COUNT, a file and how many tests of it; or soak 0, bench 0
check_queue_fill() {
	check_bats_filter
	{
		# the jobs start before it, and come to their ends after it
		! check_wanted soak || echo "soak 0 $((CHECK_SOAK_MINUTES * 60 + 240))"
		! check_wanted bench || echo "bench 0 $(check_seconds bench 0)"
		! check_wanted cluster || check_queue_files
	} | sort -k3,3nr | cut -d' ' -f1,2 >"$CHECK_LOGS/cluster/queue"
}

check_queue_files() {
	local file name count
	for file in "$CLONE"/tests/cluster/*.bats; do
		name=$(basename "$file" .bats)
		# a filter may also name a file
		[ ! -e "$CLONE/tests/cluster/$CHECK_FILTER.bats" ] || [ "$name" = "$CHECK_FILTER" ] || continue
		count=$(bats --count "${CHECK_BATS[@]}" "$file")
		[ "$count" = 0 ] || echo "$name $count $(check_seconds "$name" "$count")"
	done
}

# check_bats_filter - CHECK_BATS: bats' options for what is wanted
check_bats_filter() {
	CHECK_BATS=()
	[ -z "$CHECK_FILTER" ] || [ "$CHECK_FILTER" = cluster ] || [ -e "$CLONE/tests/cluster/$CHECK_FILTER.bats" ] ||
		CHECK_BATS+=(--filter "$CHECK_FILTER")
	[ -z "${TESTBED_IN_VM:-}" ] || CHECK_BATS+=(--filter-tags core)
}

# check_seconds NAME COUNT - how long it took once (tests/cluster/seconds), or probably takes
check_seconds() {
	awk -v name="$1" -v seconds="$(($2 * 8))" '$1 == name { seconds = $2 } END { print seconds }' \
		"$CLONE/tests/cluster/seconds"
}

# check_queue_take - the next line of the queue; fails when there is none
check_queue_take() {
	local queue=$CHECK_LOGS/cluster/queue fd item
	exec {fd}>"$queue.lock"
	flock "$fd"
	item=$(head -1 "$queue")
	sed -i 1d "$queue"
	[ -n "$item" ] && echo "$item"
}

# check_lane N - one cluster, from its start to the end of the queue
check_lane() {
	local n=$1 item name='' log=$CHECK_LOGS/cluster
	check_lane_environment "$n"
	[ "$n" = 1 ] || name=" $n"
	check_run "cluster$name: comes up" "cluster.up$n" "$TESTBED" up || return 0
	check_bats_filter
	while item=$(check_queue_take); do
		say "cluster$name: ${item% *}"
		case $item in
		soak*) check_lane_soak "$log/soak" ;;
		bench*) check_lane_bench "$log/bench" ;;
		*) check_lane_file "${item% *}" "$log/${item% *}" ;;
		esac
	done
}

# check_lane_environment N - the state is another one; what it is made of is the first one's
check_lane_environment() {
	local install
	# shellcheck disable=SC2153 # common.sh has it
	export TESTBED_STATE=$STATE
	[ "$1" != 1 ] || return 0
	install=$(build_install_path)
	export TESTBED_STATE=$STATE/cluster-$1 TESTBED_ROOTFS=$ROOTFS TESTBED_INSTALL=$install
}

# check_lane_file NAME LOG - a file's tests: as they end, with their time; the count follows
check_lane_file() {
	local name=$1 log=$2 began=$SECONDS
	bats --tap --timing "${CHECK_BATS[@]}" "$CLONE/tests/cluster/$name.bats" </dev/null 2>&1 | tee "$log.tap" |
		sed -u -n -e '/^#/p' -e "s/^\(not \)\{0,1\}ok [0-9]* /      \1done $name: /p" || true
	echo "$name $((SECONDS - began))" >>"$CHECK_LOGS/cluster/seconds"
	# a test that has failed may have left nodes that do not run
	! grep -q '^not ok' "$log.tap" || "$TESTBED" up >"$log.up" 2>&1 || true
}

# check_lane_soak LOG - its lines are results like ours; it has a cluster of its own making
check_lane_soak() {
	local log=$1 line rc=0
	SOAK_JOBS=$CHECK_SOAK_JOBS SOAK_EVERY=20s "$TESTBED" soak "$CHECK_SOAK_MINUTES" >"$log" 2>&1 || rc=$?
	grep -E '^(soak:|  )' "$log" || true
	while IFS= read -r line; do
		check_result "$line"
	done < <(grep -E '^(ok|FAIL)  ' "$log")
	[ "$rc" = 0 ] || grep -q '^FAIL ' "$log" || {
		tail -25 "$log"
		check_fail soak "it ended early, see $log"
	}
	"$TESTBED" up >"$log.up" 2>&1 || true
}

# check_lane_bench LOG - each benchmark in its shortest form: there are figures, and they are numbers
check_lane_bench() {
	local log=$1 began=$SECONDS part
	"$TESTBED" bench --short >"$log" 2>&1 || true
	echo "bench $((SECONDS - began))" >>"$CHECK_LOGS/cluster/seconds"
	for part in $("$TESTBED" bench --parts); do
		# shellcheck disable=SC2016 # jq's
		if "$TESTBED" sh n0 jq -e --arg part "$part" '[.rows[] | select(.part == $part).values] |
			length > 0 and all(length > 0 and all(type == "number"))' <"$TESTBED_STATE/log/bench-short.json" >/dev/null 2>&1; then
			check_pass "bench: $part"
		else
			grep -A 12 "^testbed: bench: $part\$" "$log" || true
			check_fail "bench: $part" "no figures, see $log"
		fi
	done
	# a benchmark that failed may have left a node that does not answer
	"$TESTBED" up >"$log.up" 2>&1 || true
}

# check_repeat - the few tests that failed, once more; FILE.again has what they printed, FILE.tap the better result
check_repeat() {
	local log=$CHECK_LOGS/cluster tap failed
	failed=$(cat "$log"/*.tap 2>/dev/null | grep -c '^not ok' || true)
	[ "$failed" -gt 0 ] && [ "$failed" -le "$CHECK_REPEAT_MOST" ] && [ -z "${TESTBED_IN_VM:-}" ] || return 0
	check_lane_environment 1
	for tap in "$log"/*.tap; do
		! grep -q '^not ok' "$tap" || check_repeat_file "$tap"
	done
}

check_repeat_file() {
	local tap=$1 name line pattern
	name=$(basename "$tap" .tap)
	say "cluster: $name: what failed, once more"
	pattern=$(sed -nE 's/^not ok [0-9]+ (.*) in [0-9]+(ms|sec).*/\1/p' "$tap" | sed 's/[][().*^$?+|{}\\]/\\&/g' | paste -sd'|')
	# it is the file's own start that failed, and all of its tests with it
	[[ $pattern != *'setup_file failed'* ]] || pattern=
	"$TESTBED" up >"$tap.up" 2>&1 || return 0
	bats --tap --timing ${pattern:+--filter "^($pattern)\$"} "$CLONE/tests/cluster/$name.bats" </dev/null \
		>"$tap.again" 2>&1 || true
	sed -n -e '/^#/p' -e "s/^\(not \)\{0,1\}ok [0-9]* /      \1done again $name: /p" "$tap.again"
	if [ -z "$pattern" ]; then
		cp "$tap.again" "$tap"
		return
	fi
	while IFS= read -r line; do
		check_repeat_take "$tap" "$line"
	done < <(grep '^ok ' "$tap.again")
}

# check_repeat_take TAP LINE - the test that LINE says is ok now
check_repeat_take() {
	local name
	name=$(sed -E 's/^ok [0-9]+ //; s/ in [0-9]+(ms|sec)$//' <<<"$2")
	awk -v name="$name" '
		/^not ok / && index($0, " " name " in ") { sub(/^not /, ""); sub(/ in [0-9]+(ms|sec)$/, ", the second time&") }
		{ print }' "$1" >"$1.new"
	mv "$1.new" "$1"
}

# check_items_count - count what was printed, in the files' order
check_items_count() {
	local name count dir=$CHECK_LOGS/cluster
	while read -r name count <&3; do
		if [ "$name" = soak ] || [ "$name" = bench ]; then
			[ -e "$dir/$name" ] || check_fail "$name" "no cluster was there for it"
		elif [ -e "$dir/$name.tap" ]; then
			cat "$dir/$name.tap" >>"$CHECK_LOGS/cluster.tap"
			check_tap "$name" "$dir/$name.tap" "$count"
		else
			check_fail "cluster: $name.bats" "no cluster was there for it"
		fi
	done 3< <(sort "$dir/items")
}

# check_tap FILE LOG COUNT - the lines of the Test Anything Protocol, which should be so many
check_tap() {
	local line name found=0
	while IFS= read -r line; do
		name=$(sed -E 's/^(not )?ok [0-9]+ //; s/ in [0-9]+(ms|sec)( #|$)/\2/' <<<"$line")
		found=$((found + 1))
		case $line in
		*' # skip'*) check_skip "cluster: ${name%% # skip*}" "${line#* # skip }" ;;
		ok*) check_pass "cluster: $name" ;;
		*) check_fail "cluster: $name" "see above and $2" ;;
		esac
	done < <(grep -E '^(not )?ok [0-9]+ ' "$2")
	[ "$found" = "$3" ] || check_fail "cluster: $1.bats: all tests" "$found ran of $3, see $2"
}

# check_clusters_end - those beside the first; their disks stay for a look
check_clusters_end() {
	local state
	for state in "$STATE"/cluster-*; do
		[ ! -d "$state/run/n0" ] || TESTBED_STATE=$state TESTBED_ROOTFS=$ROOTFS "$TESTBED" down || true
	done
}
