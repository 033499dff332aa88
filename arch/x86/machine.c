// SPDX-License-Identifier: GPL-2.0-only
/* What the portable core asks of the machine. */
#include "mercury/machine.h"

#include "insn.h"
#include "window.h"

const void *machine_map(struct cpu *cpu, uint64_t pa)
{
	return window_fixmap(cpu, pa);
}

void *machine_map_to_write(struct cpu *cpu, uint64_t pa)
{
	return window_copymap(cpu, pa);
}

uint64_t machine_clock(void)
{
	return insn_rdtsc();
}
