/* SPDX-License-Identifier: GPL-2.0-only */
/* The part of the hardware port that only ring 1 needs: what a test sets, and what was done. */
#ifndef TESTS_FAKE_RING1_PORT_H
#define TESTS_FAKE_RING1_PORT_H

#include <stdbool.h>
#include <stdint.h>

#include "fake.h"
#include "trap.h"

/* What the entry code's labels stand for. */
#define FAKE_EXIT_BYTES 0x60

struct fake_ring1 {
	uint64_t cr8, dr[8];
	uint64_t bad, bad_end; /* Linux's memory that faults                                      */
	bool faults;           /* instructions that can fault do, with #GP                        */
	uint32_t wakes;        /* the interrupt that ends a wait; 0: an NMI                       */
	unsigned int waits, swapgs, clts, invpcids, tlbsyncs, xsaves, xrstors, monitors;
	uint64_t invlpgb[3]; /* operands of the last: rax, ecx, edx                             */
	uint16_t port;
	unsigned int port_size;
	uint32_t port_value;
	bool xstate_wide;
	uint64_t xstate_mask, xstate_address;
};

extern struct fake_ring1 fake_ring1;

/* A new machine whose backend is ring 1; and Linux at CPL 1, after fake_boot(). */
void fake_ring1_machine(void);
void fake_ring1_enter(void);

/* The call of Linux's at CPL 1: the WRMSR of its number. */
enum fake_outcome fake_ring1_call(enum mercury_call call);

/* The VMM, with its own IDT of ring 1, takes that exception. */
void fake_ring1_fault(const struct trap_frame *frame);

#endif
