// SPDX-License-Identifier: GPL-2.0-only
/*
 * Segment conversion: from descriptors in memory to hidden parts, and descriptors made for tables.
 */
#include "unit.h"

#include "segment.h"

/* A GDT laid out as Linux's is, with some entries of our own behind it. */
enum {
	/* clang-format off */
	NULL_ENTRY, KERNEL32_CS, KERNEL_CS, KERNEL_DS, USER32_CS, USER_DS, USER_CS, UNUSED,
	TSS, TSS_HIGH, LDT, LDT_HIGH, TLS, ABSENT, NOT_ACCESSED, LAST,
	/* clang-format on */
};

#define SELECTOR(entry, rpl) ((uint16_t)(8 * (entry) | (rpl)))

/* Literal descriptors: what Linux's GDT holds, in its bytes. */
static const uint64_t gdt[LAST + 1] = {
	[KERNEL32_CS] = 0x00cf9b000000ffff,
	[KERNEL_CS] = 0x00af9b000000ffff,
	[KERNEL_DS] = 0x00cf93000000ffff,
	[USER32_CS] = 0x00cffb000000ffff,
	[USER_DS] = 0x00cff3000000ffff,
	[USER_CS] = 0x00affb000000ffff,
	[TSS] = 0xab008b45674041f7, /* base ..ab456740, limit 41f7h, busy */
	[TSS_HIGH] = 0x00000000fffffe80,
	[LDT] = 0x0000820010001fff, /* base 1000h, limit 1fffh */
	[LDT_HIGH] = 0x00000000ffff8881,
	[TLS] = 0xf75ff312abcd4321,    /* base f712abcdh, limit f4321h bytes, D, AVL */
	[ABSENT] = 0x00cf73000000ffff, /* P = 0 */
	[NOT_ACCESSED] = 0x00cf92000000ffff,
	[LAST] = 0x00cf93000000ffff,
};

static const uint64_t ldt[4] = { 0x00cff3000000ffff, 0x0040f20034560fff, 0, 0x00cff3000000ffff };

static const struct descriptor_table_register gdtr = { sizeof(gdt) - 1, 0 };

static struct descriptor_table_register table(void)
{
	return (struct descriptor_table_register){ gdtr.limit, (uint64_t)gdt };
}

static struct segment ldtr(void)
{
	return (struct segment){ SELECTOR(LDT, 0), 0x82, sizeof(ldt) - 1, (uint64_t)ldt };
}

static const struct segment no_ldt = { .ar = SEGMENT_AR_UNUSABLE };

static void check(struct segment s, uint16_t selector, uint32_t ar, uint32_t limit, uint64_t base)
{
	assert_int_equal(s.selector, selector);
	assert_int_equal(s.ar, ar);
	assert_int_equal(s.limit, limit);
	assert_int_equal(s.base, base);
}

static void check_unusable(struct segment s, uint16_t selector)
{
	check(s, selector, 0x10000, 0, 0);
}

static struct segment read_gdt(uint16_t selector)
{
	const struct descriptor_table_register t = table();

	return segment_read(selector, &t, &no_ldt);
}

/*
 * SDM vol. 3, 3.4.5, Segment Descriptors: base 31:24, 23:16, 15:0 and limit 19:16, 15:0 lie apart;
 * 25.4.1, Guest Register State: access rights are bits 55:52 and 47:40 of the descriptor, between
 * them four zero bits.
 */
