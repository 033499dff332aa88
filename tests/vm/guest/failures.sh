#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# failures.sh [MODULE PARAMETERS]: the VMM fails on the last CPU, in an exit or a trap from user space or
# from the kernel, in every way that vmmfault has: what ran there runs on natively, the other CPUs follow,
# a screen tells. Needs a VMM that fails on request.
set -u

# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"

parameters=$*
TRACING=/sys/kernel/tracing
DEBUG=/sys/kernel/debug
cpus=$(nproc)
cpu=$((cpus - 1))

# alarms PATTERN: lines of the VMM's in the kernel log that a quiet console shows.
alarms() {
	dmesg -r | grep "^<2>.*mercury: vmm: " | grep -c -e "$1"
}

# begin [PARAMETER...]
begin() {
	# shellcheck disable=SC2086 # words
	succeeds "$name: the module loads" modprobe mercury-vmx verify=1 $parameters "$@"
	backend=$(cat $CTL/backend)
	succeeds "$name: to virtual" set_mode virtual
	dmesg -c > /dev/null
}

# refused: what has failed is not used again.
refused() {
	succeeds "$name: every CPU is native" hv --expect native
	if set_mode virtual 2> /dev/null; then
		not_ok "$name: to virtual again is refused"
	else
		like "$name: to virtual again is refused" "$(field "last error")" "*has failed before*"
	fi
	succeeds "$name: every CPU is still native" hv --expect native
}

# end: what can be compared is as it was at load.
end() {
	succeeds "$name: the module goes" rmmod mercury_vmx
	is "$name: no CPU's state differs" "$(dmesg | grep -c "state check: [0-9]* differences")" 0
}

# fails WHERE ACTION SENTENCE
fails() {
	name="$1, $2"
	begin
	succeeds "$name: what ran there goes on" timeout 60 vmmfault $cpu "$1" "$2"
	succeeds "$name: all CPUs are native within a moment" is_native_soon
	succeeds "$name: the screen says what" test "$(alarms "cpu $cpu: $3")" -ge 1
	succeeds "$name: and shows registers" test "$(alarms "rax [0-9a-f]* rbx [0-9a-f]*")" -ge 1
	like "$name: the reason tells of it" "$(field "last error")" \
		"? of $cpus CPUs went native by themselves, the others followed*"
	refused
	end
}

# The fault is armed, and hits a call.
in_vote() {
	name="a vote"
	begin
	succeeds "$name: the fault is armed" vmmfault $cpu user next-vote
	succeeds "$name: to native" set_mode native
	if set_mode virtual 2> /dev/null; then
		not_ok "$name: the switch fails"
	else
		like "$name: the switch fails" "$(field "last error")" \
			"CPU ?, vote: the VMM took exception 6, *"
	fi
	succeeds "$name: the screen says what" test "$(alarms "the VMM took exception 6")" -eq 1
	refused
	end
}

in_leave() {
	name="a leave"
	begin
	succeeds "$name: the fault is armed" vmmfault $cpu user next-leave
	if set_mode native 2> /dev/null; then
		not_ok "$name: the switch fails"
	else
		like "$name: the switch fails" "$(field "last error")" \
			"CPU ?, leave: the VMM took exception 6, *"
	fi
	succeeds "$name: all CPUs are native within a moment" is_native_soon
	succeeds "$name: the screen says what" test "$(alarms "the VMM took exception 6")" -eq 1
	refused
	end
}

# An exit without an answer as soon as a CPU is virtual, on all of them: the mode comes back by itself.
at_once() {
	name="at once"
	begin
	i=0
	while [ "$i" -lt "$cpus" ]; do
		vmmfault $i user rdtsc-exits > /dev/null
		i=$((i + 1))
	done
	succeeds "$name: all CPUs are native within a moment" is_native_soon
	for _ in 1 2; do
		set_mode virtual 2> /dev/null
		succeeds "$name: again they are" is_native_soon
		succeeds "$name: every CPU is native" hv --expect native
	done
	succeeds "$name: the screen says what" test "$(alarms "VM exit [0-9]* (RDTSCP*) has no answer")" -ge 3
	end
	begin
	succeeds "$name: nothing is left of it" set_mode native
	end
}

