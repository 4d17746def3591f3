# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# rootfs.sh - the root file systems: each has a recipe, is kept under a hash of it, and appears by a rename
#
#   base      Debian 13 with Slurm, CRIU, compilers and test programs; enough for the VM
#   criu-sid  an overlay layer on top of base: CRIU from Debian unstable
#   fuzz      an overlay layer on top of base: what clang needs for libFuzzer
#   programs  an overlay layer on top of base: what people run, for tests/cluster/programs.bats and the benchmark
#   accounting  an overlay layer on top of base: slurmdbd and its database, for tests/cluster/outcomes.bats
#   zdtm      an overlay layer on top of base: CRIU's own tests, of the release in criu-sid, for tests/zdtm
#   compat    Debian 12, to compile against the oldest Slurm supported (22.05)

ROOTFS_BASE_PACKAGES=(
	slurmctld slurmd slurm-client slurm-wlm-basic-plugins munge criu tini
	build-essential autoconf automake libtool pkg-config
	libslurm-dev libmunge-dev libcap-dev libjansson-dev libsodium-dev libzstd-dev libxxhash-dev
	libarchive-dev libelf-dev libprotobuf-c-dev protobuf-c-compiler check
	bats bash-builtins python3 python3-numpy lammps openmpi-bin jq
	procps psmisc iproute2 util-linux strace tar
	clang-format clang-tidy cppcheck shellcheck mandoc
)
ROOTFS_COMPAT_PACKAGES=(
	build-essential autoconf automake libtool pkg-config
	libslurm-dev libmunge-dev libcap-dev libjansson-dev libsodium-dev libzstd-dev libxxhash-dev
	libarchive-dev libelf-dev libprotobuf-c-dev protobuf-c-compiler check
)
ROOTFS_PROGRAMS_PACKAGES=(
	openjdk-21-jre-headless r-base-core octave nodejs golang-go libopenblas0-pthread sqlite3
	mpich libmpich-dev libopenmpi-dev parallel screen btrfs-progs
	valgrind python3-joblib numactl
)
ROOTFS_ACCOUNTING_PACKAGES=(slurmdbd mariadb-server)
ROOTFS_ZDTM_PACKAGES=(libaio-dev)
ROOTFS_APT=(-y -q --no-install-recommends -o Acquire::Retries=3 -o Dpkg::Use-Pty=0)

# rootfs_path base|criu-sid|fuzz|programs|accounting|zdtm|compat - where it is or will be
rootfs_path() {
	local recipe
	[ "$1:${TESTBED_BASE:+set}" != base:set ] || {
		realpath "$TESTBED_BASE"
		return
	}
	case $1 in
	base) recipe="${ROOTFS_BASE_PACKAGES[*]} $(declare -f rootfs_recipe_base rootfs_begin rootfs_finish)" ;;
	criu-sid) recipe="$(rootfs_path base) $(declare -f rootfs_recipe_criu_sid rootfs_layer_begin rootfs_layer_finish)" ;;
	programs)
		recipe="$(rootfs_path base) ${ROOTFS_PROGRAMS_PACKAGES[*]}"
		recipe+=" $(declare -f rootfs_recipe_programs rootfs_layer_begin rootfs_layer_finish)"
		;;
	accounting)
		recipe="$(rootfs_path base) ${ROOTFS_ACCOUNTING_PACKAGES[*]}"
		recipe+=" $(declare -f rootfs_recipe_accounting rootfs_layer_begin rootfs_layer_finish)"
		;;
	zdtm)
		recipe="$(rootfs_path criu-sid) ${ROOTFS_ZDTM_PACKAGES[*]}"
		recipe+=" $(declare -f rootfs_recipe_zdtm rootfs_layer_begin rootfs_layer_finish)"
		;;
	fuzz)
		recipe="$(rootfs_path base) $(declare -f rootfs_recipe_fuzz rootfs_layer_begin rootfs_layer_finish)"
		;;
	compat) recipe="${ROOTFS_COMPAT_PACKAGES[*]} $(declare -f rootfs_recipe_compat rootfs_begin rootfs_finish)" ;;
	*) die "no such root file system: $1" ;;
	esac
	echo "$ROOTFS/$1-$(hash_of <<<"$recipe")"
}

