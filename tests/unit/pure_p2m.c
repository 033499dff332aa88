// SPDX-License-Identifier: GPL-2.0-only
/* The P2M over the EPT's format: each operation by itself. Random sequences: pure_p2m_model.c. */
#include "pure_p2m.h"

static void map(uint64_t start, uint64_t end)
{
	assert_int_equal(p2m_map_identity(&p2m, start, end), MERCURY_E_OK);
}

static void check_identity(uint64_t gfn, uint32_t order, uint32_t type)
{
	check_page(gfn, gfn, order, P2M_ALL, type);
}

/* --- The format ------------------------------------------------------------------------------- */

/* The raw entry of level `order` that translates `gfn`. */
static uint64_t raw_entry(uint64_t gfn, uint32_t order)
{
	const uint64_t *table = p2m.root;
	uint32_t at;

	for (at = P2M_ORDER_ROOT; at > order; at -= 9)
		table = pool_page(table[gfn >> at & 511] & UINT64_C(0xffffffffff000));
	return table[gfn >> order & 511];
}

/*
 * SDM vol. 3, 29.3.2, EPT Translation Mechanism: leaves: 2:0 read, write, execute; 5:3 memory type;
 * 7: 1 in a PDPTE or PDE that maps a page; address from bit 12, 21 or 30 on. Tables: 2:0 and the
 * address, 7:3 reserved. Bits 11 and 63:52 are ignored or off; 8 and 9, accessed and dirty, are
 * off.
 */
static void entries_as_the_manual_has_them(void **state)
{
	struct p2m_page page = { .mfn = 0x12345, .order = 0, .access = P2M_READ, .type = UC };

	(void)state;
	map(0, GB);
	map(GB, GB + 2 * MB);
	assert_int_equal(raw_entry(0, 18) & ~0x800u, 0x0b7);
	assert_int_equal(raw_entry(F1G, 9) & ~0x800u, GB | 0x0b7);
	assert_int_equal(raw_entry(F1G, 18) & 0xff, 0x07);
	assert_int_equal(raw_entry(0, 27) & 0xff, 0x07);
	assert_int_equal(p2m_set(&p2m, 7, &page), MERCURY_E_OK);
	assert_int_equal(raw_entry(7, 0) & ~0x800u, 0x12345001);
	page.access = P2M_READ | P2M_EXECUTE;
	page.type = WT;
	assert_int_equal(p2m_set(&p2m, 7, &page), MERCURY_E_OK);
	assert_int_equal(raw_entry(7, 0) & ~0x800u, 0x12345025);
}

/* SDM vol. 3, 25.6.11, Extended-Page-Table Pointer: 2:0 type 6, 5:3 walk length - 1, 6 A/D off. */
static void the_pointer(void **state)
{
	(void)state;
	assert_int_equal(ept_pointer(0x123456789000), 0x12345678901e);
}

/* --- Mapping ---------------------------------------------------------------------------------- */

static void empty(void **state)
{
	(void)state;
	check_unmapped(0);
	check_unmapped(UINT64_C(1) << 35);
	assert_true(p2m_is_identity(&p2m));
	check_no_leak(0);
}

/* A page of 1 GiB, 2 MiB, 4 KiB where alignment and what is left of the range allow it. */
static void size_by_alignment(void **state)
{
	(void)state;
	map(GB - 2 * MB - 3 * PAGE, 3 * GB + 2 * MB + PAGE);
	check_unmapped(F1G - F2M - 4);
	check_identity(F1G - F2M - 3, 0, WB);
	check_identity(F1G - F2M - 1, 0, WB);
	check_identity(F1G - F2M, 9, WB);
	check_identity(F1G - 1, 9, WB);
	check_identity(F1G, 18, WB);
	check_identity(3 * F1G - 1, 18, WB);
	check_identity(3 * F1G, 9, WB);
	check_identity(3 * F1G + F2M, 0, WB);
	check_unmapped(3 * F1G + F2M + 1);
	assert_true(p2m_is_identity(&p2m));
	check_no_leak(0);
}

