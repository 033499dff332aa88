# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# Secure Boot: QEMU with OVMF and Microsoft's keys, which start Debian's signed shim, GRUB and kernel from a
# disk. Keys of one's own come by shim's MOK manager, which is answered by mokmanager.py.

# What is started before Linux.
readonly SECURE_PACKAGES=(shim-signed shim-helpers-amd64-signed grub-efi-amd64-signed)
readonly OVMF=/usr/share/OVMF

# secure_tree TREE: the firmware's variables as files, before the command runs.
secure_tree() {
	local files

	mapfile -t files < <(modules_closure efivarfs)
	install_modules "$1" "${files[@]}" >>"$1/etc/mercury-vm/modules"
}

# secure_medium DIR KERNEL: the disk that the firmware starts from, and its variables.
secure_medium() {
	local dir=$1 kernel=$2 boot=$CACHE_DIR/secure/boot disk=$1/boot.img size

	need mcopy mtools
	[[ -r $OVMF/OVMF_VARS_4M.ms.fd ]] || need OVMF ovmf
	cache_unpack "$boot" "${SECURE_PACKAGES[@]}" || return 1
	cp "$OVMF/OVMF_VARS_4M.ms.fd" "$dir/vars.fd" || return 1
	cat >"$dir/grub.cfg" <<-CFG
		linux /vmlinuz $(kernel_args "$QEMU_KARGS")
		initrd /initrd
		boot
	CFG
	size=$(cat "$kernel" "$dir/initrd" | wc -c)
	truncate -s $((size / 1048576 + 40))M "$disk"
	mformat -i "$disk" -F :: && mmd -i "$disk" ::EFI ::EFI/BOOT ::EFI/debian &&
		mcopy -i "$disk" "$boot/usr/lib/shim/shimx64.efi.signed" ::EFI/BOOT/BOOTX64.EFI &&
		mcopy -i "$disk" "$boot/usr/lib/shim/mmx64.efi.signed" ::EFI/BOOT/mmx64.efi &&
		mcopy -i "$disk" "$boot/usr/lib/grub/x86_64-efi-signed/grubx64.efi.signed" \
			::EFI/BOOT/grubx64.efi &&
		mcopy -i "$disk" "$dir/grub.cfg" ::EFI/debian/grub.cfg &&
		mcopy -i "$disk" "$kernel" ::vmlinuz && mcopy -i "$disk" "$dir/initrd" ::initrd
}

# secure_start DIR: the disk, and who answers the MOK manager, by pipes: a socket's path is short.
secure_start() {
	secure_medium "$1" "$KERNEL_IMAGE" || die "$EXIT_NO_GUEST" "the disk for Secure Boot could not be made"
	mkfifo "$1"/console.{in,out}
	setpriv --pdeathsig KILL -- python3 "$VM_DIR/lib/mokmanager.py" "$1/console" "$OPT_SECURE_BOOT" \
		</dev/null >"$1/mokmanager.log" 2>&1 {HOLD_OUT}>&- {HOLD_ERR}>&- {CONTROL}>&- &
	HELPER_PIDS+=($!)
}

# secure_relay: the guest's stdout, without what the firmware, GRUB and the kernel's stub write to every port.
secure_relay() {
	LC_ALL=C sed -u -E -e 's/.*\x1b\[[0-9;=]*[A-Za-z]//' -e '/^(BdsDxe: |EFI stub: |Welcome to GRUB)/d' \
		-e '/^[\x80-\xff]/d' -e '/^\r*$/d'
	cat >/dev/null
}

# secure_args DIR: QEMU's arguments for it, one a line. SMM keeps the variables from Linux.
secure_args() {
	printf '%s\n' -machine q35,smm=on -global driver=cfi.pflash01,property=secure,value=on \
		-drive "if=pflash,format=raw,unit=0,readonly=on,file=$OVMF/OVMF_CODE_4M.ms.fd" \
		-drive "if=pflash,format=raw,unit=1,file=$1/vars.fd" \
		-drive "file=$1/boot.img,format=raw,if=virtio,cache=unsafe" \
		-chardev "pipe,id=console,path=$1/console,logfile=$1/console.log" \
		-serial chardev:console
}
