// SPDX-License-Identifier: GPL-2.0-only
/*
 * Back to native on page tables that are not Linux's own. The gate's tail is not mapped there, so the
 * VMM brings one: it is executed at its physical address, where those page tables map it, and the
 * transition root does too, since it gets all their entries. Linux has given up its descriptor tables
 * by then (their limits are 0) and runs with interrupts off: an event would be the end of it natively
 * as well.
 */
#include "identity.h"
#include "insn.h"
#include "load.h"
#include "mapped.h"
#include "window.h"

static uint64_t tail(void)
{
	return window_pa((const void *)insn_identity_tail);
}

bool identity_can_return(struct cpu *cpu, const struct state *state)
{
	uint64_t *root = cpu_slot(cpu, MERCURY_CPU_ROOT);

	/* The segment registers can only get what the VMM's GDT has. */
	if (state->cs.selector != VMM_CS)
		return false;
	native_copy_root(cpu, state->cr3, 0);
	if (identity_return_mapped(cpu, state, tail()))
		return true;
	__builtin_memset(root, 0, NATIVE_KERNEL_HALF * sizeof(*root));
	return false;
}

/* Linux's kernel data segment has our number; of any other the descriptor is gone. */
static void keep_known(struct segment *segment)
{
	if (segment->selector != VMM_DS)
		segment->selector = 0;
}

_Noreturn void identity_load(struct cpu *cpu, struct state *s)
{
	struct leave_frame frame;

	keep_known(&s->es);
	keep_known(&s->ds);
	keep_known(&s->fs);
	keep_known(&s->gs);
	keep_known(&s->ss);
	insn_write_cr3(cpu_transition_cr3(cpu));
	native_load_control(s);
	native_load_segments(s);
	native_load_sysenter(cpu, s);
	native_build_tail(s, &frame);
	frame.tail = tail();
	native_is_back(cpu);
	/* kexec's other kernel may come back, and Linux be virtual once more, on page tables of its own. */
	cpu->on_identity = false;
	insn_lgdt(&s->gdtr);
	/* What is pending is dropped: there is no IDT that could take it. */
	insn_lidt(&s->idtr);
	insn_leave(&s->regs, &frame);
}
