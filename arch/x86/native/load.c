// SPDX-License-Identifier: GPL-2.0-only
/* Steps on the way to native, whichever page tables Linux goes on with. */
#include "call.h"
#include "insn.h"
#include "load.h"
#include "window.h"
#include "x86/cr.h"
#include "x86/msr.h"
#include "x86/paging.h"

void native_copy_root(struct cpu *cpu, uint64_t linux_cr3, unsigned int first)
{
	const uint64_t *from = window_fixmap(cpu, linux_cr3);
	uint64_t *to = cpu_slot(cpu, MERCURY_CPU_ROOT);
	const unsigned int slot = MERCURY_WINDOW_PML4_SLOT;

	__builtin_memcpy(to + first, from + first, (slot - first) * sizeof(*to));
	__builtin_memcpy(to + slot + 1, from + slot + 1, (PAGING_ENTRIES - slot - 1) * sizeof(*to));
}

/*
 * Everything the TLB holds, of every PCID, global or not: SDM vol. 3, 4.10.4.1, Operations that
 * Invalidate TLBs and Paging-Structure Caches, MOV to CR4 that modifies PGE. Entries of VPID 0 from
 * before the virtual episode would otherwise outlive Linux's flushes of the guest's VPID.
 */
static void load_cr4_and_flush(uint64_t cr4)
{
	insn_write_cr4(cr4 ^ CR4_PGE);
	insn_write_cr4(cr4);
}

void native_load_control(const struct state *s)
{
	if (s->cr0 != insn_read_cr0())
		insn_write_cr0(s->cr0);
	load_cr4_and_flush(s->cr4);
}

/* A selector whose descriptor has gone meanwhile gets the null selector, as Linux's own loads do. */
void native_load_segments(const struct state *s)
{
	if (!insn_load_es(s->es.selector))
		insn_load_es(0);
	if (!insn_load_ds(s->ds.selector))
		insn_load_ds(0);
	if (!insn_load_fs(s->fs.selector))
		insn_load_fs(0);
	if (!insn_load_gs(s->gs.selector))
		insn_load_gs(0);
	if (!insn_load_ss(s->ss.selector))
		insn_load_ss(0);
	insn_wrmsr(MSR_IA32_FS_BASE, s->fs.base);
	insn_wrmsr(MSR_IA32_GS_BASE, s->gs.base);
}

void native_load_sysenter(const struct cpu *cpu, const struct state *s)
{
	if (s->sysenter_cs != cpu->host_sysenter_cs)
		insn_wrmsr(MSR_IA32_SYSENTER_CS, s->sysenter_cs);
	if (s->sysenter_esp != cpu->host_sysenter_esp)
		insn_wrmsr(MSR_IA32_SYSENTER_ESP, s->sysenter_esp);
	if (s->sysenter_eip != cpu->host_sysenter_eip)
		insn_wrmsr(MSR_IA32_SYSENTER_EIP, s->sysenter_eip);
}

/* What the gate's tail pops, in its order; Linux's kernel has no red zone. */
struct tail_stack {
	uint64_t rbx, rdx, rcx, rax, rflags, rip;
};

void native_build_tail(const struct state *s, struct leave_frame *frame)
{
	struct tail_stack *stack = (struct tail_stack *)s->regs.rsp - 1;

	if (s->frame_words)
		__builtin_memcpy((void *)s->regs.rsp, s->frame, s->frame_words * sizeof(*s->frame));
	*stack = (struct tail_stack){ s->regs.rbx, s->regs.rdx, s->regs.rcx,
				      s->regs.rax, s->rflags,   s->rip };
	frame->tail = mercury_boot.gate_tail;
	frame->rsp = (uint64_t)stack;
	/* All of the TLB has just been flushed; not again. */
	frame->cr3 = s->cr3 | (s->cr4 & CR4_PCIDE ? CR3_NOFLUSH : 0);
	frame->dr7 = s->dr7;
	frame->debugctl = s->debugctl;
	frame->owed = 0;
}

void native_is_back(struct cpu *cpu)
{
	cpu_shared(cpu)->is_virtual = 0;
	cpu->mode = MODE_PREPARED;
}
