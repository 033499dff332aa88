# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# QEMU, by its own emulation (qemu) or on KVM with nested VT-x (kvm).

readonly QEMU_KARGS="console=ttyS0,115200 nokaslr mitigations=off random.trust_cpu=on \
loglevel=5 cryptomgr.notests"

# qemu_args DIR KERNEL: prints the argument list, one a line, from the options. No side effects.
# QEMU takes a comma in a file's name when it is doubled.
qemu_args() {
	local dir=${1//,/,,} kernel=$2 port accel=tcg,${OPT_TCG:-thread=single}

	[[ $OPT_MACHINE == kvm ]] && accel=kvm
	printf '%s\n' -nodefaults -no-user-config -display none -d cpu_reset -D "$1/emulator.log" \
		-accel "$accel" -cpu "$OPT_CPU" -smp "$OPT_SMP" -m "$OPT_MEM"
	# Only --then and the MOK manager want a reset to be one.
	[[ -n $OPT_THEN$OPT_SECURE_BOOT ]] || echo -no-reboot
	if [[ -n $OPT_SECURE_BOOT ]]; then
		secure_args "$dir"
	else
		printf '%s\n' -machine pc -kernel "$kernel" -initrd "$1/initrd" \
			-append "$(kernel_args "$QEMU_KARGS")" \
			-chardev "file,id=console,path=$dir/console.log" -serial chardev:console
	fi
	for port in stdout stderr control; do
		printf '%s\n' -chardev "file,id=$port,path=$dir/$port" -serial "chardev:$port"
	done
	if [[ -n $OPT_OUT$OPT_DISK ]]; then
		printf '%s\n' -drive "file=$dir/disk.img,format=raw,if=virtio,cache=unsafe"
	fi
}

qemu_prepare() {
	local why

	need qemu-system-x86_64 qemu-system-x86
	QEMU_VERSION=$(qemu-system-x86_64 --version |
		sed -n 's/^QEMU emulator version \([0-9.]*\).*/\1/p')
	[[ $OPT_MACHINE == kvm ]] || return 0
	why=$(kvm_missing)
	[[ -z $why ]] || die "$EXIT_NO_GUEST" "$why; --machine bochs and qemu run everywhere"
}

# qemu_crash LOG: whether it was a triple fault; QEMU ends without saying more about it. SeaBIOS has one at a reset,
# but no paging, and it is none where --then wants a reset.
qemu_crash() {
	awk -v resets="${OPT_THEN:+1}" '/^Triple fault/ { fault = 1; if (!resets) exit }
		/^CR0=/ && fault { if (/^CR0=[89a-f]/) exit; fault = 0 }
		END { if (!fault) exit 1; print "Triple fault" }' "$1"
}
