/* SPDX-License-Identifier: GPL-2.0-only */
/* What the window keeps for each CPU: for the files that call into the VMM. */
#ifndef MODULE_WINDOW_H
#define MODULE_WINDOW_H

#include "abi/mercury.h"

struct mercury_cpu_memory {
	u64 *root; /* the transition root */
	struct page *shared;
	struct mercury_cpu_boot boot;
};

struct mercury_cpu_memory *mercury_cpu_memory(unsigned int cpu);

/* End of the highest range of RAM, physical. */
u64 mercury_ram_top(void);

/* The entry of a PML4 that maps the window. */
u64 mercury_window_pml4e(void);

/* Linear address of the VMM's call entry. */
u64 mercury_window_entry(void);

struct mercury_snapshot *mercury_snapshot(void);

/* Pages for the P2M's tables. */
u32 mercury_pool_pages(void);

/* Each block of memory that is the VMM's, physical bytes, in no order; until `tell` gives an error. */
int mercury_each_own_block(int (*tell)(u64 start, u64 end, void *data), void *data);

#endif