rootfs_verb() {
	[ $# -eq 1 ] || die "usage: tests/testbed rootfs base|criu-sid|fuzz|programs|accounting|zdtm|compat"
	lock_take
	rootfs_make "$1"
	rootfs_path "$1"
}

# rootfs_make NAME - build it unless it is there. Each has a lock, for several states share ROOTFS: whoever comes second
# waits, and finds it there. A layer is built under its own lock and, while base is made, under base's; nobody takes them
# in another order. The recipe's processes hold the lock as well: when its maker is killed, nobody removes what they
# still write.
rootfs_make() {
	local path fd rc=0
	path=$(rootfs_path "$1")
	[ ! -d "$path" ] || return 0
	mkdir -p "$ROOTFS"
	exec {fd}>"$ROOTFS/$1.lock"
	if ! flock -n "$fd"; then
		say "waiting for the root file system $1, which somebody builds"
		flock "$fd"
	fi
	[ -d "$path" ] || rootfs_build "$1" "$path" || rc=$?
	exec {fd}>&-
	return "$rc"
}

# rootfs_make_all NAME... - those that are not there, two at a time, as unpacking waits for the disk and loading for the
# mirror. Layers that come before base wait for it.
rootfs_make_all() {
	local name running=0 failed=0
	for name; do
		[ ! -d "$(rootfs_path "$name")" ] || continue
		# what the machine itself needs, by one of them
		rootfs_need
		if [ "$running" = 2 ]; then
			wait -n || failed=1
			running=1
		fi
		(rootfs_make "$name") &
		running=$((running + 1))
	done
	while [ $((running--)) -gt 0 ]; do
		wait -n || failed=1
	done
	[ "$failed" = 0 ] || die "not all root file systems are there"
}

rootfs_need() {
	host_need_tools
	host_need debootstrap:debootstrap gpgv:gpgv
	host_keyring
}

# rootfs_build NAME PATH - by who holds its lock
rootfs_build() {
	local name=$1 path=$2 temp log began=$SECONDS
	case $name in
	criu-sid | fuzz | programs | accounting | zdtm) rootfs_make base ;;
	esac
	rootfs_need
	mkdir -p "$STATE/debs" "$STATE/log"
	rm -rf "$ROOTFS/$name-"*.tmp
	temp=$path.tmp
	log=$STATE/log/rootfs-$name.log
	say "building the root file system $name (log: $log)"
	# in namespaces of its own: whatever happens, no mount and no process is left behind
	if ! ROOTFS_NAME=$name unshare --mount --pid --fork --kill-child=SIGKILL --propagation private \
		bash "$TESTBED" internal "rootfs_recipe_${name//-/_}" "$temp" >"$log" 2>&1 </dev/null; then
		tail -20 "$log" >&2
		die "building the root file system $name failed"
	fi
	# the recipe changed: what the older one made is of no use, unless a node still runs on it
	mv -T "$temp" "$path"
	say "root file system $name is ready after $((SECONDS - began)) s"
}

# rootfs_begin SUITE DIR - the bare system, able to install more
rootfs_begin() {
	local suite=$1 dir=$2 mirror security
	mirror=$(host_mirror main)
	security=$(host_mirror security)
	mkdir -p "$STATE/debs/$suite"
	mount -t proc proc /proc
	debootstrap --variant=minbase --cache-dir="$STATE/debs/$suite" "$suite" "$dir" "$mirror"
	umount "$dir/proc" "$dir/sys" 2>/dev/null || true
	{
		echo "deb $mirror $suite main"
		echo "deb $mirror $suite-updates main"
		[ -z "$security" ] || echo "deb $security $suite-security main"
	} >"$dir/etc/apt/sources.list"
	host_apt_proxy >"$dir/etc/apt/apt.conf.d/90proxy"
	printf '%s\n' force-unsafe-io 'path-exclude=/usr/share/doc/*' 'path-include=/usr/share/doc/*/copyright' \
		'path-exclude=/usr/share/man/*' 'path-exclude=/usr/share/locale/*' >"$dir/etc/dpkg/dpkg.cfg.d/testbed"
	# packages must not start their daemons in a chroot
	printf '#!/bin/sh\nexit 101\n' >"$dir/usr/sbin/policy-rc.d"
	chmod 755 "$dir/usr/sbin/policy-rc.d"
	rootfs_apt_ready "$suite" "$dir"
	chroot "$dir" apt-get -q update
}

# rootfs_apt_ready SUITE DIR - name resolution, /proc and the package cache for apt in a chroot; each has a cache of its
# own, for apt locks it
rootfs_apt_ready() {
	local debs=$STATE/debs/$1${ROOTFS_NAME:+-$ROOTFS_NAME}
	mkdir -p "$debs"
	rm -f "$2/etc/resolv.conf"
	cp /etc/resolv.conf "$2/etc/resolv.conf" || true
	mount -t proc proc "$2/proc"
	mount --bind "$debs" "$2/var/cache/apt/archives"
	export DEBIAN_FRONTEND=noninteractive LC_ALL=C PATH=/usr/sbin:/usr/bin:/sbin:/bin
}

