// SPDX-License-Identifier: GPL-2.0-only
/* Much memory and every width of addresses: types, identity, and tables against what is allocated. */
#include "pure_mtrr_p2m.h"

static const struct row {
	uint32_t maxphyaddr;
	uint64_t ram_end;
} rows[] = {
	{ 36, 64 * GB },     { 39, 66 * GB }, { 39, 512 * GB },    { 46, 66 * GB },
	{ 46, TB + 2 * GB }, { 48, 66 * GB }, { 48, TB + 2 * GB }, { 46, 5 * TB + 2 * GB },
};

#define ROWS (sizeof(rows) / sizeof(rows[0]))
#define WIDTH(row) (UINT64_C(1) << (row)->maxphyaddr)
#define PC_FIXED UINT64_C(0x0606060606060606)

/* Two ways of saying it: default WB and holes, or default UC, WB in powers of two, and holes. */
enum style { DEFAULT_WB, DEFAULT_UC, STYLES };

static struct mtrr_state registers_of(const struct row *row, enum style style)
{
	struct mtrr_state s = state_of(DEF_E | (style == DEFAULT_WB ? WB : UC));
	uint64_t at, size;

	s.maxphyaddr = row->maxphyaddr;
	add(&s, 2 * GB, 2 * GB, UC);
	if (style == DEFAULT_WB) {
		add(&s, WIDTH(row) - GB, GB, UC);
		return s;
	}
	/* The VGA hole, between RAM. */
	s.def_type |= DEF_FE;
	s.fixed[0] = s.fixed[1] = PC_FIXED;
	for (at = 3; at < 11; at++)
		s.fixed[at] = PC_FIXED;
	for (at = 0; at < row->ram_end; at += size) {
		for (size = TB * 4; size > row->ram_end - at || at % size; size /= 2)
			;
		add(&s, at, size, WB);
	}
	return s;
}

static uint32_t expected_type(const struct row *row, enum style style, uint64_t at)
{
	if (at >= 2 * GB && at < 4 * GB)
		return UC;
	if (style == DEFAULT_WB)
		return at < WIDTH(row) - GB ? WB : UC;
	return at < row->ram_end && (at < 0xa0000 || at >= 0xc0000) ? WB : UC;
}

/* The size of the leaf at `at`: the fixed ranges divide GiB 0 and its first 2 MiB. */
static uint32_t expected_order(enum style style, bool has_1g, uint64_t at)
{
	if (style == DEFAULT_UC && at < 2 * MB)
		return P2M_ORDER_4K;
	return has_1g && (style == DEFAULT_WB || at >= GB) ? P2M_ORDER_1G : P2M_ORDER_2M;
}

/* Root, table for hidden chunks, one for each 512 GiB; and what is not mapped by leaves of 1 GiB. */
static uint64_t expected_tables(enum style style, bool has_1g, uint64_t top)
{
	uint64_t tables = 2 + (top + 512 * GB - 1) / (512 * GB);

	if (!has_1g)
		tables += top / GB;
	else if (style == DEFAULT_UC)
		tables++;
	return tables + (style == DEFAULT_UC);
}

static void check_leaf(const struct row *row, enum style style, bool has_1g, uint64_t at)
{
	const struct p2m_page page = leaf_at(at);
	uint32_t type = expected_type(row, style, at), order = expected_order(style, has_1g, at);

	if (page.type != type || page.order != order)
		fail_msg("%u bits, style %d: %#llx is of type %u, order %u, not %u, %u",
			 row->maxphyaddr, style, (unsigned long long)at, page.type, page.order,
			 type, order);
}

/* Every single leaf of RAM; from a pool with as many pages as the module allocates. */
static void check_ram(const struct row *row, enum style style, bool has_1g)
{
	const struct mtrr_state s = registers_of(row, style);
	uint64_t top = mapped_top(row->ram_end), pages = pool_pages_for(row->ram_end), at, used;

	assert_int_equal(build(&s, has_1g, top, pages), MERCURY_E_OK);
	used = pool_used();
	assert_int_equal(used, expected_tables(style, has_1g, top));
	for (at = 0; at < top; at += PAGE << expected_order(style, has_1g, at))
		check_leaf(row, style, has_1g, at);
	assert_true(p2m_is_identity(&p2m));
	print_message("# %u bits, RAM to %4llu GiB, default %s, %s: %llu tables of %llu\n",
		      row->maxphyaddr, (unsigned long long)(row->ram_end / GB),
		      style == DEFAULT_WB ? "WB" : "UC", has_1g ? "1 GiB" : "2 MiB",
		      (unsigned long long)used, (unsigned long long)pages);
	/* No fewer would do: the figure above is what it takes. */
	assert_int_equal(build(&s, has_1g, top, used), MERCURY_E_OK);
	assert_int_equal(build(&s, has_1g, top, used - 1), MERCURY_E_NO_MEMORY);
}

static void ram_with_1g(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < ROWS; i++) {
		check_ram(&rows[i], DEFAULT_WB, true);
		check_ram(&rows[i], DEFAULT_UC, true);
	}
}

static void ram_with_2m(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < ROWS; i++) {
		check_ram(&rows[i], DEFAULT_WB, false);
		check_ram(&rows[i], DEFAULT_UC, false);
	}
}

/* First touch of what lies above RAM, up to the last page that addresses can name. */
static void touch_above_ram(void **state)
{
	uint64_t i, k;

	(void)state;
	for (i = 0; i < ROWS * STYLES * 2; i++) {
		const struct row *row = &rows[i / STYLES / 2];
		const enum style style = i / 2 % STYLES;
		const struct mtrr_state s = registers_of(row, style);
		const uint64_t top = mapped_top(row->ram_end), end = WIDTH(row);
		const uint64_t at[] = { top,          top + GB - PAGE, end / 2,
					end - 2 * GB, end - GB - PAGE, end - GB,
					end - PAGE };

		assert_int_equal(build(&s, i % 2, top, pool_pages_for(row->ram_end)), MERCURY_E_OK);
		for (k = 0; k < sizeof(at) / sizeof(at[0]); k++) {
			if (at[k] >= end)
				continue;
			touch(at[k]);
			check_leaf(row, style, i % 2, at[k]);
		}
	}
}

/*
 * SDM vol. 3, 12.11.2.3, Variable Range MTRRs: the mask holds bits 12 to MAXPHYADDR - 1. Each one of
 * them that a range of 1 GiB compares, 30 and up, leads out of it when it is turned.
 */
static void every_address_bit_counts(void **state)
{
	uint32_t bit;
	size_t i;

	(void)state;
	for (i = 0; i < ROWS; i++) {
		const struct mtrr_state s = registers_of(&rows[i], DEFAULT_WB);
		const uint64_t range = WIDTH(&rows[i]) - GB;

		for (bit = 12; bit < rows[i].maxphyaddr; bit++)
			if (type_at(&s, range ^ UINT64_C(1) << bit) != (bit < 30 ? UC : WB))
				fail_msg("%u bits: bit %u", rows[i].maxphyaddr, bit);
	}
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(ram_with_1g),
	cmocka_unit_test(ram_with_2m),
	cmocka_unit_test(touch_above_ram),
	cmocka_unit_test(every_address_bit_counts),
};

UNIT_MAIN(tests)
