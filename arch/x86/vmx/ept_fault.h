/* SPDX-License-Identifier: GPL-2.0-only */
/* EPT violations: first touch of memory not mapped yet, and writes to the hidden window. */
#ifndef ARCH_X86_VMX_EPT_FAULT_H
#define ARCH_X86_VMX_EPT_FAULT_H

#include <stdbool.h>
#include <stdint.h>

struct cpu;

/*
 * Resolve a violation at page `pa`, so that the instruction can run again. `process`: the root of the page
 * tables of the process whose own access it is; 0: of none. False: cannot be.
 */
bool ept_violation(struct cpu *cpu, uint64_t pa, bool is_write, uint64_t process);

/* The instruction that a dropped write belongs to is done: hide the page again. */
void ept_stepped(struct cpu *cpu);

/* Before Linux goes native in the middle of such an instruction. */
void ept_stop_stepping(struct cpu *cpu);

#endif
