// SPDX-License-Identifier: GPL-2.0-only
/* KVM's paravirtual features that must not go on while Linux is a guest of its guest. */
#include <stddef.h>

#include "insn.h"
#include "outer.h"
#include "paravirt.h"
#include "window.h"
#include "x86/paging.h"

/*
 * Bits that are off while virtual. Linux, Documentation/virt/kvm/x86/msr.rst
 *
 * Steal time tells other CPUs that this one is preempted. They send it no IPI to flush its TLB then, but leave
 * that to KVM, which flushes the VPID of what was preempted: where that was the VMM, Linux's stale
 * translations would survive.
 *
 * An asynchronous page fault comes as a VM exit, for a hypervisor that has other guests to run; and where Linux
 * wants it in its kernel too, to the VMM.
 */
static const struct {
	uint32_t msr;
	uint64_t off;
} features[CPU_PARAVIRT_MSRS] = {
	{ KVM_MSR_STEAL_TIME, KVM_STEAL_TIME_ENABLED },
	{ KVM_MSR_ASYNC_PF, KVM_ASYNC_PF_SEND_ALWAYS | KVM_ASYNC_PF_AS_VMEXIT },
};

/*
 * KVM before 5.19 may preempt the CPU within the WRMSR that turns steal time off, says so in Linux's memory,
 * and afterwards has nowhere to say the opposite. A flush that was left to it comes with the entry.
 */
static void not_preempted(struct cpu *cpu, uint64_t steal_time)
{
	uint64_t pa = (steal_time & KVM_STEAL_TIME_AREA) + KVM_STEAL_TIME_PREEMPTED;
	uint8_t *page = window_copymap(cpu, pa);

	page[paging_offset(pa, 1)] = 0;
}

void paravirt_put_off(struct cpu *cpu)
{
	size_t i;

	for (i = 0; i < CPU_PARAVIRT_MSRS; i++) {
		struct put_off *p = &cpu->paravirt[i];

		p->exists = insn_rdmsr_safe(features[i].msr, &p->value);
		if (!p->exists || !(p->value & features[i].off))
			continue;
		insn_wrmsr(features[i].msr, p->value & ~features[i].off);
		if (features[i].msr == KVM_MSR_STEAL_TIME)
			not_preempted(cpu, p->value);
	}
}

void paravirt_restore(struct cpu *cpu)
{
	size_t i;

	for (i = 0; i < CPU_PARAVIRT_MSRS; i++) {
		struct put_off *p = &cpu->paravirt[i];

		bool is_off = p->exists && p->value & features[i].off;

		/* Once only, though it fails: nobody may know how far the way back has got. */
		p->exists = false;
		if (is_off)
			insn_wrmsr_safe(features[i].msr, p->value);
	}
}

/* Which one is it; CPU_PARAVIRT_MSRS if none of them. */
static size_t find(const struct cpu *cpu, uint32_t msr)
{
	size_t i;

	for (i = 0; i < CPU_PARAVIRT_MSRS; i++)
		if (cpu->paravirt[i].exists && features[i].msr == msr)
			break;
	return i;
}

bool paravirt_rdmsr(const struct cpu *cpu, uint32_t msr, uint64_t *value)
{
	size_t i = find(cpu, msr);

	if (i == CPU_PARAVIRT_MSRS)
		return false;
	*value = cpu->paravirt[i].value;
	return true;
}

bool paravirt_wrmsr(struct cpu *cpu, uint32_t msr, uint64_t value, bool *ok)
{
	size_t i = find(cpu, msr);

	if (i == CPU_PARAVIRT_MSRS)
		return false;
	*ok = insn_wrmsr_safe(msr, value & ~features[i].off);
	if (*ok)
		cpu->paravirt[i].value = value;
	return true;
}
