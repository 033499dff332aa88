/* SPDX-License-Identifier: GPL-2.0-only */
/* A P2M over the EPT's format for tests: its pool, its memory types, and what its tables occupy. */
#ifndef TESTS_UNIT_PURE_P2M_H
#define TESTS_UNIT_PURE_P2M_H

#include "unit.h"

#include "mercury/p2m.h"
#include "mercury/pool.h"
#include "vmx/ept.h"

#define POOL_PAGES 3000

#define PAGE UINT64_C(0x1000)
#define MB UINT64_C(0x100000)
#define GB UINT64_C(0x40000000)

/* Frames per page of each size. */
#define F2M UINT64_C(512)
#define F1G (512 * F2M)

/* Far from everything that the tests map. */
#define ZERO_PA UINT64_C(0x7ffffff000)
#define SINK_PA UINT64_C(0x7fffffe000)

enum { UC = 0, WT = 4, WB = 6 };

static char pool_memory[POOL_PAGES][MERCURY_PAGE_SIZE] __attribute__((aligned(4096)));
static uint64_t pool_ptes[POOL_PAGES];
static struct mtrr_state mtrrs;
static struct p2m p2m;

/* Memory types: WB, but for [start, end) pairs that a test adds. */
static inline void add_type(uint64_t base, uint64_t size, uint32_t type)
{
	mtrrs.base[mtrrs.variable] = base | type;
	mtrrs.mask[mtrrs.variable++] =
		(((UINT64_C(1) << mtrrs.maxphyaddr) - 1) & ~(size - 1)) | 0x800;
}

/* A pool of `pages` pages, not contiguous in physical memory; all memory is WB. */
static inline void fresh_pool(uint32_t pages)
{
	uint32_t i;

	for (i = 0; i < POOL_PAGES; i++)
		pool_ptes[i] = (UINT64_C(0x6000000000) + (i + i / 512 * 3) * PAGE) |
			       UINT64_C(0x8000000000000063);
	pool_init(pool_memory, pool_ptes, pages);
	mtrrs = (struct mtrr_state){ .def_type = 0x800 | WB, .maxphyaddr = 39 };
}

static inline int setup_p2m(void **state)
{
	(void)state;
	fresh_pool(POOL_PAGES);
	assert_int_equal(p2m_init(&p2m, ept_format(true), &mtrrs, ZERO_PA, SINK_PA), MERCURY_E_OK);
	return 0;
}

/* Tables that can be reached from `table`, whose entries are of level `order`; itself included. */
static inline uint32_t tables_below(const uint64_t *table, uint32_t order)
{
	uint32_t n = 1;
	int i;

	for (i = 0; i < P2M_ENTRIES; i++) {
		struct p2m_page page;
		const uint64_t *next;

		if (!p2m.format->is_present(table[i]) || p2m.format->is_leaf(table[i], order))
			continue;
		p2m.format->decode(table[i], order, &page);
		next = pool_page(page.mfn * PAGE);
		assert_non_null(next);
		if (next != p2m.hidden)
			n += tables_below(next, order - 9);
	}
	return n;
}

/*
 * Nothing leaked and nothing freed that is in use: the pool's count is the tree's, and the shared
 * one.
 */
static inline void check_no_leak(uint32_t others)
{
	pool_reclaim();
	assert_int_equal(pool_used(), tables_below(p2m.root, P2M_ORDER_ROOT) + 1 + others);
}

static inline struct p2m_page look(uint64_t gfn)
{
	struct p2m_page page = { .order = 99 };

	if (!p2m_lookup(&p2m, gfn, &page))
		fail_msg("frame %#llx is not mapped", (unsigned long long)gfn);
	return page;
}

static inline void check_page(uint64_t gfn, uint64_t mfn, uint32_t order, uint32_t access,
			      uint32_t type)
{
	const struct p2m_page page = look(gfn);

	if (page.mfn != mfn || page.order != order || page.access != access || page.type != type)
		fail_msg("frame %#llx: mfn %#llx order %u access %u type %u",
			 (unsigned long long)gfn, (unsigned long long)page.mfn, page.order,
			 page.access, page.type);
}

/* Of an entry of the EPT, SDM vol. 3, 29.3.2, EPT Translation Mechanism. */
#define ENTRY_WRITE 2u
#define ENTRY_ADDRESS UINT64_C(0xffffffffff000)

/* As the CPU has it: every entry on the way gives the right to write. */
static inline bool can_write(uint64_t gfn)
{
	const uint64_t *table = p2m.root;
	uint32_t order;

	for (order = P2M_ORDER_ROOT;; order -= 9) {
		uint64_t entry =
			__atomic_load_n(&table[gfn >> order & (P2M_ENTRIES - 1)], __ATOMIC_ACQUIRE);

		if (!(entry & ENTRY_WRITE))
			return false;
		if (p2m.format->is_leaf(entry, order))
			return true;
		table = pool_page(entry & ENTRY_ADDRESS);
	}
}

static inline void check_unmapped(uint64_t gfn)
{
	struct p2m_page page;

	if (p2m_lookup(&p2m, gfn, &page))
		fail_msg("frame %#llx is mapped", (unsigned long long)gfn);
}

#endif
