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
	printf '%s\n' -nodefaults -no-user-config -display none -no-reboot \
		-d cpu_reset -D "$1/emulator.log" \
		-machine pc -accel "$accel" -cpu "$OPT_CPU" -smp "$OPT_SMP" -m "$OPT_MEM"
	for port in console.log stdout stderr control; do
		printf '%s\n' -chardev "file,id=${port%.log},path=$dir/$port" \
			-serial "chardev:${port%.log}"
	done
	if [[ -n $OPT_OUT$OPT_DISK ]]; then
		printf '%s\n' -drive "file=$dir/disk.img,format=raw,if=virtio,cache=unsafe"
	fi
	printf '%s\n' -kernel "$kernel" -initrd "$1/initrd" -append "$(kernel_args "$QEMU_KARGS")"
}

# qemu_kvm_missing KVM_DEVICE CPUINFO NESTED: prints why the machine kvm cannot be had; nothing if
# it can. The three files are those of the kernel, given by name so that a test can give others.
qemu_kvm_missing() {
	if [[ ! -e $1 ]]; then
		echo "--machine kvm needs /dev/kvm, which this machine does not have"
	elif [[ ! -r $1 || ! -w $1 ]]; then
		echo "--machine kvm needs to read and write /dev/kvm, which this user may not"
	elif ! grep -qw vmx "$2"; then
		echo "--machine kvm needs VT-x, which this machine's CPU does not show"
	elif [[ ! -e $3 ]]; then
		echo "--machine kvm needs the module kvm_intel, which is not loaded here"
	elif ! grep -q '^[Y1]' "$3"; then
		echo "--machine kvm needs nested VT-x: load kvm_intel with nested=1"
	fi
}

qemu_prepare() {
	local why

	need qemu-system-x86_64 qemu-system-x86
	QEMU_VERSION=$(qemu-system-x86_64 --version |
		sed -n 's/^QEMU emulator version \([0-9.]*\).*/\1/p')
	[[ $OPT_MACHINE == kvm ]] || return 0
	why=$(qemu_kvm_missing /dev/kvm /proc/cpuinfo /sys/module/kvm_intel/parameters/nested)
	[[ -z $why ]] || die "$EXIT_NO_GUEST" "$why; --machine bochs and qemu run everywhere"
}

# qemu_crash LOG: whether it was a triple fault; QEMU ends without saying more about it.
qemu_crash() {
	grep -a -m 1 '^Triple fault' "$1"
}
