# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# Which machine guests run on where they name none (MACHINE=bochs, qemu or kvm), and what KVM has to be like.

# machine_options OPTIONS: what tests/vm/run is given besides these. Whoever names a machine or a model
# gets that one.
machine_options() {
	[[ ! " $1" =~ \ --(machine|cpu)[\ =] ]] || return 0
	case ${MACHINE:-bochs} in
	qemu) echo "--machine qemu --cpu max,-la57" ;;
	kvm) echo "--machine kvm" ;;
	esac
}

# Where /dev, /proc and /sys are; tests have others.
OUTER=''

# kvm_missing: prints why the machine kvm cannot be had and what to do; nothing if it can.
kvm_missing() {
	local device=$OUTER/dev/kvm nested=$OUTER/sys/module/kvm_intel/parameters/nested

	if ! grep -qw vmx "$OUTER/proc/cpuinfo"; then
		echo "--machine kvm needs VT-x, which this machine's CPU does not show: turn it on in the" \
			"firmware or, if this is a virtual machine, in the one that it runs on"
	elif [[ ! -e $nested ]]; then
		echo "--machine kvm needs the module kvm_intel, which is not loaded here: modprobe kvm_intel"
	elif [[ ! -e $device ]]; then
		echo "--machine kvm needs /dev/kvm, which this machine does not have: is this a container?"
	elif [[ ! -r $device || ! -w $device ]]; then
		echo "--machine kvm needs to read and write /dev/kvm, which this user may not: adduser $(id -un) kvm"
	elif ! grep -q '^[Y1]' "$nested"; then
		echo "--machine kvm needs nested VT-x: modprobe -r kvm_intel; modprobe kvm_intel nested=1"
	fi
}

# machine_check: whether MACHINE can be had; says why not.
machine_check() {
	local why

	case ${MACHINE:-bochs} in
	bochs | qemu) return ;;
	kvm) why=$(kvm_missing) ;;
	*) why="MACHINE is bochs, qemu or kvm, not '$MACHINE'" ;;
	esac
	[[ -z $why ]] || say "$why"
	[[ -z $why ]]
}
