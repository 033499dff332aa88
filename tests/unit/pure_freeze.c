// SPDX-License-Identifier: GPL-2.0-only
/*
 * Freezing the P2M: who was asked about which page, what can be written when, and that thawing gives
 * the tree back. A write here is what the CPU would do: it goes through where every entry on the way
 * has the right to write, else it faults.
 */
#include <pthread.h>
#include <sched.h>

#include "pure_p2m.h"

#define PAGES (F1G + 8 * F2M)

static uint8_t asked[PAGES];
#define NOBODY UINT64_MAX

static uint64_t is_late; /* the page whose writer is told to wait, or NOBODY                      */

static enum p2m_first_write count(uint64_t gfn, void *data)
{
	assert_ptr_equal(data, asked);
	if (gfn == is_late)
		return P2M_WAIT;
	/* Now and then another CPU comes meanwhile. */
	if (gfn % 64 == 0)
		sched_yield();
	__atomic_fetch_add(&asked[gfn], 1, __ATOMIC_RELAXED);
	return P2M_THAW;
}

static bool fault(uint64_t gfn, enum mercury_error *error)
{
	return p2m_thaw_write(&p2m, gfn, count, asked, error);
}

/* Linux writes: it faults until it may. */
static void write_to(uint64_t gfn)
{
	enum mercury_error error;

	while (!can_write(gfn)) {
		fault(gfn, &error);
		assert_int_equal(error, MERCURY_E_OK);
	}
}

/* To the end, by bits of so many entries; how many there were. */
static int thaw_by(uint32_t entries)
{
	uint64_t gfn = 0, before = 0;
	int n = 1;

	for (; !p2m_thaw(&p2m, &gfn, entries); n++) {
		assert_true(p2m.frozen);
		assert_true(gfn >= before);
		before = gfn;
	}
	assert_false(p2m.frozen);
	return n;
}

static void thaw_all(void)
{
	thaw_by(37);
}

/* 1 GiB and a bit in pages of all sizes, with something hidden in each way. */
static int setup(void **state)
{
	setup_p2m(state);
	memset(asked, 0, sizeof(asked));
	is_late = NOBODY;
	assert_int_equal(p2m_map_identity(&p2m, 0, PAGES * PAGE), MERCURY_E_OK);
	assert_int_equal(p2m_hide(&p2m, GB + 2 * MB, GB + 4 * MB), MERCURY_E_OK);
	assert_int_equal(p2m_hide(&p2m, GB + 8 * MB, GB + 8 * MB + PAGE), MERCURY_E_OK);
	return 0;
}

static bool is_hidden(uint64_t gfn)
{
	return (gfn >= F1G + F2M && gfn < F1G + 2 * F2M) || gfn == F1G + 4 * F2M;
}

/* Not one page can be written after the root alone has been touched. */
static void nothing_can_be_written(void **state)
{
	uint32_t used = pool_used();
	uint64_t gfn;

	(void)state;
	p2m_freeze(&p2m);
	assert_int_equal(pool_used(), used);
	for (gfn = 0; gfn < PAGES; gfn++)
		assert_false(can_write(gfn));
	/* What it says of its pages is what it said: native mode sees the same. */
	check_page(F1G - 1, F1G - 1, P2M_ORDER_1G, P2M_ALL, WB);
	assert_true(p2m_is_identity(&p2m));
}

/* Each page asks exactly once, and no page is written that has not asked. */
static void each_page_asks_once(void **state)
{
	uint64_t gfn, i;

	(void)state;
	p2m_freeze(&p2m);
	for (i = 0; i < PAGES; i++) {
		gfn = i * 7919 % PAGES;
		if (is_hidden(gfn))
			continue;
		assert_int_equal(asked[gfn], 0);
		write_to(gfn);
		assert_int_equal(asked[gfn], 1);
	}
	for (gfn = 0; gfn < PAGES; gfn++) {
		assert_int_equal(asked[gfn], !is_hidden(gfn));
		assert_int_equal(can_write(gfn), !is_hidden(gfn));
	}
	thaw_all();
	check_no_leak(0);
}

/* One write opens one page: its neighbours, in tables of every level, stay as they are. */
static void one_write_opens_one_page(void **state)
{
	uint64_t gfn;

	(void)state;
	p2m_freeze(&p2m);
	write_to(12345);
	write_to(F1G + 3);
	for (gfn = 0; gfn < PAGES; gfn++)
		assert_int_equal(can_write(gfn), gfn == 12345 || gfn == F1G + 3);
}

