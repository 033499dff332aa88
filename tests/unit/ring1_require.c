// SPDX-License-Identifier: GPL-2.0-only
/* Each requirement of ring 1 by itself: met, and not met with its own sentence. */
#include "unit.h"

#include "fake.h"
#include "ring1/require.h"
#include "ring1/ring1.h"
#include "ring1_port.h"
#include "x86/msr_bits.h"

static const struct ring1_facts good = {
	.value = {
		[RING1_FACT_CR0] = CR0_PE | CR0_PG | CR0_WP,
		[RING1_FACT_CR4] = RING1_CR4_CARRIED,
		[RING1_FACT_EFER] = EFER_SCE | EFER_LME | EFER_LMA | EFER_NXE,
		[RING1_FACT_FMASK] = 0x257fd5,
	},
};

static void a_linux_as_debian_boots_it_is_taken(void **unused)
{
	(void)unused;
	assert_null(ring1_unmet(&good));
}

#define ROW(name, fact, mask, value, sentence) { #name, RING1_FACT_##fact, mask, value, sentence },
static const struct row {
	const char *name;
	enum ring1_fact fact;
	uint64_t mask, value;
	const char *sentence;
} rows[] = { RING1_REQUIREMENTS(ROW) };

/* Every bit that a row looks at, wrong on its own. */
static void each_row_refuses_with_its_sentence(void **unused)
{
	struct ring1_facts facts;
	size_t i, bit;

	(void)unused;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		for (bit = 0; bit < 64; bit++) {
			if (!(rows[i].mask >> bit & 1))
				continue;
			facts = good;
			facts.value[rows[i].fact] ^= UINT64_C(1) << bit;
			if (!ring1_unmet(&facts) || strcmp(ring1_unmet(&facts), rows[i].sentence))
				fail_msg("%s, bit %zu: \"%s\"", rows[i].name, bit,
					 ring1_unmet(&facts));
		}
	}
}

static void each_bit_of_cr4_has_a_verdict(void **unused)
{
	uint64_t seen = RING1_CR4_CARRIED;
	size_t i;

	(void)unused;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (rows[i].fact == RING1_FACT_CR4)
			seen |= rows[i].mask;
	assert_int_equal(seen, UINT64_MAX);
	assert_false(ring1_refuses_cr4(RING1_CR4_CARRIED));
	assert_true(ring1_refuses_cr4(CR4_CET));
	assert_true(ring1_refuses_cr4(CR4_VMXE));
	assert_true(ring1_refuses_efer(good.value[RING1_FACT_EFER] | EFER_SVME));
	assert_false(ring1_refuses_efer(good.value[RING1_FACT_EFER]));
}

static void sentences_fit_the_page_they_are_shown_on(void **unused)
{
	size_t i;

	(void)unused;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_true(strlen(rows[i].sentence) < MERCURY_TEXT);
}

static void the_vote_asks_them(void **unused)
{
	(void)unused;
	fake_ring1_machine();
	fake_boot();
	fake.cpu.cr4 |= CR4_VMXE;
	assert_int_equal(fake_gate(MERCURY_CALL_AUDIT, 0, 0), FAKE_RETURNED);
	assert_int_equal(fake.error, MERCURY_E_UNSUPPORTED);
	assert_non_null(strstr(cpu_shared(fake_vmm_cpu())->text, "VMX is in use"));
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(a_linux_as_debian_boots_it_is_taken),
	cmocka_unit_test(each_row_refuses_with_its_sentence),
	cmocka_unit_test(each_bit_of_cr4_has_a_verdict),
	cmocka_unit_test(sentences_fit_the_page_they_are_shown_on),
	cmocka_unit_test(the_vote_asks_them),
};

UNIT_MAIN(tests)
