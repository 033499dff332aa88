// SPDX-License-Identifier: GPL-2.0-only
/*
 * The virtual object "native". Its capture reads the processor; its load is the leave path: every
 * register that virtual mode changed gets Linux's value back, in an order in which at each
 * instruction boundary the loaded IDT, GDT, TSS and IST stacks are mapped by the loaded CR3.
 */
#include "call.h"
#include "cpu.h"
#include "insn.h"
#include "mapped.h"
#include "native.h"
#include "segment.h"
#include "window.h"
#include "x86/cr.h"
#include "x86/msr.h"
#include "x86/paging.h"

static enum mercury_error native_probe(struct cpu *cpu)
{
	(void)cpu;
	return MERCURY_E_OK;
}

static enum mercury_error native_prepare(struct cpu *cpu)
{
	(void)cpu;
	return MERCURY_E_OK;
}

static void native_discard(struct cpu *cpu)
{
	(void)cpu;
}

static void capture_segments(struct state *s)
{
	insn_sgdt(&s->gdtr);
	s->ldtr = segment_read_system(insn_sldt(), &s->gdtr);
	s->tr = segment_read_system(insn_str(), &s->gdtr);
	s->es = segment_read(insn_read_es(), &s->gdtr, &s->ldtr);
	s->cs = segment_read(insn_read_cs(), &s->gdtr, &s->ldtr);
	s->ss = segment_read(insn_read_ss(), &s->gdtr, &s->ldtr);
	s->ds = segment_read(insn_read_ds(), &s->gdtr, &s->ldtr);
	s->fs = segment_read(insn_read_fs(), &s->gdtr, &s->ldtr);
	s->gs = segment_read(insn_read_gs(), &s->gdtr, &s->ldtr);
	s->fs.base = insn_rdmsr(MSR_IA32_FS_BASE);
	s->gs.base = insn_rdmsr(MSR_IA32_GS_BASE);
}

/* Linux called us: it goes on where the call returns, with what a call preserves. */
static void capture_return(const struct cpu *cpu, struct state *s)
{
	s->regs = cpu->regs;
	s->regs.rdx = 0; /* no events owed, see vmm_call */
	s->regs.rsp = cpu->linux_rsp + sizeof(uint64_t);
	s->rip = *(const uint64_t *)cpu->linux_rsp;
	s->rflags = insn_read_rflags();
}

/* CR3 itself is the transition root; the gate passed Linux's. */
static void native_capture(struct cpu *cpu, struct state *s)
{
	capture_return(cpu, s);
	capture_segments(s);
	s->idtr = cpu->linux_idt;
	s->cr0 = insn_read_cr0();
	s->cr3 = cpu->linux_cr3;
	s->cr4 = insn_read_cr4();
	s->dr7 = insn_read_dr7();
	s->debugctl = insn_rdmsr(MSR_IA32_DEBUGCTL);
	s->sysenter_cs = insn_rdmsr(MSR_IA32_SYSENTER_CS);
	s->sysenter_esp = insn_rdmsr(MSR_IA32_SYSENTER_ESP);
	s->sysenter_eip = insn_rdmsr(MSR_IA32_SYSENTER_EIP);
	s->interruptibility = 0;
	s->activity = 0;
	s->pending_debug = 0;
	s->returns_result = true;
}

/* Would the way back work? It needs all of this mapped at every one of its steps. */
static enum mercury_error native_audit(struct cpu *cpu, const struct state *state)
{
	uint64_t where;
	const char *what = native_unmapped(cpu, state, &where);

	if (what)
		return cpu_refuse(cpu, MERCURY_E_AUDIT, where,
				  "the transition root does not map %s (%016lx): the way back to "
				  "native would not work",
				  what, where);
	return MERCURY_E_OK;
}

/* Nothing keeps running natively once the processor does something else. */
static void native_leave(struct cpu *cpu)
{
	(void)cpu;
}

