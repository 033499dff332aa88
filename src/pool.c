// SPDX-License-Identifier: GPL-2.0-only
/*
 * The page pool: free lists threaded through the pages, and bisection from address to page. Its own pages,
 * and chunks that are lent.
 */
#include <stddef.h>

#include "abi/mercury.h"
#include "mercury/pool.h"

#define ADDRESS 0x000ffffffffff000ull

static struct {
	char *base;
	const uint64_t *ptes;
	uint32_t pages, fresh, used; /* pages from `fresh` on were never handed out */
	void **free, **retired;
	struct {
		char *base;
		uint64_t pa[MERCURY_LENT_CHUNKS];
		uint32_t chunks, fresh, used;
		void **free;
	} lent;
	uint32_t lock, abandoned;
} pool;

#define CHUNK_PAGES (MERCURY_LENT_CHUNK / MERCURY_PAGE_SIZE)

/* False: whoever has it may never give it back. */
static bool lock(void)
{
	while (__atomic_exchange_n(&pool.lock, 1, __ATOMIC_ACQUIRE))
		while (__atomic_load_n(&pool.lock, __ATOMIC_RELAXED))
			if (__atomic_load_n(&pool.abandoned, __ATOMIC_RELAXED))
				return false;
	return true;
}

static void unlock(void)
{
	__atomic_store_n(&pool.lock, 0, __ATOMIC_RELEASE);
}

void pool_abandon(void)
{
	__atomic_store_n(&pool.abandoned, 1, __ATOMIC_RELAXED);
}

static void forget_lent(void)
{
	pool.lent.chunks = pool.lent.fresh = pool.lent.used = 0;
	pool.lent.free = NULL;
}

void pool_init(void *base, const uint64_t *ptes, uint32_t pages)
{
	pool.base = base;
	pool.ptes = ptes;
	pool.pages = pages;
	pool.fresh = 0;
	pool.used = 0;
	pool.free = pool.retired = NULL;
	forget_lent();
	pool.lock = pool.abandoned = 0;
}

/* From a free list, or the next one of `pages` that were never handed out; NULL: there is none. */
static void *take(void ***free, char *base, uint32_t *fresh, uint32_t pages)
{
	void *page = *free;

	if (page)
		*free = **free;
	else if (*fresh < pages)
		page = base + (uint64_t)(*fresh)++ * MERCURY_PAGE_SIZE;
	return page;
}

void *pool_alloc(void)
{
	void *page;

	if (!lock())
		return NULL;
	page = take(&pool.free, pool.base, &pool.fresh, pool.pages);
	if (!page) {
		page = take(&pool.lent.free, pool.lent.base, &pool.lent.fresh,
			    pool.lent.chunks * CHUNK_PAGES);
		pool.lent.used += page != NULL;
	}
	pool.used += page != NULL;
	unlock();
	return page ? __builtin_memset(page, 0, MERCURY_PAGE_SIZE) : NULL;
}

static bool is_lent(const void *page)
{
	return pool.lent.chunks && (const char *)page >= pool.lent.base &&
	       (const char *)page <
		       pool.lent.base + (uint64_t)pool.lent.chunks * MERCURY_LENT_CHUNK;
}

/* Under the lock. */
static void put(void **page)
{
	bool lent = is_lent(page);
	void ***free = lent ? &pool.lent.free : &pool.free;

	*page = *free;
	*free = page;
	pool.lent.used -= lent;
	pool.used--;
}

void pool_free(void *page)
{
	if (!lock())
		return;
	put(page);
	unlock();
}

void pool_retire(void *page)
{
	if (!lock())
		return;
	*(void **)page = pool.retired;
	pool.retired = page;
	unlock();
}

void pool_reclaim(void)
{
	void **page;

	if (!lock())
		return;
	while ((page = pool.retired)) {
		pool.retired = *page;
		put(page);
	}
	unlock();
}

bool pool_lend(void *at, uint64_t pa)
{
	uint32_t n = pool.lent.chunks;

	if (n == MERCURY_LENT_CHUNKS || (n && pa <= pool.lent.pa[n - 1]) || !lock())
		return false;
	if (!n)
		pool.lent.base = at;
	pool.lent.pa[n] = pa;
	pool.lent.chunks = n + 1;
	unlock();
	return true;
}

bool pool_give_back(void)
{
	bool unused;

	if (!lock())
		return false;
	unused = !pool.lent.used;
	if (unused)
		forget_lent();
	unlock();
	return unused;
}

uint32_t pool_lent(void)
{
	return pool.lent.chunks;
}

uint64_t pool_lent_pa(uint32_t n)
{
	return pool.lent.pa[n];
}

uint64_t pool_pa(const void *page)
{
	if (is_lent(page)) {
		uint64_t offset = (uint64_t)((const char *)page - pool.lent.base);

		return pool.lent.pa[offset / MERCURY_LENT_CHUNK] + offset % MERCURY_LENT_CHUNK;
	}
	return pool.ptes[((const char *)page - pool.base) / MERCURY_PAGE_SIZE] & ADDRESS;
}

/* The page of a chunk that is lent; NULL: of none. */
static void *lent_page(uint64_t pa)
{
	uint32_t low = 0, high = pool.lent.chunks;

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;
		uint64_t offset = pa - pool.lent.pa[middle];

		if (offset < MERCURY_LENT_CHUNK)
			return pool.lent.base + (uint64_t)middle * MERCURY_LENT_CHUNK + offset;
		if (pool.lent.pa[middle] < pa)
			low = middle + 1;
		else
			high = middle;
	}
	return NULL;
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
	return lent_page(pa & ADDRESS);
}

uint32_t pool_used(void)
{
	return pool.used;
}
