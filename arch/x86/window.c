// SPDX-License-Identifier: GPL-2.0-only
/* The window, from inside: its pages' PTEs lie in it as one array. */
#include "cpu.h"
#include "insn.h"
#include "window.h"
#include "x86/paging.h"

void *window_at(uint64_t offset)
{
	return (void *)(MERCURY_WINDOW_BASE + offset);
}

uint64_t *window_ptes(uint64_t offset)
{
	uint64_t *ptes = window_at(MERCURY_WINDOW_PTES);

	return &ptes[offset / MERCURY_PAGE_SIZE];
}

uint64_t window_pa(const void *address)
{
	uint64_t offset = (uint64_t)address - MERCURY_WINDOW_BASE;

	return (*window_ptes(offset) & PAGING_ADDRESS) + paging_offset(offset, 1);
}

static void *fixmap(void *address, uint64_t pa, uint64_t flags)
{
	*window_ptes((uint64_t)address - MERCURY_WINDOW_BASE) =
		(pa & PAGING_ADDRESS) | flags | PAGING_P | PAGING_A | PAGING_XD;
	insn_invlpg((uint64_t)address);
	return address;
}

void *window_fixmap(struct cpu *cpu, uint64_t pa)
{
	return fixmap(cpu_slot(cpu, MERCURY_CPU_FIXMAP), pa, 0);
}

void *window_fixmap_uncached(struct cpu *cpu, uint64_t pa)
{
	return fixmap(cpu_slot(cpu, MERCURY_CPU_FIXMAP), pa,
		      PAGING_RW | PAGING_D | PAGING_PCD | PAGING_PWT);
}

void *window_copymap(struct cpu *cpu, uint64_t pa)
{
	return fixmap(window_at(MERCURY_WINDOW_COPY + (uint64_t)cpu->index * MERCURY_PAGE_SIZE), pa,
		      PAGING_RW | PAGING_D);
}

void *window_lend(uint32_t n, uint64_t pa)
{
	uint64_t *directory = window_at(MERCURY_WINDOW_LENT);

	directory[n] = pa | PAGING_P | PAGING_RW | PAGING_A | PAGING_D | PAGING_PS | PAGING_XD;
	return (void *)(MERCURY_LENT_BASE + (uint64_t)n * MERCURY_LENT_CHUNK);
}

void window_give_back(uint32_t n)
{
	uint64_t *directory = window_at(MERCURY_WINDOW_LENT);

	directory[n] = 0;
}
