// SPDX-License-Identifier: GPL-2.0-only
/*
 * What VT-x itself must be like, as a table: fact, bits looked at, what they must be, the sentence
 * for the user. CPU features beside it are in feature.h.
 */
#include <stddef.h>

#include "insn.h"
#include "require.h"
#include "x86/mtrr.h"
#include "x86/msr.h"
#include "x86/msr_bits.h"
#include "x86/vmx.h"

/* VMX_BASIC bits 53:50, the memory type of VMCSs. */
#define BASIC_TYPE X86_MASK64(53, 50)
#define BASIC_WB ((uint64_t)MEMORY_TYPE_WB << 50)

static const struct requirement {
	enum vmx_fact fact;
	uint64_t mask, value;
	const char *sentence;
} requirements[] = {
	{ FACT_VMX, 1, 1,
	  "the CPU has no VT-x (CPUID.1:ECX.VMX is 0), or the firmware or an outer hypervisor hides it: enable it there" },
	{ FACT_FEATURE_CONTROL, FEATURE_CONTROL_LOCK, FEATURE_CONTROL_LOCK,
	  "IA32_FEATURE_CONTROL is not locked: the firmware left VT-x undecided; enable it there" },
	{ FACT_FEATURE_CONTROL, FEATURE_CONTROL_VMX_OUTSIDE_SMX, FEATURE_CONTROL_VMX_OUTSIDE_SMX,
	  "VT-x is locked off in IA32_FEATURE_CONTROL: enable it in the firmware setup" },
	{ FACT_VMX_BASIC, VMX_BASIC_TRUE_CONTROLS, VMX_BASIC_TRUE_CONTROLS,
	  "VT-x without TRUE capability MSRs: MOV CR3 would exit; use backend=ring1, the CPU is too old" },
	{ FACT_VMX_BASIC, BASIC_TYPE, BASIC_WB,
	  "VT-x wants its VMCS in memory that is not write-back, not supported: use backend=ring1" },
	{ FACT_EFER, EFER_NXE, EFER_NXE, "EFER.NXE is 0: boot without noexec=off" },
};

static uint64_t msr_or_zero(uint32_t msr)
{
	uint64_t value;

	return insn_rdmsr_safe(msr, &value) ? value : 0;
}

void vmx_facts_read(struct vmx_facts *facts)
{
	struct outer outer = { .kind = OUTER_NONE };

	*facts = (struct vmx_facts){ 0 };
	vmx_features_read(&facts->features);
	facts->value[FACT_VMX] = facts->features.has[CPUID_FEATURE_VMX];
	facts->value[FACT_TD_GUEST] = facts->features.td_guest;
	if (facts->features.has[CPUID_FEATURE_HYPERVISOR])
		outer_read(&outer);
	facts->value[FACT_OUTER] = UINT64_C(1) << outer.kind;
	facts->value[FACT_EFER] = insn_rdmsr(MSR_IA32_EFER);
	facts->value[FACT_CR4] = insn_read_cr4();
	facts->value[FACT_RTIT_CTL] = msr_or_zero(MSR_IA32_RTIT_CTL);
	facts->value[FACT_FEATURE_CONTROL] = msr_or_zero(MSR_IA32_FEATURE_CONTROL);
	facts->value[FACT_VMX_BASIC] = msr_or_zero(MSR_IA32_VMX_BASIC);
}

/* What 4-level EPT can map. SDM vol. 3, 29.3.2, EPT Translation Mechanism */
#define MAXPHYADDR_LIMIT 48

const char *vmx_unmet(const struct vmx_facts *facts)
{
	const char *sentence;
	size_t i;

	for (i = 0; i < sizeof(requirements) / sizeof(requirements[0]); i++) {
		const struct requirement *r = &requirements[i];

		if ((facts->value[r->fact] & r->mask) != r->value)
			return r->sentence;
	}
	sentence = vmx_features_in_use(facts);
	if (sentence)
		return sentence;
	if (facts->value[FACT_CR4] & ~(VMX_CR4_SUPPORTED | VMX_CR4_REFUSED))
		return "CR4 has a bit set that this version does not know: use a newer version";
	if (facts->features.maxphyaddr > MAXPHYADDR_LIMIT)
		return "physical addresses have over 48 bits (MAXPHYADDR): 4-level EPT cannot map them; use backend=ring1";
	return NULL;
}
