# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# policy.sh - what the project promises about its own sources and about what it installs, one test each

# who may do what; syscall(2) and libcap's wrappers included
POLICY_PRIVILEGE='\b(set(res|re|e|fs)?[ug]id|setgroups|initgroups|capset|cap_set_(proc|ambient|secbits|mode|fd|file)|cap_(reset|drop)_[a-z]+|cap_set(uid|groups)) *\(|\b(SYS|__NR)_(set(res|re|fs)?[ug]id|setgroups|capset)|\bPR_CAP[A-Z_]+|\bPR_SET_(SECUREBITS|KEEPCAPS|NO_NEW_PRIVS)\b'
POLICY_NAMESPACE='\b(unshare|setns|clone3?|u?mount2?|pivot_root|chroot|fsopen|fsmount|open_tree|move_mount|mount_setattr) *\(|\b(SYS|__NR)_(unshare|setns|clone3?|u?mount2?|pivot_root|chroot|fsopen|fsmount|open_tree|move_mount|mount_setattr)\b|\bCLONE_NEW[A-Z]+'
POLICY_EXPORTS='^(plugin_(name|type|version)|spank_plugin_version|slurm_spank_[a-z_]+)$'
POLICY_NEEDED='^(libc\.so\.6|libcap\.so\.2)$'

# policy_grep REGEXP FILES-REGEXP [EXCEPT-FILE] - the lines that match, comments left out; fails when there are any
policy_grep() {
	local regexp=$1 except=${3:-} file code files=0 found=0
	while IFS= read -r -d '' file; do
		files=$((files + 1))
		[ "$file" != "$except" ] || continue
		code=$(policy_code "$CLONE/$file") || return 1
		if grep -nP -- "$regexp" <<<"$code" | sed "s|^|$file:|" | grep .; then
			found=1
		fi
	done < <(check_files "$2")
	[ "$files" -gt 0 ] || echo "no file matches $2"
	[ "$files" -gt 0 ] && [ "$found" = 0 ]
}

# policy_code FILE - C without comments, line by line as it was
policy_code() {
	perl -0777 -pe 's{("(?:\\.|[^"\\])*"|\x27(?:\\.|[^\x27\\])*\x27)|/\*.*?\*/|//[^\n]*}{defined $1 ? $1 : ($& =~ tr/\n//cdr)}gse' "$1"
}

# policy_finds - the search itself finds what it is to find, and only that
policy_finds() {
	local text
	for text in 'if (setresuid(0, 0, 0) < 0)' 'prctl(PR_SET_KEEPCAPS, 1)' 'prctl (PR_CAP_AMBIENT, x)' 'cap_set_proc (c)' \
		'syscall(SYS_capset, h, d)' 'setgroups(0, NULL)' 'syscall(__NR_setuid, 0)'; do
		grep -qP -- "$POLICY_PRIVILEGE" <<<"$text" || {
			echo "not found: $text"
			return 1
		}
	done
	for text in 'unshare(CLONE_NEWTIME)' 'if (mount (a, b, c, 0, d))' 'umount2(x, 0)' 'syscall(SYS_clone3, &a)' 'x = CLONE_NEWPID'; do
		grep -qP -- "$POLICY_NAMESPACE" <<<"$text" || {
			echo "not found: $text"
			return 1
		}
	done
	! grep -P -- "$POLICY_PRIVILEGE|$POLICY_NAMESPACE" <<<'cr_ns_mount(&m); prctl(PR_SET_PDEATHSIG, 9); getuid(); cr_caps_drop(e); cap_get_proc();'
}

# policy_spdx - the licence in every file that has a place for it; C sources say whose it is, too
policy_spdx() {
	local file found=0
	while IFS= read -r -d '' file; do
		head -3 "$CLONE/$file" | grep -q 'SPDX-License-Identifier: GPL-2\.0-or-later' && continue
		echo "$file: no SPDX line among the first three"
		found=1
	done < <(check_files '(\.([ch]|sh|bash|bats|map|ac|am|[0-9])|^tests/testbed|^tests/testbed\.d/[^/]*|^\.ci/run|^\.clang-format)$')
	while IFS= read -r -d '' file; do
		sed -n 2p "$CLONE/$file" | grep -q '^ \* Copyright (C) .* the spank_cr authors \*/$' && continue
		echo "$file: no copyright in its second line"
		found=1
	done < <(check_files '\.[ch]$')
	[ "$found" = 0 ]
}

