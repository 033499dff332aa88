// SPDX-License-Identifier: GPL-2.0-only
/* Traps: out of Linux, in the VMM itself, and those that may come anywhere. */
#include "fatal.h"
#include "insn.h"
#include "mercury/console.h"
#include "port.h"
#include "ring1.h"
#include "trap.h"
#include "window.h"
#include "x86/cr.h"
#include "x86/vector.h"

struct wait {
	uint64_t start, end;
};

extern const struct wait ring1_waits[], ring1_waits_end[]; /* port.asm  */
extern const char ring1_exit_check[], ring1_exit_iret[];   /* entry.asm */

static void count(struct cpu *cpu, enum mercury_ring1_trap kind)
{
	cpu_shared(cpu)->exits[kind]++;
}

/* --- Out of Linux ------------------------------------------------------------------------------- */

/*
 * INT n in user space through a gate that is not user space's. The processor asks our gates, of which
 * three let it through.
 */
static bool forbidden_int(struct cpu *cpu, struct ring1_frame *f)
{
	const struct descriptor_table_register *idtr = &ring1_cpu(cpu)->idtr;
	struct idt_gate gate;
	unsigned int length = f->vector == VECTOR_BP || f->vector == VECTOR_OF ? 1 : 2;
	uint64_t offset = f->vector * sizeof(gate);

	if (!ring1_from_user(f) || !ring1_is_user_vector(f->vector))
		return false;
	if (offset + sizeof(gate) - 1 <= idtr->limit &&
	    insn_copy_safe(&gate, (const void *)(idtr->base + offset), sizeof(gate)) &&
	    (gate.access & SEGMENT_AR_DPL) == SEGMENT_AR_DPL)
		return false;
	f->rip -= length;
	ring1_deliver(cpu, f, VECTOR_GP, f->vector << 3 | ERROR_CODE_IDT);
	return true;
}

static enum mercury_ring1_trap kind_of(const struct ring1_frame *f)
{
	if (f->vector >= VECTOR_FIRST_INTERRUPT)
		return f->vector == RING1_INT80 ? MERCURY_RING1_EXCEPTION : MERCURY_RING1_INTERRUPT;
	return f->vector == VECTOR_PF ? MERCURY_RING1_PAGE_FAULT : MERCURY_RING1_EXCEPTION;
}

static bool is_ours(struct cpu *cpu, struct ring1_frame *f)
{
	if (f->vector != VECTOR_GP && f->vector != VECTOR_UD)
		return false;
	if (ring1_from_user(f))
		return f->vector == VECTOR_GP && ring1_user_io(cpu, f);
	return ring1_emulate(cpu, f);
}

/* What was latched while NMIs were blocked. */
static void deliver_latched(struct cpu *cpu, struct ring1_frame *f)
{
	struct ring1_cpu *r = ring1_cpu(cpu);

	if (!r->nmi_latched)
		return;
	r->nmi_latched = 0;
	r->nmi_blocked = 0;
	ring1_deliver_nmi(cpu, f);
}

void ring1_trap(struct ring1_frame *f)
{
	struct cpu *cpu = cpu_of_stack((uint64_t)f);
	struct ring1_cpu *r = ring1_cpu(cpu);

	/* In user space no NMI handler runs any more. */
	if (ring1_from_user(f))
		r->nmi_blocked = 0;
	if (f->vector == VECTOR_PF)
		cpu_shared(cpu)->cr2 = insn_read_cr2();
	if (f->vector == VECTOR_NMI) {
		count(cpu, MERCURY_RING1_NMI);
		ring1_deliver_nmi(cpu, f);
	} else if (!is_ours(cpu, f) && !forbidden_int(cpu, f)) {
		count(cpu, kind_of(f));
		ring1_deliver(cpu, f, f->vector, f->error_code);
	}
	if (!r->nmi_blocked)
		deliver_latched(cpu, f);
}

void ring1_deliver_pending(struct ring1_frame *f)
{
	struct cpu *cpu = cpu_of_stack((uint64_t)f);
	uint32_t pending = __atomic_exchange_n(&cpu->pending, 0, __ATOMIC_RELAXED);

	if (pending & PENDING_MC)
		ring1_deliver(cpu, f, VECTOR_MC, 0);
	if (pending & PENDING_NMI)
		ring1_deliver_nmi(cpu, f);
}

/* --- In the VMM --------------------------------------------------------------------------------- */

