#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# vm-guest.sh - process 1 of the virtual machine: mounts what a booted Debian has, runs tests/testbed, ends
#
# The root file system is read-only and is the nodes' base layer; everything written goes to tmpfs.

set -uo pipefail
export PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C.UTF-8

OUTPUT=(/dev/vport*p1)
STATUS=(/dev/vport*p2)

guest_mounts() {
	local dir
	mount -t proc -o nosuid,nodev,noexec proc /proc
	mount -t sysfs -o nosuid,nodev,noexec sysfs /sys
	mount -t cgroup2 -o nosuid,nodev,noexec,nsdelegate cgroup2 /sys/fs/cgroup
	mkdir -p /dev/pts /dev/shm /dev/mqueue
	mount -t devpts -o mode=620,gid=5,ptmxmode=666 devpts /dev/pts
	mount -t tmpfs -o mode=1777,nosuid,nodev tmpfs /dev/shm
	mount -t mqueue mqueue /dev/mqueue
	for dir in /tmp /var/tmp; do
		mount -t tmpfs -o mode=1777 tmpfs "$dir"
	done
	for dir in /run /root /home /shared; do
		mount -t tmpfs -o mode=755 tmpfs "$dir"
	done
	mkdir -p /run/lock /mnt/state
	ln -sfn /proc/self/fd /dev/fd
	ln -sfn fd/0 /dev/stdin
	ln -sfn fd/1 /dev/stdout
	ln -sfn fd/2 /dev/stderr
}

# guest_run VERB ARG... - as on the host; what needs a cluster gets one
guest_run() {
	local testbed=/mnt/clone/tests/testbed
	export TESTBED_IN_VM=1 TESTBED_STATE=/mnt/state TESTBED_BASE=/ TESTBED_INSTALL=/mnt/install TESTBED_CRIU=base
	# Slurm's own patience: what runs beside the machine may stop it for seconds
	export TESTBED_TIMEOUT=15
	case $1 in
	exec)
		shift
		"$@"
		;;
	sh | kill-node | start-node | status)
		"$testbed" up >&2 && "$testbed" "$@"
		;;
	*) "$testbed" "$@" ;;
	esac
}

# guest_drained PID - all that was in the pipe to PID has been written: it sleeps, waiting for more, or is gone
guest_drained() {
	local stat
	stat=$(cat "/proc/$1/stat" 2>/dev/null) || return 0
	[[ $stat =~ \)\ [SZ]\  ]]
}

main() {
	local rc=0 pipe command=()
	guest_mounts
	hostname vm
	ip link set lo up
	cd /mnt/clone || rc=125
	eval "command=($(cat /mnt/command))"
	echo "guest: userspace is ready after $(cut -d' ' -f1 /proc/uptime) s" >/dev/console
	# a port can be opened only once, and programs do reopen /dev/stdout: hence a pipe and cat
	exec {pipe}> >(exec cat >"${OUTPUT[0]}")
	guest_run "${command[@]}" >&"$pipe" 2>&1 {pipe}>&- </dev/null || rc=$?
	exec {pipe}>&-
	# daemons may hold the pipe open: do not wait for its end
	until guest_drained $!; do
		sleep 0.1
	done
	echo "guest: done after $(cut -d' ' -f1 /proc/uptime) s, status $rc" >/dev/console
	echo "$rc" >"${STATUS[0]}"
	echo o >/proc/sysrq-trigger
	sleep infinity
}

main