# policy_in_layer CMD... - CMD in base with the install layer at /build
policy_in_layer() {
	rootfs_run "$(rootfs_path base)" "$(build_install_path)" "$@"
}

# policy_layer - the install layer of these sources, there for the cluster too
policy_layer() {
	lock_take
	build_install
	build_plugin_path | grep .
}

policy_exports() {
	local names
	names=$(policy_in_layer nm -D --defined-only --format=posix "/build$(build_plugin_path)" | cut -d' ' -f1)
	grep -q '^spank_plugin_version$' <<<"$names" || {
		echo "spank_plugin_version is not exported"
		return 1
	}
	grep -q '^slurm_spank_init$' <<<"$names" || {
		echo "slurm_spank_init is not exported"
		return 1
	}
	! grep -vE "$POLICY_EXPORTS" <<<"$names"
}

policy_needed() {
	local needed
	needed=$(policy_in_layer readelf -d "/build$(build_plugin_path)" | sed -n 's/.*(NEEDED).*\[\(.*\)\]$/\1/p')
	grep -q '^libc\.so\.6$' <<<"$needed" || {
		echo "readelf shows no libc.so.6"
		return 1
	}
	! grep -vE "$POLICY_NEEDED" <<<"$needed"
}

# policy_modes - nothing that is installed has more rights than a plain program; who is started with rights or by who
# has them cannot be read, and so not be traced by its user in the moment after its exec; what criu loads can be
policy_modes() {
	local layer mode
	layer=$(build_install_path)
	mode=$(find "$layer" -path '*/libexec/spank_cr/*' -type f -printf '%m %f\n' | sort)
	[ "$mode" = "644 crshim.so
711 crhook
711 crinit
711 crnotary" ] || {
		echo "$mode"
		return 1
	}
	! find "$layer" \( -perm /7000 -o \( ! -type l -perm /022 \) \) -printf '%m %p\n' | grep . || return 1
	! policy_in_layer sh -c 'command -v getcap >/dev/null && getcap -r /build' | grep .
}

# policy_main - the tests, counted like any other
policy_main() {
	local installed='layer exports needed modes' name
	check_run "policy: the searches find what they look for" policy-finds policy_finds || true
	check_run "policy: only libcrcore/caps.c changes capabilities and ids" policy-privilege \
		policy_grep "$POLICY_PRIVILEGE" '^(libcrcore|spank_cr)/.*\.[ch]$' libcrcore/caps.c || true
	check_run "policy: only libcrcore/ns.c makes namespaces and mounts" policy-namespace \
		policy_grep "$POLICY_NAMESPACE" '^(libcrcore|spank_cr)/.*\.[ch]$' libcrcore/ns.c || true
	check_run "policy: libcrcore has no Slurm header" policy-slurm-header \
		policy_grep '^\s*#\s*include\s*[<"]slurm' '^libcrcore/' || true
	check_run "policy: no shell is started" policy-shell \
		policy_grep '\b(system|popen|wordexp)\s*\(|"/bin/(ba)?sh"' '^(libcrcore|spank_cr)/.*\.[ch]$' || true
	check_run "policy: every source names its licence" policy-spdx policy_spdx || true
	if ! build_possible; then
		for name in $installed; do
			check_skip "policy: $name" "there is no configure.ac"
		done
		return
	fi
	check_run "policy: the project installs spank_cr.so" policy-layer policy_layer || return 0
	check_run "policy: spank_cr.so exports Slurm's hooks only" policy-exports policy_exports || true
	check_run "policy: spank_cr.so is linked against libc and libcap only" policy-needed policy_needed || true
	check_run "policy: nothing installed is setuid, writable by others or has file capabilities" policy-modes \
		policy_modes || true
}
