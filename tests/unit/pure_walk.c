// SPDX-License-Identifier: GPL-2.0-only
/* The page-table walker, over page tables built in memory that stands for physical memory. */
#include "unit.h"

#include "walk.h"
#include "x86/paging.h"

/* "Physical memory": a handful of tables; table n lies at TABLE(n). */
#define TABLES 8
#define TABLE(n) (UINT64_C(0x7654321000) + PAGE_4K * (n))

static uint64_t tables[TABLES][PAGING_ENTRIES];
static unsigned int reads;

static uint64_t read_physical(void *context, uint64_t pa)
{
	assert_ptr_equal(context, tables);
	assert_in_range(pa, TABLE(0), TABLE(TABLES) - 8);
	assert_int_equal(pa % 8, 0);
	reads++;
	return tables[(pa - TABLE(0)) / PAGE_4K][pa % PAGE_4K / 8];
}

/*
 * In both halves: slot 509 is the VMM's window, 273 the kernel's direct map, 0 and 255 the user's.
 */
static const uint64_t addresses[] = {
	0,
	0x1000,
	0x7fffffffffff,
	0x00007f1234567abc,
	0xffff888123456789,
	0xfffffe8000000fff,
	0xffffffffffffffff,
	0xffff800000000000,
};

#define ALL (PAGING_P | PAGING_RW | PAGING_US)

/* CR3 as Linux has it: a PCID below, nothing above. */
#define CR3 (TABLE(4) | 0x7f0)

/*
 * Map `address` at level `leaf` (1: 4 KiB) to `pa`: the entry of level n lies in table n, and
 * entries[n] are the bits beside the address that it gets.
 */
static void build(uint64_t address, unsigned int leaf, uint64_t pa, const uint64_t entries[5])
{
	unsigned int level;

	memset(tables, 0, sizeof(tables));
	reads = 0;
	for (level = 4; level > leaf; level--)
		tables[level][address >> (12 + 9 * (level - 1)) & 511] =
			TABLE(level - 1) | entries[level];
	tables[leaf][address >> (12 + 9 * (leaf - 1)) & 511] =
		pa | entries[leaf] | (leaf > 1 ? PAGING_PS : 0);
}

static bool do_walk(uint64_t address, struct walk_result *result)
{
	return walk(CR3, address, read_physical, tables, result);
}

static const uint64_t all[5] = { 0, ALL, ALL, ALL, ALL };

struct leaf {
	unsigned int level;
	uint64_t size, pa;
};

static const struct leaf leaves[] = {
	{ 1, 0x1000, 0xabcdef123000 },
	{ 2, 0x200000, 0xabcdef200000 },
	{ 3, 0x40000000, 0xabcdc0000000 },
};

#define EACH_LEAF(l) for (l = leaves; l < leaves + sizeof(leaves) / sizeof(leaves[0]); l++)
#define EACH_ADDRESS(a)                                                                            \
	for (a = addresses; a < addresses + sizeof(addresses) / sizeof(addresses[0]); a++)

/*
 * SDM vol. 3, 4.5, 4-Level Paging and 5-Level Paging: a PTE maps 4 KiB with offset 11:0, a PDE with
 * PS = 1 maps 2 MiB with offset 20:0, a PDPTE with PS = 1 maps 1 GiB with offset 29:0.
 */
static void page_sizes(void **state)
{
	const struct leaf *l;
	const uint64_t *a;

	(void)state;
	EACH_LEAF(l) {
		EACH_ADDRESS(a) {
			struct walk_result r;

			build(*a, l->level, l->pa, all);
			assert_true(do_walk(*a, &r));
			assert_int_equal(r.size, l->size);
			assert_int_equal(r.pa, l->pa + (*a & (l->size - 1)));
			assert_int_equal(reads, 5 - l->level);
		}
	}
}

/*
 * The same section, tables on PDPTE and PDE that map a page: bit 12 is the PAT bit, no part of the
 * address. In a PTE the PAT bit is bit 7, where large pages have PS. And what else is no address:
 * PWT, PCD, A, D, G, the ignored bits 11:9 and 58:52, the protection key 62:59.
 */
static void bits_that_are_no_address(void **state)
{
	const uint64_t noise = PAGING_PWT | PAGING_PCD | PAGING_A | PAGING_D | PAGING_G | 0xe00 |
			       UINT64_C(0x7ff0000000000000);
	const struct leaf *l;

	(void)state;
	EACH_LEAF(l) {
		uint64_t entries[5] = { 0, ALL | noise, ALL | noise, ALL | noise, ALL | noise };
		const uint64_t address = 0xffff888123456789;
		struct walk_result r;

		entries[l->level] |= l->level == 1 ? PAGING_PAT : PAGING_LARGE_PAT;
		build(address, l->level, l->pa, entries);
		assert_true(do_walk(address, &r));
		assert_int_equal(r.pa, l->pa + (address & (l->size - 1)));
		assert_int_equal(r.size, l->size);
		assert_true(r.writable && r.executable && r.user);
	}
}

/* A bit missing at one level: what is left of the rights. */
struct right {
	uint64_t clear, set;
	bool writable, user, executable;
};

static const struct right rights[] = {
	{ 0, 0, true, true, true },
	{ PAGING_RW, 0, false, true, true },
	{ PAGING_US, 0, true, false, true },
	{ 0, PAGING_XD, true, true, false },
	{ PAGING_RW | PAGING_US, PAGING_XD, false, false, false },
};