/* Once: what fails here must not fill the stack with itself. */
static void screen(struct cpu *cpu, const struct ring1_frame *f)
{
	const struct regs *r = &f->regs;

	if (cpu->in_screen)
		return;
	cpu->in_screen = true;
	cpu_fail(cpu, MERCURY_E_FAULT, f->vector,
		 "the VMM took exception %lu, error code %lx, at rip %016lx: this CPU to native; unload the module, load it again, report it",
		 f->vector, f->error_code, f->rip);
	console_line("!cr2 %016lx cr3 %016lx rflags %lx rsp %016lx", ring1_cpu(cpu)->fault.address,
		     insn_read_cr3(), f->rflags, f->rsp);
	console_line("!rax %016lx rbx %016lx rcx %016lx rdx %016lx", r->rax, r->rbx, r->rcx,
		     r->rdx);
	console_line("!rsi %016lx rdi %016lx rbp %016lx r8  %016lx", r->rsi, r->rdi, r->rbp, r->r8);
	console_line("!r9  %016lx r10 %016lx r11 %016lx r12 %016lx", r->r9, r->r10, r->r11, r->r12);
	console_line("!r13 %016lx r14 %016lx r15 %016lx", r->r13, r->r14, r->r15);
	cpu->in_screen = false;
}

/* The IRETQ to Linux faulted; all registers are Linux's. */
static struct ring1_frame *iret_failed(struct cpu *cpu, const struct ring1_frame *fault)
{
	struct ring1_frame *f = ring1_frame(cpu);
	/* The frame that IRETQ did not take is where it was; the rest overlaps that of the fault. */
	uint64_t vector = fault->vector, error_code = fault->error_code, rip = fault->rip;
	struct regs regs = fault->regs;

	f->regs = regs;
	f->vector = vector;
	f->error_code = error_code;
	if (ring1_stubs_is_iret(cpu, rip))
		ring1_stubs_iret_failed(cpu, f);
	count(cpu, MERCURY_RING1_EXCEPTION);
	ring1_deliver(cpu, f, vector, error_code);
	return f;
}

/* What came is not slept over, in whichever instruction of a wait it did. */
static void end_wait(struct ring1_frame *f)
{
	const struct wait *w;

	for (w = ring1_waits; w < ring1_waits_end; w++)
		if (f->rip >= w->start && f->rip < w->end)
			f->rip = w->end;
}

struct ring1_frame *ring1_root_trap(struct ring1_frame *f)
{
	struct cpu *cpu = cpu_of_stack((uint64_t)f);
	struct ring1_cpu *r = ring1_cpu(cpu);

	if (f->rip == (uint64_t)ring1_exit_iret || ring1_stubs_is_iret(cpu, f->rip))
		return iret_failed(cpu, f);
	if (f->vector == VECTOR_UD && ring1_stubs_nmi_is_due(cpu, f)) {
		deliver_latched(cpu, f);
		return f;
	}
	/* Interrupts are on in the waits only. */
	if (f->vector >= VECTOR_FIRST_INTERRUPT) {
		r->woken = f->vector;
		f->rflags &= ~(uint64_t)RFLAGS_IF;
		end_wait(f);
		return NULL;
	}
	/* Linux may not have read its own yet. */
	r->fault = (struct ring1_fault){ f->vector, f->error_code, insn_read_cr2() };
	if (f->vector == VECTOR_PF)
		insn_write_cr2(cpu_shared(cpu)->cr2);
	if (trap_fixup(&f->rip))
		return NULL;
	screen(cpu, f);
	vmm_fatal(cpu);
}

/* --- NMI, #DB, #MC, #DF: anywhere --------------------------------------------------------------- */

static bool in_exit(uint64_t rip)
{
	return rip >= (uint64_t)ring1_exit_check && rip <= (uint64_t)ring1_exit_iret;
}

/* Mark it for later, and see that later comes. */
static void interrupt_root(struct cpu *cpu, struct ring1_frame *f)
{
	struct mercury_cpu_shared *shared = cpu_shared(cpu);

	/*
	 * #DB: behind MOV SS with a data breakpoint it comes at the first instruction of our entry,
	 * where Linux would ignore it as well. Its status is Linux's to find clear.
	 */
	if (f->vector == VECTOR_DB) {
		insn_write_dr_safe(6, DR6_INIT);
		return;
	}
	if (f->vector == VECTOR_NMI) {
		__atomic_or_fetch(&cpu->pending, PENDING_NMI, __ATOMIC_RELAXED);
		shared->nmis_in_root++;
	} else {
		__atomic_or_fetch(&cpu->pending, PENDING_MC, __ATOMIC_RELAXED);
		shared->mcs_in_root++;
	}
	if (in_exit(f->rip)) {
		f->rip = (uint64_t)ring1_exit_check;
		f->rsp = (uint64_t)ring1_frame(cpu);
	}
	end_wait(f);
}

struct ring1_frame *ring1_event(struct ring1_frame *f)
{
	struct cpu *cpu = cpu_of_stack((uint64_t)f);

	if (!(f->cs & SELECTOR_RPL) && !ring1_stubs_finish(cpu, f)) {
		if (f->vector == VECTOR_DF)
			ring1_root_trap(f);
		else
			interrupt_root(cpu, f);
		return NULL;
	}
	return __builtin_memcpy(ring1_frame(cpu), f, sizeof(*f));
}
