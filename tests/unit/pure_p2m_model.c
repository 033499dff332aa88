// SPDX-License-Identifier: GPL-2.0-only
/*
 * The P2M as a whole: random sequences of operations against a flat array that says for each page
 * what it should be, and each operation with the pool exhausted at each of its allocations.
 */
#include <pthread.h>

#include "pure_p2m.h"

/* The pages of the model: a bit more than 1 GiB, so that pages of all three sizes come to be. */
#define PAGES (F1G + 32 * F2M)

struct page {
	uint64_t mfn;
	uint8_t mapped, hidden, access, type;
};

static struct page model[PAGES];

static uint64_t seed;

static uint64_t random_below(uint64_t bound)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed % bound;
}

/* --- The model -------------------------------------------------------------------------------- */

static uint8_t model_type(uint64_t gfn)
{
	uint32_t type;

	mtrr_type(&mtrrs, gfn * PAGE, PAGE, &type);
	return (uint8_t)type;
}

static void model_identity(uint64_t gfn, uint64_t end)
{
	for (; gfn < end; gfn++)
		model[gfn] = (struct page){ gfn, 1, 0, P2M_ALL, model_type(gfn) };
}

static void model_hide(uint64_t gfn, uint64_t end)
{
	for (; gfn < end; gfn++)
		model[gfn] = (struct page){ ZERO_PA / PAGE, 1, 1, P2M_READ, WB };
}

static void model_protect(uint64_t gfn, uint64_t end, uint8_t access)
{
	for (; gfn < end; gfn++)
		if (model[gfn].mapped && !model[gfn].hidden)
			model[gfn].access = access;
}

static void model_set(uint64_t gfn, const struct p2m_page *p)
{
	uint64_t i;

	for (i = 0; i < UINT64_C(1) << p->order; i++)
		model[gfn + i] =
			(struct page){ p->mfn + i, 1, 0, (uint8_t)p->access, (uint8_t)p->type };
}

static bool same(uint64_t gfn, const struct page *m)
{
	struct p2m_page p;

	if (!p2m_lookup(&p2m, gfn, &p))
		return !m->mapped;
	return m->mapped && p.mfn == m->mfn && p.access == m->access && p.type == m->type;
}

static void check_pages(uint64_t gfn, uint64_t end, const char *after)
{
	for (; gfn < end; gfn++)
		if (!same(gfn, &model[gfn]))
			fail_msg("after %s frame %#llx is wrong", after, (unsigned long long)gfn);
}

static void check_all(const char *after)
{
	uint64_t foreign = 0, gfn;

	check_pages(0, PAGES, after);
	for (gfn = 0; gfn < PAGES; gfn++)
		foreign += model[gfn].mapped && !model[gfn].hidden &&
			   (model[gfn].mfn != gfn || model[gfn].access != P2M_ALL);
	if (p2m.foreign != foreign)
		fail_msg("after %s: %lld foreign pages, not %lld", after, (long long)p2m.foreign,
			 (long long)foreign);
	assert_int_equal(p2m_is_identity(&p2m), foreign == 0);
	check_no_leak(0);
}

/* What is mapped has the type that its target has now. */
static void model_retype(void)
{
	uint64_t gfn;

	for (gfn = 0; gfn < PAGES; gfn++)
		if (model[gfn].mapped && !model[gfn].hidden)
			model[gfn].type = model_type(model[gfn].mfn);
}

/* --- Random operations ------------------------------------------------------------------------ */

/* May an operation write single pages into hidden chunks, whose table is shared? */
static bool into_hidden;

/* Do the memory types change between operations? Has the machine pages of 1 GiB? */
static bool retyping, has_1g;

static bool touches_hidden(uint64_t gfn, uint64_t end)
{
	for (; gfn < end; gfn++)
		if (model[gfn].hidden)
			return true;
	return false;
}

static const uint32_t orders[] = { P2M_ORDER_4K, P2M_ORDER_2M, P2M_ORDER_1G };

/* Mostly within a few chunks, so that operations meet; sometimes far. Ends often at 2 MiB. */
static void random_range(uint64_t *start, uint64_t *end)
{
	const uint64_t reach = random_below(16) ? 8 * F2M : PAGES;

	*start = random_below(reach);
	*end = *start + 1 + random_below(random_below(4) ? 700 : reach);
	if (random_below(3) == 0)
		*start &= ~(F2M - 1);
	if (random_below(3) == 0)
		*end = (*end + F2M - 1) & ~(F2M - 1);
	if (*end > PAGES)
		*end = PAGES;
}

