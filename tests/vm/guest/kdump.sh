#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# kdump.sh CRASH [CPUS [KVM]]: load a crash kernel that may use CPUS (1), go virtual, crash; in the crash
# kernel vmcore.sh goes on.
#
# CRASH: sysrq, on CPU 0; sysrq-1, on CPU 1; nmi, one that nobody knows, while the mode is switched and
#   switched; once, gate, tail, entry: see tests/vm/panic.
# KVM, that is kvm_intel: before, loaded before mercury-vmx; after, behind it; while, while virtual, where
#   it does not load.
set -u

# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"

crash=$1
cpus=${2:-1}
kvm=${3:-none}

load_kvm() {
	[ "$kvm" != "$1" ] || succeeds "kvm_intel loads" modprobe kvm_intel
}

# The module's initialisation or the write does not come back.
crash() {
	case $crash in
	sysrq | sysrq-1) echo c > /proc/sysrq-trigger ;;
	nmi)
		sysctl -q kernel.unknown_nmi_panic=1
		storm --pause 0 100000 &
		sleep 1
		insmod /root/mercury-panic.ko at=unknown
		;;
	entry)
		set_mode native
		insmod /root/mercury-panic.ko at=entry
		storm --pause 2000 100
		;;
	gate)
		set_mode native
		insmod /root/mercury-panic.ko at=gate
		set_mode virtual
		;;
	tail)
		insmod /root/mercury-panic.ko at=tail
		set_mode native
		;;
	once) insmod /root/mercury-panic.ko ;;
	esac
}

succeeds "the initramfs is packed" pack_initramfs "$WORK/initrd"
succeeds "a crash kernel is loaded" kexec --load-panic --no-checks --initrd="$WORK/initrd" \
	--reuse-cmdline --append="nr_cpus=$cpus irqpoll reset_devices" /boot/vmlinuz
load_kvm before
succeeds "the module loads" modprobe mercury-vmx
load_kvm after
succeeds "virtual" set_mode virtual
succeeds "every CPU is a guest" hv --expect virtual
if [ "$kvm" = while ]; then
	modprobe kvm_intel 2> /dev/null
	is "kvm_intel does not load while virtual" "$(lsmod | grep -c ^kvm_intel)" 0
fi
[ "$failures" -eq 0 ] || finish
echo "kdump.sh: Linux is $(mode)" > /dev/kmsg
# What is still on its way through the serial ports would be lost.
sleep 1
mask=1
[ "$crash" != sysrq-1 ] || mask=2
taskset -p $mask $$ > /dev/null
crash
not_ok "it crashes"
finish
