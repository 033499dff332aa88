// SPDX-License-Identifier: GPL-2.0-only
/* The local APIC: sends the INIT on that a VM exit has swallowed. */
#include "apic.h"
#include "insn.h"
#include "window.h"
#include "x86/apic.h"
#include "x86/msr.h"
#include "x86/msr_bits.h"

#define INIT (APIC_ICR_INIT | APIC_ICR_ASSERT)

static void init_by_msr(void)
{
	insn_wrmsr(MSR_IA32_X2APIC_ICR,
		   insn_rdmsr(MSR_IA32_X2APIC_APICID) << X2APIC_ICR_DESTINATION_SHIFT | INIT);
}

static void init_by_memory(volatile uint32_t *apic)
{
	unsigned int patience = 100000;

	/* A write while one is being sent would be lost. */
	while (apic[APIC_ICR_LOW / 4] & APIC_ICR_PENDING && --patience)
		insn_pause();
	apic[APIC_ICR_HIGH / 4] = apic[APIC_ID / 4] & APIC_DESTINATION;
	apic[APIC_ICR_LOW / 4] = INIT;
}

void apic_init_self(struct cpu *cpu)
{
	uint64_t base = insn_rdmsr(MSR_IA32_APIC_BASE);

	if (!(base & APIC_BASE_EN))
		return;
	if (base & APIC_BASE_EXTD)
		init_by_msr();
	else
		init_by_memory(window_fixmap_uncached(cpu, base & APIC_BASE_ADDRESS));
}