static uint64_t random_block(uint32_t order)
{
	uint64_t reach = order == P2M_ORDER_1G ? F1G : random_below(16) ? 8 * F2M : PAGES;

	return random_below(reach) & ~((UINT64_C(1) << order) - 1);
}

static uint32_t random_access(void)
{
	static const uint32_t accesses[] = {
		0, P2M_READ, P2M_READ | P2M_WRITE, P2M_READ | P2M_EXECUTE, P2M_ALL, P2M_ALL
	};

	return accesses[random_below(6)];
}

static const char *step_map(void)
{
	uint64_t start, end;

	random_range(&start, &end);
	if (!into_hidden && touches_hidden(start, end)) {
		start &= ~(F2M - 1);
		end = (end + F2M - 1) & ~(F2M - 1);
	}
	assert_int_equal(p2m_map_identity(&p2m, start * PAGE, end * PAGE), MERCURY_E_OK);
	model_identity(start, end);
	check_pages(start, end, "map");
	return "map";
}

static const char *step_set(void)
{
	struct p2m_page p = { .order = orders[random_below(32) || !has_1g ? random_below(2) : 2],
			      .access = random_access(),
			      .type = random_below(2) ? WB : UC };
	uint64_t gfn = random_block(p.order), size = UINT64_C(1) << p.order;

	p.mfn = random_below(2) ? gfn : random_below(UINT64_C(1) << 26) & ~(size - 1);
	if (!into_hidden && touches_hidden(gfn, gfn + size) && p.order == P2M_ORDER_4K)
		return "nothing";
	assert_int_equal(p2m_set(&p2m, gfn, &p), MERCURY_E_OK);
	model_set(gfn, &p);
	check_pages(gfn, gfn + size, "set");
	return "set";
}

static const char *step_protect(void)
{
	uint32_t access = random_access();
	uint64_t start, end;

	random_range(&start, &end);
	assert_int_equal(p2m_protect(&p2m, start * PAGE, end * PAGE, access), MERCURY_E_OK);
	model_protect(start, end, (uint8_t)access);
	check_pages(start, end, "protect");
	return "protect";
}

static const char *step_split(void)
{
	uint64_t gfn = random_block(0);
	uint32_t order = orders[random_below(3)];
	struct p2m_page p;

	assert_int_equal(p2m_split(&p2m, gfn, order), MERCURY_E_OK);
	if (p2m_lookup(&p2m, gfn, &p))
		assert_in_range(p.order, 0, order);
	return "split";
}

/* Could one leaf say what the pages of the block say? Then collapse must make it. */
static bool model_uniform(uint64_t gfn, uint64_t size)
{
	const struct page *first = &model[gfn];
	uint64_t i;

	for (i = 0; i < size; i++)
		if (!model[gfn + i].mapped || model[gfn + i].mfn != first->mfn + i ||
		    model[gfn + i].access != first->access || model[gfn + i].type != first->type)
			return false;
	return !(first->mfn & (size - 1));
}

static const char *step_collapse(void)
{
	uint32_t order = orders[1 + random_below(2)], before;
	uint64_t gfn = random_block(order);
	struct p2m_page p;
	bool mapped = p2m_lookup(&p2m, gfn, &p), done;

	before = p.order;
	done = p2m_collapse(&p2m, gfn, order);
	if (mapped && before <= order)
		assert_int_equal(done, order <= p2m.format->max_order &&
					       model_uniform(gfn, UINT64_C(1) << order));
	if (mapped && done)
		assert_int_equal(look(gfn).order, order);
	return "collapse";
}

static const char *step_hide(void)
{
	uint64_t start, end;

	random_range(&start, &end);
	assert_int_equal(p2m_hide(&p2m, start * PAGE, end * PAGE), MERCURY_E_OK);
	model_hide(start, end);
	check_pages(start, end, "hide");
	return "hide";
}

