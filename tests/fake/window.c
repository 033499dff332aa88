// SPDX-License-Identifier: GPL-2.0-only
/* The window of the fake: where user space can have it; physical addresses are the virtual ones. */
#include "fake.h"
#include "window.h"
#include "x86/paging.h"

void *window_at(uint64_t offset)
{
	return (void *)(FAKE_WINDOW + offset);
}

uint64_t *window_ptes(uint64_t offset)
{
	uint64_t *ptes = window_at(MERCURY_WINDOW_PTES);

	return &ptes[offset / MERCURY_PAGE_SIZE];
}

uint64_t window_pa(const void *address)
{
	return (uint64_t)address;
}

void *window_fixmap(struct cpu *cpu, uint64_t pa)
{
	(void)cpu;
	return (void *)(pa & PAGING_ADDRESS);
}

void *window_fixmap_uncached(struct cpu *cpu, uint64_t pa)
{
	return window_fixmap(cpu, pa);
}

void *window_copymap(struct cpu *cpu, uint64_t pa)
{
	(void)cpu;
	return (void *)(pa & PAGING_ADDRESS);
}

void *window_lend(uint32_t n, uint64_t pa)
{
	(void)n;
	return (void *)pa;
}

void window_give_back(uint32_t n)
{
	(void)n;
}
