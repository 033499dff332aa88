// SPDX-License-Identifier: GPL-2.0-only
/* Golden tests: the layouts of pure_mtrr_machines.h, page by page and in the P2M built over them. */
#include "pure_mtrr_machines.h"
#include "pure_mtrr_p2m.h"

#define WIDTH(m) (UINT64_C(1) << (m)->maxphyaddr)

static void check_type(const struct machine *m, const struct mtrr_state *s, uint64_t at)
{
	uint32_t type = 0xff, expected = piece_of(m, at)->type;

	if (!mtrr_type(s, at, PAGE, &type) || type != expected)
		fail_msg("%s: %#llx is of type %u, not %u", m->name, (unsigned long long)at, type,
			 expected);
}

/* The table itself: pieces ascend, differ from their neighbours and end with the address width. */
static void tables_are_well_formed(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < MACHINES; i++) {
		const struct piece *p = machines[i].types;

		for (; p->end != WIDTH(&machines[i]); p++)
			if (p->end >= p[1].end || p->type == p[1].type || p->end % PAGE)
				fail_msg("%s: at %#llx", machines[i].name,
					 (unsigned long long)p->end);
	}
}

/* Every page of the first 2 MByte; eight pages on either side of each border; some in the middle. */
static void types_page_by_page(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < MACHINES; i++) {
		const struct machine *m = &machines[i];
		const struct mtrr_state s = registers_of(m);
		const struct piece *p;
		uint64_t at, start = 0;

		for (at = 0; at < 2 * MB; at += PAGE)
			check_type(m, &s, at);
		for (p = m->types; start < WIDTH(m); start = p->end, p++) {
			uint64_t step = (p->end - start) / 16 & ~(PAGE - 1);

			for (at = start; step && at < p->end; at += step)
				check_type(m, &s, at);
			for (at = p->end - 8 * PAGE; at < p->end + 8 * PAGE && at < WIDTH(m);
			     at += PAGE)
				check_type(m, &s, at);
		}
	}
}

static void check_block(const struct machine *m, const struct mtrr_state *s, uint64_t at,
			uint64_t size)
{
	const uint64_t start = at & ~(size - 1);
	const struct piece *p = piece_of(m, start);
	bool within = start + size <= p->end, claimed;
	uint32_t type = 0xff;

	claimed = mtrr_type(s, start, size, &type);
	/* Above 2 MiB "no" may be said of one type: see mtrr.h. */
	if ((claimed && !within) || (!claimed && within && size <= 2 * MB) || type != p->type)
		fail_msg("%s: %#llx bytes at %#llx are %sof one type, %u", m->name,
			 (unsigned long long)size, (unsigned long long)start, claimed ? "" : "not ",
			 type);
}

/* The blocks of 2 MiB and of 1 GiB that a border lies in or between. */
static void blocks_at_borders(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < MACHINES; i++) {
		const struct machine *m = &machines[i];
		const struct mtrr_state s = registers_of(m);
		const struct piece *p;

		for (p = m->types; p->end < WIDTH(m); p++) {
			check_block(m, &s, p->end - PAGE, 2 * MB);
			check_block(m, &s, p->end, 2 * MB);
			check_block(m, &s, p->end - PAGE, GB);
			check_block(m, &s, p->end, GB);
		}
		check_block(m, &s, WIDTH(m) - PAGE, 2 * MB);
		check_block(m, &s, WIDTH(m) - PAGE, GB);
	}
}

/* --- The P2M ---------------------------------------------------------------------------------- */

/* [at, end): each leaf begins where the last one ended, lies in one piece and has its type. */
static void check_leaves(const struct machine *m, uint64_t at, uint64_t end)
{
	while (at < end) {
		const struct p2m_page page = leaf_at(at);
		const struct piece *p = piece_of(m, at);
		uint64_t size = PAGE << page.order;

		if (at % size || at + size > p->end || page.type != p->type)
			fail_msg("%s: %#llx bytes at %#llx of type %u, not %u up to %#llx", m->name,
				 (unsigned long long)size, (unsigned long long)at, page.type,
				 p->type, (unsigned long long)p->end);
		at += size;
	}
}

