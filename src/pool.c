// SPDX-License-Identifier: GPL-2.0-only
/* The page pool: a free list threaded through the pages, and bisection from address to page. */
#include <stddef.h>

#include "abi/mercury.h"
#include "mercury/pool.h"

#define ADDRESS 0x000ffffffffff000ull

static struct {
	char *base;
	const uint64_t *ptes;
	uint32_t pages, fresh, used; /* pages from `fresh` on were never handed out */
	void **free;
} pool;

void pool_init(void *base, const uint64_t *ptes, uint32_t pages)
{
	pool.base = base;
	pool.ptes = ptes;
	pool.pages = pages;
	pool.fresh = 0;
	pool.used = 0;
	pool.free = NULL;
}

void *pool_alloc(void)
{
	void *page = pool.free;

	if (page)
		pool.free = *pool.free;
	else if (pool.fresh < pool.pages)
		page = pool.base + (uint64_t)pool.fresh++ * MERCURY_PAGE_SIZE;
	else
		return NULL;
	pool.used++;
	return __builtin_memset(page, 0, MERCURY_PAGE_SIZE);
}

void pool_free(void *page)
{
	*(void **)page = pool.free;
	pool.free = page;
	pool.used--;
}

uint64_t pool_pa(const void *page)
{
	return pool.ptes[((const char *)page - pool.base) / MERCURY_PAGE_SIZE] & ADDRESS;
}

void *pool_page(uint64_t pa)
{
	uint32_t low = 0, high = pool.pages;

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;
		uint64_t at = pool.ptes[middle] & ADDRESS;

		if (at == (pa & ADDRESS))
			return pool.base + (uint64_t)middle * MERCURY_PAGE_SIZE;
		if (at < (pa & ADDRESS))
			low = middle + 1;
		else
			high = middle;
	}
	return NULL;
}

uint32_t pool_used(void)
{
	return pool.used;
}
