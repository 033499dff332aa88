/* SPDX-License-Identifier: GPL-2.0-only */
/* Is all that the way back to native touches mapped by the transition root? */
#ifndef ARCH_X86_NATIVE_MAPPED_H
#define ARCH_X86_NATIVE_MAPPED_H

#include <stdbool.h>
#include <stddef.h>

#include "cpu.h"

/*
 * What of `state` the transition root does not map as the leave path needs it, as a name, and where;
 * NULL: all is there. Only reads.
 */
const char *native_unmapped(struct cpu *cpu, const struct state *state, uint64_t *where);

/* The part of it that needs none of Linux's memory read, for use on the VMM's own page tables. */
const char *native_return_unmapped(struct cpu *cpu, const struct state *state, uint64_t *where);

/*
 * Does the transition root, which has all that Linux's page tables of the moment have, map what a
 * leave needs where those are not Linux's own? `tail`, a physical address, is to be mapped there.
 */
bool identity_return_mapped(struct cpu *cpu, const struct state *state, uint64_t tail);
/* Read Linux's memory through the transition root; false: not all of it is mapped. */
bool native_read(struct cpu *cpu, uint64_t address, void *to, size_t size);

#endif