static void descriptors_of_linux(void **state)
{
	static const struct {
		uint16_t selector;
		uint32_t ar, limit;
		uint64_t base;
	} rows[] = {
		{ SELECTOR(KERNEL32_CS, 0), 0xc09b, 0xffffffff, 0 },
		{ SELECTOR(KERNEL_CS, 0), 0xa09b, 0xffffffff, 0 },
		{ SELECTOR(KERNEL_DS, 0), 0xc093, 0xffffffff, 0 },
		{ SELECTOR(USER32_CS, 3), 0xc0fb, 0xffffffff, 0 },
		{ SELECTOR(USER_DS, 3), 0xc0f3, 0xffffffff, 0 },
		{ SELECTOR(USER_CS, 3), 0xa0fb, 0xffffffff, 0 },
		{ SELECTOR(TLS, 3), 0x50f3, 0xf4321, 0xf712abcd },
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		check(read_gdt(rows[i].selector), rows[i].selector, rows[i].ar, rows[i].limit,
		      rows[i].base);
}

/*
 * SDM vol. 3, 3.4.5: G = 0: the limit counts bytes; G = 1: 4-KByte units, "the twelve least
 * significant bits of an offset are not tested": limit 0 means fffh.
 */
static void granularity(void **state)
{
	static const struct {
		uint32_t raw;
		bool g;
		uint32_t limit;
	} rows[] = {
		{ 0, false, 0 },
		{ 0, true, 0xfff },
		{ 1, false, 1 },
		{ 1, true, 0x1fff },
		{ 0xfffff, false, 0xfffff },
		{ 0xfffff, true, 0xffffffff },
		{ 0x80000, false, 0x80000 },
		{ 0x80000, true, 0x80000fff },
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const uint32_t ar = 0x4093 | (rows[i].g ? SEGMENT_AR_G : 0);
		const uint64_t d[2] = { 0, segment_descriptor_make(ar, rows[i].raw, 0) };
		const struct descriptor_table_register t = { sizeof(d) - 1, (uint64_t)d };

		check(segment_read(8, &t, &no_ldt), 8, ar, rows[i].limit, 0);
	}
}

/*
 * SDM vol. 3, 3.4.2, Segment Selectors: index 0 of the GDT is the null selector, with any RPL.
 * 25.4.1: an unusable register has bit 16 set.
 */
static void null_selectors_are_unusable(void **state)
{
	const struct descriptor_table_register t = table();
	const struct segment l = ldtr();
	uint16_t rpl;

	(void)state;
	for (rpl = 0; rpl < 4; rpl++) {
		check_unusable(segment_read(rpl, &t, &l), rpl);
		check_unusable(segment_read_system(rpl, &t), rpl);
	}
	/* Index 0 of the LDT is a descriptor as any other. */
	check(segment_read(0x7, &t, &l), 0x7, 0xc0f3, 0xffffffff, 0);
}

/* SDM vol. 3, 3.5.1, Segment Descriptor Tables: the limit is the offset of the last valid byte. */
static void beyond_the_table(void **state)
{
	struct descriptor_table_register t = table();
	struct segment l = ldtr();

	(void)state;
	assert_int_equal(segment_read(SELECTOR(LAST, 0), &t, &l).ar, 0xc093);
	check_unusable(segment_read(SELECTOR(LAST + 1, 0), &t, &l), SELECTOR(LAST + 1, 0));
	check_unusable(segment_read(0xfff8, &t, &l), 0xfff8);
	t.limit = LAST * 8 + 6;
	check_unusable(segment_read(SELECTOR(LAST, 0), &t, &l), SELECTOR(LAST, 0));
	l.limit = 3 * 8 + 6;
	check_unusable(segment_read(0x1f, &t, &l), 0x1f);
	l.limit = 3 * 8 + 7;
	assert_int_equal(segment_read(0x1f, &t, &l).ar, 0xc0f3);
	/* A system descriptor has 16 bytes, and all of them must be inside. */
	t.limit = TSS * 8 + 15;
	assert_int_equal(segment_read_system(SELECTOR(TSS, 0), &t).ar, 0x8b);
	t.limit = TSS * 8 + 14;
	check_unusable(segment_read_system(SELECTOR(TSS, 0), &t), SELECTOR(TSS, 0));
}

/* SDM vol. 3, 3.4.2: TI = 1 selects the LDT, here one that is there and one that is not. */
static void selectors_of_the_ldt(void **state)
{
	const struct descriptor_table_register t = table();
	const struct segment l = ldtr();

	(void)state;
	check(segment_read(0xf, &t, &l), 0xf, 0x40f3, 0xfff, 0x3456);
	check_unusable(segment_read(0xf, &t, &no_ldt), 0xf);
	check_unusable(segment_read(0x17, &t, &l), 0x17);
}

/*
 * SDM vol. 3, 3.4.3, Segment Registers: loading one wants a present code or data descriptor. Gone
 * since (modify_ldt, set_thread_area): unusable.
 */
static void absent_and_system_descriptors_are_unusable(void **state)
{
	(void)state;
	check_unusable(read_gdt(SELECTOR(ABSENT, 3)), SELECTOR(ABSENT, 3));
	check_unusable(read_gdt(SELECTOR(UNUSED, 0)), SELECTOR(UNUSED, 0));
	check_unusable(read_gdt(SELECTOR(TSS, 0)), SELECTOR(TSS, 0));
	check_unusable(read_gdt(SELECTOR(LDT, 0)), SELECTOR(LDT, 0));
}

/*
 * SDM vol. 3, 3.4.5.1, Code- and Data-Segment Descriptor Types: "The processor sets this bit
 * whenever it loads the segment's selector": the register has it even if memory has lost it.
 */
static void the_register_is_accessed(void **state)
{
	(void)state;
	check(read_gdt(SELECTOR(NOT_ACCESSED, 0)), SELECTOR(NOT_ACCESSED, 0), 0xc093, 0xffffffff,
	      0);
}

/*
 * SDM vol. 3, 8.2.3, TSS Descriptor in 64-bit mode: 16 bytes, the third double word is base 63:32.
 * The same for the LDT: 3.5, System Descriptor Types.
 */
static void system_descriptors(void **state)
{
	const struct descriptor_table_register t = table();

	(void)state;
	check(segment_read_system(SELECTOR(TSS, 0), &t), SELECTOR(TSS, 0), 0x8b, 0x41f7,
	      0xfffffe80ab456740);
	check(segment_read_system(SELECTOR(LDT, 0), &t), SELECTOR(LDT, 0), 0x82, 0x1fff,
	      0xffff888100001000);
}

/* TR and LDTR: no code or data segment, none that is absent, none in an LDT. */
static void system_registers_refuse_other_descriptors(void **state)
{
	const struct descriptor_table_register t = table();
	const uint64_t absent[4] = { 0, 0, 0x00000b0000000067, 0 };
	const struct descriptor_table_register a = { sizeof(absent) - 1, (uint64_t)absent };

	(void)state;
	check_unusable(segment_read_system(SELECTOR(KERNEL_DS, 0), &t), SELECTOR(KERNEL_DS, 0));
	check_unusable(segment_read_system(SELECTOR(TSS, 4), &t), SELECTOR(TSS, 4));
	check_unusable(segment_read_system(0x10, &a), 0x10);
}

/* The other way: literal descriptors again, so that not both directions share one mistake. */
static void makes_descriptors(void **state)
{
	(void)state;
	assert_int_equal(segment_descriptor_make(0xa09b, 0xfffff, 0), gdt[KERNEL_CS]);
	assert_int_equal(segment_descriptor_make(0xc093, 0xfffff, 0), gdt[KERNEL_DS]);
	assert_int_equal(segment_descriptor_make(0x8b, 0x41f7, 0xab456740), gdt[TSS]);
	assert_int_equal(segment_descriptor_make(0x50f3, 0xf4321, 0xf712abcd), gdt[TLS]);
}

/* And round: each bit of access rights, limit and base alone comes back. */
static void every_bit_survives_the_round_trip(void **state)
{
	const uint32_t fixed = SEGMENT_AR_P | SEGMENT_AR_S | SEGMENT_TYPE_ACCESSED;
	unsigned int i;

	(void)state;
	for (i = 0; i < 32; i++) {
		uint32_t bit = 1u << i, ar = fixed | (bit & 0x70ff), limit = bit & 0xfffff;
		const uint64_t d[2] = { 0, segment_descriptor_make(ar, limit, bit) };
		const struct descriptor_table_register t = { sizeof(d) - 1, (uint64_t)d };

		check(segment_read(8, &t, &no_ldt), 8, ar, limit, bit);
	}
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(descriptors_of_linux),
	cmocka_unit_test(granularity),
	cmocka_unit_test(null_selectors_are_unusable),
	cmocka_unit_test(beyond_the_table),
	cmocka_unit_test(selectors_of_the_ldt),
	cmocka_unit_test(absent_and_system_descriptors_are_unusable),
	cmocka_unit_test(the_register_is_accessed),
	cmocka_unit_test(system_descriptors),
	cmocka_unit_test(system_registers_refuse_other_descriptors),
	cmocka_unit_test(makes_descriptors),
	cmocka_unit_test(every_bit_survives_the_round_trip),
};

UNIT_MAIN(tests)
