/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Ring 1's assembly executed one instruction at a time, in this process. The processor's part that user space
 * cannot have (delivery, IRETQ, SWAPGS, CR3) is done by hand on the fake CPU, C is called for real.
 */
#ifndef TESTS_FAKE_RING1_WALK_H
#define TESTS_FAKE_RING1_WALK_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/ucontext.h>

#include "ring1/ring1.h"

#define WALK_NEVER (-1)
#define WALK_EVENTS 2

/*
 * A second event comes not at each pair of instructions, which takes a minute, but at each distance from some
 * first one.
 */
#define WALK_STRIDE 13

/* What happens on a walk: each event in front of this instruction, counted from the event before. */
struct ring1_walk {
	unsigned int vector[WALK_EVENTS];
	int at[WALK_EVENTS];
	bool iret_fails; /* the next IRETQ to user space is #GP                                   */

	unsigned int events; /* that came */
	uint64_t event_rip[WALK_EVENTS];
	int instructions;       /* since the last one */
	void (*at_fixup)(void); /* called at an access that faults                                */
	unsigned int traps; /* that ring1_trap() was called for                                   */
	bool is_over; /* by IRETQ or SYSRET to `end`                                          */
	bool by_sysret;
	struct ring1_iret end;
	const char *problem;
};

extern struct ring1_walk ring1_walk;

/* Where the code starts, and what it leaves. */
extern gregset_t walk_registers;

/* Index into it by the processor's number of a register. */
extern const int walk_greg[16];

/* SDM vol. 3, 6.14, Exception and Interrupt Handling in 64-bit Mode; `stack` is what it finds. */
void walk_interrupt(greg_t *regs, unsigned int vector, uint64_t stack, uint64_t cs);

/* From walk_registers until Linux or user space goes on. */
void walk_go(void);

#endif
