#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# ring1.sh ROUNDS [MODULE PARAMETERS]: Linux in ring 1: rare ways in and out of the kernel, the kernel
# features that patch its text, CPU hotplug, NMIs, what the emulator does not know (needs mercury-view.ko);
# then switches under load.
set -u

# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"

rounds=$1
shift
TRACING=/sys/kernel/tracing
CPU1=/sys/devices/system/cpu/cpu1

# put VALUE FILE
put() {
	echo "$1" > "$2"
}

# user_space MODE: the answers that were found natively first, which an emulator may get wrong.
user_space() {
	ring1 > "$WORK/now" 2>&1
	[ -e "$WORK/native" ] || cp "$WORK/now" "$WORK/native"
	if cmp -s "$WORK/now" "$WORK/native"; then
		ok "$1: user space finds what it finds natively ($(grep -c '^ok' "$WORK/now") checks)"
	else
		not_ok "$1: user space finds what it finds natively" "$(diff "$WORK/native" "$WORK/now")"
	fi
	sed -n '/^not ok/{s/^/# natively too: /;p;}' "$WORK/native"
	for kind in ia32 sysenter segment step watchpoint; do
		succeeds "$1: workload $kind" workload --only $kind --rounds 20
	done
}

# How often the probe was hit since the trace was cleared.
hits() {
	grep -c "mercury_probe" $TRACING/trace
}

# every_instruction FUNCTION: a probe on each, which the kernel then executes out of line; where none
# begins it takes no probe.
every_instruction() {
	offset=0
	while [ $offset -lt 144 ]; do
		echo "p:every_$offset $1+$offset" >> $TRACING/kprobe_events
		offset=$((offset + 1))
	done 2> /dev/null
	grep -c every_ $TRACING/kprobe_events
}

kernel_features() {
	succeeds "a module is loaded" modprobe msr
	succeeds "and taken away" rmmod msr
	succeeds "a kprobe is set" put "p:mercury_probe do_sys_openat2" $TRACING/kprobe_events
	succeeds "and armed" put 1 $TRACING/events/kprobes/mercury_probe/enable
	cat /proc/version > /dev/null
	put 0 $TRACING/events/kprobes/mercury_probe/enable
	succeeds "it was hit" test "$(hits)" -gt 0
	succeeds "it is taken away" put "" $TRACING/kprobe_events
	# INVLPG, INVPCID
	probed=$(every_instruction native_flush_tlb_one_user)
	succeeds "a function that traps is probed at each of its instructions" \
		test "$probed" -gt 10
	succeeds "the probes are armed" put 1 $TRACING/events/kprobes/enable
	succeeds "pages are mapped and unmapped" workload --only remap --rounds 2
	put 0 $TRACING/events/kprobes/enable
	hit=$(grep -o "every_[0-9]*" $TRACING/trace | sort -u | grep -c .)
	succeeds "$hit of $probed were hit" test "$hit" -gt 10
	succeeds "they are taken away" put "" $TRACING/kprobe_events
	succeeds "the function tracer traces the whole kernel" put function $TRACING/current_tracer
	true | cat
	# Else reading the trace would add to it, faster than it is read on a busy machine.
	put 0 $TRACING/tracing_on
	succeeds "and finds calls" test "$(head -n 2000 $TRACING/trace | wc -l)" -gt 1000
	succeeds "it is switched off" put nop $TRACING/current_tracer
	put 1 $TRACING/tracing_on
	for value in 1 0 1 0; do
		succeeds "a static key is $value" put $value /proc/sys/kernel/sched_schedstats
	done
	succeeds "tracepoints are on" put 1 $TRACING/events/sched/enable
	succeeds "and off" put 0 $TRACING/events/sched/enable
}

# Off and on in turn; what is virtual stays it.
hotplug() {
	[ -e $CPU1/online ] || return
	for i in 1 2 3; do
		succeeds "CPU 1 goes ($i)" put 0 $CPU1/online
		succeeds "CPU 1 comes ($i)" put 1 $CPU1/online
	done
	succeeds "it came to where the others are" hv --expect virtual
}

# all_nmis: of all CPUs.
all_nmis() {
	awk '/NMI:/ { for (i = 2; $i ~ /^[0-9]+$/; i++) n += $i; print n }' /proc/interrupts
}

# Every CPU but our own is asked by NMI for its backtrace; ours just says it.
nmis() {
	[ "$(nproc)" -gt 1 ] || return
	before=$(all_nmis)
	for i in 1 2 3 4 5 6 7 8 9 10; do
		echo l > /proc/sysrq-trigger
	done
	sleep 1
	is "ten NMIs for each other CPU and no fewer were taken" "$(($(all_nmis) - before))" \
		"$((10 * ($(nproc) - 1)))"
}

# VMXOFF without VMX.
unknown() {
	[ -e /root/mercury-view.ko ] || return
	succeeds "what executes VMXOFF in the kernel loads" insmod /root/mercury-view.ko
	echo "vmxoff 0" > /proc/mercury-view
	is "VMXOFF is undefined, as natively" "$(cat /proc/mercury-view)" "cpu0 vmxoff: exception 6, 0"
	like "it is shown with its bytes" "$(field "unknown cpu0")" \
		"vector 6, bytes 0f 01 c4 * at *mercury_view*"
	echo 'nobody:x:65534:65534:nobody:/:/bin/sh' >> /etc/passwd
	is "but not to everybody" "$(su -s /bin/sh nobody -c "grep '^unknown cpu0' $PROC")" \
		"unknown cpu0: vector 6, the rest is shown to root only"
	like "and counted, once" "$(field "traps cpu0")" "*, unknown 1"
	succeeds "it goes" rmmod mercury_view
}

# foretold WHEN: check's conclusion, with MSRs to be read.
foretold() {
	modprobe msr
	is "$1: check says that it can, in ring 1" "$(mercury check | tail -n 1)" \
		"This machine can go virtual, in ring 1."
	rmmod msr
}

succeeds "the BPF compiler is on" put 1 /proc/sys/net/core/bpf_jit_enable
user_space native
like "of which there are some" "$(tail -n 1 "$WORK/native")" "1..[1-9]*"
# With parameters it may be a machine with VT-x.
[ $# -gt 0 ] || foretold "without the module"
succeeds "the module loads" modprobe mercury-vmx verify=1 "$@"
is "the backend is ring1" "$(cat $CTL/backend)" ring1
like "status says that it is ready" "$(cat $CTL/status)" \
	"native, ready on * CPUs, ring1 (cooperative: Linux can write the VMM)"
foretold native
succeeds "it goes virtual" set_mode virtual
succeeds "every CPU is in ring 1" hv --expect virtual
like "status says what it is" "$(cat $CTL/status)" \
	"virtual on * CPUs, ring1 (cooperative: Linux can write the VMM)"
user_space virtual
foretold virtual
kernel_features
hotplug
nmis
like "idle CPUs wait in HLT or MWAIT" "$(field "traps cpu0")" "*HLT, MWAIT*"
is "the emulator knew all it met" "$(grep '^unknown cpu' $PROC)" ""
unknown
sed -n '/^traps/p; /^unknown/p' $PROC | sed 's/^/# /'
succeeds "it goes native" set_mode native
succeeds "every CPU is native" hv --expect native
user_space "native again"
succeeds "the module goes" rmmod mercury_vmx
[ "$rounds" = 0 ] || sh switch.sh "$rounds" "$@" || failures=$((failures + 1))
finish
