# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# The guest's file system: a base that is cached, and the part that belongs to one run.

# Modules a test may load in the guest, and those its disks need on Bochs and on QEMU.
readonly GUEST_MODULES=(kvm kvm_intel kvm_amd irqbypass msr cpuid pm_notifier_error_inject)
readonly DISK_MODULES_BOCHS=(ata_piix sd_mod)
readonly DISK_MODULES_QEMU=(virtio_pci virtio_blk)

# modules_closure NAME...: files below KERNEL_MODULES that bring NAMEs, what they need coming first.
# modules.dep lists what a module needs in the reverse of loading order. Built-in ones have no file.
modules_closure() {
	local name line needs file

	for name; do
		line=$(grep -E "/${name//_/[_-]}\.ko[.a-z]*:" "$KERNEL_MODULES/modules.dep") ||
			continue
		read -ra needs <<<"${line#*:}"
		for file in "${needs[@]}"; do
			echo "$file"
		done | tac
		echo "${line%%:*}"
	done | awk '!seen[$0]++'
}

# install_modules TREE FILE...: kernel modules, by their path below KERNEL_MODULES, uncompressed;
# prints their paths in the guest.
install_modules() {
	local tree=$1 file path

	shift
	for file; do
		path=/lib/modules/$KERNEL_RELEASE/${file%.[xgz]*}
		mkdir -p "$tree${path%/*}"
		case $file in
		*.xz) xz -dc "$KERNEL_MODULES/$file" ;;
		*.zst) zstd -qdc "$KERNEL_MODULES/$file" ;;
		*) cat "$KERNEL_MODULES/$file" ;;
		esac >"$tree$path" || return 1
		echo "$path"
	done
}

# install_file TREE FILE PATH: a host file and, for a program, the libraries it needs.
install_file() {
	local tree=$1 file=$2 path=$3 lib

	mkdir -p "$tree$(dirname "$path")"
	cp -L --preserve=mode,timestamps "$file" "$tree$path"
	while IFS= read -r lib; do
		[[ -e $tree$lib ]] && continue
		mkdir -p "$tree$(dirname "$lib")"
		cp -L --preserve=mode "$lib" "$tree$lib"
	done < <(LC_ALL=C ldd "$file" 2>/dev/null |
		sed -nE 's/^.* => (\/[^ ]+) \(.*|^\t(\/[^ ]+) \(.*/\1\2/p')
}

# The base: busybox with its applets, sysctl as users have it, init. Prints the cpio's path.
base_tree() {
	local tree=$1 applet

	mkdir -p "$tree"/{bin,sbin,usr/{bin,sbin,lib},lib,var,etc/mercury-vm,root}
	mkdir -p "$tree"/{proc,sys,dev,tmp,run,out}
	ln -s ../run "$tree/var/run"
	install_file "$tree" "$(command -v busybox)" /bin/busybox
	for applet in $("$tree/bin/busybox" --list-full); do
		mkdir -p "$tree/$(dirname "$applet")"
		[[ -e $tree/$applet ]] || ln -s /bin/busybox "$tree/$applet"
	done
	rm -f "$tree/sbin/sysctl" "$tree/sbin/init"
	install_file "$tree" "$(kernel_tool sysctl)" /sbin/sysctl
	echo 'root:x:0:0:root:/root:/bin/sh' >"$tree/etc/passwd"
	echo 'root:x:0:' >"$tree/etc/group"
	gcc -std=gnu11 -O2 -Wall -Wextra -static -o "$tree/init" "$VM_DIR/init.c"
}

pack() {
	(cd "$1" && find . -mindepth 1 | LC_ALL=C sort | cpio --quiet -o -H newc -R 0:0) >"$2"
}

base_build() {
	local cpio=$1 tmp

	[[ -e $cpio ]] && return
	# What earlier versions of the inputs made is of no use any more.
	find "$CACHE_DIR/guest" -maxdepth 1 -type f -name '*-*' -mtime +30 -delete
	tmp=$(mktemp -d "$CACHE_DIR/guest/.new.XXXXXX") &&
		base_tree "$tmp/tree" && pack "$tmp/tree" "$tmp/base" && mv "$tmp/base" "$cpio"
	local status=$?
	rm -rf "$tmp"
	return "$status"
}