# What is held of memory is not as it was any more, and a reader is told that, not that somebody switched.
in_snapshot() {
	name="a snapshot"
	begin
	hold_snapshot
	succeeds "$name: what ran there goes on" timeout 60 vmmfault $cpu user invalid-opcode
	succeeds "$name: all CPUs are native within a moment" is_native_soon
	like "$name: it has failed" "$(field snapshots)" "0 good, 0 full, 0 cancelled, 1 failed, last failed, *"
	release_snapshot
	is "$name: its reader is told" "$held" EIO
	refused
	end
}

# begins_not: a snapshot, since the VMM fails, which is no matter of trying again.
begins_not() {
	is "$name: there is no snapshot" "$(pivot hold 2>&1 < /dev/null)" "pivot: START: Input/output error"
	like "$name: nor is anything looked up" "$(cat $DEBUG/mercury/p2m)" "no answer: the VMM has failed before*"
}

in_stop() {
	name="a stop for a snapshot"
	begin
	vmmfault $cpu user next-stop > /dev/null
	begins_not
	succeeds "$name: all CPUs are native within a moment" is_native_soon
	refused
	end
}

# kept: chunks of 2 MiB that pivot has allocated and nobody has freed since.
kept() {
	sed -n 's/.*pivot-.* mm_page_alloc: .*pfn=\(0x[0-9a-f]*\) .*/+ \1/p
		s/.* mm_page_free: .*pfn=\(0x[0-9a-f]*\) .*/- \1/p' $TRACING/trace |
		awk '$1 == "+" { kept[$2] } $1 == "-" { delete kept[$2] } END { for (pfn in kept) n++; print n + 0 }'
}

# A chunk is lent, and hidden already: other CPUs would not see what Linux writes there next.
in_lend() {
	name="memory lent"
	begin snapshot_gib=0
	vmmfault $cpu user next-lend > /dev/null
	for event in alloc free; do
		echo "order == 9" > $TRACING/events/kmem/mm_page_$event/filter
		echo 1 > $TRACING/events/kmem/mm_page_$event/enable
	done
	begins_not
	is "$name: it is kept" "$(kept)" 1
	succeeds "$name: all CPUs are native within a moment" is_native_soon
	refused
	end
	is "$name: then it is Linux's again" "$(kept)" 0
	echo 0 > $TRACING/events/kmem/enable
}

# Commands that KVM has made to be refused by the hundred fill no log; the screen comes all the same.
after_a_flood() {
	name="after a flood"
	begin
	succeeds "$name: to native" set_mode native
	modprobe kvm_intel
	kvm_smoke hold > "$WORK/held" 2>&1 &
	holder=$!
	until [ -s "$WORK/held" ]; do sleep 0.1; done
	is "$name: refused" "$(poke $CTL/mode repeat 300 virtual)" "300 of 300 refused: EBUSY"
	succeeds "$name: few lines of that" test "$(dmesg | grep -c "mercury: not virtual")" -le 40
	kill $holder
	wait $holder
	rmmod kvm_intel
	dmesg -c > /dev/null
	succeeds "$name: to virtual" set_mode virtual
	timeout 60 vmmfault $cpu user invalid-opcode > /dev/null
	succeeds "$name: all CPUs are native within a moment" is_native_soon
	is "$name: the screen is whole" "$(alarms "the VMM took exception 6, ") $(alarms "cr2 [0-9a-f]* cr3") \
$(alarms "rax [0-9a-f]* rbx") $(alarms "r12 [0-9a-f]* r13")" "1 1 1 1"
	refused
	succeeds "$name: and another sentence is told" sh -c "dmesg | grep 'mercury: not virtual: .*has failed before'"
	# Its state is not compared: KVM leaves a limit of 0xffff in IDTR.
	succeeds "$name: the module goes" rmmod mercury_vmx
}

modprobe -a cpuid msr
for where in user kernel; do
	fails $where invalid-opcode "the VMM took exception 6, "
	fails $where general-protection "the VMM took exception 1[23], "
	fails $where page-fault "the VMM took exception 14, "
	fails $where stack-overflow "the VMM took exception 8, "
	# What follows is of VM entries.
	[ "$backend" = vmx ] || continue
	fails $where resume-fails "VMRESUME failed with VM-instruction error 8"
	fails $where entry-fails "VM entry failed with exit reason 80000021"
	fails $where misconfigured "VM exit 49 (EPT_MISCONFIGURATION)"
done
fails copy invalid-opcode "the VMM took exception 6, "
in_vote
in_leave
[ "$backend" != vmx ] || { in_snapshot; in_lend; in_stop; at_once; after_a_flood; }
finish