# rootfs_finish DIR - leave nothing in it that belongs to this machine or only to apt
rootfs_finish() {
	umount "$1/var/cache/apt/archives" "$1/proc"
	rm -rf "$1"/var/lib/apt/lists/* "$1"/var/cache/apt/*.bin "$1/var/cache/apt/archives" "$1/usr/sbin/policy-rc.d"
	mkdir -p "$1/var/cache/apt/archives"
	: >"$1/etc/resolv.conf"
	rm -f "$1/etc/machine-id" "$1/etc/hostname" "$1/etc/munge/munge.key"
	: >"$1/etc/machine-id"
}

rootfs_recipe_base() {
	local dir=$1
	rootfs_begin trixie "$dir"
	chroot "$dir" apt-get "${ROOTFS_APT[@]}" install "${ROOTFS_BASE_PACKAGES[@]}"
	chroot "$dir" lmp -help >/dev/null
	chroot "$dir" useradd -u 1001 -U -M -d /shared/home/alice -s /bin/bash alice
	chroot "$dir" useradd -u 1002 -U -M -d /shared/home/bob -s /bin/bash bob
	mkdir -p "$dir/shared"
	rootfs_finish "$dir"
}

# rootfs_layer_begin SUITE DIR - an overlay on base at DIR/root, able to install more
rootfs_layer_begin() {
	local suite=$1 dir=$2 root=$2/root
	mkdir -p "$dir/work" "$dir/upper" "$root"
	mount -t proc proc /proc
	mount -t overlay overlay -o "lowerdir=$(rootfs_path base),upperdir=$dir/upper,workdir=$dir/work" "$root"
	rootfs_apt_ready "$suite" "$root"
}

# rootfs_layer_finish DIR - DIR becomes what was changed, without what belongs to this machine or only to apt
rootfs_layer_finish() {
	local dir=$1 root=$1/root
	umount "$root/var/cache/apt/archives" "$root/proc" "$root"
	rm -rf "$dir/upper/var/lib/apt" "$dir/upper/var/cache" "$dir/upper/etc/resolv.conf" "$dir/work" "$root"
	rm -rf "$dir/upper/etc/apt"
	mv "$dir/upper"/* "$dir/"
	rmdir "$dir/upper"
}

# CRIU 4.1.1 of Debian 13 cannot dump an inet socket on kernel 6.16 and later; unstable has a newer one
rootfs_recipe_criu_sid() {
	local dir=$1 root=$1/root mirror
	mirror=$(host_mirror main)
	rootfs_layer_begin sid "$dir"
	echo "deb $mirror sid main" >"$root/etc/apt/sources.list.d/sid.list"
	printf 'Package: %s\nPin: release n=sid\nPin-Priority: %s\n\n' '*' 100 'criu libcompel1 libnl-* libnet1' 990 'libc6* libc-bin' -1 \
		>"$root/etc/apt/preferences.d/sid"
	chroot "$root" apt-get -q -o Acquire::Check-Valid-Until=false update
	chroot "$root" apt-get "${ROOTFS_APT[@]}" install criu
	chroot "$root" criu --version
	rm "$root/etc/apt/sources.list.d/sid.list" "$root/etc/apt/preferences.d/sid"
	rootfs_layer_finish "$dir"
}

rootfs_recipe_programs() {
	local dir=$1 root=$1/root
	rootfs_layer_begin trixie "$dir"
	chroot "$root" apt-get -q update
	chroot "$root" apt-get "${ROOTFS_APT[@]}" install "${ROOTFS_PROGRAMS_PACKAGES[@]}"
	chroot "$root" java --version
	rootfs_layer_finish "$dir"
}

# the database is made empty here, once, and each cluster starts with it
rootfs_recipe_accounting() {
	local dir=$1 root=$1/root
	rootfs_layer_begin trixie "$dir"
	printf '#!/bin/sh\nexit 101\n' >"$root/usr/sbin/policy-rc.d"
	chmod 755 "$root/usr/sbin/policy-rc.d"
	chroot "$root" apt-get -q update
	chroot "$root" apt-get "${ROOTFS_APT[@]}" install "${ROOTFS_ACCOUNTING_PACKAGES[@]}"
	rm "$root/usr/sbin/policy-rc.d"
	[ -d "$root/var/lib/mysql/mysql" ] || chroot "$root" mariadb-install-db --user=mysql --skip-test-db
	rootfs_layer_finish "$dir"
}

# the tests are left where they were built: /usr/src/criu/test/zdtm/static. Those that need more than is here to be built
# need more than a job has to run, too; the runner says which are missing
rootfs_recipe_zdtm() {
	local dir=$1 root=$1/root mirror
	mirror=$(host_mirror main)
	rootfs_layer_begin trixie "$dir"
	chroot "$root" apt-get -q update
	chroot "$root" apt-get "${ROOTFS_APT[@]}" install "${ROOTFS_ZDTM_PACKAGES[@]}"
	echo "deb-src $mirror sid main" >"$root/etc/apt/sources.list.d/sid.list"
	chroot "$root" apt-get -q -o Acquire::Check-Valid-Until=false update
	# shellcheck disable=SC2016 # expanded over there
	chroot "$root" sh -ec 'cd /usr/src
		apt-get -q -o APT::Sandbox::User=root source --tar-only criu
		mkdir criu
		tar -xf criu_*.orig.tar.* -C criu --strip-components=1
		rm -f -- *.tar.*
		cd criu/test/zdtm
		make -s -C lib
		make -s -k -j"$(nproc)" -C static all || true
		find . -name "*.[od]" -delete
		ls -l static/sleeping00 static/socket-tcp'
	rm "$root/etc/apt/sources.list.d/sid.list"
	rootfs_layer_finish "$dir"
}

# base has clang for its tools, without its run-time libraries
rootfs_recipe_fuzz() {
	local dir=$1 root=$1/root
	rootfs_layer_begin trixie "$dir"
	chroot "$root" apt-get -q update
	chroot "$root" apt-get "${ROOTFS_APT[@]}" install clang libclang-rt-19-dev
	rootfs_layer_finish "$dir"
}

rootfs_recipe_compat() {
	local dir=$1
	rootfs_begin bookworm "$dir"
	chroot "$dir" apt-get "${ROOTFS_APT[@]}" install "${ROOTFS_COMPAT_PACKAGES[@]}"
	rootfs_finish "$dir"
}

# rootfs_layers ROOTFS... - the paths, joined for overlayfs' lowerdir (the first is on top)
rootfs_layers() {
	local name paths=''
	for name; do
		case $name in
		/*) paths+=:$name ;;
		*) paths+=:$(rootfs_path "$name") ;;
		esac
	done
	echo "${paths#:}"
}

# rootfs_run LAYERS BIND CMD... - CMD in a throw-away copy of LAYERS, as root, with directory BIND at /build;
# its own mount, pid and ipc namespaces, so that an interrupted CMD leaves nothing running
rootfs_run() {
	local scratch user pid=$BASHPID rc=0
	mkdir -p "$STATE/scratch"
	# of those that were killed; the name begins with who uses it
	for scratch in "$STATE"/scratch/*.*; do
		user=${scratch##*/}
		[ ! -d "$scratch" ] || [ -d "/proc/${user%.*}" ] || rm -rf "$scratch"
	done
	scratch=$(mktemp -d "$STATE/scratch/$pid.XXXXXX")
	unshare --mount --pid --ipc --uts --net --fork --kill-child=SIGKILL --propagation private \
		bash "$TESTBED" internal rootfs_run_inside "$scratch" "$@" || rc=$?
	rm -rf "$scratch"
	return "$rc"
}