static const char *step_drop(void)
{
	uint64_t gfn = random_block(0);

	assert_int_equal(p2m_let_drop(&p2m, gfn), model[gfn].hidden);
	if (model[gfn].hidden)
		check_page(gfn, SINK_PA / PAGE, 0, P2M_READ | P2M_WRITE, WB);
	p2m_rehide(&p2m, gfn);
	return "drop";
}

/* One of the near ranges comes or goes; or all do, until the next time. */
static const char *step_retype(void)
{
	if (!(mtrrs.def_type & 0x800) || random_below(8) == 0)
		mtrrs.def_type ^= 0x800;
	else
		mtrrs.mask[random_below(mtrrs.variable - 1)] ^= 0x800;
	assert_int_equal(p2m_retype(&p2m, &mtrrs), MERCURY_E_OK);
	model_retype();
	check_pages(0, PAGES, "retype");
	return "retype";
}

/* No leaf is larger than the machine has. */
static void check_orders(void)
{
	struct p2m_page p;
	uint64_t gfn;

	for (gfn = 0; gfn < PAGES; gfn += F2M)
		if (p2m_lookup(&p2m, gfn, &p))
			assert_in_range(p.order, 0, p2m.format->max_order);
}

/* Types that change between chunks; inside a chunk it takes single pages to map that. */
static void odd_types(void)
{
	add_type(3 * 2 * MB, 2 * MB, UC);
	add_type(GB + 4 * MB, 4 * MB, UC);
	if (into_hidden || retyping)
		add_type(5 * 2 * MB + 64 * PAGE, 64 * PAGE, WT);
	/* What a page's target is of, not the page: far from all pages. */
	if (retyping)
		add_type(128 * GB, 128 * GB, WT);
}

static void walk_randomly(void **state, uint64_t with_seed, unsigned int steps)
{
	typedef const char *(*step)(void);
	static const step kinds[] = { step_map,   step_set,   step_protect,  step_protect,
				      step_split, step_split, step_collapse, step_collapse,
				      step_hide,  step_drop };
	unsigned int i;

	(void)state;
	fresh_pool(POOL_PAGES);
	assert_int_equal(p2m_init(&p2m, ept_format(has_1g), &mtrrs, ZERO_PA, SINK_PA),
			 MERCURY_E_OK);
	odd_types();
	memset(model, 0, sizeof(model));
	seed = with_seed;
	for (i = 0; i < steps; i++) {
		const char *done = retyping && random_below(12) == 0 ? step_retype() :
								       kinds[random_below(10)]();

		check_pages(0, 8 * F2M, done);
		if (i % 64 == 63)
			check_all(done);
		/* Start over with large pages now and then, else all ends in small ones. */
		if (random_below(48) == 0) {
			assert_int_equal(p2m_map_identity(&p2m, 0, PAGES * PAGE), MERCURY_E_OK);
			model_identity(0, PAGES);
		}
		check_orders();
	}
	check_all("all");
}

static void random_walk(void **state)
{
	into_hidden = retyping = false;
	has_1g = true;
	walk_randomly(state, 0x4d65726375727931, 2500);
}

/* The same, with single pages mapped into hidden chunks. */
static void random_walk_into_hidden_chunks(void **state)
{
	into_hidden = has_1g = true;
	retyping = false;
	walk_randomly(state, 0x5650324d32303037, 1000);
}

/* The same, while memory types change. */
static void random_walk_while_types_change(void **state)
{
	into_hidden = retyping = has_1g = true;
	walk_randomly(state, 0x4d54525254595045, 600);
}

/* And on a machine that has no pages of 1 GiB. */
static void random_walk_with_2m(void **state)
{
	into_hidden = retyping = true;
	has_1g = false;
	walk_randomly(state, 0x32303132495642, 600);
	/* Of one type throughout, and yet not one page. */
	mtrrs.def_type = 0;
	assert_int_equal(p2m_map_identity(&p2m, 0, GB), MERCURY_E_OK);
	assert_false(p2m_collapse(&p2m, 0, P2M_ORDER_1G));
	check_orders();
}

/* --- Several CPUs ------------------------------------------------------------------------------- */

#define CPUS 3

static pthread_barrier_t start;
static uint64_t wrong[CPUS];

