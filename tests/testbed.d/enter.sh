# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# enter.sh - run a command inside a running node
#
# The cluster tests do this thousands of times: a process more is the most expensive thing here, so nothing is started
# that need not be, and what a function finds is in a variable. Needs STATE; used by tests/testbed and by helpers.bash.

# enter_start_time PID - into ENTER_TIME: field 22 of its stat; fails for a process that is gone or a zombie
enter_start_time() {
	local stat
	{ read -r stat <"/proc/$1/stat"; } 2>/dev/null || return 1
	# shellcheck disable=SC2086
	set -- ${stat##*) }
	[ "$1" != Z ] && [ "$1" != X ] || return 1
	ENTER_TIME=${20}
}

# enter_pid NODE - into ENTER_PID: host pid of its pid 1; fails when the node is not running
enter_pid() {
	local start boot now
	read -r ENTER_PID start boot 2>/dev/null <"$STATE/run/$1/init" || return 1
	read -r now </proc/sys/kernel/random/boot_id
	[ "$boot" = "$now" ] && enter_start_time "$ENTER_PID" && [ "$ENTER_TIME" = "$start" ]
}

# enter_home PASSWD USER - into ENTER_HOME
enter_home() {
	local name
	while IFS=: read -r name _ _ _ _ ENTER_HOME _; do
		[ "$name" != "$2" ] || return 0
	done <"$1"
	return 1
}

# enter_cgroups NODE - move this very process (not a subshell) into the node's cgroups
enter_cgroups() {
	local dir
	while read -r dir; do
		[ ! -d "$dir/outside.scope" ] || dir=$dir/outside.scope # version 2, see cgroup_settle
		echo "$BASHPID" >"$dir/cgroup.procs"
	done <"$STATE/run/$1/cgroups"
}

# version 2, for sh -c, root in a node: from outside.scope to where the node's own processes are (slurmd moves them down to
# take the controllers it needs), then become "$@"
# shellcheck disable=SC2016 # expanded over there
ENTER_SCOPE='scope=/sys/fs/cgroup/init.scope
	while [ -d "$scope/system" ]; do scope=$scope/system; done
	echo 0 >"$scope/cgroup.procs"
	exec "$@"'

# enter_error WORD... - and its status
enter_error() {
	printf 'testbed: error: %s\n' "$*" >&2
	return 1
}

# enter_check NODE - fails unless it is a node of this cluster
enter_check() {
	[[ $1 =~ ^n[0-9]+$ && -d $STATE/run/$1 ]] || enter_error "no such node: $1 (is the cluster up?)"
}

# enter_node NODE USER CMD... - this process becomes CMD in the node's namespaces and cgroups
enter_node() {
	local node=$1 user=$2
	shift 2
	enter_check "$node" || return
	enter_pid "$node" || enter_error "node $node is not running" || return
	ENTER_HOME=/root
	if [ "$user" != root ]; then
		enter_home "/proc/$ENTER_PID/root/etc/passwd" "$user" || enter_error "node $node has no user $user" || return
		set -- setpriv --reuid="$user" --regid="$user" --init-groups -- "$@"
	fi
	[ ! -e /sys/fs/cgroup/cgroup.controllers ] || set -- sh -c "$ENTER_SCOPE" sh "$@"
	enter_cgroups "$node"
	exec nsenter --target "$ENTER_PID" --mount --uts --ipc --net --pid --cgroup --root --wd=/ -- \
		env -i -C "$ENTER_HOME" PATH=/usr/local/bin:/usr/bin:/bin:/usr/local/sbin:/usr/sbin:/sbin LANG=C.UTF-8 \
		TERM="${TERM:-dumb}" HOME="$ENTER_HOME" USER="$user" LOGNAME="$user" SHELL=/bin/bash "$@"
}
