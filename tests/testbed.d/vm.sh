# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# vm.sh - the same testbed inside a virtual machine: Debian 13's own kernel and CRIU, cgroup v2
#
# Everything is emulated: /dev/kvm, where there is one, is not used. qemu is Debian 13's as well, in a layer over
# the base root file system: with the 7.2 of Debian 12 a guest with two processors sometimes panics while its kernel
# patches itself ("Oops: int3", one run in five), and the cluster takes three times as long to start. Two disks:
#
#   vda  the base root file system plus kernel modules, read-only; rebuilt only when one of them changes
#   vdb  a tar archive: this source tree, the installed project and the command; made anew for every run
#
# and three channels: the kernel's console (ttyS0), the command's output (vport*p1), its exit status
# (vport*p2). vm-guest.sh is what runs inside.

VM_MEMORY_MB=${TESTBED_VM_MEMORY:-4096}
VM_TIMEOUT=${TESTBED_VM_TIMEOUT:-1200}
VM_DIR=$STATE/vm
VM_RUN=$VM_DIR/run

# what the initrd needs to find and mount vda; everything else the kernel asks modprobe for
VM_BOOT_MODULES=(virtio_pci virtio_blk virtio_console crc32c ext4)
# hardware that this machine does not have
VM_UNUSED_MODULES=(
	sound drivers/gpu drivers/media drivers/infiniband drivers/net/ethernet drivers/net/wireless
	drivers/iio drivers/hwmon drivers/usb drivers/staging drivers/scsi drivers/ata drivers/hid
)