/* What a range does not hold stays unmapped: each pair of odd ends. */
static void odd_ranges(void **state)
{
	static const uint64_t ends[] = { 0, 1, 2, 511, 512, 513, 1023, 1024, 1025, 1537 };
	const size_t n = sizeof(ends) / sizeof(ends[0]);
	size_t i, k;
	uint64_t gfn;

	for (i = 0; i < n; i++) {
		for (k = i; k < n; k++) {
			setup_p2m(state);
			map(ends[i] * PAGE, ends[k] * PAGE);
			for (gfn = 0; gfn < 1600; gfn++) {
				if (gfn < ends[i] || gfn >= ends[k])
					check_unmapped(gfn);
				else
					assert_int_equal(look(gfn).mfn, gfn);
			}
			check_no_leak(0);
		}
	}
}

/* p2m.h: "False where nothing is mapped: page->order is then what the empty entry would cover." */
static void the_order_of_nothing(void **state)
{
	static const struct {
		uint64_t gfn;
		uint32_t order;
	} rows[] = { { 1, 0 }, { F2M, 9 }, { F1G, 18 }, { 512 * F1G, 27 } };
	size_t i;

	(void)state;
	map(0, PAGE);
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct p2m_page page = { .order = 99 };

		assert_false(p2m_lookup(&p2m, rows[i].gfn, &page));
		assert_int_equal(page.order, rows[i].order);
	}
}

/* Neighbours in different tables of every level, the last page of 48 bits among them. */
static void far_apart(void **state)
{
	static const uint64_t at[] = { 0,         F1G - 1,
				       F1G,       512 * F1G - 1,
				       512 * F1G, 512 * 512 * F1G - 1 };
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(at) / sizeof(at[0]); i++) {
		map(at[i] * PAGE, (at[i] + 1) * PAGE);
		check_identity(at[i], 0, WB);
	}
	for (i = 0; i < sizeof(at) / sizeof(at[0]); i++)
		check_identity(at[i], 0, WB);
	check_unmapped(1);
	check_unmapped(512 * 512 * F1G - 2);
	check_no_leak(0);
}

/*
 * reference: "types from MTRRs, split pages that straddle types": UC in the middle of a 1 GiB page
 * and, within one 2 MiB page, WT.
 */
static void size_by_memory_type(void **state)
{
	(void)state;
	add_type(GB + 64 * MB, 2 * MB, UC);
	add_type(GB + 128 * MB, 8 * PAGE, WT);
	map(0, 3 * GB);
	check_identity(0, 18, WB);
	check_identity(2 * F1G, 18, WB);
	check_identity(F1G, 9, WB);
	check_identity(F1G + 32 * F2M - 1, 9, WB);
	check_identity(F1G + 32 * F2M, 9, UC);
	check_identity(F1G + 33 * F2M, 9, WB);
	check_identity(F1G + 64 * F2M, 0, WT);
	check_identity(F1G + 64 * F2M + 7, 0, WT);
	check_identity(F1G + 64 * F2M + 8, 0, WB);
	check_identity(F1G + 65 * F2M, 9, WB);
	check_no_leak(0);
}

/* SDM vol. 3, A.10, VPID and EPT Capabilities, bit 17: 1-GByte pages may be missing. */
static void without_1g_pages(void **state)
{
	(void)state;
	fresh_pool(POOL_PAGES);
	assert_int_equal(p2m_init(&p2m, ept_format(false), &mtrrs, ZERO_PA, SINK_PA), MERCURY_E_OK);
	map(0, GB);
	check_identity(0, 9, WB);
	check_identity(F1G - 1, 9, WB);
	assert_false(p2m_collapse(&p2m, 0, 18));
	check_identity(0, 9, WB);
	check_no_leak(0);
}

/* --- Changing --------------------------------------------------------------------------------- */