rootfs_run_inside() {
	local scratch=$1 layers=$2 bind=$3 root=$1/root
	shift 3
	mkdir -p "$root" "$scratch/upper" "$scratch/work"
	mount -t overlay overlay -o "lowerdir=$layers,upperdir=$scratch/upper,workdir=$scratch/work" "$root"
	mkdir -p "$root/build"
	mount --bind "$bind" "$root/build"
	rootfs_mount_kernel "$root"
	ip link set lo up
	cd "$root" || exit
	pivot_root . .
	umount -l .
	cd /build || exit
	exec env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C.UTF-8 TERM="${TERM:-dumb}" "$@"
}

# rootfs_mount_kernel ROOT - /proc, /sys, /dev and /run for the namespaces we are in
rootfs_mount_kernel() {
	local root=$1 device
	mount -t proc proc "$root/proc"
	mount -t sysfs -o ro sysfs "$root/sys"
	mount -t tmpfs -o mode=755 tmpfs "$root/run"
	mkdir -p "$root/run/lock"
	chmod 1777 "$root/run/lock"
	mount -t tmpfs -o mode=755 tmpfs "$root/dev"
	for device in null:1:3 zero:1:5 full:1:7 random:1:8 urandom:1:9 tty:5:0; do
		IFS=: read -r device major minor <<<"$device"
		mknod -m 666 "$root/dev/$device" c "$major" "$minor"
	done
	mkdir "$root/dev/pts" "$root/dev/shm" "$root/dev/mqueue"
	mount -t devpts -o newinstance,ptmxmode=666,mode=620,gid=5 devpts "$root/dev/pts"
	mount -t tmpfs -o mode=1777,nosuid,nodev tmpfs "$root/dev/shm"
	mount -t mqueue mqueue "$root/dev/mqueue"
	ln -s pts/ptmx "$root/dev/ptmx"
	ln -s /proc/self/fd "$root/dev/fd"
	ln -s fd/0 "$root/dev/stdin"
	ln -s fd/1 "$root/dev/stdout"
	ln -s fd/2 "$root/dev/stderr"
}