vm_main() {
	local rc=0
	[ $# -gt 0 ] || die "usage: tests/testbed vm CMD... (a verb of tests/testbed, or: exec PROGRAM...)"
	[ -z "${TESTBED_IN_VM:-}" ] || die "this is the virtual machine already"
	vm_lock
	(vm_prepare)
	vm_pack "$@"
	(vm_boot) || rc=$?
	return "$rc"
}

# vm_lock - one virtual machine at a time; qemu inherits the lock and keeps it as long as it lives
vm_lock() {
	local fd
	mkdir -p "$VM_DIR"
	exec {fd}>"$VM_DIR/lock"
	flock -n "$fd" && return
	say "waiting for another virtual machine to end"
	flock -w "$VM_TIMEOUT" "$fd" || die "$VM_DIR/lock is held by another virtual machine"
}

# vm_prepare - all that is made on the host; in a subshell, so that the testbed's lock goes with it
vm_prepare() {
	lock_take
	rootfs_make base
	build_install
	vm_image_make
}

# ---- the image ----

vm_image_path() {
	local recipe
	recipe="$(rootfs_path base) ${VM_BOOT_MODULES[*]} ${VM_UNUSED_MODULES[*]}"
	recipe+=$(declare -f vm_image_recipe vm_image_apt vm_image_apt_end vm_image_kernel vm_image_initrd vm_initrd_script vm_image_disk)
	echo "$VM_DIR/image-$(hash_of <<<"$recipe")"
}

# vm_image_make - kernel, initrd and root disk, unless they are there
vm_image_make() {
	local path temp log began=$SECONDS
	path=$(vm_image_path)
	[ ! -d "$path" ] || return 0
	host_need mke2fs:e2fsprogs cpio:cpio tar:tar
	log=$STATE/log/vm-image.log
	temp=$path.tmp
	mkdir -p "$STATE/log"
	rm -rf "$VM_DIR"/image-*
	say "building the virtual machine's disk (log: $log)"
	if ! unshare --mount --pid --fork --kill-child=SIGKILL --propagation private \
		bash "$TESTBED" internal eval ". ${TESTBED_LIB@Q}/vm.sh; vm_image_recipe ${temp@Q}" \
		>"$log" 2>&1 </dev/null; then
		tail -20 "$log" >&2
		rm -rf "$temp"
		die "building the virtual machine's disk failed"
	fi
	mv -T "$temp" "$path"
	say "the virtual machine's disk is ready after $((SECONDS - began)) s"
}

vm_image_recipe() {
	local dir=$1 root=$1/root
	mkdir -p "$dir/upper" "$dir/work" "$dir/lists" "$root"
	mount -t proc proc /proc
	mount -t overlay overlay -o "lowerdir=$(rootfs_path base),upperdir=$dir/upper,workdir=$dir/work" "$root"
	vm_image_apt "$dir" kmod busybox-static
	vm_image_kernel "$root"
	vm_image_initrd "$root" >"$dir/initrd"
	mv "$root"/boot/vmlinuz-* "$dir/vmlinuz"
	rm -rf "${root:?}"/boot/*
	vm_image_apt_end "$root"
	vm_image_disk "$root" "$dir/root.img"
	vm_image_apt "$dir" qemu-system-x86
	vm_image_apt_end "$root"
	rm -rf "$root/usr/lib/modules"
	umount "$root"
	mv "$dir/upper" "$dir/qemu"
	rm -rf "$dir/work" "$dir/lists" "$root"
}

# vm_image_apt DIR PACKAGE... - install them in DIR/root, and leave what apt and a chroot need in place
vm_image_apt() {
	local dir=$1 root=$1/root
	shift
	rootfs_apt_ready trixie "$root"
	mount --bind "$dir/lists" "$root/var/lib/apt/lists"
	[ -n "$(ls "$dir/lists")" ] || chroot "$root" apt-get -q update
	chroot "$root" apt-get "${ROOTFS_APT[@]}" install "$@"
}

vm_image_apt_end() {
	umount "$1/var/lib/apt/lists" "$1/var/cache/apt/archives" "$1/proc"
	rm -f "$1"/var/cache/apt/*.bin
	: >"$1/etc/resolv.conf"
}

# vm_image_kernel ROOT - unpacked, not installed: no initramfs-tools, no hooks, no boot loader
vm_image_kernel() {
	local root=$1 package version unused
	package=$(chroot "$root" apt-cache depends linux-image-amd64 |
		sed -n 's/.*Depends: \(linux-image-[0-9]\S*\)$/\1/p' | head -1)
	[ -n "$package" ] || die "no kernel package in Debian 13's package lists"
	# shellcheck disable=SC2016
	chroot "$root" sh -c 'cd /var/cache/apt/archives && rm -f "$1"_*.deb &&
		apt-get -q -o APT::Sandbox::User=root download "$1" &&
		dpkg-deb --fsys-tarfile "$1"_*.deb | tar -x --keep-directory-symlink -C /' sh "$package"
	version=${package#linux-image-}
	for unused in "${VM_UNUSED_MODULES[@]}"; do
		rm -rf "${root:?}/usr/lib/modules/$version/kernel/$unused"
	done
	chroot "$root" depmod "$version"
}

# vm_image_initrd ROOT - busybox, a handful of modules in the order they load in, and a script, as cpio
vm_image_initrd() {
	local root=$1 tree module number=100
	tree=$(mktemp -d)
	mkdir -p "$tree"/{bin,dev,proc,sys,root,modules}
	cp "$root/bin/busybox" "$tree/bin/busybox"
	vm_initrd_script >"$tree/init"
	chmod 755 "$tree/init"
	while read -r module; do
		number=$((number + 1))
		chroot "$root" xz -dc "$module" >"$tree/modules/$number.ko"
	done < <(chroot "$root" modprobe -S "$(basename "$root"/usr/lib/modules/*)" -a --show-depends \
		"${VM_BOOT_MODULES[@]}" | awk '$1 == "insmod" && !seen[$2]++ { print $2 }')
	(cd "$tree" && find . | cpio -o -H newc --quiet | gzip -1)
	rm -rf "$tree"
}

vm_initrd_script() {
	cat <<-'END'
		#!/bin/busybox sh
		export PATH=/bin
		busybox mount -t devtmpfs dev /dev
		for module in /modules/*; do
			busybox insmod "$module" || echo "initrd: $module was refused"
		done
		busybox mount -t ext4 -o ro,noatime /dev/vda /root || echo "initrd: no root file system"
		busybox mount -t tmpfs -o mode=755 tmpfs /root/mnt
		busybox tar -x -f /dev/vdb -C /root/mnt || echo "initrd: no source tree"
		busybox mount -o move /dev /root/dev
		exec busybox switch_root /root /bin/bash /mnt/clone/tests/testbed.d/vm-guest.sh
	END
}

# vm_image_disk ROOT FILE - a sparse ext4 image; read-only later, so no journal and little room to spare
vm_image_disk() {
	local size inodes
	size=$(($(du -sx --apparent-size -BM "$1" | cut -dM -f1) * 5 / 4 + 64))
	inodes=$(($(find "$1" -xdev | wc -l) + 1000))
	mke2fs -q -t ext4 -O ^has_journal -m 0 -N "$inodes" -E root_owner=0:0 -d "$1" "$2" "${size}M"
}

# ---- a run ----

# vm_pack CMD... - the second disk: this tree, the installed project, what to run
vm_pack() {
	local tree=$VM_RUN/tree layer
	rm -rf "$VM_RUN"
	mkdir -p "$tree/clone" "$tree/install/usr"
	(cd "$CLONE" && build_files) | tar -c -C "$CLONE" --null -T - | tar -x -C "$tree/clone"
	layer=$(build_install_path)
	[ -z "$layer" ] || cp -a "$layer/." "$tree/install/"
	printf '%q ' "$@" >"$tree/command"
	# tar's own padding makes the whole number of sectors that a disk must have
	tar -c -C "$tree" -f "$VM_RUN/data.tar" .
	rm -rf "$tree"
}

# vm_boot - run the machine, copy the command's output to standard output as it comes, return its status
vm_boot() {
	local qemu output rc=0
	: >"$VM_RUN/console.log"
	: >"$VM_RUN/output.log"
	: >"$VM_RUN/status"
	# the machine dies with this process, whatever ends it, and never outlives its time
	setpriv --pdeathsig TERM timeout --kill-after=5 "$VM_TIMEOUT" unshare --mount --propagation private \
		bash "$TESTBED" internal eval ". ${TESTBED_LIB@Q}/vm.sh; vm_qemu" </dev/null >"$VM_RUN/qemu.log" 2>&1 &
	qemu=$!
	# shellcheck disable=SC2064
	trap "kill -TERM $qemu 2>/dev/null || true" EXIT
	tail -q -n +1 -s 0.1 --pid="$qemu" -f "$VM_RUN/output.log" &
	output=$!
	wait "$qemu" || rc=$?
	wait "$output" || true
	trap - EXIT
	vm_verdict "$rc"
}

# vm_qemu - become qemu, in a mount namespace and a root file system of its own
vm_qemu() {
	local image root=$VM_RUN/root
	image=$(vm_image_path)
	mkdir "$root"
	mount -t overlay overlay -o "lowerdir=$(rootfs_layers "$image/qemu" base)" "$root"
	mount --bind "$VM_DIR" "$root/mnt"
	mount --rbind /dev "$root/dev"
	mount -t proc proc "$root/proc"
	image=/mnt/${image##*/}
	# ioeventfd=off: what a guest has written is in the file before its write returns
	exec env -i PATH=/usr/sbin:/usr/bin chroot "$root" qemu-system-x86_64 \
		-accel tcg,thread=multi -cpu max -smp 2 -m "$VM_MEMORY_MB" \
		-nodefaults -no-user-config -display none -no-reboot \
		-kernel "$image/vmlinuz" -initrd "$image/initrd" -append "console=ttyS0 quiet panic=-1" \
		-drive "file=$image/root.img,format=raw,if=none,id=root,readonly=on" \
		-device virtio-blk-pci,drive=root \
		-drive "file=/mnt/run/data.tar,format=raw,if=none,id=data,readonly=on" \
		-device virtio-blk-pci,drive=data \
		-chardev "file,id=console,path=/mnt/run/console.log" -device isa-serial,chardev=console \
		-device virtio-serial-pci,ioeventfd=off \
		-chardev "file,id=output,path=/mnt/run/output.log" -device virtserialport,chardev=output,nr=1 \
		-chardev "file,id=status,path=/mnt/run/status" -device virtserialport,chardev=status,nr=2
}

# vm_verdict RC - RC is qemu's; the command's own is what counts, if the machine lived to tell it
vm_verdict() {
	local status
	if [ "$1" -eq 124 ]; then
		die "the virtual machine did not finish within $VM_TIMEOUT s (console: $VM_RUN/console.log)"
	fi
	if ! read -r status <"$VM_RUN/status"; then
		tail -n 5 "$VM_RUN/qemu.log" "$VM_RUN/console.log" >&2
		die "the virtual machine ended without a result (console: $VM_RUN/console.log)"
	fi
	return "$status"
}