/*
 * SDM vol. 3, 4.6.1, Determination of Access Rights: an address is a supervisor-mode one if U/S is
 * 0 in at least one entry; writes need R/W = 1 in every entry; fetches need XD = 0 in every entry.
 */
static void rights_are_those_of_all_levels(void **state)
{
	const uint64_t address = 0x00007f1234567abc;
	const struct leaf *l;
	unsigned int level, i;

	(void)state;
	EACH_LEAF(l) {
		for (level = l->level; level <= 4; level++) {
			for (i = 0; i < sizeof(rights) / sizeof(rights[0]); i++) {
				const struct right *x = &rights[i];
				uint64_t entries[5] = { 0, ALL, ALL, ALL, ALL };
				struct walk_result r;

				entries[level] = (ALL & ~x->clear) | x->set;
				build(address, l->level, l->pa, entries);
				assert_true(do_walk(address, &r));
				assert_int_equal(r.writable, x->writable);
				assert_int_equal(r.user, x->user);
				assert_int_equal(r.executable, x->executable);
			}
		}
	}
}

/* Different rights missing at different levels add up. */
static void rights_add_up(void **state)
{
	const uint64_t entries[5] = { 0, ALL | PAGING_XD, ALL & ~PAGING_RW, ALL & ~PAGING_US, ALL };
	struct walk_result r;

	(void)state;
	build(0x1000, 1, 0x5000, entries);
	assert_true(do_walk(0x1000, &r));
	assert_false(r.writable || r.user || r.executable);
}

/* The same section 4.5: P = 0 ends the walk with no translation, whatever the other bits say. */
static void not_present_at_each_level(void **state)
{
	const struct leaf *l;
	unsigned int level;

	(void)state;
	EACH_LEAF(l) {
		for (level = l->level; level <= 4; level++) {
			uint64_t entries[5] = { 0, ALL, ALL, ALL, ALL };
			struct walk_result r;

			entries[level] = (ALL & ~PAGING_P) | PAGING_A | PAGING_XD;
			build(0xffff888123456789, l->level, l->pa, entries);
			assert_false(do_walk(0xffff888123456789, &r));
			assert_int_equal(reads, 5 - level);
		}
	}
}

/*
 * SDM vol. 1, 3.3.7.1, Canonical Addressing: bits 63 to 48 equal bit 47, else it is no address; the
 * tables would map the lower 48 bits.
 */
static void non_canonical_addresses_are_not_mapped(void **state)
{
	const uint64_t *a;
	unsigned int bit;

	(void)state;
	EACH_ADDRESS(a) {
		for (bit = 48; bit < 64; bit++) {
			struct walk_result r;

			build(*a, 1, 0x5000, all);
			assert_false(do_walk(*a ^ UINT64_C(1) << bit, &r));
			assert_int_equal(reads, 0);
		}
	}
}

/* The same section: bit 7 of a PML4E is reserved, there are no pages of 512 GiB. */
static void the_top_level_maps_no_page(void **state)
{
	const uint64_t entries[5] = { 0, ALL, ALL, ALL, ALL | PAGING_PS };
	struct walk_result r;

	(void)state;
	build(0xffff888123456789, 1, 0x5000, entries);
	if (do_walk(0xffff888123456789, &r))
		assert_int_equal(r.size, PAGE_4K);
}

/* Neighbours of what is mapped are not: each level's index is 9 bits of its own. */
static void neighbours_are_not_mapped(void **state)
{
	const uint64_t address = 0x00007f1234567abc;
	unsigned int bit;
	struct walk_result r;

	(void)state;
	build(address, 1, 0x5000, all);
	for (bit = 0; bit < 47; bit++)
		assert_int_equal(do_walk(address ^ UINT64_C(1) << bit, &r), bit < 12);
}

/*
 * SDM vol. 3, 4.5, table Use of CR3: bits 11:0 are a PCID or flags, bits 61 and 62 LAM, bit 63 of
 * the operand is no part of the register; bits 51:12 are the table.
 */
static void only_the_address_of_cr3_counts(void **state)
{
	static const uint64_t extra[] = { 0, 0xfff, 0x18, UINT64_C(1) << 61 | UINT64_C(1) << 62,
					  UINT64_C(1) << 63 };
	unsigned int i;

	(void)state;
	build(0x1000, 1, 0x5000, all);
	for (i = 0; i < sizeof(extra) / sizeof(extra[0]); i++) {
		struct walk_result r;

		assert_true(walk(TABLE(4) | extra[i], 0x1234, read_physical, tables, &r));
		assert_int_equal(r.pa, 0x5234);
	}
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(page_sizes),
	cmocka_unit_test(bits_that_are_no_address),
	cmocka_unit_test(rights_are_those_of_all_levels),
	cmocka_unit_test(rights_add_up),
	cmocka_unit_test(not_present_at_each_level),
	cmocka_unit_test(non_canonical_addresses_are_not_mapped),
	cmocka_unit_test(the_top_level_maps_no_page),
	cmocka_unit_test(neighbours_are_not_mapped),
	cmocka_unit_test(only_the_address_of_cr3_counts),
};

UNIT_MAIN(tests)
