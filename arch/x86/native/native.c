// SPDX-License-Identifier: GPL-2.0-only
/*
 * The virtual object "native". Its capture reads the processor; its load is the leave path: every
 * register that virtual mode changed gets Linux's value back, in an order in which at each
 * instruction boundary the loaded IDT, GDT, TSS and IST stacks are mapped by the loaded CR3.
 */
#include <stddef.h>

#include "call.h"
#include "cpu.h"
#include "deliver.h"
#include "identity.h"
#include "insn.h"
#include "load.h"
#include "mapped.h"
#include "native.h"
#include "segment.h"
#include "x86/msr.h"

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
	state_takes_none(s);
}

/* Would the way back work? It needs all of this mapped at every one of its steps. */
static enum mercury_error native_audit(struct cpu *cpu, const struct state *state)
{
	uint64_t where;
	const char *what = native_unmapped(cpu, state, &where);

	if (what)
		return cpu_refuse(cpu, MERCURY_E_AUDIT, where,
				  "the transition root does not map %s (%016lx), the way back to "
				  "native would not work: report it",
				  what, where);
	return MERCURY_E_OK;
}

/* Nothing keeps running natively once the processor does something else. */
static void native_leave(struct cpu *cpu)
{
	(void)cpu;
}

/*
 * LTR wants an available TSS and writes the busy bit through GDTR, but Linux's own mapping of its
 * GDT is read only: so by the writable alias first.
 */
static void load_tss(struct cpu *cpu, const struct descriptor_table_register *gdtr, uint16_t tr)
{
	const struct descriptor_table_register rw = { gdtr->limit, cpu->gdt_rw };
	struct segment_descriptor *tss = (void *)(cpu->gdt_rw + (tr & SELECTOR_INDEX));

	insn_lgdt(&rw);
	tss->access = (tss->access & ~SEGMENT_AR_TYPE) | SEGMENT_TYPE_TSS_AVAILABLE;
	insn_ltr(tr);
}

/* In front of kexec Linux gives up its GDT; it needs no TSS any more then. */
static inline void load_tables(struct cpu *cpu, const struct descriptor_table_register *gdtr,
			       uint16_t tr, uint16_t ldtr)
{
	if (gdtr->limit >= (tr & SELECTOR_INDEX) + sizeof(uint64_t[2]) - 1)
		load_tss(cpu, gdtr, tr);
	insn_lgdt(gdtr);
	if (!insn_lldt(ldtr))
		insn_lldt(0);
}

void native_load_tables(struct cpu *cpu, const struct descriptor_table_register *gdtr, uint16_t tr,
			uint16_t ldtr)
{
	load_tables(cpu, gdtr, tr, ldtr);
}

static enum mercury_error native_load(struct cpu *cpu, struct state *s)
{
	struct leave_frame frame;

	if (cpu->task < TASK_RETURN)
		cpu->task = TASK_RETURN;
	if (cpu->on_identity)
		identity_load(cpu, s);
	native_copy_root(cpu, s->cr3, NATIVE_KERNEL_HALF);
	insn_write_cr3(cpu_transition_cr3(cpu));
	native_load_control(s);
	load_tables(cpu, &s->gdtr, s->tr.selector, s->ldtr.selector);
	native_load_segments(s);
	native_load_sysenter(cpu, s);
	native_build_tail(s, &frame);
	native_is_back(cpu);
	insn_lidt(&s->idtr);
	/*
	 * NMIs are Linux's own from here on; one that came before is raised by the gate, unless it is
	 * one with that which Linux takes anyway.
	 */
	frame.owed = __atomic_exchange_n(&cpu->pending, 0, __ATOMIC_RELAXED);
	if (s->takes_nmi)
		frame.owed &= ~(uint64_t)PENDING_NMI;
	insn_leave(&s->regs, &frame);
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

bool native_can_return(struct cpu *cpu, struct state *state, const struct event *event)
{
	const char *unmapped;
	uint64_t where;

	if (state_is_user(state))
		state->cr3 &= ~mercury_boot.user_cr3;
	native_copy_root(cpu, state->cr3, NATIVE_KERNEL_HALF);
	if (event && !native_deliver(cpu, state, event))
		return false;
	unmapped = native_return_unmapped(cpu, state, &where);
	cpu->on_identity = unmapped && !event && identity_can_return(cpu, state);
	return !unmapped || cpu->on_identity;
}