static void split_keeps_the_meaning(void **state)
{
	uint64_t gfn;

	(void)state;
	map(0, 2 * GB);
	assert_int_equal(p2m_protect(&p2m, 0, GB, P2M_READ | P2M_EXECUTE), MERCURY_E_OK);
	assert_int_equal(p2m_split(&p2m, 777, 0), MERCURY_E_OK);
	for (gfn = 0; gfn < F1G; gfn += gfn < 2 * F2M ? 1 : 97)
		check_page(gfn, gfn, gfn / F2M == 777 / F2M ? 0 : 9, P2M_READ | P2M_EXECUTE, WB);
	check_identity(F1G, 18, WB);
	/* No larger than asked for is no reason to do anything. */
	assert_int_equal(p2m_split(&p2m, F1G, 18), MERCURY_E_OK);
	check_identity(F1G, 18, WB);
	assert_int_equal(p2m_split(&p2m, F1G, 9), MERCURY_E_OK);
	check_identity(F1G, 9, WB);
	assert_int_equal(p2m_split(&p2m, 5 * F1G, 0), MERCURY_E_OK);
	check_unmapped(5 * F1G);
	check_no_leak(0);
}

/* "collapse frees tables": back to one leaf, and the pool has as much as before. */
static void collapse_frees_tables(void **state)
{
	uint32_t used;

	(void)state;
	map(0, GB);
	used = pool_used();
	assert_int_equal(p2m_split(&p2m, 5, 0), MERCURY_E_OK);
	assert_int_equal(p2m_split(&p2m, F1G - 1, 0), MERCURY_E_OK);
	assert_int_equal(pool_used(), used + 3);
	assert_true(p2m_collapse(&p2m, 5, 9));
	check_identity(5, 9, WB);
	/* Not before every CPU has flushed. */
	assert_int_equal(pool_used(), used + 3);
	pool_reclaim();
	assert_int_equal(pool_used(), used + 2);
	assert_true(p2m_collapse(&p2m, 5, 18));
	check_identity(F1G - 1, 18, WB);
	pool_reclaim();
	assert_int_equal(pool_used(), used);
	assert_true(p2m_collapse(&p2m, 5, 18));
}

/* One page that differs in access, target, type or presence keeps the tables. */
static void collapse_needs_one_meaning(void **state)
{
	static const struct p2m_page pages[] = {
		{ .mfn = 100, .access = P2M_READ, .type = WB },
		{ .mfn = 101, .access = P2M_ALL, .type = WB },
		{ .mfn = 100, .access = P2M_ALL, .type = UC },
	};
	size_t i;

	for (i = 0; i < 3; i++) {
		setup_p2m(state);
		map(0, GB);
		assert_int_equal(p2m_set(&p2m, 100, &pages[i]), MERCURY_E_OK);
		assert_false(p2m_collapse(&p2m, 100, 9));
		assert_false(p2m_collapse(&p2m, 100, 18));
		check_page(100, pages[i].mfn, 0, pages[i].access, pages[i].type);
		check_identity(99, 0, WB);
	}
	setup_p2m(state);
	map(0, 2 * MB - PAGE);
	assert_false(p2m_collapse(&p2m, 0, 9));
	check_unmapped(511);
	assert_false(p2m_collapse(&p2m, 0, 0));
	assert_false(p2m_collapse(&p2m, 0, 27));
}

/* 512 pages in a row that start at no multiple of 2 MiB make no large page. */
static void collapse_needs_alignment(void **state)
{
	uint64_t i;

	(void)state;
	for (i = 0; i < 512; i++) {
		const struct p2m_page page = { .mfn = 4096 + 1 + i, .access = P2M_ALL, .type = WB };

		assert_int_equal(p2m_set(&p2m, i, &page), MERCURY_E_OK);
	}
	assert_false(p2m_collapse(&p2m, 0, 9));
	check_page(511, 4096 + 512, 0, P2M_ALL, WB);
}

/* p2m.h: "Replace tables below ... by one leaf": where nothing is mapped there is none. */
static void collapse_of_nothing(void **state)
{
	(void)state;
	assert_false(p2m_collapse(&p2m, 0, 9));
	map(2 * MB, 4 * MB);
	assert_false(p2m_collapse(&p2m, 0, 9));
	check_unmapped(0);
}

