/* SPDX-License-Identifier: GPL-2.0-only */
/* Linear address to physical, by software, through page tables that need not be loaded. */
#ifndef ARCH_X86_WALK_H
#define ARCH_X86_WALK_H

#include <stdbool.h>
#include <stdint.h>

struct walk_result {
	uint64_t pa;
	uint64_t size; /* of the page, bytes                                                      */
	bool writable, executable, user;
};

/* The 8 bytes of physical memory at `pa`, which is aligned. */
typedef uint64_t (*walk_read)(void *context, uint64_t pa);

/*
 * Walk 4-level page tables from `cr3` for `address`. False: not mapped, or not canonical. Rights are
 * those of all levels together, for supervisor mode with CR0.WP and EFER.NXE set. Pure but for read.
 * Source: SDM vol. 3, 4.5, 4-Level Paging and 5-Level Paging; 4.6, Access Rights.
 */
bool walk(uint64_t cr3, uint64_t address, walk_read read, void *context,
	  struct walk_result *result);

#endif
