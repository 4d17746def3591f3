# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# host.sh - what the machine itself must have: a few tools, and the way to a Debian mirror

# host_need COMMAND:PACKAGE... - install the packages whose command is missing
host_need() {
	local item missing=()
	for item; do
		command -v "${item%%:*}" >/dev/null || missing+=("${item##*:}")
	done
	[ ${#missing[@]} -gt 0 ] || return 0
	say "installing on this machine: ${missing[*]}"
	host_apt_install "${missing[@]}"
}

# host_apt_install PACKAGE... - with the package lists there are, or with fresh ones; one at a time on this machine, for
# apt does not wait
host_apt_install() {
	local log fd
	export DEBIAN_FRONTEND=noninteractive
	log=$(mktemp)
	exec {fd}>/run/spank_cr-testbed-apt.lock
	flock "$fd"
	if ! apt-get install -y --no-install-recommends "$@" >"$log" 2>&1 </dev/null; then
		apt-get update >"$log" 2>&1 </dev/null || say "apt-get update complained, going on"
		if ! apt-get install -y --no-install-recommends "$@" >"$log" 2>&1 </dev/null; then
			tail -20 "$log" >&2
			die "apt-get could not install: $*"
		fi
	fi
	exec {fd}>&-
	rm -f "$log"
}

host_need_tools() {
	host_need ip:iproute2 unshare:util-linux flock:util-linux setpriv:util-linux \
		nsenter:util-linux findmnt:util-linux tar:tar
}

# host_keyring - Debian 12 as first released does not know the key of Debian 13 yet
host_keyring() {
	local key
	for key in /usr/share/keyrings/debian-archive-trixie-automatic.*; do
		[ ! -e "$key" ] || return 0
	done
	say "installing on this machine: debian-archive-keyring"
	apt-get update >/dev/null 2>&1 </dev/null || true
	host_apt_install debian-archive-keyring
}

# host_mirror main|security - the URI of Debian's own archive in this machine's apt configuration
#
# apt itself reads the configuration, so every way to write it is understood. ORIGIN and LABEL come from the
# downloaded Release files; before the first apt-get update they are empty and the suite's name has to do.
host_mirror() {
	# shellcheck disable=SC2016 # apt prints what it does not know as it was asked
	local kind=$1 codename uri suite origin label unknown='$(ORIGIN):$(LABEL)'
	# shellcheck disable=SC1091
	codename=$(. /etc/os-release && echo "$VERSION_CODENAME")
	# shellcheck disable=SC2016 # apt expands these
	while IFS='|' read -r uri suite origin label; do
		case $kind:$origin:$label:$suite in
		main:Debian:Debian:"$codename" | main:"$unknown:$codename" | main:::"$codename") ;;
		security:Debian:Debian-Security:*) ;;
		security:"$unknown:$codename-security" | security:::"$codename-security") ;;
		*) continue ;; # another suite, or somebody else's archive
		esac
		host_mirror_plain "$uri"
		return
	done < <(apt-get indextargets --format '$(REPO_URI)|$(RELEASE)|$(ORIGIN)|$(LABEL)' 'Created-By: Packages')
	[ "$kind" = security ] || die "no Debian archive found in this machine's apt configuration"
}

# host_mirror_plain URI - mirror+file:LIST (Debian's cloud images) becomes the first URI in LIST
host_mirror_plain() {
	local uri=$1
	case $uri in
	mirror+file:*)
		uri=${uri#mirror+file:}
		uri=${uri%/}
		uri=$(grep -m1 -oE '^[a-z]+:[^[:space:]]+' "/${uri##+(/)}") || die "no mirror named in $uri"
		;;
	esac
	echo "${uri%/}"
}

# host_apt_proxy - apt's proxy settings on this machine, for the root file systems to be built
host_apt_proxy() {
	apt-config dump | grep -E '^Acquire::(http|https)::Proxy ' || true
}