/* Linux's kernel half as it is now, around slot 509, which this root keeps. */
static void refresh_transition_root(struct cpu *cpu, uint64_t linux_cr3)
{
	const uint64_t *from = window_fixmap(cpu, linux_cr3);
	uint64_t *to = cpu_slot(cpu, MERCURY_CPU_ROOT);
	const unsigned int half = PAGING_ENTRIES / 2, slot = MERCURY_WINDOW_PML4_SLOT;

	__builtin_memcpy(to + half, from + half, (slot - half) * sizeof(*to));
	__builtin_memcpy(to + slot + 1, from + slot + 1, (PAGING_ENTRIES - slot - 1) * sizeof(*to));
}

bool native_can_return(struct cpu *cpu, const struct state *state)
{
	uint64_t where;

	refresh_transition_root(cpu, state->cr3);
	return !native_return_unmapped(cpu, state, &where);
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

/*
 * LTR wants an available TSS and writes the busy bit through GDTR, but Linux's own mapping of its
 * GDT is read only: so by the writable alias first.
 */
static void load_descriptor_tables(struct cpu *cpu, const struct state *s)
{
	struct descriptor_table_register rw = { s->gdtr.limit, cpu->gdt_rw };
	struct segment_descriptor *tss = (void *)(cpu->gdt_rw + (s->tr.selector & SELECTOR_INDEX));

	insn_lgdt(&rw);
	tss->access = (tss->access & ~SEGMENT_AR_TYPE) | SEGMENT_TYPE_TSS_AVAILABLE;
	insn_ltr(s->tr.selector);
	insn_lgdt(&s->gdtr);
	if (!insn_lldt(s->ldtr.selector))
		insn_lldt(0);
}

/* A selector whose descriptor has gone meanwhile gets the null selector, as Linux's own loads do. */
static void load_segments(const struct state *s)
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

static void load_sysenter(const struct cpu *cpu, const struct state *s)
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

static void build_tail(struct cpu *cpu, const struct state *s, struct leave_frame *frame)
{
	struct tail_stack *stack = (struct tail_stack *)s->regs.rsp - 1;

	*stack = (struct tail_stack){ s->regs.rbx, s->regs.rdx, s->regs.rcx,
				      s->regs.rax, s->rflags,   s->rip };
	cpu->regs = s->regs;
	*frame = (struct leave_frame){
		.tail = mercury_boot.gate_tail,
		.rsp = (uint64_t)stack,
		/* All of the TLB has just been flushed; not again. */
		.cr3 = s->cr3 | (s->cr4 & CR4_PCIDE ? CR3_NOFLUSH : 0),
		.dr7 = s->dr7,
		.debugctl = s->debugctl,
	};
}

static enum mercury_error native_load(struct cpu *cpu, struct state *s)
{
	struct leave_frame frame;

	refresh_transition_root(cpu, s->cr3);
	insn_write_cr3(cpu_transition_cr3(cpu));
	if (s->cr0 != insn_read_cr0())
		insn_write_cr0(s->cr0);
	load_cr4_and_flush(s->cr4);
	load_descriptor_tables(cpu, s);
	load_segments(s);
	load_sysenter(cpu, s);
	build_tail(cpu, s, &frame);
	/* Also where Linux never got as far as virtual: the mode machine follows what is. */
	cpu_shared(cpu)->is_virtual = 0;
	cpu->leaves_by_call = false;
	cpu->mode = MODE_PREPARED;
	insn_lidt(&s->idtr);
	/* NMIs are Linux's own from here on; one that came before is raised by the gate. */
	frame.owed = __atomic_exchange_n(&cpu->pending, 0, __ATOMIC_RELAXED);
	insn_leave(cpu, &frame);
}

const struct vo vo_native = {
	.name = "native",
	.probe = native_probe,
	.prepare = native_prepare,
	.discard = native_discard,
	.capture = native_capture,
	.audit = native_audit,
	.leave = native_leave,
	.load = native_load,
};
