/* SPDX-License-Identifier: GPL-2.0-only */
/* Finding things in the window, and their physical addresses. */
#ifndef ARCH_X86_WINDOW_H
#define ARCH_X86_WINDOW_H

#include <stdint.h>

#include "abi/mercury.h"

struct cpu;

/* What lies at an offset MERCURY_WINDOW_* of the window. */
void *window_at(uint64_t offset);

/* The leaf PTEs of the window from `offset` on, one for each page. */
uint64_t *window_ptes(uint64_t offset);

/* Physical address of something in the window. */
uint64_t window_pa(const void *address);

/* Map the page of physical memory at `pa` at this CPU's fixmap address; until the next call. */
void *window_fixmap(struct cpu *cpu, uint64_t pa);

/* The same for a device. */
void *window_fixmap_uncached(struct cpu *cpu, uint64_t pa);

/* The same to write to, at another address. */
void *window_copymap(struct cpu *cpu, uint64_t pa);

/*
 * Map the n-th chunk that is lent, one behind the other; and not any more. Nothing is flushed: the CPUs do
 * before anything is mapped there again.
 */
void *window_lend(uint32_t n, uint64_t pa);
void window_give_back(uint32_t n);

#endif