/* A page without any right is still mapped: its target is remembered. */
static void protect_to_none_and_back(void **state)
{
	(void)state;
	map(0, 2 * GB);
	assert_int_equal(p2m_protect(&p2m, 3 * PAGE, GB + PAGE, 0), MERCURY_E_OK);
	check_identity(2, 0, WB);
	check_page(3, 3, 0, 0, WB);
	check_page(F2M, F2M, 9, 0, WB);
	check_page(F1G, F1G, 0, 0, WB);
	check_identity(F1G + 1, 0, WB);
	assert_int_equal(p2m.foreign, F1G - 2);
	assert_false(p2m_is_identity(&p2m));
	assert_int_equal(p2m_protect(&p2m, 0, 2 * GB, P2M_ALL), MERCURY_E_OK);
	assert_true(p2m_is_identity(&p2m));
	assert_true(p2m_collapse(&p2m, 0, 18) && p2m_collapse(&p2m, F1G, 18));
	check_identity(3, 18, WB);
	check_no_leak(0);
}

/* "Give the mapped pages of [start, end) access": the others stay unmapped. */
static void protect_leaves_holes(void **state)
{
	(void)state;
	map(GB, GB + PAGE);
	map(600 * GB, 601 * GB);
	assert_int_equal(p2m_protect(&p2m, 0, 1024 * GB, P2M_READ), MERCURY_E_OK);
	check_unmapped(0);
	check_unmapped(F1G + 1);
	check_page(F1G, F1G, 0, P2M_READ, WB);
	check_page(600 * F1G, 600 * F1G, 18, P2M_READ, WB);
	assert_int_equal(p2m.foreign, 1 + F1G);
}

/*
 * Native mode sees the machine as it is: one foreign page of any kind forbids it, its end allows
 * it.
 */
static void identity_is_counted(void **state)
{
	struct p2m_page page = { .mfn = 9 * F1G, .order = 18, .access = P2M_ALL, .type = WB };

	(void)state;
	map(0, 2 * GB);
	assert_int_equal(p2m_set(&p2m, 0, &page), MERCURY_E_OK);
	assert_int_equal(p2m.foreign, F1G);
	map(0, GB - PAGE);
	assert_int_equal(p2m.foreign, 1);
	check_page(F1G - 1, 10 * F1G - 1, 0, P2M_ALL, WB);
	assert_false(p2m_is_identity(&p2m));
	page = (struct p2m_page){ .mfn = F1G - 1, .access = P2M_ALL, .type = WB };
	assert_int_equal(p2m_set(&p2m, F1G - 1, &page), MERCURY_E_OK);
	assert_true(p2m_is_identity(&p2m));
	/* The type is no part of it: native mode has the MTRRs' again. */
	page.type = UC;
	assert_int_equal(p2m_set(&p2m, F1G - 1, &page), MERCURY_E_OK);
	assert_true(p2m_is_identity(&p2m));
}

/* --- Hiding ----------------------------------------------------------------------------------- */

static void check_hidden(uint64_t gfn)
{
	check_page(gfn, ZERO_PA / PAGE, 0, P2M_READ, WB);
}

/*
 * "one shared EPT table of 512 entries to one zero page hangs in the PDE of every hidden 2 MiB
 * chunk"
 */
static void hidden_chunks_share_a_table(void **state)
{
	uint64_t entry;
	uint32_t used;

	(void)state;
	map(0, 2 * GB);
	assert_int_equal(p2m_split(&p2m, 0, 9), MERCURY_E_OK);
	used = pool_used();
	assert_int_equal(p2m_hide(&p2m, 4 * MB, 8 * MB), MERCURY_E_OK);
	assert_int_equal(p2m_hide(&p2m, 20 * MB, 22 * MB), MERCURY_E_OK);
	assert_int_equal(pool_used(), used);
	entry = raw_entry(2 * F2M, 9);
	assert_int_equal(raw_entry(3 * F2M, 9), entry);
	assert_int_equal(raw_entry(10 * F2M, 9), entry);
	check_identity(2 * F2M - 1, 9, WB);
	check_hidden(2 * F2M);
	check_hidden(4 * F2M - 1);
	check_identity(4 * F2M, 9, WB);
	check_hidden(11 * F2M - 1);
	assert_true(p2m_is_identity(&p2m));
	check_no_leak(0);
	/* Hiding again changes nothing. */
	assert_int_equal(p2m_hide(&p2m, 4 * MB, 8 * MB), MERCURY_E_OK);
	check_hidden(2 * F2M);
	check_no_leak(0);
}

