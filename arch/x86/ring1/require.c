// SPDX-License-Identifier: GPL-2.0-only
/* The requirements of ring 1, gathered and asked. */
#include <stddef.h>

#include "insn.h"
#include "outer.h"
#include "require.h"
#include "ring1.h"
#include "x86/cpuid.h"
#include "x86/msr.h"
#include "x86/msr_bits.h"

#define REQUIREMENT(name, fact, mask, value, sentence) { RING1_FACT_##fact, mask, value, sentence },

static const struct requirement {
	enum ring1_fact fact;
	uint64_t mask, value;
	const char *sentence;
} requirements[] = { RING1_REQUIREMENTS(REQUIREMENT) };

const char *ring1_unmet(const struct ring1_facts *facts)
{
	size_t i;

	for (i = 0; i < sizeof(requirements) / sizeof(requirements[0]); i++)
		if ((facts->value[requirements[i].fact] & requirements[i].mask) !=
		    requirements[i].value)
			return requirements[i].sentence;
	return NULL;
}

bool ring1_refuses_cr4(uint64_t value)
{
	return value & ~(uint64_t)RING1_CR4_CARRIED;
}

bool ring1_refuses_efer(uint64_t value)
{
	return value & EFER_SVME;
}

/* --- Asking ------------------------------------------------------------------------------------- */

static bool leaf_exists(uint32_t leaf)
{
	struct cpuid_regs r;

	insn_cpuid(leaf & CPUID_LEAF_EXTENDED, 0, &r);
	return r.eax >= leaf;
}

static bool has_signature(uint32_t leaf, const char *ebx_ecx_edx)
{
	struct cpuid_regs r;
	char name[12];

	insn_cpuid(leaf, 0, &r);
	__builtin_memcpy(name, &r.ebx, 4);
	__builtin_memcpy(name + 4, &r.ecx, 4);
	__builtin_memcpy(name + 8, &r.edx, 4);
	return !__builtin_memcmp(name, ebx_ecx_edx, sizeof(name));
}

static void read_outer(struct ring1_facts *facts)
{
	struct outer outer;

	outer_read(&outer);
	facts->value[RING1_FACT_HYPERV] = outer.kind == OUTER_HYPERV;
	facts->value[RING1_FACT_XEN] = outer.kind == OUTER_XEN;
	facts->value[RING1_FACT_KVM] = outer.kvm_features;
	if (outer.kvm_features & 1u << KVM_FEATURE_ASYNC_PF_INT)
		insn_rdmsr_safe(KVM_MSR_ASYNC_PF, &facts->value[RING1_FACT_ASYNC_PF]);
}

static bool has_lkgs(void)
{
	struct cpuid_regs r;

	if (!leaf_exists(CPUID_LEAF_EXTENDED_FEATURES))
		return false;
	insn_cpuid(CPUID_LEAF_EXTENDED_FEATURES, 0, &r);
	if (!r.eax)
		return false;
	insn_cpuid(CPUID_LEAF_EXTENDED_FEATURES, 1, &r);
	return r.eax & CPUID_LKGS;
}

void ring1_facts_read(struct ring1_facts *facts)
{
	*facts = (struct ring1_facts){ 0 };
	facts->value[RING1_FACT_CR0] = insn_read_cr0();
	facts->value[RING1_FACT_CR4] = insn_read_cr4();
	facts->value[RING1_FACT_EFER] = insn_rdmsr(MSR_IA32_EFER);
	facts->value[RING1_FACT_FMASK] = insn_rdmsr(MSR_IA32_FMASK);
	facts->value[RING1_FACT_LKGS] = has_lkgs();
	/* "IntelTDX    " comes as EBX, EDX, ECX. */
	facts->value[RING1_FACT_TD_GUEST] = leaf_exists(CPUID_LEAF_TDX) &&
					    has_signature(CPUID_LEAF_TDX, "Inte    lTDX");
	read_outer(facts);
}
