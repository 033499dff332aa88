/* SPDX-License-Identifier: GPL-2.0-only */
/* A P2M over given memory types: built as the module does, walked leaf by leaf. */
#ifndef TESTS_UNIT_PURE_MTRR_P2M_H
#define TESTS_UNIT_PURE_MTRR_P2M_H

#include "pure_mtrr.h"

#include "mercury/p2m.h"
#include "mercury/pool.h"
#include "vmx/ept.h"

#define ZERO_PA UINT64_C(0x200000)
#define SINK_PA UINT64_C(0x201000)

static char pool_memory[MERCURY_POOL_MAX_PAGES][MERCURY_PAGE_SIZE] __attribute__((aligned(4096)));
static uint64_t pool_ptes[MERCURY_POOL_MAX_PAGES];
static struct p2m p2m;

/* What the module allocates for RAM that ends at `top`: pool_pages() in module/window.c. */
static inline uint64_t pool_pages_for(uint64_t top)
{
	return 64 + ((top > 4 * GB ? top : 4 * GB) + GB - 1) / GB;
}

/* How far the module maps: start() in module/call.c. */
static inline uint64_t mapped_top(uint64_t ram_end)
{
	return ram_end > 4 * GB ? (ram_end + GB - 1) & ~(GB - 1) : 4 * GB;
}

/* A P2M of [0, top) in slices of 1 GiB, from a pool of `pages`. */
static inline enum mercury_error build(const struct mtrr_state *types, bool has_1g, uint64_t top,
				       uint64_t pages)
{
	enum mercury_error error;
	uint64_t i;

	assert_in_range(pages, 1, MERCURY_POOL_MAX_PAGES);
	for (i = 0; i < pages; i++)
		pool_ptes[i] = (UINT64_C(0x100000000) + i * PAGE) | 0x63;
	pool_init(pool_memory, pool_ptes, (uint32_t)pages);
	error = p2m_init(&p2m, ept_format(has_1g), types, ZERO_PA, SINK_PA);
	for (i = 0; i < top && !error; i += GB)
		error = p2m_map_identity(&p2m, i, i + GB);
	return error;
}

/* As a first touch of `pa` does: see first_touch() in arch/x86/vmx/ept_fault.c. */
static inline void touch(uint64_t pa)
{
	uint32_t largest = p2m.format->max_order;
	struct p2m_page page;
	uint64_t size;

	if (p2m_lookup(&p2m, pa / PAGE, &page))
		return;
	size = PAGE << (page.order < largest ? page.order : largest);
	pa &= ~(size - 1);
	assert_int_equal(p2m_map_identity(&p2m, pa, pa + size), MERCURY_E_OK);
}

/* The leaf that maps `pa`: identity with all rights, of what the format allows. */
static inline struct p2m_page leaf_at(uint64_t pa)
{
	struct p2m_page page;

	if (!p2m_lookup(&p2m, pa / PAGE, &page))
		fail_msg("%#llx is not mapped", (unsigned long long)pa);
	if (page.mfn != pa / PAGE || page.access != P2M_ALL || page.order > p2m.format->max_order)
		fail_msg("%#llx: frame %#llx, access %u, order %u", (unsigned long long)pa,
			 (unsigned long long)page.mfn, page.access, page.order);
	return page;
}

#endif
