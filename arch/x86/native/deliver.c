// SPDX-License-Identifier: GPL-2.0-only
/*
 * The delivery of an event in software. A CPU that goes native by itself may stand in the middle of
 * one, or in user space, which the gate's tail cannot return to: an event's handler it can.
 */
#include <stddef.h>

#include "deliver.h"
#include "mapped.h"
#include "x86/cr.h"
#include "x86/vector.h"

#define STACK_ALIGNMENT 16

static bool read_gate(struct cpu *cpu, const struct state *s, uint8_t vector, struct idt_gate *gate)
{
	return (vector + 1u) * sizeof(*gate) - 1 <= s->idtr.limit &&
	       native_read(cpu, s->idtr.base + vector * sizeof(*gate), gate, sizeof(*gate)) &&
	       gate->access & SEGMENT_AR_P;
}

/*
 * The stack that the handler runs on. An NMI has one of its own, where another NMI may come any time
 * as long as no NMI blocks it: from user space the one for the privilege level does as well.
 */
static bool stack_for(struct cpu *cpu, const struct state *s, uint8_t vector,
		      const struct idt_gate *gate, uint64_t *rsp)
{
	unsigned int ist = gate->ist & 7;
	size_t at;

	if (ist && vector != VECTOR_NMI)
		at = offsetof(struct tss64, ist) + (ist - 1) * sizeof(uint64_t);
	else if (state_is_user(s))
		at = offsetof(struct tss64, rsp);
	else {
		*rsp = s->regs.rsp;
		return true;
	}
	return native_read(cpu, s->tr.base + at, rsp, sizeof(*rsp));
}

bool native_deliver(struct cpu *cpu, struct state *s, const struct event *event)
{
	struct idt_gate gate;
	uint64_t rsp, *frame = s->frame;

	if (!read_gate(cpu, s, event->vector, &gate) ||
	    !stack_for(cpu, s, event->vector, &gate, &rsp))
		return false;
	if (event->has_error_code)
		*frame++ = event->error_code;
	*frame++ = s->rip;
	*frame++ = s->cs.selector;
	*frame++ = s->rflags;
	*frame++ = s->regs.rsp;
	*frame++ = s->ss.selector;
	s->frame_words = (uint32_t)(frame - s->frame);
	s->takes_nmi = event->vector == VECTOR_NMI;
	s->regs.rsp = (rsp & -(uint64_t)STACK_ALIGNMENT) - s->frame_words * sizeof(*frame);
	s->rip = (uint64_t)gate.offset_63_32 << 32 | (uint32_t)gate.offset_31_16 << 16 |
		 gate.offset_15_0;
	s->rflags &= ~(uint64_t)(RFLAGS_TF | RFLAGS_NT | RFLAGS_RF | RFLAGS_VM);
	if ((gate.access & SEGMENT_AR_TYPE) == SEGMENT_TYPE_INTERRUPT_GATE)
		s->rflags &= ~(uint64_t)RFLAGS_IF;
	if (state_is_user(s))
		s->ss.selector = 0;
	s->cs.selector = gate.selector;
	return true;
}
