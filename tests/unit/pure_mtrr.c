// SPDX-License-Identifier: GPL-2.0-only
/* Memory types from MTRRs: precedence and brute force. Layouts: pure_mtrr_layouts.c. */
#include "pure_mtrr.h"

#include "insn.h"
#include "x86/cpuid.h"
#include "x86/msr.h"
#include "x86/mtrr.h"

/* --- Reading ---------------------------------------------------------------------------------- */

static uint32_t cpuid_edx;
static uint64_t cap, rdmsrs;

void insn_cpuid(uint32_t leaf, uint32_t subleaf, struct cpuid_regs *out)
{
	(void)subleaf;
	*out = (struct cpuid_regs){ 0 };
	if (leaf == CPUID_LEAF_FEATURES)
		out->edx = cpuid_edx;
	if (leaf == CPUID_LEAF_ADDRESS_SIZES)
		out->eax = 0x3027; /* 48 linear, 39 physical */
}

/* Each MSR reads as its own number, so that one in another's place is seen. */
uint64_t insn_rdmsr(uint32_t msr)
{
	rdmsrs++;
	return msr == MSR_IA32_MTRRCAP ? cap : msr;
}

/* SDM vol. 3, 12.11.2.2, Fixed Range MTRRs; 12.11.2.3, Variable Range MTRRs: their numbers. */
static void reads_all_registers(void **state)
{
	static const uint32_t fixed[] = { 0x250, 0x258, 0x259, 0x268, 0x269, 0x26a,
					  0x26b, 0x26c, 0x26d, 0x26e, 0x26f };
	struct mtrr_state m;
	uint32_t i;

	(void)state;
	cpuid_edx = 1u << 12;
	cap = 0x100 | 10;
	mtrr_read(&m);
	assert_int_equal(m.maxphyaddr, 39);
	assert_int_equal(m.def_type, 0x2ff);
	assert_true(m.has_fixed);
	for (i = 0; i < 11; i++)
		assert_int_equal(m.fixed[i], fixed[i]);
	assert_int_equal(m.variable, 10);
	for (i = 0; i < 10; i++) {
		assert_int_equal(m.base[i], 0x200 + 2 * i);
		assert_int_equal(m.mask[i], 0x201 + 2 * i);
	}
	assert_int_equal(m.mask[10], 0);
}

/*
 * SDM vol. 3, 12.11.1, MTRR Feature Identification: IA32_MTRRCAP bit 8 says whether fixed ranges
 * are there, bits 7:0 how many variable ones. Without the CPUID bit no MTRR may be touched.
 */
static void reads_only_what_is_there(void **state)
{
	struct mtrr_state m;

	(void)state;
	cpuid_edx = ~(1u << 12);
	rdmsrs = 0;
	mtrr_read(&m);
	assert_int_equal(rdmsrs, 0);
	assert_int_equal(type_at(&m, 0), UC);
	assert_int_equal(type_at(&m, 5 * GB), UC);
	cpuid_edx = 1u << 12;
	cap = 2;
	mtrr_read(&m);
	assert_false(m.has_fixed);
	assert_int_equal(m.fixed[0], 0);
	assert_int_equal(m.variable, 2);
	/* More than there is room for: no write beyond the arrays (the sanitizer's to see). */
	cap = 0xff;
	mtrr_read(&m);
	assert_int_equal(m.variable, MTRR_MAX_VARIABLE);
}

/* --- Rules ------------------------------------------------------------------------------------ */

/*
 * SDM vol. 3, 12.11.2.1, IA32_MTRR_DEF_TYPE MSR: "If E is clear, ... the UC memory type is applied"
 */
static void disabled_means_uncached_everywhere(void **state)
{
	struct mtrr_state m = state_of(DEF_FE | WB);
	uint32_t type;

	(void)state;
	memset(m.fixed, WB, sizeof(m.fixed));
	add(&m, 0, 4 * GB, WB);
	assert_int_equal(type_at(&m, 0), UC);
	assert_int_equal(type_at(&m, GB), UC);
	assert_int_equal(type_at(&m, 100 * GB), UC);
	assert_true(mtrr_type(&m, 0, GB, &type));
	assert_int_equal(type, UC);
}

/* The same section: what no register covers has the default type, whichever it is. */
static void default_type(void **state)
{
	static const uint32_t types[] = { UC, WC, WT, WP, WB };
	unsigned int i;

	(void)state;
	for (i = 0; i < 5; i++) {
		struct mtrr_state m = state_of(DEF_E | types[i]);

		assert_int_equal(type_at(&m, 0), types[i]);
		assert_int_equal(type_at(&m, 77 * GB), types[i]);
	}
}

/*
 * SDM vol. 3, 12.11.4.1, MTRR Precedences: below 1 MByte, with fixed ranges enabled, the fixed ones
 * decide and variable ones do not count. 12.11.2.2, table of address mapping: which byte is which.
 */