/* Single pages, where no chunk was to be had: from large pages, beside chunks, from tables. */
static void hides_single_pages(void **state)
{
	(void)state;
	map(0, GB);
	assert_int_equal(p2m_hide(&p2m, 2 * MB - PAGE, 4 * MB + PAGE), MERCURY_E_OK);
	check_identity(510, 0, WB);
	check_hidden(511);
	check_hidden(512);
	check_hidden(1023);
	check_hidden(1024);
	check_identity(1025, 0, WB);
	check_identity(1536, 9, WB);
	assert_true(p2m_is_identity(&p2m));
	check_no_leak(0);
}

/* A chunk that was split, remapped or protected loses its table and its part of the count. */
static void hiding_drops_what_was_there(void **state)
{
	const struct p2m_page page = { .mfn = 7 * F1G, .order = 9, .access = P2M_ALL, .type = WB };
	uint32_t used;

	(void)state;
	map(0, GB);
	assert_int_equal(p2m_split(&p2m, 0, 9), MERCURY_E_OK);
	used = pool_used();
	assert_int_equal(p2m_protect(&p2m, PAGE, 5 * PAGE, P2M_READ), MERCURY_E_OK);
	assert_int_equal(p2m_set(&p2m, F2M, &page), MERCURY_E_OK);
	assert_int_equal(p2m.foreign, 4 + 512);
	assert_int_equal(p2m_hide(&p2m, 0, 4 * MB), MERCURY_E_OK);
	assert_true(p2m_is_identity(&p2m));
	assert_int_equal(pool_used(), used);
	check_no_leak(0);
}

/* What is hidden stays hidden from what changes rights and sizes. */
static void protect_split_collapse_leave_hidden_pages(void **state)
{
	(void)state;
	map(0, GB);
	assert_int_equal(p2m_hide(&p2m, 2 * MB, 4 * MB), MERCURY_E_OK);
	assert_int_equal(p2m_hide(&p2m, 6 * MB, 6 * MB + PAGE), MERCURY_E_OK);
	assert_int_equal(p2m_protect(&p2m, 0, GB, P2M_READ), MERCURY_E_OK);
	assert_int_equal(p2m_protect(&p2m, 0, GB, P2M_ALL), MERCURY_E_OK);
	assert_true(p2m_is_identity(&p2m));
	assert_int_equal(p2m_split(&p2m, 600, 0), MERCURY_E_OK);
	assert_false(p2m_collapse(&p2m, 512, 9));
	assert_false(p2m_collapse(&p2m, 0, 18));
	check_hidden(512);
	check_hidden(1023);
	check_hidden(1536);
	check_no_leak(0);
}

/* One write is let through to the sink and taken back; meanwhile reads see what was written. */
static void dropping_a_write(void **state)
{
	(void)state;
	map(0, GB);
	assert_int_equal(p2m_hide(&p2m, 2 * MB, 4 * MB), MERCURY_E_OK);
	assert_int_equal(p2m_hide(&p2m, 5 * PAGE, 6 * PAGE), MERCURY_E_OK);
	assert_false(p2m_let_drop(&p2m, 4));
	assert_false(p2m_let_drop(&p2m, 3 * F2M));
	assert_false(p2m_let_drop(&p2m, 5 * F1G));
	assert_true(p2m_let_drop(&p2m, 600));
	check_page(600, SINK_PA / PAGE, 0, P2M_READ | P2M_WRITE, WB);
	check_hidden(601);
	/* Another CPU met the same page meanwhile: it is as it wants it. */
	assert_true(p2m_let_drop(&p2m, 600));
	check_page(600, SINK_PA / PAGE, 0, P2M_READ | P2M_WRITE, WB);
	p2m_rehide(&p2m, 600);
	check_hidden(600);
	p2m_rehide(&p2m, 600);
	check_hidden(600);
	assert_true(p2m_let_drop(&p2m, 5));
	check_page(5, SINK_PA / PAGE, 0, P2M_READ | P2M_WRITE, WB);
	p2m_rehide(&p2m, 5);
	check_hidden(5);
	/* Of a page that is not hidden nothing is taken. */
	p2m_rehide(&p2m, 4);
	check_identity(4, 0, WB);
	assert_true(p2m_is_identity(&p2m));
	check_no_leak(0);
}

