/* SPDX-License-Identifier: GPL-2.0-only */
/* What a CPU must have and must not have for its Linux to be taken virtual: a table of refusals. */
#ifndef ARCH_X86_VMX_REQUIRE_H
#define ARCH_X86_VMX_REQUIRE_H

#include <stdint.h>

#include "capability.h"

/* Where a requirement looks: the facts, gathered once. */
enum vmx_fact {
	FACT_CPUID_1_ECX,
	FACT_FEATURE_CONTROL,
	FACT_EFER,
	FACT_RTIT_CTL,
	FACT_MAXPHYADDR,
	FACT_VMX_BASIC,
	FACT_CR4,
	FACT_NR
};

struct vmx_facts {
	uint64_t value[FACT_NR];
};

void vmx_facts_read(struct vmx_facts *facts);

/* The sentence of the first requirement that the facts do not meet, or NULL. Pure. */
const char *vmx_unmet(const struct vmx_facts *facts);

#endif
