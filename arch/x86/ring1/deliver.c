// SPDX-License-Identifier: GPL-2.0-only
/*
 * Events for Linux, as the processor would deliver them: Linux's gate, Linux's stack, Linux's handler;
 * only that the handler then runs at CPL 1. SDM vol. 3, 6.14, Exception and Interrupt Handling in
 * 64-bit Mode
 */
#include "fatal.h"
#include "port.h"
#include "ring1.h"
#include "x86/cr.h"
#include "x86/paging.h"
#include "x86/vector.h"

/* What the handler finds on its stack, error code first. */
struct pushed {
	uint64_t error_code, rip, cs, rflags, rsp, ss;
};

#define HAS_ERROR_CODE(vector) ((vector) < 32 && X86_BIT32(vector) & VECTORS_WITH_ERROR_CODE)

static bool read_gate(struct cpu *cpu, unsigned int vector, struct idt_gate *gate)
{
	const struct descriptor_table_register *idtr = &ring1_cpu(cpu)->idtr;

	return (vector + 1) * sizeof(*gate) - 1 <= idtr->limit &&
	       insn_copy_safe(gate, (const void *)(idtr->base + vector * sizeof(*gate)),
			      sizeof(*gate)) &&
	       gate->access & SEGMENT_AR_P;
}

/* By IST, by privilege level, or where Linux is. */
static bool find_stack(struct cpu *cpu, const struct ring1_frame *f, unsigned int ist,
		       uint64_t *rsp)
{
	const struct tss64 *tss = ring1_cpu(cpu)->tss_linux;
	const void *from = ist ? (const void *)((const char *)tss->ist + 8 * (ist - 1)) :
				 (const void *)((const char *)tss->rsp);

	if (ist || ring1_from_user(f))
		return insn_copy_safe(rsp, from, sizeof(*rsp));
	*rsp = f->rsp;
	return true;
}

/* Is what the handler would do first for user space patched away? */
static bool finds_swapped(struct cpu *cpu, const struct ring1_frame *f, unsigned int vector)
{
	return ring1_from_user(f) && ring1_patch(cpu)->swapped[vector / 32] >> vector % 32 & 1;
}

static bool push(struct cpu *cpu, struct ring1_frame *f, unsigned int vector, uint64_t error_code,
		 const struct idt_gate *gate)
{
	const size_t skip = HAS_ERROR_CODE(vector) ? 0 : sizeof(uint64_t);
	bool user = ring1_from_user(f);
	uint64_t swapped = finds_swapped(cpu, f, vector);
	struct pushed pushed = { error_code,
				 f->rip,
				 user ? f->cs | swapped << MERCURY_RING1_SWAPPED_BIT : LINUX_CS,
				 f->rflags & ~RFLAGS_IOPL,
				 f->rsp,
				 user ? f->ss : LINUX_SS };
	uint64_t rsp;

	if (!find_stack(cpu, f, gate->ist & 7, &rsp))
		return false;
	rsp = (rsp & ~UINT64_C(15)) - sizeof(pushed) + skip;
	if (!insn_copy_safe((void *)rsp, (const char *)&pushed + skip, sizeof(pushed) - skip))
		return false;
	f->rsp = rsp;
	return true;
}

static bool is_interrupt_gate(const struct idt_gate *gate)
{
	return (gate->access & SEGMENT_AR_TYPE) == SEGMENT_TYPE_INTERRUPT_GATE;
}

static void go_to_handler(struct ring1_frame *f, const struct idt_gate *gate)
{
	f->rip = gate->offset_15_0 | (uint64_t)gate->offset_31_16 << 16 |
		 (uint64_t)gate->offset_63_32 << 32;
	f->vector = RING1_DELIVERED;
	f->cs = RING1_CS;
	f->ss = RING1_SS;
	f->rflags &= ~(uint64_t)(RFLAGS_TF | RFLAGS_NT | RFLAGS_RF | RFLAGS_VM | RFLAGS_IOPL);
	f->rflags |= RING1_IOPL;
	if (is_interrupt_gate(gate))
		f->rflags &= ~(uint64_t)RFLAGS_IF;
}

/* page_fault.asm knows no IST and no trap gate. */
static void note_page_fault(struct cpu *cpu, const struct idt_gate *gate, uint64_t handler)
{
	if (is_interrupt_gate(gate) && !(gate->ist & 7))
		ring1_cpu(cpu)->page_fault = (struct ring1_page_fault){ *gate, handler };
}

static bool deliver(struct cpu *cpu, struct ring1_frame *f, unsigned int vector,
		    uint64_t error_code)
{
	bool swapped = finds_swapped(cpu, f, vector);
	struct idt_gate gate;

	if (!read_gate(cpu, vector, &gate) || !push(cpu, f, vector, error_code, &gate))
		return false;
	go_to_handler(f, &gate);
	if (vector == VECTOR_PF)
		note_page_fault(cpu, &gate, f->rip);
	if (swapped) {
		insn_swapgs();
		ring1_load_kernel_cr3(cpu);
	}
	return true;
}

void ring1_deliver(struct cpu *cpu, struct ring1_frame *f, unsigned int vector, uint64_t error_code)
{
	if (deliver(cpu, f, vector, error_code))
		return;
	if (vector != VECTOR_DF && deliver(cpu, f, VECTOR_DF, 0))
		return;
	cpu_fail(cpu, MERCURY_E_FORCED, vector,
		 "Linux has no stack for exception %u at rip %016lx, rsp %016lx: this CPU to native; unload the module, load it again, report it",
		 vector, f->rip, f->rsp);
	vmm_fatal(cpu);
}

void ring1_deliver_nmi(struct cpu *cpu, struct ring1_frame *f)
{
	struct ring1_cpu *r = ring1_cpu(cpu);

	if (r->nmi_blocked) {
		r->nmi_latched = 1;
		return;
	}
	r->nmi_blocked = 1;
	ring1_deliver(cpu, f, VECTOR_NMI, 0);
}
