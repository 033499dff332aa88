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
	void **free, **retired;
	uint32_t lock;
} pool;

static void lock(void)
{
	while (__atomic_exchange_n(&pool.lock, 1, __ATOMIC_ACQUIRE))
		while (__atomic_load_n(&pool.lock, __ATOMIC_RELAXED))
			;
}

static void unlock(void)
{
	__atomic_store_n(&pool.lock, 0, __ATOMIC_RELEASE);
}

void pool_init(void *base, const uint64_t *ptes, uint32_t pages)
{
	pool.base = base;
	pool.ptes = ptes;
	pool.pages = pages;
	pool.fresh = 0;
	pool.used = 0;
	pool.free = pool.retired = NULL;
	pool.lock = 0;
}

void *pool_alloc(void)
{
	void *page;

	lock();
	page = pool.free;
	if (page)
		pool.free = *pool.free;
	else if (pool.fresh < pool.pages)
		page = pool.base + (uint64_t)pool.fresh++ * MERCURY_PAGE_SIZE;
	pool.used += page != NULL;
	unlock();
	return page ? __builtin_memset(page, 0, MERCURY_PAGE_SIZE) : NULL;
}

void pool_free(void *page)
{
	lock();
	*(void **)page = pool.free;
	pool.free = page;
	pool.used--;
	unlock();
}

void pool_retire(void *page)
{
	lock();
	*(void **)page = pool.retired;
	pool.retired = page;
	unlock();
}

void pool_reclaim(void)
{
	void **page;

	lock();
	while ((page = pool.retired)) {
		pool.retired = *page;
		*page = pool.free;
		pool.free = page;
		pool.used--;
	}
	unlock();
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
