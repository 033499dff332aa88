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

static uint32_t read(const uint32_t *apic, unsigned int offset)
{
	return __atomic_load_n(&apic[offset / sizeof(*apic)], __ATOMIC_SEQ_CST);
}

static void write(uint32_t *apic, unsigned int offset, uint32_t value)
{
	__atomic_store_n(&apic[offset / sizeof(*apic)], value, __ATOMIC_RELEASE);
}

static void init_by_memory(uint32_t *apic)
{
	unsigned int patience = 100000;

	/* A write while one is being sent would be lost. */
	while (read(apic, APIC_ICR_LOW) & APIC_ICR_PENDING && --patience)
		insn_pause();
	write(apic, APIC_ICR_HIGH, read(apic, APIC_ID) & APIC_DESTINATION);
	write(apic, APIC_ICR_LOW, INIT);
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