static void fixed_come_before_variable(void **state)
{
	static const uint32_t types[] = { UC, WC, WT, WP, WB };
	struct mtrr_state m = state_of(DEF_E | DEF_FE | WC);
	unsigned int i, n = 0;
	uint64_t at;

	(void)state;
	for (i = 0; i < 88; i++)
		m.fixed[i / 8] |= (uint64_t)types[i * 7 % 5] << i % 8 * 8;
	add(&m, 0, GB, WB);
	for (at = 0; at < 0x80000; at += 0x10000, n++)
		assert_int_equal(type_at(&m, at + 0xf000), types[n * 7 % 5]);
	for (; at < 0xc0000; at += 0x4000, n++)
		assert_int_equal(type_at(&m, at + 0x3000), types[n * 7 % 5]);
	for (; at < 0x100000; at += 0x1000, n++)
		assert_int_equal(type_at(&m, at), types[n * 7 % 5]);
	assert_int_equal(n, 88);
	assert_int_equal(type_at(&m, 0x100000), WB);
}

/* DEF_FE off, or no fixed registers at all: the variable ones decide below 1 MByte too. */
static void fixed_disabled(void **state)
{
	struct mtrr_state m = state_of(DEF_E | WC);

	(void)state;
	memset(m.fixed, WP, sizeof(m.fixed));
	add(&m, 0, 512 * 1024, WB);
	assert_int_equal(type_at(&m, 0x7f000), WB);
	assert_int_equal(type_at(&m, 0x80000), WC);
	m.def_type |= DEF_FE;
	assert_int_equal(type_at(&m, 0x7f000), WP);
	m.has_fixed = false;
	assert_int_equal(type_at(&m, 0x7f000), WB);
}

/* SDM vol. 3, 12.11.2.3: a register whose V (bit 11 of the mask) is 0 does not count. */
static void invalid_registers_do_not_count(void **state)
{
	struct mtrr_state m = state_of(DEF_E | WB);
	uint32_t type;

	(void)state;
	add(&m, 0, GB, UC);
	assert_int_equal(type_at(&m, 2 * MB), UC);
	m.mask[0] &= ~UINT64_C(0x800);
	assert_int_equal(type_at(&m, 2 * MB), WB);
	assert_true(mtrr_type(&m, 0, 4 * GB, &type));
	/* Nor does one beyond the count. */
	m.mask[0] |= 0x800;
	m.variable = 0;
	assert_int_equal(type_at(&m, 2 * MB), WB);
}

/*
 * 12.11.4.1 once more, for overlapping variable ranges: equal types, that type; any UC, UC; WT and
 * WB, WT; everything else undefined, which we make UC. All pairs, and all triples, in every order.
 */
static uint32_t combined(unsigned int set)
{
	if (set == 1u << WT || set == 1u << WB || set == 1u << WC || set == 1u << WP)
		return (uint32_t)__builtin_ctz(set);
	return set == (1u << WT | 1u << WB) ? WT : UC;
}

static void overlaps(void **state)
{
	static const uint32_t types[] = { UC, WC, WT, WP, WB };
	unsigned int i, n;

	(void)state;
	for (n = 2; n <= 3; n++) {
		for (i = 0; i < 5 * 5 * (n == 3 ? 5u : 1u); i++) {
			struct mtrr_state m = state_of(DEF_E | WP);
			unsigned int k, rest = i, set = 0;

			for (k = 0; k < n; k++, rest /= 5) {
				add(&m, GB, GB >> k, types[rest % 5]);
				set |= 1u << types[rest % 5];
			}
			assert_int_equal(type_at(&m, GB), combined(set));
			assert_int_equal(type_at(&m, 3 * GB), WP);
		}
	}
}

/* The default type takes no part where a register matches. */
static void default_does_not_mix(void **state)
{
	struct mtrr_state m = state_of(DEF_E | UC);

	(void)state;
	add(&m, GB, GB, WB);
	assert_int_equal(type_at(&m, GB), WB);
	assert_int_equal(type_at(&m, 2 * GB), UC);
	assert_int_equal(type_at(&m, GB - PAGE), UC);
}

/*
 * SDM vol. 3, 12.11.3, Example Base and Mask Calculations: an address is in the range if
 * "Address AND PhysMask = PhysBase AND PhysMask"; so a mask with holes gives a range with holes.
 */
static void masks_with_holes(void **state)
{
	struct mtrr_state m = state_of(DEF_E | UC);
	unsigned int i;
	uint32_t type;

	(void)state;
	/* Compares bit 20 and what lies above bit 23: every other MByte of 16. */
	m.base[0] = 0x40100000 | WB;
	m.mask[0] = 0x7fff100800;
	m.variable = 1;
	for (i = 0; i < 16; i++)
		assert_int_equal(type_at(&m, GB + i * MB), i & 1 ? WB : UC);
	assert_int_equal(type_at(&m, GB + 17 * MB), UC);
	assert_false(mtrr_type(&m, GB, 2 * MB, &type));
	assert_int_equal(type, UC);
	assert_true(mtrr_type(&m, GB + 16 * MB, 2 * MB, &type));
}

/*
 * SDM vol. 3, 12.11.2.3: mask bits from MAXPHYADDR on are reserved. Firmware writes masks as if for
 * 36 bits or as if for 52; what is beyond MAXPHYADDR compares nothing.
 */
