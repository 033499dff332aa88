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

#endif