/* What lies above RAM is mapped by first touch, up to the last page there is. */
static void touch_borders(const struct machine *m, uint64_t top)
{
	const uint64_t size = PAGE << p2m.format->max_order;
	const struct piece *p;

	for (p = m->types; p->end <= WIDTH(m) && p->end; p++) {
		uint64_t last = (p->end - PAGE) & ~(size - 1), next = p->end & ~(size - 1);

		if (p->end > top) {
			touch(p->end - PAGE);
			check_leaves(m, last, last + size);
		}
		if (p->end >= top && p->end < WIDTH(m)) {
			touch(p->end);
			check_leaves(m, next, next + size);
		}
	}
}

static void check_p2m(const struct machine *m, bool has_1g)
{
	const uint64_t top = mapped_top(m->ram_end), pages = pool_pages_for(m->ram_end);
	const uint32_t expected = m->tables[!has_1g];
	const struct mtrr_state s = registers_of(m);
	uint32_t used;

	if (!expected) {
		/* The module refuses: more than it can describe. */
		assert_true(pages > MERCURY_POOL_MAX_PAGES);
		return;
	}
	assert_int_equal(build(&s, has_1g, top,
			       pages < MERCURY_POOL_MAX_PAGES ? pages : MERCURY_POOL_MAX_PAGES),
			 MERCURY_E_OK);
	check_leaves(m, 0, top);
	used = pool_used();
	if (used != expected)
		fail_msg("%s: %u tables, not %u", m->name, used, expected);
	touch_borders(m, top);
	check_leaves(m, 0, top);
	assert_true(p2m_is_identity(&p2m));
	print_message("# %-26s %s: %4u tables, %2u more for borders above RAM, of %llu\n", m->name,
		      has_1g ? "1 GiB" : "2 MiB", used, pool_used() - used,
		      (unsigned long long)pages);
}

static void p2m_with_1g(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < MACHINES; i++)
		check_p2m(&machines[i], true);
}

static void p2m_with_2m(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < MACHINES; i++)
		check_p2m(&machines[i], false);
}

/* From one machine's types to the next one's in place, as when Linux or firmware rewrites MTRRs. */
static void p2m_retyped(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < MACHINES; i++) {
		const struct mtrr_state before = registers_of(&machines[(i + 1) % MACHINES]);
		const struct mtrr_state after = registers_of(&machines[i]);

		assert_int_equal(build(&before, true, 4 * GB, pool_pages_for(4 * GB)),
				 MERCURY_E_OK);
		assert_int_equal(p2m_retype(&p2m, &after), MERCURY_E_OK);
		check_leaves(&machines[i], 0, 4 * GB);
	}
}

/*
 * SDM vol. 3, 12.11.2.1: with E off all memory is UC, whatever the other registers hold; so it is
 * while Linux rewrites them (12.11.7.2, MemTypeSet() Function). Then back.
 */
static void disabled_and_enabled_again(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < MACHINES; i++) {
		const struct machine *m = &machines[i];
		const struct mtrr_state on = registers_of(m);
		struct mtrr_state off = on;
		uint64_t at;

		off.def_type &= ~(uint64_t)DEF_E;
		assert_int_equal(build(&off, true, 4 * GB, pool_pages_for(4 * GB)), MERCURY_E_OK);
		/* One type: 4 pages of 1 GiB. */
		assert_int_equal(pool_used(), 3);
		for (at = 0; at < 4 * GB; at += GB)
			assert_int_equal(leaf_at(at).type, UC);
		assert_int_equal(p2m_retype(&p2m, &on), MERCURY_E_OK);
		check_leaves(m, 0, 4 * GB);
		assert_int_equal(p2m_retype(&p2m, &off), MERCURY_E_OK);
		for (at = 0; at < 4 * GB; at += PAGE << leaf_at(at).order)
			assert_int_equal(leaf_at(at).type, UC);
	}
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(tables_are_well_formed),
	cmocka_unit_test(types_page_by_page),
	cmocka_unit_test(blocks_at_borders),
	cmocka_unit_test(p2m_with_1g),
	cmocka_unit_test(p2m_with_2m),
	cmocka_unit_test(p2m_retyped),
	cmocka_unit_test(disabled_and_enabled_again),
};

UNIT_MAIN(tests)
