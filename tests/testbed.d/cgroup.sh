# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# cgroup.sh - a cgroup of its own for each node, seen by the node as the root of the hierarchy
#
# A machine that mounts version 1 controllers (even beside a "unified" one) gives the nodes version 1; a machine
# with cgroup2 on /sys/fs/cgroup gives them version 2.

CGROUP_V1_CONTROLLERS=(cpuset cpu cpuacct memory devices freezer pids blkio)

cgroup_version() {
	if [ -e /sys/fs/cgroup/cgroup.controllers ]; then echo 2; else echo 1; fi
}

# cgroup_parent CONTROLLER - where the machine has a version 1 controller, and our path in it
cgroup_parent() {
	local controller=$1 names path
	while IFS=: read -r _ names path; do
		case ,$names, in
		*,"$controller",*)
			echo "$(findmnt -n -o TARGET -t cgroup -O "$controller" | head -1)${path%/}"
			return
			;;
		esac
	done </proc/self/cgroup
	return 1
}

# cgroup_make NODE - its cgroups; their directories are noted in the node's run directory
cgroup_make() {
	local node=$1 list=$STATE/run/$1/cgroups controller parent
	cgroup_remove "$node"
	: >"$list"
	if [ "$(cgroup_version)" = 2 ]; then
		parent=/sys/fs/cgroup
		cgroup_enable_v2 "$parent"
		mkdir -p "$parent/$TAG"
		cgroup_enable_v2 "$parent/$TAG"
		mkdir -p "$parent/$TAG/$node"
		echo "$parent/$TAG/$node" >"$list"
		return
	fi
	for controller in "${CGROUP_V1_CONTROLLERS[@]}"; do
		parent=$(cgroup_parent "$controller") || continue
		grep -qxF "$parent/$TAG/$node" "$list" && continue # two controllers on one mount
		mkdir -p "$parent/$TAG"
		cgroup_fill_cpuset "$parent" "$parent/$TAG"
		mkdir -p "$parent/$TAG/$node"
		cgroup_fill_cpuset "$parent" "$parent/$TAG/$node"
		echo "$parent/$TAG/$node" >>"$list"
	done
}

# cgroup_fill_cpuset FROM TO - a new version 1 cpuset is empty and takes no process
cgroup_fill_cpuset() {
	local file
	[ -e "$2/cpuset.cpus" ] || return 0
	for file in cpuset.cpus cpuset.mems; do
		# (a cgroup file's size is always 0)
		[ -n "$(<"$2/$file")" ] || cat "$1/$file" >"$2/$file"
	done
	echo 1 >"$2/cgroup.clone_children"
}

# cgroup_enable_v2 DIR - all of its controllers for its children, as far as that is allowed
cgroup_enable_v2() {
	local controller
	for controller in $(<"$1/cgroup.controllers"); do
		echo "+$controller" >"$1/cgroup.subtree_control" 2>/dev/null || true
	done
}

# cgroup_settle NODE - version 2: a cgroup has processes or controllers for its children, not both, so the node's
# first processes move out of its root; those outside of its pid namespace to a place of their own, for slurmd
# refuses to share a cgroup with processes that it cannot see
cgroup_settle() {
	local dir pid pids scope outside
	[ "$(cgroup_version)" = 2 ] || return 0
	dir=$(<"$STATE/run/$1/cgroups")
	outside=$(readlink /proc/self/ns/pid)
	mkdir -p "$dir/init.scope" "$dir/outside.scope"
	# they may fork meanwhile
	while mapfile -t pids <"$dir/cgroup.procs" && [ ${#pids[@]} -gt 0 ]; do
		for pid in "${pids[@]}"; do
			scope=init.scope
			[ "$(readlink "/proc/$pid/ns/pid")" != "$outside" ] || scope=outside.scope
			echo "$pid" >"$dir/$scope/cgroup.procs" 2>/dev/null || true # gone already
		done
	done
	cgroup_enable_v2 "$dir"
}

# cgroup_remove NODE - what a dead node left behind
cgroup_remove() {
	local dir
	[ -s "$STATE/run/$1/cgroups" ] || return 0
	while read -r dir; do
		[ -d "$dir" ] || continue
		wait_until 10 cgroup_remove_tree "$dir" || say "could not remove the cgroup $dir"
		rmdir "${dir%/*}" 2>/dev/null || true
	done <"$STATE/run/$1/cgroups"
	rm -f "$STATE/run/$1/cgroups"
}

cgroup_remove_tree() {
	[ -d "$1" ] || return 0
	find "$1" -depth -type d -exec rmdir {} + 2>/dev/null
	[ ! -d "$1" ]
}

# cgroup_mount ROOT - inside the node's cgroup namespace: its own subtree at ROOT/sys/fs/cgroup
cgroup_mount() {
	local top=$1/sys/fs/cgroup controller names
	if [ "$(cgroup_version)" = 2 ]; then
		mount -t cgroup2 cgroup2 "$top"
		return
	fi
	mount -t tmpfs -o mode=755 tmpfs "$top"
	for controller in "${CGROUP_V1_CONTROLLERS[@]}"; do
		# the machine may have several controllers on one mount
		names=$(awk -F: -v c="$controller" '(","$2",") ~ (","c",") { print $2 }' /proc/self/cgroup)
		[ -n "$names" ] || continue
		if [ ! -d "$top/$names" ]; then
			mkdir "$top/$names"
			mount -t cgroup -o "$names" cgroup "$top/$names"
		fi
		[ -e "$top/$controller" ] || ln -s "$names" "$top/$controller"
	done
}