/* What is hidden is not frozen, so that a dropped write is no first write: alone, and in a chunk. */
static void hidden_pages_are_not_touched(void **state)
{
	static const uint64_t hidden[] = { F1G + F2M + 5, F1G + 4 * F2M };
	uint64_t shared[P2M_ENTRIES];
	enum mercury_error error;
	size_t i;

	(void)state;
	/* A write is being dropped just then. */
	assert_true(p2m_let_drop(&p2m, hidden[0]));
	memcpy(shared, p2m.hidden, sizeof(shared));
	p2m_freeze(&p2m);
	for (i = 0; i < 2; i++) {
		write_to(hidden[i] + F2M);
		while (fault(hidden[i], &error))
			assert_int_equal(error, MERCURY_E_OK);
		assert_int_equal(asked[hidden[i]], 0);
	}
	assert_memory_equal(p2m.hidden, shared, sizeof(shared));
	p2m_rehide(&p2m, hidden[0]);
	check_page(hidden[0], ZERO_PA / PAGE, 0, P2M_READ, WB);
	thaw_all();
	check_no_leak(0);
}

/* The writer waits as long as it is told to, and the page with it. */
static void a_writer_waits(void **state)
{
	enum mercury_error error;
	int i;

	(void)state;
	is_late = 77;
	p2m_freeze(&p2m);
	for (i = 0; i < 10; i++) {
		assert_true(fault(77, &error));
		assert_false(can_write(77));
	}
	is_late = NOBODY;
	write_to(77);
	assert_int_equal(asked[77], 1);
}

/* Where nothing is frozen it is somebody else's fault. */
static void other_faults(void **state)
{
	enum mercury_error error;

	(void)state;
	assert_false(fault(5, &error));
	p2m_freeze(&p2m);
	write_to(5);
	assert_false(fault(5, &error));
	assert_false(fault(PAGES + 600 * F1G, &error));
	thaw_all();
	assert_false(fault(6, &error));
	assert_int_equal(asked[6], 0);
}

/* No table: an error, not one page opened, nothing left claimed; with tables it goes on. */
static void out_of_tables(void **state)
{
	enum mercury_error error;
	void *taken[POOL_PAGES];
	uint32_t n = 0, left;

	(void)state;
	p2m_freeze(&p2m);
	while ((taken[n] = pool_alloc()))
		n++;
	for (left = 0; left < 2; left++) {
		assert_true(fault(1234, &error));
		assert_int_equal(error, MERCURY_E_NO_MEMORY);
		assert_false(can_write(1234));
		assert_int_equal(asked[1234], 0);
		pool_free(taken[--n]);
	}
	write_to(1234);
	assert_int_equal(asked[1234], 1);
	thaw_all();
	check_page(1234, 1234, P2M_ORDER_1G, P2M_ALL, WB);
	check_no_leak(n);
}

/* --- Thawing ------------------------------------------------------------------------------------ */

static bool same_trees(const uint64_t *a, const uint64_t *b, uint32_t order)
{
	int i;

	for (i = 0; i < P2M_ENTRIES; i++) {
		if (p2m.format->is_present(a[i]) && !p2m.format->is_leaf(a[i], order)) {
			const uint64_t *x = pool_page(a[i] & ENTRY_ADDRESS);
			const uint64_t *y = pool_page(b[i] & ENTRY_ADDRESS);

			if (!y || (a[i] ^ b[i]) & ~ENTRY_ADDRESS || !same_trees(x, y, order - 9))
				return false;
		} else if (a[i] != b[i]) {
			return false;
		}
	}
	return true;
}

