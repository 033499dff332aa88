/* SPDX-License-Identifier: GPL-2.0-only */
/* The gate: the module's only assembly, between Linux's page tables and the transition root. */
#ifndef MODULE_GATE_H
#define MODULE_GATE_H

/* Offsets into struct mercury_gate. */
#define GATE_ENTRY 0
#define GATE_ROOT 8
#define GATE_NOFLUSH 16
#define GATE_CPU 24

/* MERCURY_E_FORCED, for the assembler. */
#define GATE_E_FORCED 14

#ifndef __ASSEMBLY__

#include <linux/build_bug.h>
#include <linux/types.h>

#include "abi/mercury.h"

struct mercury_gate {
	u64 entry;   /* the VMM's call entry */
	u64 root;    /* CR3 of this CPU's transition root, with its PCID */
	u64 noflush; /* CR3.63 where CR4.PCIDE is set: Linux's TLB entries stay valid */
	u64 cpu;     /* the CPU's data in the window */
};

static_assert(offsetof(struct mercury_gate, root) == GATE_ROOT);
static_assert(offsetof(struct mercury_gate, noflush) == GATE_NOFLUSH);
static_assert(offsetof(struct mercury_gate, cpu) == GATE_CPU);
static_assert(MERCURY_E_FORCED == GATE_E_FORCED);

/*
 * Call the VMM on this CPU, interrupts off. NMIs and machine checks that came while the VMM ran are
 * raised again before it returns. Returns a mercury_error.
 */
u64 mercury_gate_call(const struct mercury_gate *gate, u64 call, u64 arg0, u64 arg1);

/* The same from virtual mode, by VMCALL; MERCURY_E_FORCED if this CPU has just become native. */
u64 mercury_gate_vmcall(u64 call, u64 arg0, u64 arg1);

/* The same from ring 1. */
u64 mercury_gate_ring1(u64 call, u64 arg0, u64 arg1);

/* Where a leaving CPU lands; never called. */
void mercury_gate_tail(void);

#endif /* __ASSEMBLY__ */
#endif
