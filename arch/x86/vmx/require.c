// SPDX-License-Identifier: GPL-2.0-only
/* The table of refusals: fact, bits looked at, what they must be, the sentence for the user. */
#include <stddef.h>

#include "insn.h"
#include "require.h"
#include "x86/cpuid.h"
#include "x86/cr.h"
#include "x86/mtrr.h"
#include "x86/msr.h"
#include "x86/msr_bits.h"
#include "x86/vmx.h"

/* All bits of CR4 whose state the switch carries; any other that is set is a feature not handled. */
#define CR4_HANDLED                                                                                \
	(CR4_VME | CR4_PVI | CR4_TSD | CR4_DE | CR4_PSE | CR4_PAE | CR4_MCE | CR4_PGE | CR4_PCE |  \
	 CR4_OSFXSR | CR4_OSXMMEXCPT | CR4_UMIP | CR4_VMXE | CR4_FSGSBASE | CR4_PCIDE |            \
	 CR4_OSXSAVE | CR4_SMEP | CR4_SMAP | CR4_PKE)

/* VMX_BASIC bits 53:50, the memory type of VMCSs. */
#define BASIC_TYPE X86_MASK64(53, 50)
#define BASIC_WB ((uint64_t)MEMORY_TYPE_WB << 50)

static const struct requirement {
	enum vmx_fact fact;
	uint64_t mask, value;
	const char *sentence;
} requirements[] = {
	{ FACT_CPUID_1_ECX, CPUID_VMX, CPUID_VMX,
	  "the CPU has no VT-x (CPUID.1:ECX.VMX is 0), or the firmware or an outer hypervisor hides it" },
	{ FACT_FEATURE_CONTROL, FEATURE_CONTROL_LOCK, FEATURE_CONTROL_LOCK,
	  "IA32_FEATURE_CONTROL is not locked: the firmware left VT-x undecided; enable it there" },
	{ FACT_FEATURE_CONTROL, FEATURE_CONTROL_VMX_OUTSIDE_SMX, FEATURE_CONTROL_VMX_OUTSIDE_SMX,
	  "VT-x is locked off in IA32_FEATURE_CONTROL: enable it in the firmware setup" },
	{ FACT_VMX_BASIC, VMX_BASIC_TRUE_CONTROLS, VMX_BASIC_TRUE_CONTROLS,
	  "VT-x without TRUE capability MSRs: MOV CR3 would exit; this CPU is too old" },
	{ FACT_VMX_BASIC, BASIC_TYPE, BASIC_WB,
	  "VT-x wants its VMCS in memory that is not write-back; not supported" },
	{ FACT_CR4, CR4_LA57, 0, "5-level paging (CR4.LA57) is on: boot with no5lvl" },
	{ FACT_CR4, CR4_CET, 0, "CET (CR4.CET) is on: boot with ibt=off nousershstk" },
	{ FACT_CR4, CR4_PKS, 0, "supervisor protection keys (CR4.PKS) are on; not supported yet" },
	{ FACT_CR4, CR4_UINTR, 0, "user interrupts (CR4.UINTR) are on; not supported yet" },
	{ FACT_CR4, CR4_FRED, 0, "FRED (CR4.FRED) is on: boot with fred=off" },
	{ FACT_CR4, CR4_LASS | CR4_LAM_SUP, 0,
	  "LASS or supervisor LAM (CR4) is on; not supported yet" },
	{ FACT_CR4, CR4_KL, 0, "key locker (CR4.KL) is on; not supported yet" },
	{ FACT_CR4, CR4_SMXE, 0, "SMX (CR4.SMXE) is on: a measured launch owns VT-x" },
	{ FACT_CR4, ~(uint64_t)CR4_HANDLED, 0, "CR4 has a bit set that this version does not know" },
	{ FACT_EFER, EFER_NXE, EFER_NXE, "EFER.NXE is 0: boot without noexec=off" },
	{ FACT_RTIT_CTL, RTIT_CTL_TRACE_EN, 0, "Intel PT is tracing: stop perf record -e intel_pt" },
};

static uint64_t msr_or_zero(uint32_t msr)
{
	uint64_t value;

	return insn_rdmsr_safe(msr, &value) ? value : 0;
}

void vmx_facts_read(struct vmx_facts *facts)
{
	struct cpuid_regs r;
	struct vmx_features features;

	*facts = (struct vmx_facts){ 0 };
	insn_cpuid(CPUID_LEAF_FEATURES, 0, &r);
	vmx_features_read(&features);
	facts->value[FACT_CPUID_1_ECX] = r.ecx;
	facts->value[FACT_MAXPHYADDR] = features.maxphyaddr;
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
	size_t i;

	for (i = 0; i < sizeof(requirements) / sizeof(requirements[0]); i++) {
		const struct requirement *r = &requirements[i];

		if ((facts->value[r->fact] & r->mask) != r->value)
			return r->sentence;
	}
	if (facts->value[FACT_MAXPHYADDR] > MAXPHYADDR_LIMIT)
		return "physical addresses have over 48 bits (MAXPHYADDR): 4-level EPT cannot map them";
	return NULL;
}
