# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# common.sh - words, paths and the lock that every part of the testbed uses

# path_plain PATH - it is absolute and has no symbolic links, nor . and ..
path_plain() {
	local at='' name rest=${1#/}/
	[[ $1 = /* && $1/ != *//* && $1/ != */./* && $1/ != */../* ]] || return 1
	while [ -n "$rest" ]; do
		name=${rest%%/*} rest=${rest#*/}
		at+=/$name
		[ ! -L "$at" ] || return 1
	done
}

STATE=${TESTBED_STATE:-/var/cache/spank_cr-testbed}
path_plain "$STATE" || STATE=$(realpath -m "$STATE")

# the root file systems; several clusters on one machine share them
# shellcheck disable=SC2034 # used by other library files
ROOTFS=${TESTBED_ROOTFS:-$STATE/rootfs}
path_plain "$ROOTFS" || ROOTFS=$(realpath -m "$ROOTFS")

# two testbeds on one machine differ in this: it names the cgroup and the switch's network namespace. It is kept in STATE,
# with the path that it is of: a copy of STATE has another
{ read -r TAG TAG_OF <"$STATE/tag"; } 2>/dev/null || TAG_OF=
[ "$TAG_OF" = "$STATE" ] || {
	TAG=tb$(printf %s "$STATE" | sha256sum | cut -c1-6)
	[ ! -w "$STATE" ] || echo "$TAG $STATE" >"$STATE/tag"
}

# the lock's descriptor: never handed to a node, or the lock would live as long as the node
exec {LOCK_FD}</dev/null

say() {
	printf 'testbed: %s\n' "$*" >&2
}

die() {
	printf 'testbed: error: %s\n' "$*" >&2
	exit 1
}

# hash_of [FILE]... - a short name for a content (standard input without FILE)
hash_of() {
	cat -- "$@" | sha256sum | cut -c1-16
}

# lock_take - one change to the testbed at a time; held until this process ends
lock_take() {
	mkdir -p "$STATE"
	exec {LOCK_FD}>"$STATE/lock"
	flock -n "$LOCK_FD" && return
	say "waiting for another testbed command to finish"
	flock -w 1800 "$LOCK_FD" || die "$STATE/lock is held by another testbed command"
}

# wait_until SECONDS CMD... - try CMD until it succeeds, five times a second
wait_until() {
	local tries=$(($1 * 5))
	# emulated, and beside others
	[ -z "${TESTBED_IN_VM:-}" ] || tries=$((tries * 4))
	shift
	until "$@"; do
		[ $((tries -= 1)) -gt 0 ] || return 1
		sleep 0.2
	done
}
