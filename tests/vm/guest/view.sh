#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# view.sh: on every CPU the machine looks to user space and to the kernel as it does natively, but
# for what Mercury changes on purpose. Needs view, hv and mercury-view.ko.
set -u

# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"

VIEW=/proc/mercury-view

# What differs by design: CPUID's bits for VMX and for a hypervisor, and the hypervisor's leaves.
DIFFERENT="cpuid 00000001.0 hypervisor
cpuid 00000001.0 vmx
cpuid 00000001.1 hypervisor
cpuid 00000001.1 vmx
cpuid 00000001.2 hypervisor
cpuid 00000001.2 vmx
cpuid 00000001.3 hypervisor
cpuid 00000001.3 vmx
cpuid 40000000.0
cpuid 40000001.0
cpuid 4fffffff.0"

# Without SMX GETSEC is undefined before it could exit, and so is VMFUNC without VM functions. CR4,
# CR0, CR3, DR7 (bits that the host does not own), WBINVD, HLT, RDPMC, RDTSC and the MSRs of the bitmap: none.
EXITS="CPUID CR_ACCESS INVEPT INVVPID MSR_READ MSR_WRITE VMCALL VMCLEAR VMLAUNCH VMOFF VMON VMPTRLD VMPTRST \
VMREAD VMRESUME VMWRITE XSETBV"

each_cpu() {
	sed -n 's/^processor[^0-9]*\([0-9]*\)$/\1/p' /proc/cpuinfo
}

# differing A B: the names of the lines that are not in both.
differing() {
	sort "$1" "$2" | uniq -u | sed 's/:.*//' | sort -u
}

# probe NAME [CPU]: the kernel's probe; its outcome on stdout.
probe() {
	echo "$*" > $VIEW && cat $VIEW
}

# look NAME: what both see, into files of that name.
look() {
	for cpu in $(each_cpu); do
		succeeds "$1, CPU $cpu: instructions of user space do what they must" \
			sh -c "view $cpu > $WORK/user-$cpu-$1"
	done
	probe all > "$WORK/kernel-$1"
	succeeds "$1: the kernel's probes ran" test -s "$WORK/kernel-$1"
}

# exits REASON: how many, on all CPUs together.
exits() {
	sum $PROC "exits cpu.*[ ,]$1"
}

# reasons: those of the exits so far, of any CPU.
reasons() {
	sed -n 's/^exits cpu[0-9]*: *//p' $PROC | tr ',' '\n' | sed 's/^ *//; s/ [0-9]*$//' | sort -u |
		paste -s -d ' ' -
}

succeeds "the module loads" modprobe mercury-vmx
succeeds "the probes load" insmod /root/mercury-view.ko
look native
is "native: a call is undefined" "$(probe calls 0)" "cpu0 calls: exception 6, 1"
is "native: VMXOFF is undefined" "$(probe vmxoff 0)" "cpu0 vmxoff: exception 6, 0"

for behind in sti_nop sti_cpuid mov_ss_cpuid; do
	is "native: a pending interrupt comes behind $behind" \
		"$(probe interrupt_behind_$behind 0)" "cpu0 interrupt_behind_$behind: 1"
done

succeeds "to virtual" set_mode virtual
look virtual
is "virtual: what exited is what had to, and nothing else" "$(reasons)" "$EXITS"
writes=$(exits MSR_WRITE)
probe mc0_ctl2_same > "$WORK/mc0"
is "virtual: writing IA32_MC0_CTL2 does not exit" "$(exits MSR_WRITE)" "$writes"
is "virtual: wrong calls get an error each" "$(probe calls 0)" "cpu0 calls: 1"
is "virtual: INVD is survived" "$(probe invd 0)" "cpu0 invd: 0"
is "virtual: it exits" "$(exits INVD)" 1
succeeds "virtual: after all that every CPU is a guest" hv --expect virtual
is "virtual: no CPU left by itself" "$(grep -c "without a command [1-9]" $PROC)" 0

succeeds "to native" set_mode native
look again
is "native again: the kernel's view is what it was" \
	"$(differing "$WORK/kernel-native" "$WORK/kernel-again")" ""
is "virtual: the kernel's view is the native one" \
	"$(differing "$WORK/kernel-native" "$WORK/kernel-virtual")" ""
for cpu in $(each_cpu); do
	is "native again, CPU $cpu: the user's view is what it was" \
		"$(differing "$WORK/user-$cpu-native" "$WORK/user-$cpu-again")" ""
	is "virtual, CPU $cpu: the user's view differs where it is meant to" \
		"$(differing "$WORK/user-$cpu-native" "$WORK/user-$cpu-virtual")" "$DIFFERENT"
done
is "no command was refused" "$(field "last error")" none

succeeds "to virtual once more" set_mode virtual
last=$(each_cpu | tail -n 1)
is "VMXOFF is executed" "$(probe vmxoff "$last")" "cpu$last vmxoff: 0"
is "and takes that CPU to native" "$(field "cpu$last")" native
is "which is counted: others want none of it" "$(grep -c "without a command [1-9]" $PROC)" 1
sleep 3
is "the others follow" "$(mode)" native
succeeds "every CPU is native" hv --expect native
like "last error says so" "$(field "last error")" "* went native by themselves*"
succeeds "to virtual again" set_mode virtual
probe vmxoff > "$WORK/vmxoff"
sleep 3
is "after VMXOFF on all CPUs the mode is native" "$(mode)" native
is "CR4.VMXE is given back: VMXON is undefined" "$(probe vmxon 0)" "cpu0 vmxon: exception 6, 0"
succeeds "and virtual again" set_mode virtual
succeeds "the probes go" rmmod mercury_view
succeeds "the module goes" rmmod mercury_vmx
finish
