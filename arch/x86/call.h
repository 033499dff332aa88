/* SPDX-License-Identifier: GPL-2.0-only */
/* The calls that the module makes: through the gate while native, by VMCALL while virtual. */
#ifndef ARCH_X86_CALL_H
#define ARCH_X86_CALL_H

#include "cpu.h"
#include "mercury/p2m.h"

/*
 * Carry out `call`, if the mode machine allows it. MERCURY_CALL_ENTER and MERCURY_CALL_LEAVE return
 * only if they failed before anything was given up; else Linux goes on behind its gate.
 */
enum mercury_error vmm_dispatch(struct cpu *cpu, enum mercury_call call, uint64_t arg0,
				uint64_t arg1);

/* VM entry refused the state that MERCURY_CALL_ENTER captured: back to native with it. */
_Noreturn void vmm_enter_failed(struct cpu *cpu);

/*
 * Linux runs virtual on this CPU: give it the bare machine where it stands; in the middle of an event's
 * delivery, and in user space, at the event's handler. Returns only if its page tables do not map the
 * way there; nothing has changed then.
 */
void vmm_force_native(struct cpu *cpu);

/*
 * An INIT came while Linux ran virtual on this CPU. It is the bare CPU's: VMX operation ends, and the
 * INIT is sent again.
 */
_Noreturn void vmm_take_init(struct cpu *cpu);

/* Linux triple-faulted on this CPU and cannot meet that natively: the bare CPU's shutdown. */
_Noreturn void vmm_shut_down(struct cpu *cpu);

/*
 * The VMM failed on this CPU: end what the backend has begun there, however far it got. Linux's state is
 * not read, nor loaded.
 */
void vmm_stop_virtual(struct cpu *cpu);

/* The machine's P2M, and what the module said of the machine. */
extern struct p2m machine_p2m;
extern struct mercury_boot mercury_boot;

#endif
