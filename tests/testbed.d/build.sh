# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# build.sh - the project: its sources copied out of the clone, built inside a root file system, installed as a layer

# build_files - the project's files, NUL-separated, relative to the clone
build_files() {
	if git -C "$CLONE" -c safe.directory='*' rev-parse --is-inside-work-tree >/dev/null 2>&1; then
		# a file deleted but not yet committed is still in git's list
		git -C "$CLONE" -c safe.directory='*' ls-files -z -co --exclude-standard |
			while IFS= read -r -d '' file; do
				[ ! -e "$CLONE/$file" ] && [ ! -L "$CLONE/$file" ] || printf '%s\0' "$file"
			done
	else
		(cd "$CLONE" && find . -name .git -prune -o \( -type f -o -type l \) -printf '%P\0')
	fi | LC_ALL=C sort -zu
}

# build_hash - changes when something that is built or installed does
build_hash() {
	(cd "$CLONE" && build_files | grep -zvE '^(tests/(testbed|bench|cluster|fuzz|soak|vm|zdtm)|\.ci/|\.git|doc/|[^/]*\.md$)' |
		xargs -0 sha256sum --) | hash_of
}

build_possible() {
	[ -e "$CLONE/configure.ac" ]
}

# build_install_path - the install layer of the newest build; empty when there is none
build_install_path() {
	if [ -n "${TESTBED_INSTALL:-}" ]; then
		realpath "$TESTBED_INSTALL"
	elif [ -e "$STATE/install/current" ]; then
		realpath "$STATE/install/current"
	fi
}

# build_plugin_path - spank_cr.so as the nodes see it; empty when it is not installed
build_plugin_path() {
	local layer
	layer=$(build_install_path)
	[ -n "$layer" ] || return 0
	(cd "$layer" && find usr -name spank_cr.so -printf '/%p\n' | head -1)
}

# build_copy DIR - bring the sources in DIR up to date. What has changed is told by its content, and gets the time of now:
# by their own times a tree that was checked out before the last build would look older than what was built from another
build_copy() {
	local dir=$1
	[ -d "$dir" ] || rm -f "$dir".{files,sums}.old
	mkdir -p "$dir"
	(cd "$CLONE" && build_files) >"$dir.files"
	if [ -e "$dir.files.old" ]; then
		(cd "$dir" && LC_ALL=C comm -z -23 "$dir.files.old" "$dir.files" | xargs -0r rm -f --)
	fi
	(cd "$CLONE" && xargs -0 sha256sum -- <"$dir.files" && xargs -0 stat -c '%a %n' -- <"$dir.files") | LC_ALL=C sort >"$dir.sums"
	touch "$dir.sums.old"
	LC_ALL=C comm -13 "$dir.sums.old" "$dir.sums" | sed -E 's/^[0-9a-f]+ +//' | sort -u >"$dir.changed"
	tar -C "$CLONE" -T "$dir.changed" -cf - | tar -C "$dir" --no-same-owner -xmf -
	mv "$dir.files" "$dir.files.old"
	mv "$dir.sums" "$dir.sums.old"
}

# build_script - what runs in the root file system, with configure's arguments
build_script() {
	build_configure_script
	# shellcheck disable=SC2016 # expanded over there
	echo 'make -j"$(nproc)"'
}

build_configure_script() {
	cat <<-'EOF'
	set -eu
	multiarch=$(gcc -print-multiarch)
	cd /build/src
	[ configure -nt configure.ac ] && [ -e Makefile.in ] || autoreconf -fi
	mkdir -p /build/obj
	cd /build/obj
	set -- --prefix=/usr --sysconfdir=/etc --libexecdir=/usr/libexec --localstatedir=/var \
		--libdir="/usr/lib/$multiarch" "$@"
	if [ ! Makefile -nt ../src/configure ] || [ "$(cat configured-with)" != "$*" ]; then
		find . -mindepth 1 -delete
		# dash is twice as fast as bash, also as what runs libtool
		CONFIG_SHELL=/bin/sh ../src/configure "$@"
		echo "$*" >configured-with
	fi
	EOF
}

# build_install - build and install the project unless that is done; 'current' then names the layer
build_install() {
	local hash dir=$STATE/build/install log=$STATE/log/build.log began=$SECONDS
	[ -z "${TESTBED_INSTALL:-}" ] || return 0
	if ! build_possible; then
		say "there is no configure.ac: the cluster runs without spank_cr"
		rm -f "$STATE/install/current"
		return
	fi
	hash=$(hash_of <<<"$(build_hash) $(rootfs_path base) $(declare -f build_script build_configure_script)")
	mkdir -p "$STATE/install" "$STATE/log"
	if [ ! -d "$STATE/install/$hash" ]; then
		say "building the project (log: $log)"
		build_copy "$dir/src"
		rm -rf "$dir/dest"
		if ! rootfs_run "$(rootfs_path base)" "$dir" \
			sh -c "$(build_script); make install DESTDIR=/build/dest" sh >"$log" 2>&1 </dev/null; then
			grep -nE 'error|Error' "$log" | head -20 >&2 || true
			tail -20 "$log" >&2
			die "the project does not build"
		fi
		mv -T "$dir/dest" "$STATE/install/$hash"
		say "project built after $((SECONDS - began)) s"
	fi
	ln -sfn "$hash" "$STATE/install/current"
}

# build_prune - install layers nobody uses; no node may be running
build_prune() {
	local layer current
	current=$(build_install_path)
	for layer in "$STATE"/install/*; do
		[ -L "$layer" ] || [ ! -d "$layer" ] || [ "$layer" = "$current" ] || rm -rf "$layer"
	done
}