static void mask_bits_beyond_the_width_compare_nothing(void **state)
{
	struct mtrr_state m = state_of(DEF_E | UC);

	(void)state;
	m.base[0] = GB | WB;
	m.mask[0] = UINT64_C(0xfffffc0000800);
	m.variable = 1;
	assert_int_equal(type_at(&m, GB), WB);
	/* For 36 bits only: the range repeats every 64 GB, as it does for the processor. */
	m.mask[0] = UINT64_C(0xfc0000800);
	assert_int_equal(type_at(&m, GB), WB);
	assert_int_equal(type_at(&m, 65 * GB), WB);
	assert_int_equal(type_at(&m, 66 * GB), UC);
}

/* --- Brute force ------------------------------------------------------------------------------ */

static uint64_t seed;

static uint64_t random_below(uint64_t bound)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed % bound;
}

/* Crowded on purpose: small ranges in 1 GiB and a bit, masks with holes, invalid ones. */
static struct mtrr_state random_state(void)
{
	static const uint32_t types[] = { UC, WC, WT, WP, WB };
	static const uint64_t def[] = { DEF_E, DEF_E | DEF_FE, DEF_E | DEF_FE, DEF_FE, 0 };
	struct mtrr_state m = state_of(def[random_below(5)] | types[random_below(5)]);
	uint32_t n = (uint32_t)random_below(5), i;

	for (i = 0; i < 88; i++)
		m.fixed[i / 8] |= (uint64_t)types[random_below(5)] << i % 8 * 8;
	m.has_fixed = random_below(4) != 0;
	for (i = 0; i < n; i++) {
		uint64_t size = PAGE << random_below(20);

		add(&m, random_below(0x48000) * PAGE & ~(size - 1), size, types[random_below(5)]);
		if (random_below(3) == 0)
			m.mask[i] &= ~(PAGE << random_below(19));
		if (random_below(8) == 0)
			m.mask[i] &= ~UINT64_C(0x800);
	}
	return m;
}

/* Written anew for the test, from 12.11.4.1: the set of matching types, then what it comes to. */
static uint32_t reference(const struct mtrr_state *m, uint64_t address)
{
	unsigned int set = 0;
	uint32_t i;

	if (!(m->def_type & DEF_E))
		return UC;
	if (address < MB && m->has_fixed && m->def_type & DEF_FE) {
		uint64_t n = address < 0x80000 ? address >> 16 :
			     address < 0xc0000 ? 8 + ((address - 0x80000) >> 14) :
						 24 + ((address - 0xc0000) >> 12);

		return ((const uint8_t *)m->fixed)[n];
	}
	for (i = 0; i < m->variable; i++) {
		uint64_t mask = m->mask[i] & UINT64_C(0x7ffffff000);

		if (m->mask[i] & 0x800 && (address & mask) == (m->base[i] & mask))
			set |= 1u << (m->base[i] & 0xff);
	}
	return set ? combined(set) : (uint32_t)(m->def_type & 0xff);
}

static void check_block(const struct mtrr_state *m, uint64_t start, uint64_t size)
{
	uint32_t first = reference(m, start), type = 0xff;
	bool claimed = mtrr_type(m, start, size, &type), uniform = true;
	uint64_t at;

	assert_int_equal(type, first);
	for (at = start; at < start + size && uniform; at += PAGE)
		uniform = reference(m, at) == first;
	/*
	 * "Uniform" must be true. "Not uniform" must be for what a table can map in pieces at
	 * little cost, up to 2 MiB; above that it may be said of a block that registers merely
	 * touch.
	 */
	if (claimed ? !uniform : uniform && size <= 2 * MB)
		fail_msg("%#llx bytes at %#llx: claimed %d, found %d", (unsigned long long)size,
			 (unsigned long long)start, claimed, uniform);
}

static void uniformity_against_page_by_page(void **state)
{
	unsigned int round, i;

	(void)state;
	seed = 0x4d65726375727931;
	for (round = 0; round < 1500; round++) {
		const struct mtrr_state m = random_state();

		for (i = 0; i < 20; i++) {
			uint64_t size = PAGE << random_below(12);

			check_block(&m, random_below(0x48000) * PAGE & ~(size - 1), size);
			check_block(&m, random_below(144) * 2 * MB, 2 * MB);
		}
		check_block(&m, 0, 2 * MB);
		if (round % 25 == 0)
			check_block(&m, 0, GB);
	}
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(reads_all_registers),
	cmocka_unit_test(reads_only_what_is_there),
	cmocka_unit_test(disabled_means_uncached_everywhere),
	cmocka_unit_test(default_type),
	cmocka_unit_test(fixed_come_before_variable),
	cmocka_unit_test(fixed_disabled),
	cmocka_unit_test(invalid_registers_do_not_count),
	cmocka_unit_test(overlaps),
	cmocka_unit_test(default_does_not_mix),
	cmocka_unit_test(masks_with_holes),
	cmocka_unit_test(mask_bits_beyond_the_width_compare_nothing),
	cmocka_unit_test(uniformity_against_page_by_page),
};

UNIT_MAIN(tests)