/* The very tree, bit by bit, and its tables; whatever was written meanwhile, or nothing. */
static void thaw_restores_the_tree(void **state)
{
	static struct p2m other;
	uint32_t writes;
	uint64_t i;

	for (writes = 0; writes <= 3000; writes += 1000) {
		setup(state);
		/* The same a second time, to compare with. */
		assert_int_equal(p2m_init(&other, p2m.format, &mtrrs, ZERO_PA, SINK_PA),
				 MERCURY_E_OK);
		other.hidden = p2m.hidden;
		assert_int_equal(p2m_map_identity(&other, 0, PAGES * PAGE), MERCURY_E_OK);
		assert_int_equal(p2m_hide(&other, GB + 2 * MB, GB + 4 * MB), MERCURY_E_OK);
		assert_int_equal(p2m_hide(&other, GB + 8 * MB, GB + 8 * MB + PAGE), MERCURY_E_OK);
		assert_true(same_trees(p2m.root, other.root, P2M_ORDER_ROOT));
		p2m_freeze(&p2m);
		for (i = 0; i < writes; i++)
			if (!is_hidden(i * 104729 % PAGES))
				write_to(i * 104729 % PAGES);
		assert_false(same_trees(p2m.root, other.root, P2M_ORDER_ROOT));
		thaw_all();
		assert_true(same_trees(p2m.root, other.root, P2M_ORDER_ROOT));
		assert_false(p2m.frozen);
	}
}

/* What was never pushed down costs nothing, however much it is; what was, its tables. */
static void thawing_costs_what_was_pushed_down(void **state)
{
	const uint32_t root = P2M_ENTRIES;

	(void)state;
	assert_int_equal(p2m_split(&p2m, 5, 0), MERCURY_E_OK);
	p2m_freeze(&p2m);
	assert_int_equal(thaw_by(root), 1);
	p2m_freeze(&p2m);
	write_to(F1G + 3);
	/* With the write came the tables of all levels; on the way again, the entry of each. */
	assert_int_equal(thaw_by(4 * P2M_ENTRIES), 1);
	p2m_freeze(&p2m);
	write_to(F1G + 3);
	assert_in_range(thaw_by(P2M_ENTRIES + 8), 3, 5);
}

/* Linux writes between two bits of it, behind and ahead, with no table left. */
static void writes_while_it_thaws(void **state)
{
	uint64_t gfn = 0, i, page = 1;
	void *taken[POOL_PAGES];
	enum mercury_error error;
	uint32_t n = 0;

	(void)state;
	p2m_freeze(&p2m);
	for (i = 0; i < 500; i++)
		if (!is_hidden(i * 104729 % PAGES))
			write_to(i * 104729 % PAGES);
	while ((taken[n] = pool_alloc()))
		n++;
	while (!p2m_thaw(&p2m, &gfn, 64)) {
		for (i = 0; i < gfn && i < PAGES; i += 7919)
			assert_true(is_hidden(i) || can_write(i));
		page = (page + 7919 * 31) % PAGES;
		while (!is_hidden(page) && !can_write(page)) {
			assert_true(p2m_thaw_write(&p2m, page, NULL, NULL, &error));
			assert_int_equal(error, MERCURY_E_OK);
		}
	}
	for (i = 0; i < PAGES; i++)
		assert_int_equal(can_write(i), !is_hidden(i));
	while (n)
		pool_free(taken[--n]);
	check_no_leak(0);
}

/* A page that could not be written before cannot be after. */
static void rights_survive(void **state)
{
	enum mercury_error error;

	(void)state;
	assert_int_equal(p2m_protect(&p2m, 5 * PAGE, 6 * PAGE, P2M_READ), MERCURY_E_OK);
	p2m_freeze(&p2m);
	write_to(6);
	while (fault(5, &error))
		assert_int_equal(error, MERCURY_E_OK);
	assert_int_equal(asked[5], 0);
	thaw_all();
	assert_false(can_write(5));
	check_page(5, 5, 0, P2M_READ, WB);
}

/* A frozen table says no more than a leaf would; as a leaf it could be written. */
static void no_collapse_meanwhile(void **state)
{
	(void)state;
	assert_int_equal(p2m_split(&p2m, 2 * F2M, 0), MERCURY_E_OK);
	p2m_freeze(&p2m);
	write_to(0);
	assert_false(p2m_collapse(&p2m, 2 * F2M, P2M_ORDER_2M));
	assert_false(can_write(2 * F2M + 1));
	thaw_all();
	/* That it was split is not the snapshot's. */
	check_page(2 * F2M, 2 * F2M, 0, P2M_ALL, WB);
	assert_true(p2m_collapse(&p2m, 2 * F2M, P2M_ORDER_1G));
	check_page(2 * F2M, 2 * F2M, P2M_ORDER_1G, P2M_ALL, WB);
}

/* --- Random ------------------------------------------------------------------------------------- */

static uint64_t seed;

static uint64_t random_below(uint64_t bound)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed % bound;
}

