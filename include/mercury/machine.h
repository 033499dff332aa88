/* SPDX-License-Identifier: GPL-2.0-only */
/* What the portable core asks of the machine. */
#ifndef MERCURY_MACHINE_H
#define MERCURY_MACHINE_H

#include <stdbool.h>
#include <stdint.h>

struct cpu;

/*
 * A page of physical memory at `pa`, to read and to write, until this CPU's next call of the same
 * function. The two can be used together.
 */
const void *machine_map(struct cpu *cpu, uint64_t pa);
void *machine_map_to_write(struct cpu *cpu, uint64_t pa);

/* A clock that counts at one rate on all CPUs. */
uint64_t machine_clock(void);

/* Drop what this CPU has cached of the P2M; false: it could not. */
bool machine_flush(void);

#endif
