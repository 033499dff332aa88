// SPDX-License-Identifier: GPL-2.0-only
/* The page pool: exhaustion, reuse, and the way from a physical address back to its page. */
#include "unit.h"

#include "abi/mercury.h"
#include "mercury/pool.h"

#define PAGES 37

static char memory[PAGES + 1][MERCURY_PAGE_SIZE] __attribute__((aligned(MERCURY_PAGE_SIZE)));
static uint64_t ptes[PAGES];

/* What a PTE of the window holds beside the address: P, RW, A, D below, XD above. */
#define PTE_FLAGS UINT64_C(0x8000000000000063)

/* Ascending, with gaps of different sizes, some of them none, up to the last physical page. */
static uint64_t physical(uint32_t page)
{
	if (page == PAGES - 1)
		return UINT64_C(0xffffffffff000);
	return (UINT64_C(0x100000) + page + page / 4 * 7 + page / 16 * 0x40000) * MERCURY_PAGE_SIZE;
}

static int setup(void **state)
{
	uint32_t i;

	(void)state;
	for (i = 0; i < PAGES; i++)
		ptes[i] = physical(i) | PTE_FLAGS;
	memset(memory, 0xa5, sizeof(memory));
	pool_init(memory, ptes, PAGES);
	return 0;
}

static void hands_out_every_page_once_then_null(void **state)
{
	char seen[PAGES] = { 0 };
	uint32_t i;

	(void)state;
	assert_int_equal(pool_used(), 0);
	for (i = 0; i < PAGES; i++) {
		char *page = pool_alloc();
		ptrdiff_t index = (page - memory[0]) / MERCURY_PAGE_SIZE;

		assert_non_null(page);
		assert_int_equal((page - memory[0]) % MERCURY_PAGE_SIZE, 0);
		assert_in_range(index, 0, PAGES - 1);
		assert_int_equal(seen[index]++, 0);
		assert_int_equal(pool_used(), i + 1);
	}
	assert_null(pool_alloc());
	assert_null(pool_alloc());
	assert_int_equal(pool_used(), PAGES);
	assert_int_equal((unsigned char)memory[PAGES][0], 0xa5);
}

/*
 * pool.h: "A zeroed page": fresh ones were dirty, used ones hold the user's data and the free link.
 */
static void pages_are_zeroed_fresh_and_reused(void **state)
{
	static const char zeroes[MERCURY_PAGE_SIZE];
	int round;

	(void)state;
	for (round = 0; round < 3; round++) {
		char *a = pool_alloc(), *b = pool_alloc();

		assert_memory_equal(a, zeroes, sizeof(zeroes));
		assert_memory_equal(b, zeroes, sizeof(zeroes));
		memset(a, 0xff, MERCURY_PAGE_SIZE);
		memset(b, 0xee, MERCURY_PAGE_SIZE);
		pool_free(a);
		pool_free(b);
	}
	assert_int_equal(pool_used(), 0);
}

static void exhausted_pool_serves_again_after_free(void **state)
{
	void *pages[PAGES];
	uint32_t i;

	(void)state;
	for (i = 0; i < PAGES; i++)
		pages[i] = pool_alloc();
	for (i = 0; i < PAGES; i += 3)
		pool_free(pages[i]);
	assert_int_equal(pool_used(), PAGES - (PAGES + 2) / 3);
	for (i = 0; i < PAGES; i += 3)
		assert_non_null(pool_alloc());
	assert_null(pool_alloc());
	assert_int_equal(pool_used(), PAGES);
}

/* pool.h: "`ptes[i]` holds page i's physical address in bits 51:12": the other bits are no part. */
static void page_and_address_are_inverse(void **state)
{
	uint32_t i;

	(void)state;
	for (i = 0; i < PAGES; i++) {
		assert_int_equal(pool_pa(memory[i]), physical(i));
		assert_ptr_equal(pool_page(physical(i)), memory[i]);
	}
}

/* pool.h: "the page of a physical address (NULL: not ours)": before, behind, and in every gap. */
static void foreign_addresses_have_no_page(void **state)
{
	uint32_t i;

	(void)state;
	assert_null(pool_page(0));
	assert_null(pool_page(physical(0) - MERCURY_PAGE_SIZE));
	for (i = 0; i + 1 < PAGES; i++) {
		uint64_t next = physical(i) + MERCURY_PAGE_SIZE;

		if (next != physical(i + 1)) {
			assert_null(pool_page(next));
			assert_null(pool_page(physical(i + 1) - MERCURY_PAGE_SIZE));
		}
	}
}

/* pool.h: "used again only after pool_reclaim()": CPUs may still walk a retired table. */
static void retired_pages_wait(void **state)
{
	char *first = pool_alloc(), *second = pool_alloc(), *page;
	uint32_t i;

	(void)state;
	pool_retire(first);
	pool_retire(second);
	assert_int_equal(pool_used(), 2);
	for (i = 2; i < PAGES; i++) {
		page = pool_alloc();
		assert_non_null(page);
		assert_true(page != first && page != second);
	}
	assert_null(pool_alloc());
	pool_reclaim();
	assert_int_equal(pool_used(), PAGES - 2);
	assert_non_null(pool_alloc());
	assert_non_null(pool_alloc());
	assert_null(pool_alloc());
	/* With nothing retired nothing happens. */
	pool_reclaim();
	assert_int_equal(pool_used(), PAGES);
}

