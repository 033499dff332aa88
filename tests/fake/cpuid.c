// SPDX-License-Identifier: GPL-2.0-only
/* CPUID of the fake CPU: a small Haswell. */
#include "fake.h"
#include "x86/cpuid.h"
#include "x86/cr.h"

/* Bits of leaf 1 and 7 that mirror CR4 are live, as in a CPU; so is SYSCALL, by the mode. */
static uint32_t live(uint32_t feature, uint64_t cr4_bit)
{
	return fake.cpu.cr4 & cr4_bit ? feature : 0;
}

void insn_cpuid(uint32_t leaf, uint32_t subleaf, struct cpuid_regs *out)
{
	*out = (struct cpuid_regs){ 0 };
	if (leaf == CPUID_LEAF_BASIC)
		*out = (struct cpuid_regs){ 0xd, 0x756e6547, 0x6c65746e, 0x49656e69 };
	else if (leaf == CPUID_LEAF_FEATURES)
		*out = (struct cpuid_regs){ 0x306c3, 0x00100800,
					    CPUID_VMX | CPUID_PCID | CPUID_XSAVE |
						    (fake.options.kvm ? CPUID_HYPERVISOR : 0) |
						    live(CPUID_OSXSAVE, CR4_OSXSAVE),
					    CPUID_MTRR | CPUID_TSC | CPUID_MSR | CPUID_SEP };
	else if (leaf == CPUID_LEAF_HYPERVISOR && fake.options.kvm)
		*out = (struct cpuid_regs){ CPUID_LEAF_HYPERVISOR + 1, 0x4b4d564b, 0x564b4d56,
					    0x4d };
	else if (leaf == CPUID_LEAF_HYPERVISOR + 1 && fake.options.kvm)
		out->eax = FAKE_KVM_FEATURES;
	else if (leaf == CPUID_LEAF_EXTENDED_FEATURES && subleaf == 0)
		*out = (struct cpuid_regs){ 1, CPUID_INVPCID,
					    CPUID_PKU | live(CPUID_OSPKE, CR4_PKE), 0 };
	else if (leaf == CPUID_LEAF_XSTATE)
		out->eax = subleaf == 1 ? CPUID_XSAVES : 7;
	else if (leaf == CPUID_LEAF_EXTENDED)
		out->eax = CPUID_LEAF_ADDRESS_SIZES;
	else if (leaf == CPUID_LEAF_EXTENDED_1)
		out->edx = CPUID_RDTSCP | CPUID_NX | CPUID_LM |
			   (fake.cpu.cs.ar & SEGMENT_AR_L ? CPUID_SYSCALL : 0);
	else if (leaf == CPUID_LEAF_ADDRESS_SIZES)
		out->eax = 0x3030;
	fake_log(OP_CPUID, leaf, subleaf, true);
}
