# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# node.sh - one node: namespaces, an overlay as its disk, a cable to the switch
#
# STATE/nodes/NODE is its disk; STATE/run/NODE what the testbed knows of the running one:
#   init     host pid, start time and boot id of the node's pid 1 (a reused pid is not mistaken for it)
#   cgroups  the directories made for it
#   console  what its start printed

node_address() {
	echo "10.77.0.$((${1#n} + 10))"
}

node_mac() {
	printf '02:00:0a:4d:00:%02x\n' $((${1#n} + 10))
}

# node_check NODE - die unless it is a node of this cluster
node_check() {
	enter_check "$1" || exit
}

# node_pid NODE - host pid of its pid 1; fails when the node is not running
node_pid() {
	enter_pid "$1" && echo "$ENTER_PID"
}

# node_start_time PID - field 22 of its stat; fails for a process that is gone or a zombie
node_start_time() {
	enter_start_time "$1" && echo "$ENTER_TIME"
}

node_alive() {
	node_pid "$1" >/dev/null
}

node_dead() {
	! node_alive "$1"
}

# node_layers - what lies below a node's own disk, top first
node_layers() {
	local layers=("$STATE/config") install
	install=$(build_install_path)
	[ -z "$install" ] || layers+=("$install")
	[ "${TESTBED_CRIU:-sid}" = base ] || layers+=(criu-sid)
	[ -z "${TESTBED_PROGRAMS:-}" ] || layers+=(programs)
	[ -z "${TESTBED_ACCOUNTING:-}" ] || layers+=(accounting)
	[ -z "${TESTBED_ZDTM:-}" ] || layers+=(zdtm)
	rootfs_layers "${layers[@]}" base
}

# node_start NODE - returns when its pid 1 runs and its cable is plugged in; daemons may still be starting
node_start() {
	local node=$1 run=$STATE/run/$1 pid
	node_dead "$node" || return 0
	mkdir -p "$run" "$STATE/nodes/$node"/{upper,work,root}
	rm -f "$run/init"
	cgroup_make "$node"
	setsid bash "$TESTBED" internal node_keep "$node" "$(node_layers)" \
		</dev/null >"$run/console" 2>&1 {LOCK_FD}>&- &
	disown
	wait_until 60 node_alive "$node" || node_start_failed "$node"
	pid=$(node_pid "$node")
	cgroup_settle "$node"
	ip -n "$TAG" link add "$node" type veth peer name eth0 address "$(node_mac "$node")" netns "$pid"
	ip -n "$TAG" link set "$node" master br0 up
	wait_until 60 [ -e "/proc/$pid/root/run/testbed/booted" ] || node_start_failed "$node"
}

node_start_failed() {
	cat "$STATE/run/$1/console" >&2
	die "node $1 did not start"
}

# node_keep NODE LAYERS - run the node; one that reboots is started again
node_keep() {
	local fd
	# whoever started the node may wait for the end of a pipe: the node must not hold it
	for fd in /proc/self/fd/*; do
		fd=${fd##*/}
		[ "$fd" -le 2 ] || [ "$fd" = 255 ] || eval "exec $fd>&-"
	done
	bash "$TESTBED" internal node_launch "$@" || true
	[ -e "$STATE/nodes/$1/upper/var/lib/testbed-reboot" ] || return 0
	exec bash "$TESTBED" start-node "$1"
}

# node_launch NODE LAYERS - the process that becomes the parent of the node's pid 1
node_launch() {
	enter_cgroups "$1"
	exec unshare --mount --uts --ipc --net --pid --cgroup --fork --kill-child=SIGKILL --propagation private \
		bash "$TESTBED" internal node_boot "$@"
}

# node_boot NODE LAYERS - the node's pid 1 before it has a root file system of its own
node_boot() {
	local node=$1 lower=$2 disk=$STATE/nodes/$1 root=$STATE/nodes/$1/root pid
	# /proc is still the machine's: it shows the pid we have there
	read -r pid _ </proc/self/stat
	echo "$pid $(node_start_time "$pid") $(</proc/sys/kernel/random/boot_id)" >"$STATE/run/$node/init.new"
	hostname "$node"
	mount -t overlay overlay -o "lowerdir=$lower,upperdir=$disk/upper,workdir=$disk/work" "$root"
	rootfs_mount_kernel_node "$root"
	mount --rbind "$STATE/shared" "$root/shared"
	mkdir "$root/run/testbed"
	cp "$TESTBED_LIB/init" "$root/run/testbed/init"
	mv "$STATE/run/$node/init.new" "$STATE/run/$node/init"
	ip link set lo up
	wait_until 60 ip link show eth0 >/dev/null 2>&1
	ip address add "$(node_address "$node")/24" dev eth0
	ip link set eth0 up
	cd "$root" || exit
	pivot_root . .
	umount -l .
	cd /
	echo "$node" >/etc/hostname
	exec env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8 \
		tini -- /bin/bash /run/testbed/init "$node" {LOCK_FD}>&-
}

# rootfs_mount_kernel_node ROOT - as for any root file system, and the node's cgroups
rootfs_mount_kernel_node() {
	rootfs_mount_kernel "$1"
	cgroup_mount "$1"
}

# node_stop NODE - as an admin would: the daemons save their state
node_stop() {
	local pid
	pid=$(node_pid "$1") || return 0
	kill -TERM "$pid"
	wait_until 5 node_dead "$1" || node_kill "$1"
	node_clean "$1"
}

# node_kill NODE - as a power cut would: the kernel kills everything in a pid namespace with its pid 1
node_kill() {
	local pid
	pid=$(node_pid "$1") || return 0
	kill -KILL "$pid"
	wait_until 10 node_dead "$1" || die "node $1 does not die"
}

# node_clean NODE - what the machine still keeps for a dead node
node_clean() {
	cgroup_remove "$1"
	ip -n "$TAG" link delete "$1" 2>/dev/null || true
	rm -f "$STATE/run/$1/init"
}

node_kill_verb() {
	[ $# -eq 1 ] || die "usage: tests/testbed kill-node NODE"
	node_check "$1"
	lock_take
	node_alive "$1" || die "node $1 is not running"
	node_kill "$1"
	node_clean "$1"
}

node_start_verb() {
	[ $# -eq 1 ] || die "usage: tests/testbed start-node NODE"
	node_check "$1"
	lock_take
	node_dead "$1" || die "node $1 is running"
	node_clean "$1"
	node_start "$1"
}

# node_cable_verb up|down NODE - as a broken cable: the node goes on, with the shared directory, and nobody hears of it
node_cable_verb() {
	[ $# -eq 2 ] || die "usage: tests/testbed cut-node NODE | join-node NODE"
	node_check "$2"
	node_alive "$2" || die "node $2 is not running"
	ip -n "$TAG" link set "$2" "$1"
}

# node_sh NODE [--user USER] CMD... - in the node's namespaces and cgroup; the exit status is CMD's
node_sh() {
	local node=${1:-} user=root
	[ $# -ge 1 ] || die "usage: tests/testbed sh NODE [--user USER] CMD..."
	shift
	if [ "${1:-}" = --user ]; then
		user=${2:?}
		shift 2
	fi
	[ "${1:-}" != -- ] || shift
	[ $# -gt 0 ] || set -- bash -l
	enter_node "$node" "$user" "$@" {LOCK_FD}>&-
}