# base_initramfs: sets BASE_CPIO, building it when one of its inputs is new.
base_initramfs() {
	local key

	need busybox busybox-static
	need cpio cpio
	need gcc build-essential
	kernel_tool sysctl >/dev/null || need sysctl procps
	key=$(cat "$VM_DIR/init.c" "$VM_DIR/lib/initramfs.sh" "$(command -v busybox)" \
		"$(kernel_tool sysctl)" | sha256sum | cut -c 1-16)
	BASE_CPIO=$CACHE_DIR/guest/base-$key.cpio
	mkdir -p "$CACHE_DIR/guest"
	with_lock "$CACHE_DIR/guest/.lock" base_build "$BASE_CPIO"
}

# add_path SPEC: where --add puts a file.
add_path() {
	local file=$1

	if [[ ! -e $file ]]; then
		echo "${file##*:}"
	elif [[ -x $file ]]; then
		echo "/bin/${file##*/}"
	else
		echo "/root/${file##*/}"
	fi
}

write_command() {
	local word

	if ((${#OPT_COMMAND[@]} == 1)); then
		printf '%s\n' "${OPT_COMMAND[0]}"
	else
		printf '%q ' "${OPT_COMMAND[@]}"
	fi
}

# sites_table FILE: of this kernel, where the program that makes it is built; without it ring 1 traps.
sites_table() {
	local make=$VM_DIR/../../build/tools/mercury-sites

	[[ ! -x $make ]] || { mkdir -p "${1%/*}" && "$make" "$KERNEL_IMAGE" "$1"; }
}

# run_tree TREE KO: the part of one run, as a tree.
run_tree() {
	local tree=$1 ko=$2 modules=$1/lib/modules/$KERNEL_RELEASE files spec file

	mkdir -p "$tree/etc/mercury-vm"
	write_command >"$tree/etc/mercury-vm/command"
	mapfile -t files < <(modules_closure "${GUEST_MODULES[@]}")
	install_modules "$tree" "${files[@]}" >/dev/null || return 1
	[[ -z $OPT_OUT$OPT_DISK ]] || disk_tree "$tree" || return 1
	[[ -z $OPT_SECURE_BOOT ]] || secure_tree "$tree" || return 1
	[[ -z $OPT_THEN ]] || then_tree "$tree" || return 1
	install -D -m 644 "$ko" "$modules/extra/mercury-vmx.ko"
	sites_table "$tree/lib/firmware/mercury/$KERNEL_RELEASE.sites" || return 1
	cp "$KERNEL_MODULES"/modules.{order,builtin,builtin.modinfo} "$modules"
	"$(kernel_tool depmod)" -b "$tree" "$KERNEL_RELEASE" || return 1
	for spec in "${OPT_ADD[@]}"; do
		file=$spec
		[[ -e $file ]] || file=${spec%:*}
		install_file "$tree" "$file" "$(add_path "$spec")" || return 1
	done
}

# What brings the disk of --out or --disk up: its modules in order, and its name in the guest.
disk_tree() {
	local tree=$1 files name=${OPT_OUT:+out}

	if [[ $OPT_MACHINE == bochs ]]; then
		mapfile -t files < <(modules_closure "${DISK_MODULES_BOCHS[@]}")
		echo /dev/sda
	else
		mapfile -t files < <(modules_closure "${DISK_MODULES_QEMU[@]}")
		echo /dev/vda
	fi >"$tree/etc/mercury-vm/${name:-disk}"
	install_modules "$tree" "${files[@]}" >"$tree/etc/mercury-vm/modules"
}

# What starts a second kernel, and what runs there. The image is the stock one: it can be moved.
then_tree() {
	local tree=$1

	kernel_tool kexec >/dev/null || need kexec kexec-tools
	printf '%s\n' "$OPT_THEN" >"$tree/etc/mercury-vm/then"
	install -D -m 644 "$KERNEL_IMAGE" "$tree/boot/vmlinuz"
	install_file "$tree" "$(kernel_tool kexec)" /sbin/kexec
}

# initramfs_prepare DIR: sets BASE_CPIO, makes DIR/run.cpio; the guest unpacks one over the other.
# Both are uncompressed: inflating them costs an emulated CPU more than loading them.
initramfs_prepare() {
	base_initramfs && run_tree "$1/tree" "$1/mercury-vmx.ko" && pack "$1/tree" "$1/run.cpio"
}
