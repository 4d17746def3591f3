# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# check.sh - every test there is; the last line says how many passed, failed and were skipped
#
# Each part is a function that reports each of its tests with check_pass, check_fail or check_skip.

CHECK_PARTS=(build sanitizers fuzz compat lint cluster vm)
# in the virtual machine: what the kernel and Slurm with cgroup v2 may do differently
[ -z "${TESTBED_IN_VM:-}" ] || CHECK_PARTS=(cluster)

CHECK_PASSED=0
CHECK_FAILED=0
CHECK_SKIPPED=0
CHECK_FILTER=''

check_main() {
	local part
	[ $# -le 1 ] || die "usage: tests/testbed check [FILTER]"
	CHECK_FILTER=${1:-}
	CHECK_LOGS=$STATE/log/check
	rm -rf "$CHECK_LOGS"
	mkdir -p "$CHECK_LOGS"
	trap check_end EXIT
	for part in "${CHECK_PARTS[@]}"; do
		check_wanted "$part" || continue
		say "check: $part"
		"check_$part"
	done
}

# check_end - however the check ends, its last line is the count
check_end() {
	local rc=$?
	[ "$rc" = 0 ] || check_fail "check itself" "it ended early, with status $rc"
	[ $((CHECK_PASSED + CHECK_FAILED + CHECK_SKIPPED)) -gt 0 ] || check_fail "check itself" "no test matches $CHECK_FILTER"
	echo "$CHECK_PASSED passed, $CHECK_FAILED failed, $CHECK_SKIPPED skipped"
	[ "$CHECK_FAILED" = 0 ] || exit 1
	exit 0
}

# check_wanted PART - without a filter every part; a part's name selects it, anything else selects cluster tests
check_wanted() {
	[ -n "$CHECK_FILTER" ] || return 0
	[[ " ${CHECK_PARTS[*]} " != *" $CHECK_FILTER "* ]] || {
		[ "$1" = "$CHECK_FILTER" ]
		return
	}
	[ "$1" = cluster ]
}

check_pass() {
	CHECK_PASSED=$((CHECK_PASSED + 1))
	echo "ok    $1"
}

check_fail() {
	CHECK_FAILED=$((CHECK_FAILED + 1))
	echo "FAIL  $1: $2"
}

check_skip() {
	CHECK_SKIPPED=$((CHECK_SKIPPED + 1))
	echo "SKIP  $1: $2"
}

# check_run NAME LOG CMD... - one test that is a command
check_run() {
	local name=$1 log=$CHECK_LOGS/$2
	shift 2
	# a subshell, for CMD may die
	if ("$@") >"$log" 2>&1 </dev/null; then
		check_pass "$name"
	else
		grep -nE '(error|warning|note): |Error [0-9]|FAIL' "$log" | head -30 || true
		echo "--- the end of $log"
		tail -25 "$log"
		check_fail "$name" "see $log"
		return 1
	fi
}

# check_built NAME ROOTFS CONFIGURE-ARG... - build there with those arguments, then every unit test
check_built() {
	local name=$1 rootfs=$2 dir=$STATE/build/check-$1
	shift 2
	if ! build_possible; then
		check_skip "$name" "there is no configure.ac"
		return
	fi
	rootfs_make "$rootfs"
	build_copy "$dir/src"
	check_run "$name: builds without warnings" "$name.build" \
		rootfs_run "$(rootfs_path "$rootfs")" "$dir" sh -c "$(build_script)" sh "$@" || return 0
	rm -f "$dir"/obj/tests/unit/*.trs "$dir"/obj/*.trs "$dir"/obj/*.log
	# shellcheck disable=SC2016 # expanded over there
	rootfs_run "$(rootfs_path "$rootfs")" "$dir" \
		sh -c 'cd /build/obj && ASAN_OPTIONS=detect_leaks=1 make -k -j"$(nproc)" check VERBOSE=1' \
		>"$CHECK_LOGS/$name.check" 2>&1 </dev/null || true
	check_automake "$name" "$CHECK_LOGS/$name.check"
}

# check_automake NAME LOG - count the lines of automake's test driver
check_automake() {
	local name=$1 log=$2 kind test found=0
	while IFS=': ' read -r kind test; do
		found=1
		case $kind in
		PASS | XFAIL) check_pass "$name: $test" ;;
		SKIP) check_skip "$name: $test" "the test says so" ;;
		*) check_fail "$name: $test" "see $log" ;;
		esac
	done < <(grep -E '^(PASS|FAIL|XFAIL|XPASS|SKIP|ERROR): ' "$log" | sort -u)
	if [ "$found" = 0 ]; then
		tail -25 "$log"
		check_fail "$name: unit tests" "none ran, see $log"
	elif grep -qE '^(FAIL|ERROR|XPASS): ' "$log"; then
		grep -vE '^(PASS|make)' "$log" | tail -60
	fi
}

check_build() {
	check_built build base CFLAGS='-O2 -g -Wall -Wextra -Werror'
	check_dist
}

# check_dist - what is released is complete: it builds, passes its unit tests, installs and uninstalls by itself
check_dist() {
	local dir=$STATE/build/check-build
	if [ ! -e "$dir/obj/Makefile" ]; then
		check_skip "build: make distcheck" "nothing is configured"
		return
	fi
	# shellcheck disable=SC2016 # expanded over there
	check_run "build: make distcheck" build.dist rootfs_run "$(rootfs_path base)" "$dir" \
		sh -c 'cd /build/obj && rm -rf spank_cr-*/ && make -j"$(nproc)" distcheck && rm -f spank_cr-*.tar.*' || true
}

check_sanitizers() {
	check_built sanitizers base \
		CFLAGS='-O1 -g -Wall -Wextra -Werror -fsanitize=address,undefined -fno-sanitize-recover=all' \
		LDFLAGS='-fsanitize=address,undefined'
}

# check_fuzz - each fuzz target for CHECK_FUZZ_S seconds; what was found stays below the build directory
CHECK_FUZZ_S=20
check_fuzz() {
	local dir=$STATE/build/check-fuzz layers
	if ! build_possible; then
		check_skip fuzz "there is no configure.ac"
		return
	fi
	rootfs_make fuzz
	layers=$(rootfs_layers fuzz base)
	build_copy "$dir/src"
	check_run "fuzz: builds without warnings" fuzz.build rootfs_run "$layers" "$dir" \
		sh -c "$(build_script); make fuzz FUZZ_WARN=-Werror" sh || return 0
	rootfs_run "$layers" "$dir" src/tests/fuzz/run "$CHECK_FUZZ_S" obj/tests/fuzz \
		>"$CHECK_LOGS/fuzz.check" 2>&1 </dev/null || true
	check_automake fuzz "$CHECK_LOGS/fuzz.check"
}

check_compat() {
	check_built compat compat CFLAGS='-O2 -g -Wall -Wextra -Werror'
}

# check_files REGEXP - the project's files whose path matches
check_files() {
	(cd "$CLONE" && build_files) | grep -zE "$1" || true
}

# check_lint_run NAME REGEXP CMD... - CMD with the matching files as its last arguments, over the sources in base
check_lint_run() {
	local name=$1 files=()
	mapfile -d '' files < <(check_files "$2")
	shift 2
	if [ ${#files[@]} = 0 ]; then
		check_skip "lint: $name" "no such files"
		return
	fi
	check_run "lint: $name" "lint-$name" rootfs_run "$(rootfs_path base)" "$STATE/build/lint" \
		sh -c 'cd src && exec "$@"' sh "$@" "${files[@]}" || true
}

check_lint() {
	local script='^(\.ci/run|tests/testbed|tests/testbed\.d/.*|tests/fuzz/run|.*\.sh|.*\.bash)$'
	rootfs_make base
	build_copy "$STATE/build/lint/src"
	if [ -e "$CLONE/.clang-format" ]; then
		check_lint_run clang-format '\.[ch]$' clang-format --dry-run -Werror
	else
		check_skip "lint: clang-format" "there is no .clang-format"
	fi
	check_lint_run cppcheck '\.c$' cppcheck --quiet --error-exitcode=1 --inline-suppr --std=c11 \
		--enable=warning,portability --suppress=missingIncludeSystem --suppress='*:tests/unit/*' --suppress=memleak --suppress=resourceLeak '-DSPANK_PLUGIN(name,version)=' --suppress=normalCheckLevelMaxBranches -I. -D__linux__ -D_GNU_SOURCE
	check_lint_run shellcheck "$script" shellcheck -x
	check_lint_run man '(^|/)man/[^/]*\.[0-9]$' mandoc -T lint -W warning
	testbed_part policy
}

# check_cluster - tests/cluster/*.bats against the cluster, which is left up
check_cluster() {
	local files=("$CLONE"/tests/cluster/*.bats) log=$CHECK_LOGS/cluster.tap filter=()
	# for programs.bats: what it runs, and nodes with room for all of it
	[ -n "${TESTBED_IN_VM:-}" ] || local -x TESTBED_PROGRAMS=1 TESTBED_MEMORY="${TESTBED_MEMORY:-8000}"
	if [ ! -e "${files[0]}" ]; then
		check_skip cluster "there are no tests/cluster/*.bats"
		return
	fi
	host_need bats:bats
	check_run "cluster: comes up" cluster.up "$TESTBED" up || return 0
	[ -z "$CHECK_FILTER" ] || [ "$CHECK_FILTER" = cluster ] || filter=(--filter "$CHECK_FILTER")
	[ -z "${TESTBED_IN_VM:-}" ] || filter+=(--filter-tags core)
	# a filter may also name a file
	if [ -n "$CHECK_FILTER" ] && [ -e "$CLONE/tests/cluster/$CHECK_FILTER.bats" ]; then
		files=("$CLONE/tests/cluster/$CHECK_FILTER.bats")
		filter=()
	fi
	# as they end, with their time; the count follows
	bats --tap --timing "${filter[@]}" "${files[@]}" </dev/null 2>&1 | tee "$log" |
		sed -u -n -e '/^#/p' -e 's/^\(not \)\{0,1\}ok /      \1done /p' || true
	check_tap cluster "$log"
}

# check_tap NAME LOG - count the lines of the Test Anything Protocol
check_tap() {
	local part=$1 line name plan found=0
	while IFS= read -r line; do
		name=$(sed -E 's/^(not )?ok [0-9]+ //; s/ in [0-9]+(ms|sec)( #|$)/\2/' <<<"$line")
		found=$((found + 1))
		case $line in
		*' # skip'*) check_skip "$part: ${name%% # skip*}" "${line#* # skip }" ;;
		ok*) check_pass "$part: $name" ;;
		*) check_fail "$part: $name" "see above and $2" ;;
		esac
	done < <(grep -E '^(not )?ok [0-9]+ ' "$2")
	plan=$(sed -n 's/^1\.\.\([0-9]*\)$/\1/p' "$2" | head -1)
	[ "$found" = "${plan:-none}" ] || check_fail "$part: all tests" "$found ran of ${plan:-an unknown number}, see $2"
}

# check_vm - the core set inside the virtual machine; its last line is a count like ours
check_vm() {
	local log=$CHECK_LOGS/vm counts passed failed skipped
	if [ ! -r "$TESTBED_LIB/vm.sh" ]; then
		check_skip vm "tests/testbed.d/vm.sh is not there"
		return
	fi
	"$TESTBED" vm check </dev/null 2>&1 | tee "$log" | sed -u -n 's/^  *\(not done\|done\) /      vm: \1 /p' || true
	grep -E '^(ok|FAIL|SKIP) ' "$log" | sed 's/^\([A-Za-z]* *\)/\1vm: /' || true
	counts=$(grep -E '^[0-9]+ passed, [0-9]+ failed, [0-9]+ skipped' "$log" | tail -1 || true)
	if [[ ! $counts =~ ^([0-9]+)\ passed,\ ([0-9]+)\ failed,\ ([0-9]+)\ skipped ]]; then
		tail -25 "$log"
		check_fail vm "no result, see $log"
		return
	fi
	passed=${BASH_REMATCH[1]} failed=${BASH_REMATCH[2]} skipped=${BASH_REMATCH[3]}
	[ "$failed" = 0 ] || tail -60 "$log"
	CHECK_PASSED=$((CHECK_PASSED + passed))
	CHECK_FAILED=$((CHECK_FAILED + failed))
	CHECK_SKIPPED=$((CHECK_SKIPPED + skipped))
}
