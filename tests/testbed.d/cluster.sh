# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# cluster.sh - the nodes together: a switch between them, a shared directory, Slurm

# cluster_nodes - the names of the nodes, the controller first; nothing when the cluster is down
cluster_nodes() {
	local run
	for run in "$STATE"/run/n*; do
		[ ! -d "$run" ] || echo "${run##*/}"
	done | sort -V
}

# cluster_size - the number of compute nodes; -1 when the cluster is down
cluster_size() {
	echo $(($(cluster_nodes | wc -l) - 1))
}

# cluster_stamp - what a running cluster was started from
cluster_stamp() {
	echo "$(node_layers) $(declare -f config_slurm_conf config_slurmdbd_conf config_cgroup_conf config_plugin_line) $CONFIG_PLUGIN_ARGS ${TESTBED_MEMORY:-}" |
		hash_of
}

cluster_up() {
	local nodes=''
	while [ $# -gt 0 ]; do
		case $1 in
		--nodes)
			nodes=${2:-}
			[[ $nodes =~ ^[1-9][0-9]?$ ]] || die "--nodes takes a number from 1 to 99"
			shift 2
			;;
		*) die "usage: tests/testbed up [--nodes N]" ;;
		esac
	done
	lock_take
	cluster_prepare
	# a soak was killed: its store and its switch are nobody else's
	[ -n "${TESTBED_STORE_SIZE:-}" ] || [ ! -e "$STATE/run/store" ] || cluster_stop
	[ -n "$nodes" ] || nodes=$(cluster_size)
	[ "$nodes" -gt 0 ] || nodes=2
	if [ "$(cluster_size)" != "$nodes" ] || ! cluster_alive n0 || ! cluster_same_kind; then
		cluster_stop
		cluster_start_fresh "$nodes"
	elif [ "$(cat "$STATE/run/stamp" 2>/dev/null)" != "$(cluster_stamp)" ]; then
		cluster_restart
	else
		cluster_start_dead
	fi
	cluster_ready
}

# cluster_same_kind - with slurmdbd slurmctld has its cluster's number from there: none goes on from the other's state
cluster_same_kind() {
	[ "$(cat "$STATE/run/accounting" 2>/dev/null)" = "${TESTBED_ACCOUNTING:-}" ]
}

cluster_alive() {
	node_alive "$1"
}

# cluster_reinstall - the project anew under the same disks, jobs' history and shared files
cluster_reinstall() {
	lock_take
	[ "$(cluster_size)" -gt 0 ] || die "the cluster is down"
	cluster_same_kind || die "the cluster was started with another TESTBED_ACCOUNTING: tests/testbed up makes a new one"
	cluster_prepare
	cluster_restart
	cluster_ready
}

# cluster_prepare - everything that can be done while an older cluster is still running
cluster_prepare() {
	host_need_tools
	rootfs_make base
	[ "${TESTBED_CRIU:-sid}" = base ] || rootfs_make criu-sid
	[ -z "${TESTBED_PROGRAMS:-}" ] || rootfs_make programs
	[ -z "${TESTBED_ACCOUNTING:-}" ] || rootfs_make accounting
	[ -z "${TESTBED_ZDTM:-}" ] || rootfs_make zdtm
	build_install
}

cluster_start_fresh() {
	local nodes=$1 i
	say "starting n0 and $nodes compute nodes"
	rm -rf "$STATE/nodes" "$STATE/shared"
	mkdir -p "$STATE/run"
	cluster_shared
	config_layer "$nodes"
	cluster_switch
	for i in $(seq 0 "$nodes"); do
		mkdir -p "$STATE/run/n$i"
	done
	cluster_start_dead
	cluster_stamp >"$STATE/run/stamp"
	echo "${TESTBED_ACCOUNTING:-}" >"$STATE/run/accounting"
}

# cluster_restart - all nodes stopped and started with new layers under their disks
cluster_restart() {
	local nodes node
	nodes=$(cluster_size)
	say "restarting the nodes"
	for node in $(cluster_nodes); do
		node_stop "$node"
	done
	build_prune
	config_layer "$nodes"
	cluster_switch
	cluster_start_dead
	cluster_stamp >"$STATE/run/stamp"
}

# cluster_start_dead - the nodes that do not run, all at a time
cluster_start_dead() {
	local node pids=() pid failed=0
	for node in $(cluster_nodes); do
		if node_dead "$node"; then
			node_clean "$node"
			node_start "$node" &
			pids+=($!)
		fi
	done
	for pid in "${pids[@]}"; do
		wait "$pid" || failed=1
	done
	[ "$failed" = 0 ] || die "the cluster did not start"
}

# cluster_shared - the parallel file system: one directory on all nodes
cluster_shared() {
	local base user
	base=$(rootfs_path base)
	install -d -m 755 "$STATE/shared" "$STATE/shared/home" "$STATE/shared/checkpoints"
	# one that can be full: whoever asks for it has a mount namespace of his own (soak.sh)
	[ -z "${TESTBED_STORE_SIZE:-}" ] || {
		mount -t tmpfs -o "size=$TESTBED_STORE_SIZE,mode=755" tmpfs "$STATE/shared/checkpoints"
		: >"$STATE/run/store"
	}
	install -d -m 1777 "$STATE/shared/checkpoints/.drain"
	for user in alice bob; do
		install -d -m 700 "$STATE/shared/home/$user" "$STATE/shared/checkpoints/$user"
		chown "$(config_owner "$base" "$user")" "$STATE/shared/home/$user" "$STATE/shared/checkpoints/$user"
	done
}

# cluster_switch - a network namespace with nothing but a bridge
cluster_switch() {
	[ ! -e "/run/netns/$TAG" ] || return 0
	ip netns add "$TAG"
	ip -n "$TAG" link set lo up
	ip -n "$TAG" link add br0 type bridge forward_delay 0
	ip -n "$TAG" link set br0 up
}

# cluster_ready - wait until every compute node takes jobs
cluster_ready() {
	local nodes
	nodes=$(cluster_size)
	if ! wait_until 120 cluster_idle "$nodes"; then
		cluster_status
		tail -n 5 "$STATE"/nodes/n*/upper/var/log/slurm/*.log >&2 || true
		die "the compute nodes did not become ready"
	fi
	say "the cluster is up: n0 and $nodes compute nodes"
}

cluster_idle() {
	local count
	count=$( (node_sh n0 sinfo -h -r -N -p main -t idle,alloc,mix,comp -o %N) 2>/dev/null | sort -u | wc -l)
	[ "$count" = "$1" ]
}

cluster_status() {
	local node pid
	[ "$(cluster_size)" -ge 0 ] || {
		echo "the cluster is down"
		return
	}
	for node in $(cluster_nodes); do
		if pid=$(node_pid "$node"); then
			echo "$node running, pid $pid"
		else
			echo "$node not running"
		fi
	done
	node_dead n0 || (node_sh n0 sinfo) || true
}

# cluster_stop - every node killed, every trace on the machine removed; the disks stay for a look
cluster_stop() {
	local node
	for node in $(cluster_nodes); do
		node_kill "$node"
		node_clean "$node"
		rm -rf "${STATE:?}/run/$node"
	done
	[ ! -e "/run/netns/$TAG" ] || ip netns delete "$TAG"
	rm -f "$STATE/run/stamp" "$STATE/run/store"
	build_prune
}

cluster_down() {
	lock_take
	cluster_stop
	# it was started again, and nobody may have noticed
	sed 's/^/testbed: /' "$STATE/nodes/n0/upper/var/log/slurm/crashes" 2>/dev/null || true
	say "the cluster is down"
}
