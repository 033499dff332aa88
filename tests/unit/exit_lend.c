// SPDX-License-Identifier: GPL-2.0-only
/* Memory that Linux lends for tables of the P2M: hidden as long as the VMM has it. */
#include "unit.h"

#include <stdlib.h>

#include "call.h"
#include "fake.h"
#include "lend.h"
#include "mercury/pool.h"
#include "x86/cr.h"
#include "x86/paging.h"

#define GFN(pa) ((pa) / PAGE_4K)
#define HIDDEN UINT64_C(0x200000)
#define BEYOND (UINT64_C(64) << 30) /* not mapped at load                                         */

static uint64_t chunk; /* memory of the test's own                                                */

static int virtual_linux(void **unused)
{
	const struct fake_options options = { 0 };

	(void)unused;
	fake_machine(&options);
	fake_boot();
	mercury_boot.nr_hidden = 1;
	mercury_boot.hidden[0] = (struct mercury_range){ HIDDEN, HIDDEN + PAGE_2M };
	fake_vmm_cpu()->mode = MODE_NATIVE;
	assert_int_equal(fake_gate(MERCURY_CALL_HIDE, 0, 0), FAKE_RETURNED);
	assert_int_equal(fake_gate(MERCURY_CALL_PREPARE, 0, 0), FAKE_RETURNED);
	assert_int_equal(fake_enter(), FAKE_VIRTUAL);
	chunk = (uint64_t)aligned_alloc(MERCURY_LENT_CHUNK, MERCURY_LENT_CHUNK);
	assert_int_equal(p2m_map_identity(&machine_p2m, chunk, chunk + MERCURY_LENT_CHUNK),
			 MERCURY_E_OK);
	return 0;
}

static int teardown(void **unused)
{
	(void)unused;
	free((void *)chunk);
	return 0;
}

static uint64_t call(enum mercury_call which, uint64_t pa)
{
	assert_int_equal(fake_vmcall(which, pa, 0), FAKE_VIRTUAL);
	return fake.error;
}

/* Does Linux see its own memory there? */
static bool is_seen(uint64_t pa)
{
	struct p2m_page page;

	return p2m_lookup(&machine_p2m, GFN(pa), &page) && page.mfn == GFN(pa) &&
	       page.access == P2M_ALL;
}

static void what_is_lent_is_hidden(void **unused)
{
	const uint64_t last = chunk + MERCURY_LENT_CHUNK - PAGE_4K;
	uint32_t used = pool_used();

	(void)unused;
	assert_true(is_seen(chunk) && is_seen(last));
	assert_int_equal(call(MERCURY_CALL_LEND, chunk), MERCURY_E_OK);
	assert_int_equal(pool_lent(), 1);
	assert_false(is_seen(chunk) || is_seen(last));
	assert_true(p2m_is_identity(&machine_p2m));
	assert_int_equal(call(MERCURY_CALL_GIVE_BACK, 0), MERCURY_E_OK);
	assert_int_equal(pool_lent(), 0);
	assert_true(is_seen(chunk) && is_seen(last));
	assert_int_equal(call(MERCURY_CALL_FLUSH, 0), MERCURY_E_OK);
	assert_int_equal(call(MERCURY_CALL_RECLAIM, 0), MERCURY_E_OK);
	assert_in_range(pool_used(), 0, used);
}

/* Tables of the P2M lie there when no other page is left. */
static void not_back_while_it_is_used(void **unused)
{
	void *page;

	(void)unused;
	assert_int_equal(call(MERCURY_CALL_LEND, chunk), MERCURY_E_OK);
	do {
		page = pool_alloc();
	} while ((uint64_t)page != chunk);
	assert_int_equal(call(MERCURY_CALL_GIVE_BACK, 0), MERCURY_E_IN_USE);
	assert_false(is_seen(chunk));
	pool_free(page);
	assert_int_equal(call(MERCURY_CALL_GIVE_BACK, 0), MERCURY_E_OK);
	assert_true(is_seen(chunk));
}

/* The VMM takes no memory that is not Linux's own to give, nor twice. */
static void refused(void **unused)
{
	const uint64_t bad[] = { chunk + PAGE_4K, HIDDEN, BEYOND, UINT64_MAX };
	size_t i;

	(void)unused;
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(call(MERCURY_CALL_LEND, bad[i]), MERCURY_E_BAD_CALL);
	assert_int_equal(call(MERCURY_CALL_LEND, chunk), MERCURY_E_OK);
	assert_int_equal(call(MERCURY_CALL_LEND, chunk), MERCURY_E_BAD_CALL);
	assert_int_equal(call(MERCURY_CALL_LEND, 2 * PAGE_2M), MERCURY_E_BAD_CALL);
	assert_true(is_seen(2 * PAGE_2M));
	assert_int_equal(pool_lent(), 1);
}

/* What was cached of a chunk that is Linux's again: each CPU drops it before the next one is lent. */
static void it_flushes_the_vmms_own_tables(void **unused)
{
	unsigned int i, from = fake.ops;
	bool flushed = false;

	(void)unused;
	assert_int_equal(call(MERCURY_CALL_FLUSH, 0), MERCURY_E_OK);
	for (i = from; i < fake.ops; i++)
		flushed |= fake.log[i].kind == OP_CR3 && !(fake.log[i].a & CR3_NOFLUSH);
	assert_true(flushed);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test_setup_teardown(what_is_lent_is_hidden, virtual_linux, teardown),
	cmocka_unit_test_setup_teardown(not_back_while_it_is_used, virtual_linux, teardown),
	cmocka_unit_test_setup_teardown(refused, virtual_linux, teardown),
	cmocka_unit_test_setup_teardown(it_flushes_the_vmms_own_tables, virtual_linux, teardown),
};

UNIT_MAIN(tests)