/* What the CPUs may write is what was asked, whatever else is done to the tree meanwhile. */
static void random_walk(void **state)
{
	unsigned int i;
	uint64_t gfn;

	setup(state);
	add_type(3 * 2 * MB, 2 * MB, UC);
	seed = 0x46524f5a454e3031;
	p2m_freeze(&p2m);
	for (i = 0; i < 20000; i++) {
		gfn = random_below(2) ? random_below(PAGES) : random_below(16 * F2M);
		switch (random_below(8)) {
		case 0:
			if (random_below(50) == 0) {
				mtrrs.mask[0] ^= 0x800;
				assert_int_equal(p2m_retype(&p2m, &mtrrs), MERCURY_E_OK);
			}
			break;
		case 1:
			assert_int_equal(p2m_split(&p2m, gfn, random_below(2) * 9), MERCURY_E_OK);
			break;
		case 2:
			p2m_collapse(&p2m, gfn, 9);
			break;
		case 3:
			assert_int_equal(look(gfn).mfn, is_hidden(gfn) ? ZERO_PA / PAGE : gfn);
			break;
		default:
			if (!is_hidden(gfn))
				write_to(gfn);
		}
		assert_true(asked[gfn] <= 1);
		assert_int_equal(can_write(gfn), asked[gfn]);
	}
	for (gfn = 0; gfn < PAGES; gfn++)
		assert_int_equal(can_write(gfn), asked[gfn]);
	thaw_all();
	for (gfn = 0; gfn < PAGES; gfn++)
		assert_int_equal(can_write(gfn), !is_hidden(gfn));
	check_no_leak(0);
}

#define CPUS 3

static uint64_t wrong[CPUS];

/* All write the same pages; the last also looks and changes types, which takes the lock alone. */
static void *cpu_loop(void *argument)
{
	uintptr_t me = (uintptr_t)argument;
	uint64_t i, gfn;

	for (i = 0; i < 16 * F2M; i++) {
		enum mercury_error error;
		struct p2m_page page;

		gfn = i * 31 % (16 * F2M);
		while (!can_write(gfn)) {
			fault(gfn, &error);
			wrong[me] += error != MERCURY_E_OK;
		}
		wrong[me] += __atomic_load_n(&asked[gfn], __ATOMIC_RELAXED) != 1;
		if (me == CPUS - 1 && i % 64 == 0)
			wrong[me] += !p2m_lookup(&p2m, gfn, &page) || page.mfn != gfn;
		if (me == CPUS - 1 && i % 1024 == 0)
			wrong[me] += p2m_retype(&p2m, &mtrrs) != MERCURY_E_OK;
	}
	return NULL;
}

/* CPUs that fault at once: still each page asks once, before any of them may write it. */
static void several_cpus(void **state)
{
	pthread_t threads[CPUS];
	uintptr_t i;

	(void)state;
	memset(wrong, 0, sizeof(wrong));
	p2m_freeze(&p2m);
	for (i = 0; i < CPUS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, cpu_loop, (void *)i), 0);
	for (i = 0; i < CPUS; i++)
		pthread_join(threads[i], NULL);
	for (i = 0; i < CPUS; i++)
		assert_int_equal(wrong[i], 0);
	thaw_all();
	check_page(5, 5, P2M_ORDER_1G, P2M_ALL, WB);
	check_no_leak(0);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test_setup(nothing_can_be_written, setup),
	cmocka_unit_test_setup(each_page_asks_once, setup),
	cmocka_unit_test_setup(one_write_opens_one_page, setup),
	cmocka_unit_test_setup(hidden_pages_are_not_touched, setup),
	cmocka_unit_test_setup(a_writer_waits, setup),
	cmocka_unit_test_setup(other_faults, setup),
	cmocka_unit_test_setup(out_of_tables, setup),
	cmocka_unit_test_setup(thaw_restores_the_tree, setup),
	cmocka_unit_test_setup(thawing_costs_what_was_pushed_down, setup),
	cmocka_unit_test_setup(writes_while_it_thaws, setup),
	cmocka_unit_test_setup(rights_survive, setup),
	cmocka_unit_test_setup(no_collapse_meanwhile, setup),
	cmocka_unit_test_setup(random_walk, setup),
	cmocka_unit_test_setup(several_cpus, setup),
};

UNIT_MAIN(tests)