static void empty_pool(void **state)
{
	(void)state;
	pool_init(memory, ptes, 0);
	assert_null(pool_alloc());
	assert_null(pool_page(physical(0)));
	assert_int_equal(pool_used(), 0);
}

/* Bisection is right at every size, not only at this one. */
static void every_size_of_pool(void **state)
{
	uint32_t pages, i;

	(void)state;
	for (pages = 1; pages <= PAGES; pages++) {
		pool_init(memory, ptes, pages);
		for (i = 0; i < PAGES; i++)
			assert_ptr_equal(pool_page(physical(i)), i < pages ? memory[i] : NULL);
	}
}

/* --- What is lent ------------------------------------------------------------------------------- */

#define CHUNKS 3u
#define CHUNK_PAGES (MERCURY_LENT_CHUNK / MERCURY_PAGE_SIZE)

static char lent[CHUNKS][MERCURY_LENT_CHUNK] __attribute__((aligned(MERCURY_PAGE_SIZE)));

/* Below, between and above the pool's own pages. */
static const uint64_t lent_pa[CHUNKS] = { 0x40000000, 0x138000000, 0x900000000000 };

static void lend(void)
{
	uint32_t i;

	for (i = 0; i < CHUNKS; i++)
		assert_true(pool_lend(lent[i], lent_pa[i]));
	assert_int_equal(pool_lent(), CHUNKS);
}

static void own_pages_go_first_then_those_lent(void **state)
{
	void *page;
	uint32_t i;

	(void)state;
	lend();
	for (i = 0; i < PAGES; i++) {
		page = pool_alloc();
		assert_in_range((uintptr_t)page, (uintptr_t)memory[0], (uintptr_t)memory[PAGES]);
	}
	for (i = 0; i < CHUNKS * CHUNK_PAGES; i++) {
		page = pool_alloc();
		assert_ptr_equal(page, lent[0] + (uint64_t)i * MERCURY_PAGE_SIZE);
		assert_int_equal(pool_pa(page),
				 lent_pa[i / CHUNK_PAGES] + i % CHUNK_PAGES * MERCURY_PAGE_SIZE);
		assert_ptr_equal(pool_page(pool_pa(page)), page);
	}
	assert_null(pool_alloc());
	assert_int_equal(pool_used(), PAGES + CHUNKS * CHUNK_PAGES);
	assert_null(pool_page(lent_pa[0] - MERCURY_PAGE_SIZE));
	assert_null(pool_page(lent_pa[1] + MERCURY_LENT_CHUNK));
}

/* Each page comes back to whom it belongs, freed or retired; then nothing of them is handed out. */
static void lent_pages_are_given_back_when_none_is_used(void **state)
{
	void *own = NULL, *page, *other;
	uint32_t i;

	(void)state;
	lend();
	for (i = 0; i < PAGES; i++)
		own = pool_alloc();
	page = pool_alloc();
	other = pool_alloc();
	assert_false(pool_give_back());
	pool_free(page);
	pool_retire(other);
	assert_false(pool_give_back());
	pool_free(own);
	pool_reclaim();
	assert_int_equal(pool_used(), PAGES - 1);
	assert_ptr_equal(pool_alloc(), own);
	assert_true(pool_give_back());
	assert_int_equal(pool_lent(), 0);
	assert_null(pool_alloc());
	assert_null(pool_page(lent_pa[1]));
	/* And again: as if they were new. */
	lend();
	assert_ptr_equal(pool_alloc(), lent[0]);
	assert_ptr_equal(pool_alloc(), lent[0] + MERCURY_PAGE_SIZE);
}

static void chunks_ascend(void **state)
{
	(void)state;
	assert_true(pool_lend(lent[0], lent_pa[1]));
	assert_false(pool_lend(lent[1], lent_pa[0]));
	assert_false(pool_lend(lent[1], lent_pa[1]));
	assert_int_equal(pool_lent(), 1);
}

static void no_more_chunks_than_fit(void **state)
{
	uint32_t i;

	(void)state;
	for (i = 0; i < MERCURY_LENT_CHUNKS; i++)
		assert_true(pool_lend(lent[0] + (uint64_t)i * MERCURY_LENT_CHUNK,
				      (uint64_t)(i + 1) * MERCURY_LENT_CHUNK));
	assert_false(pool_lend(lent[0], UINT64_C(1) << 40));
	assert_int_equal(pool_lent(), MERCURY_LENT_CHUNKS);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test_setup(hands_out_every_page_once_then_null, setup),
	cmocka_unit_test_setup(pages_are_zeroed_fresh_and_reused, setup),
	cmocka_unit_test_setup(exhausted_pool_serves_again_after_free, setup),
	cmocka_unit_test_setup(page_and_address_are_inverse, setup),
	cmocka_unit_test_setup(foreign_addresses_have_no_page, setup),
	cmocka_unit_test_setup(retired_pages_wait, setup),
	cmocka_unit_test_setup(empty_pool, setup),
	cmocka_unit_test_setup(every_size_of_pool, setup),
	cmocka_unit_test_setup(own_pages_go_first_then_those_lent, setup),
	cmocka_unit_test_setup(lent_pages_are_given_back_when_none_is_used, setup),
	cmocka_unit_test_setup(chunks_ascend, setup),
	cmocka_unit_test_setup(no_more_chunks_than_fit, setup),
};

UNIT_MAIN(tests)
