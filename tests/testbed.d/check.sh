# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# check.sh - every test there is; the last line says how many passed, failed and were skipped
#
# Each part is a function that reports each of its tests with check_pass, check_fail or check_skip.

# what needs processors, and is done while the clusters mostly wait
CHECK_BESIDE=(build sanitizers fuzz compat lint)
CHECK_PARTS=("${CHECK_BESIDE[@]}" cluster soak bench vm)
# in the virtual machine: what the kernel and Slurm with cgroup v2 may do differently
[ -z "${TESTBED_IN_VM:-}" ] || CHECK_PARTS=(cluster)

CHECK_FILTER=${CHECK_FILTER:-}
# a line for each test, whichever process has run it
CHECK_LOGS=${CHECK_LOGS:-$STATE/log/check}
CHECK_RESULTS=$CHECK_LOGS/results
# the sessions of what runs in the background
CHECK_SESSIONS=()
CHECK_ENDED=''

# shellcheck source=tests/testbed.d/check-cluster.sh
. "$TESTBED_LIB/check-cluster.sh"

check_main() {
	local beside
	[ $# -le 1 ] || die "usage: tests/testbed check [FILTER]"
	CHECK_FILTER=${1:-}
	check_lock
	rm -rf "$CHECK_LOGS"
	mkdir -p "$CHECK_LOGS"
	: >"$CHECK_RESULTS"
	trap check_end EXIT
	check_watch
	check_background 0 check_prepare
	check_background_end
	check_background 10 check_beside
	beside=("${CHECK_SESSIONS[@]}")
	CHECK_SESSIONS=()
	if check_wanted cluster || check_wanted soak || check_wanted bench; then
		say "check: cluster"
		check_cluster
	fi
	# an emulated processor needs a real one: the clusters are done, and what still runs beside it has little weight
	check_part vm
	CHECK_SESSIONS=("${beside[@]}")
	check_background_end || true
	CHECK_ENDED=yes
}

# check_end - however the check ends, nothing of it goes on, and its last line is the count
check_end() {
	local rc=$? passed failed skipped
	trap '' INT TERM HUP
	check_sessions_end
	# a signal leaves no status
	[ "$rc$CHECK_ENDED" = 0yes ] || check_fail "check itself" "it ended early, with status $rc"
	[ -s "$CHECK_RESULTS" ] || check_fail "check itself" "no test matches $CHECK_FILTER"
	echo ended >&"$CHECK_ALIVE"
	check_second_tell
	passed=$(grep -c '^ok ' "$CHECK_RESULTS" || true)
	failed=$(grep -c '^FAIL ' "$CHECK_RESULTS" || true)
	skipped=$(grep -c '^SKIP ' "$CHECK_RESULTS" || true)
	echo "$passed passed, $failed failed, $skipped skipped"
	[ "$failed" = 0 ] || exit 1
	exit 0
}

# check_second_tell - each deserves a look: its cause may be the product's
check_second_tell() {
	grep -q '^ok .*, the second time$' "$CHECK_RESULTS" || return 0
	echo "passed only the second time:"
	sed -n 's/^ok  *\(.*\), the second time$/\1/p' "$CHECK_RESULTS"
}

# check_sessions_end - what still runs in the background, and the clusters: the first one is left up when all is done
check_sessions_end() {
	local sid
	while read -r sid; do
		check_session_end "$sid"
	done <"$CHECK_LOGS/sessions"
	check_clusters_end
	[ "$CHECK_ENDED" = yes ] || [ ! -d "$CHECK_LOGS/cluster" ] || "$TESTBED" down || true
}

# check_lock - one check at a time in a state; held until nothing of it is left
check_lock() {
	mkdir -p "$STATE"
	exec {CHECK_LOCK}>"$STATE/check.lock"
	flock -w 60 "$CHECK_LOCK" || die "another check runs in $STATE"
}

# check_watch - somebody who does that when this process has no chance to: it is killed
check_watch() {
	: >"$CHECK_LOGS/sessions"
	exec {CHECK_ALIVE}> >(exec setsid bash "$TESTBED" internal eval ". ${TESTBED_LIB@Q}/check.sh; check_watched" >"$CHECK_LOGS/watch" 2>&1)
}

check_watched() {
	trap '' INT TERM HUP
	# until the other end is closed
	[ "$(cat)" = ended ] || check_sessions_end
}

# check_wanted PART - without a filter every part; a part's name selects it, anything else selects cluster tests
check_wanted() {
	[[ " ${CHECK_PARTS[*]} " == *" $1 "* ]] || return 1
	[ -n "$CHECK_FILTER" ] || return 0
	[[ " ${CHECK_PARTS[*]} " != *" $CHECK_FILTER "* ]] || {
		[ "$1" = "$CHECK_FILTER" ]
		return
	}
	[ "$1" = cluster ]
}

check_part() {
	check_wanted "$1" || return 0
	say "check: $1"
	"check_$1"
}

# check_prepare - all that is loaded and unpacked, and what more than one of them needs: nobody makes it while tests run
check_prepare() {
	local names=(base) image
	! check_wanted compat || names+=(compat)
	if check_wanted cluster || check_wanted soak || check_wanted bench; then
		[ -n "${TESTBED_IN_VM:-}" ] || names+=(programs accounting)
		[ "${TESTBED_CRIU:-sid}" = base ] || names+=(criu-sid)
	fi
	! check_wanted fuzz || names+=(fuzz)
	# shellcheck source=tests/testbed.d/vm.sh
	. "$TESTBED_LIB/vm.sh"
	! check_wanted vm || vm_lock
	lock_take
	rootfs_make_all "${names[@]}"
	! check_wanted vm || vm_image_make &
	image=$!
	build_install
	wait "$image" || die "the virtual machine has no disk"
}

# check_beside - those parts, one after the other
check_beside() {
	local part
	for part in "${CHECK_BESIDE[@]}"; do
		check_part "$part"
	done
}

# check_background NICE FUNCTION ARG... - in a session of its own: what is killed by that takes everything along
check_background() {
	local nice=$1 call
	shift
	call=$(printf '%q ' "$@")
	CHECK_LOGS=$CHECK_LOGS CHECK_FILTER=$CHECK_FILTER setsid nice -n "$nice" \
		bash "$TESTBED" internal eval ". ${TESTBED_LIB@Q}/check.sh; check_autogroup $nice; $call" </dev/null {CHECK_ALIVE}>&- {CHECK_LOCK}>&- &
	CHECK_SESSIONS+=($!)
	echo $! >>"$CHECK_LOGS/sessions"
}

# check_autogroup NICE - where each session is scheduled as one, a process's nice value counts in its session alone
check_autogroup() {
	! [ -w /proc/self/autogroup ] || echo "$1" >/proc/self/autogroup || true
}

# check_background_end - wait for all of it; what a session leaves behind ends with it
check_background_end() {
	local sid rc=0
	for sid in "${CHECK_SESSIONS[@]}"; do
		wait "$sid" || rc=1
		check_session_end "$sid"
		sed -i "/^$sid\$/d" "$CHECK_LOGS/sessions"
	done
	CHECK_SESSIONS=()
	[ "$rc" = 0 ] || check_fail "check itself" "what ran in the background ended early"
	return "$rc"
}

# check_session_end SID - all of its processes; the nodes of the clusters have sessions of their own
check_session_end() {
	local until=$((SECONDS + 20))
	pkill -TERM -s "$1" || return 0
	# it does not heed that, nor does what it has started
	pkill -KILL -s "$1" -x unshare || true
	# a soak brings its cluster down
	until check_session_ended "$1"; do
		if [ "$SECONDS" -ge "$until" ]; then
			pkill -KILL -s "$1" || true
			return
		fi
		sleep 0.2
	done
}

check_session_ended() {
	! pgrep -s "$1" >/dev/null
}

check_pass() {
	check_result "ok    $1"
}

check_fail() {
	check_result "FAIL  $1: $2"
}

check_skip() {
	check_result "SKIP  $1: $2"
}

check_result() {
	echo "$1" | tee -a "$CHECK_RESULTS"
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
	check_sources "$name" "$rootfs" || return 0
	check_run "$name: builds without warnings" "$name.build" \
		rootfs_run "$(rootfs_path "$rootfs")" "$dir" sh -c "$(build_script)" sh "$@" || return 0
	rm -f "$dir"/obj/tests/unit/*.trs "$dir"/obj/*.trs "$dir"/obj/*.log
	# shellcheck disable=SC2016 # expanded over there
	rootfs_run "$(rootfs_path "$rootfs")" "$dir" \
		sh -c 'cd /build/obj && ASAN_OPTIONS=detect_leaks=1 CK_TIMEOUT_MULTIPLIER=5 CR_FAULTS_STRIDE=5 \
			make -k -j"$(nproc)" check VERBOSE=1' \
		>"$CHECK_LOGS/$name.check" 2>&1 </dev/null || true
	check_automake "$name" "$CHECK_LOGS/$name.check"
}

# check_sources NAME ROOTFS - what NAME builds is in STATE/build/check-NAME/src, and ROOTFS is there
check_sources() {
	if ! build_possible; then
		check_skip "$1" "there is no configure.ac"
		return 1
	fi
	rootfs_make "$2"
	build_copy "$STATE/build/check-$1/src"
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

# check_build - what is released is complete: it builds without warnings, passes its unit tests, installs and uninstalls by
# itself
check_build() {
	local dir=$STATE/build/check-build
	check_sources build base || return 0
	# shellcheck disable=SC2016 # expanded over there
	check_run "build: make distcheck, without warnings" build.dist rootfs_run "$(rootfs_path base)" "$dir" \
		sh -c "$(build_configure_script)"'
			rm -rf spank_cr-*/
			CK_TIMEOUT_MULTIPLIER=5 make -j"$(nproc)" distcheck VERBOSE=1 \
				DISTCHECK_CONFIGURE_FLAGS="CFLAGS=\"-O2 -g -Wall -Wextra -Werror\""
			rm -f spank_cr-*.tar.*' sh || true
	check_automake build "$CHECK_LOGS/build.dist"
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
	check_sources fuzz fuzz || return 0
	layers=$(rootfs_layers fuzz base)
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
		--enable=warning,portability --suppress=missingIncludeSystem --suppress='*:tests/unit/*' --suppress='nullPointerOutOfResources:tests/cluster/cases/*' --suppress='ctunullpointerOutOfResources:tests/cluster/cases/*' --suppress=memleak --suppress=resourceLeak '-DSPANK_PLUGIN(name,version)=' --suppress=normalCheckLevelMaxBranches -I. -D__linux__ -D_GNU_SOURCE
	check_lint_run shellcheck "$script" shellcheck -x
	check_lint_run "the soak's report judges as it should" '^tests/soak/test_report\.py$' python3
	check_lint_run man '(^|/)man/[^/]*\.[0-9]$' mandoc -T lint -W warning
	testbed_part policy
}

# check_vm - the core set inside the virtual machine; its last line is a count like ours
check_vm() {
	local log=$CHECK_LOGS/vm counts passed failed skipped
	if [ ! -r "$TESTBED_LIB/vm.sh" ]; then
		check_skip vm "tests/testbed.d/vm.sh is not there"
		return
	fi
	# it gets what the clusters leave of the processors
	TESTBED_VM_TIMEOUT=${TESTBED_VM_TIMEOUT:-2700} "$TESTBED" vm check </dev/null 2>&1 | tee "$log" | sed -u -n 's/^  *\(not done\|done\) /      vm: \1 /p' || true
	grep -E '^(ok|FAIL|SKIP)  ' "$log" | sed 's/^\([A-Za-z]* *\)/\1vm: /' >"$log.results" || true
	tee -a "$CHECK_RESULTS" <"$log.results"
	counts=$(grep -E '^[0-9]+ passed, [0-9]+ failed, [0-9]+ skipped' "$log" | tail -1 || true)
	if [[ ! $counts =~ ^([0-9]+)\ passed,\ ([0-9]+)\ failed,\ ([0-9]+)\ skipped ]]; then
		tail -25 "$log"
		check_fail vm "no result, see $log"
		return
	fi
	passed=${BASH_REMATCH[1]} failed=${BASH_REMATCH[2]} skipped=${BASH_REMATCH[3]}
	[ "$failed" = 0 ] || tail -60 "$log"
	[ "$(wc -l <"$log.results")" = $((passed + failed + skipped)) ] || check_fail vm "other results than it has counted, see $log"
}