/* Every operation on the same 1 GiB, by all at once; each keeps every page's target. */
static void *cpu_loop(void *argument)
{
	uintptr_t me = (uintptr_t)argument;
	unsigned int i;

	pthread_barrier_wait(&start);
	for (i = 0; i < 3000; i++) {
		uint64_t gfn = (i * 7 + me * 131) % (4 * F2M);
		struct p2m_page page = { .mfn = gfn, .access = P2M_ALL, .type = WB };

		wrong[me] += p2m_split(&p2m, gfn, P2M_ORDER_4K) != MERCURY_E_OK;
		wrong[me] += !p2m_lookup(&p2m, gfn, &page) || page.mfn != gfn;
		wrong[me] += p2m_protect(&p2m, gfn * PAGE, (gfn + 2) * PAGE, P2M_READ);
		page = (struct p2m_page){ .mfn = gfn, .access = P2M_ALL, .type = WB };
		wrong[me] += p2m_set(&p2m, gfn, &page) != MERCURY_E_OK;
		wrong[me] += p2m_protect(&p2m, gfn * PAGE, (gfn + 2) * PAGE, P2M_ALL);
		p2m_collapse(&p2m, gfn, i & 1 ? P2M_ORDER_2M : P2M_ORDER_1G);
		/* These CPUs cache nothing. */
		pool_reclaim();
		wrong[me] += p2m_map_identity(&p2m, 0, GB) != MERCURY_E_OK;
		p2m_let_drop(&p2m, F1G + me);
		p2m_rehide(&p2m, F1G + me);
		wrong[me] += p2m_hide(&p2m, GB, GB + 2 * MB) != MERCURY_E_OK;
	}
	return NULL;
}

/* p2m.h has no caller's lock: CPUs meet in it, and in the pool behind it. */
static void several_cpus(void **state)
{
	pthread_t threads[CPUS];
	uintptr_t i;

	setup_p2m(state);
	assert_int_equal(p2m_map_identity(&p2m, 0, 2 * GB), MERCURY_E_OK);
	memset(wrong, 0, sizeof(wrong));
	pthread_barrier_init(&start, NULL, CPUS);
	for (i = 0; i < CPUS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, cpu_loop, (void *)i), 0);
	for (i = 0; i < CPUS; i++)
		pthread_join(threads[i], NULL);
	for (i = 0; i < CPUS; i++)
		assert_int_equal(wrong[i], 0);
	assert_int_equal(p2m_map_identity(&p2m, 0, GB), MERCURY_E_OK);
	assert_int_equal(p2m.foreign, 0);
	check_page(5, 5, P2M_ORDER_1G, P2M_ALL, WB);
	check_page(F1G, ZERO_PA / PAGE, 0, P2M_READ, WB);
	check_no_leak(0);
}

/* --- Exhaustion ------------------------------------------------------------------------------- */

static enum mercury_error do_map(void)
{
	return p2m_map_identity(&p2m, (F1G - 3) * PAGE, (F1G + 5 * F2M + 3) * PAGE);
}

static enum mercury_error do_set_small(void)
{
	const struct p2m_page p = { .mfn = 77, .access = P2M_ALL, .type = WB };

	return p2m_set(&p2m, 5, &p);
}

static enum mercury_error do_set_elsewhere(void)
{
	const struct p2m_page p = { .mfn = 77, .access = P2M_ALL, .type = WB };

	return p2m_set(&p2m, F1G + 9 * F2M + 1, &p);
}

static enum mercury_error do_protect(void)
{
	return p2m_protect(&p2m, 5 * PAGE, (F1G - 5) * PAGE, P2M_READ);
}

static enum mercury_error do_split(void)
{
	return p2m_split(&p2m, 1234, 0);
}

static enum mercury_error do_hide(void)
{
	return p2m_hide(&p2m, 5 * PAGE, (3 * F2M + 5) * PAGE);
}

/* What each makes of the model; the operations of one block must not have begun if they fail. */
static const struct operation {
	const char *name;
	enum mercury_error (*run)(void);
	bool is_atomic;
	unsigned int allocations;
} operations[] = {
	{ "map", do_map, false, 4 },
	{ "set a small page in a large one", do_set_small, true, 2 },
	{ "set a small page where nothing is", do_set_elsewhere, true, 2 },
	{ "protect", do_protect, false, 3 },
	{ "split", do_split, true, 2 },
	{ "hide", do_hide, false, 3 },
};