/*
 * A page given to Linux again, in one hidden chunk: the other chunks, which share its table, stay.
 */
static void setting_a_page_in_a_hidden_chunk(void **state)
{
	const struct p2m_page page = { .mfn = 512 + 8, .access = P2M_ALL, .type = WB };

	(void)state;
	map(0, GB);
	assert_int_equal(p2m_hide(&p2m, 2 * MB, 6 * MB), MERCURY_E_OK);
	assert_int_equal(p2m_set(&p2m, 512 + 8, &page), MERCURY_E_OK);
	check_identity(512 + 8, 0, WB);
	check_hidden(512 + 9);
	check_hidden(1024 + 8);
	assert_true(p2m_is_identity(&p2m));
	check_no_leak(0);
}

/* Whole chunks given back: the shared table stays for the others. */
static void mapping_a_hidden_chunk_again(void **state)
{
	(void)state;
	map(0, GB);
	assert_int_equal(p2m_hide(&p2m, 2 * MB, 6 * MB), MERCURY_E_OK);
	map(2 * MB, 4 * MB);
	check_identity(512, 9, WB);
	check_hidden(1024);
	map(0, GB);
	check_identity(1024, 18, WB);
	assert_true(p2m_is_identity(&p2m));
	check_no_leak(0);
}

/* A page that is set or hidden anew while a write to it is let through counts as hidden before. */
static void changing_a_page_while_its_write_is_dropped(void **state)
{
	(void)state;
	map(0, GB);
	assert_int_equal(p2m_hide(&p2m, 5 * PAGE, 6 * PAGE), MERCURY_E_OK);
	assert_true(p2m_let_drop(&p2m, 5));
	assert_int_equal(p2m_hide(&p2m, 5 * PAGE, 6 * PAGE), MERCURY_E_OK);
	assert_int_equal(p2m.foreign, 0);
	assert_true(p2m_let_drop(&p2m, 5));
	map(0, GB);
	assert_int_equal(p2m.foreign, 0);
	assert_true(p2m_is_identity(&p2m));
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test_setup(entries_as_the_manual_has_them, setup_p2m),
	cmocka_unit_test_setup(the_pointer, setup_p2m),
	cmocka_unit_test_setup(empty, setup_p2m),
	cmocka_unit_test_setup(size_by_alignment, setup_p2m),
	cmocka_unit_test_setup(odd_ranges, setup_p2m),
	cmocka_unit_test_setup(the_order_of_nothing, setup_p2m),
	cmocka_unit_test_setup(far_apart, setup_p2m),
	cmocka_unit_test_setup(size_by_memory_type, setup_p2m),
	cmocka_unit_test_setup(without_1g_pages, setup_p2m),
	cmocka_unit_test_setup(split_keeps_the_meaning, setup_p2m),
	cmocka_unit_test_setup(collapse_frees_tables, setup_p2m),
	cmocka_unit_test_setup(collapse_needs_one_meaning, setup_p2m),
	cmocka_unit_test_setup(collapse_needs_alignment, setup_p2m),
	cmocka_unit_test_setup(collapse_of_nothing, setup_p2m),
	cmocka_unit_test_setup(protect_to_none_and_back, setup_p2m),
	cmocka_unit_test_setup(protect_leaves_holes, setup_p2m),
	cmocka_unit_test_setup(identity_is_counted, setup_p2m),
	cmocka_unit_test_setup(hidden_chunks_share_a_table, setup_p2m),
	cmocka_unit_test_setup(hides_single_pages, setup_p2m),
	cmocka_unit_test_setup(hiding_drops_what_was_there, setup_p2m),
	cmocka_unit_test_setup(protect_split_collapse_leave_hidden_pages, setup_p2m),
	cmocka_unit_test_setup(dropping_a_write, setup_p2m),
	cmocka_unit_test_setup(setting_a_page_in_a_hidden_chunk, setup_p2m),
	cmocka_unit_test_setup(mapping_a_hidden_chunk_again, setup_p2m),
	cmocka_unit_test_setup(changing_a_page_while_its_write_is_dropped, setup_p2m),
};

UNIT_MAIN(tests)