/* A P2M with 1 GiB mapped and `left` pages in the pool. */
static uint32_t setup_with_left(void **state, uint32_t left)
{
	uint32_t taken = 0;

	setup_p2m(state);
	assert_int_equal(p2m_map_identity(&p2m, 0, GB), MERCURY_E_OK);
	while (POOL_PAGES - pool_used() > left && pool_alloc())
		taken++;
	return taken;
}

static void snapshot(struct page *to)
{
	uint64_t gfn;

	for (gfn = 0; gfn < PAGES; gfn++) {
		struct p2m_page p = { 0 };
		bool mapped = p2m_lookup(&p2m, gfn, &p);

		to[gfn] = (struct page){ 0 };
		if (mapped)
			to[gfn] = (struct page){ p.mfn, 1, 0, (uint8_t)p.access, (uint8_t)p.type };
	}
}

static struct page before[PAGES], after[PAGES];

/*
 * Exactly as before or, where several blocks are concerned, each page as before or as it should be.
 */
static void check_failed(const struct operation *op, uint32_t left, uint32_t taken)
{
	uint64_t gfn;

	for (gfn = 0; gfn < PAGES; gfn++)
		if (!same(gfn, &before[gfn]) && (op->is_atomic || !same(gfn, &after[gfn])))
			fail_msg("%s with %u pages: frame %#llx is neither as before nor as after",
				 op->name, left, (unsigned long long)gfn);
	check_no_leak(taken);
}

/* p2m.h: "Errors: NO_MEMORY", at each allocation in turn; with enough pages the operation works. */
static void exhausted_at_each_allocation(void **state)
{
	size_t i;

	for (i = 0; i < sizeof(operations) / sizeof(operations[0]); i++) {
		const struct operation *op = &operations[i];
		uint32_t left, taken;

		setup_with_left(state, 100);
		snapshot(before);
		assert_int_equal(op->run(), MERCURY_E_OK);
		snapshot(after);
		for (left = 0; left < op->allocations; left++) {
			taken = setup_with_left(state, left);
			if (op->run() != MERCURY_E_NO_MEMORY)
				fail_msg("%s with %u pages left: no error", op->name, left);
			check_failed(op, left, taken);
		}
		taken = setup_with_left(state, op->allocations);
		if (op->run() != MERCURY_E_OK)
			fail_msg("%s with %u pages left: an error", op->name, left);
		check_no_leak(taken);
	}
}

/* What failed for want of pages works later on the same P2M. */
static void goes_on_after_exhaustion(void **state)
{
	void *last;

	setup_with_left(state, 1);
	last = pool_alloc();
	assert_int_equal(do_split(), MERCURY_E_NO_MEMORY);
	pool_free(last);
	assert_int_equal(do_split(), MERCURY_E_NO_MEMORY);
	assert_true(p2m_collapse(&p2m, 0, P2M_ORDER_1G));
	pool_reclaim();
	check_page(1234, 1234, P2M_ORDER_1G, P2M_ALL, WB);
	assert_int_equal(p2m_split(&p2m, 1234, P2M_ORDER_2M), MERCURY_E_OK);
	check_page(1234, 1234, P2M_ORDER_2M, P2M_ALL, WB);
}

/* p2m_init() needs two pages; with fewer it fails and keeps nothing. */
static void init_without_memory(void **state)
{
	uint32_t pages;

	(void)state;
	for (pages = 0; pages < 2; pages++) {
		fresh_pool(pages);
		assert_int_equal(p2m_init(&p2m, ept_format(true), &mtrrs, ZERO_PA, SINK_PA),
				 MERCURY_E_NO_MEMORY);
		assert_int_equal(pool_used(), 0);
		/* The caller takes a root for a P2M that is there. */
		assert_null(p2m.root);
	}
	fresh_pool(2);
	assert_int_equal(p2m_init(&p2m, ept_format(true), &mtrrs, ZERO_PA, SINK_PA), MERCURY_E_OK);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(random_walk),
	cmocka_unit_test(random_walk_into_hidden_chunks),
	cmocka_unit_test(random_walk_while_types_change),
	cmocka_unit_test(random_walk_with_2m),
	cmocka_unit_test(several_cpus),
	cmocka_unit_test(exhausted_at_each_allocation),
	cmocka_unit_test(goes_on_after_exhaustion),
	cmocka_unit_test(init_without_memory),
};

UNIT_MAIN(tests)
