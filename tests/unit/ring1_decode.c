// SPDX-License-Identifier: GPL-2.0-only
/* The decoder of ring 1: golden bytes, as the assembler makes them and as Debian's kernels hold them. */
#include "unit.h"

#include "ring1/decode.h"
#include "ring1_kernels.h"

#define BYTES(...) (const uint8_t[]){ __VA_ARGS__ }, sizeof((const uint8_t[]){ __VA_ARGS__ })

struct golden {
	const char *text;
	const uint8_t *bytes;
	size_t n;
	enum ring1_insn op;
	uint8_t size, reg, gpr;
};

#define NONE INSN_NO_REG

/* What Linux 6.1, 6.12 and, of AMD's, 6.15 execute; comments name a place. */
static const struct golden goldens[] = {
	{ "swapgs", BYTES(0x0f, 0x01, 0xf8), INSN_SWAPGS, 4, 0, NONE },
	{ "iretq", BYTES(0x48, 0xcf), INSN_IRET, 8, 0, NONE },
	{ "iretd", BYTES(0xcf), INSN_IRET, 4, 0, NONE },
	{ "sysretq", BYTES(0x48, 0x0f, 0x07), INSN_SYSRET, 8, 0, NONE },
	{ "sysretl", BYTES(0x0f, 0x07), INSN_SYSRET, 4, 0, NONE },
	{ "rdmsr", BYTES(0x0f, 0x32), INSN_RDMSR, 4, 0, NONE },
	{ "wrmsr", BYTES(0x0f, 0x30), INSN_WRMSR, 4, 0, NONE },
	{ "ds wrmsr", BYTES(0x3e, 0x0f, 0x30), INSN_WRMSR, 4, 0, NONE },
	{ "wrmsrns", BYTES(0x0f, 0x01, 0xc6), INSN_WRMSR, 4, 0, NONE },
	{ "mov %cr0, %rax", BYTES(0x0f, 0x20, 0xc0), INSN_READ_CR, 4, 0, 0 },
	{ "mov %cr2, %r12", BYTES(0x41, 0x0f, 0x20, 0xd4), INSN_READ_CR, 4, 2, 12 },
	{ "mov %cr3, %rsp", BYTES(0x0f, 0x20, 0xdc), INSN_READ_CR, 4, 3, 4 },
	{ "mov %rsp, %cr3", BYTES(0x0f, 0x22, 0xdc), INSN_WRITE_CR, 4, 3, 4 },
	{ "mov %rdi, %cr4", BYTES(0x0f, 0x22, 0xe7), INSN_WRITE_CR, 4, 4, 7 },
	{ "mov %cr8, %rax", BYTES(0x44, 0x0f, 0x20, 0xc0), INSN_READ_CR, 4, 8, 0 },
	{ "mov %rax, %db7", BYTES(0x0f, 0x23, 0xf8), INSN_WRITE_DR, 4, 7, 0 },
	{ "mov %db6, %r15", BYTES(0x41, 0x0f, 0x21, 0xf7), INSN_READ_DR, 4, 6, 15 },
	{ "clts", BYTES(0x0f, 0x06), INSN_CLTS, 4, 0, NONE },
	{ "invlpg (%rbx)", BYTES(0x0f, 0x01, 0x3b), INSN_INVLPG, 4, 0, NONE },
	{ "invpcid (%rsp), %rax", BYTES(0x66, 0x0f, 0x38, 0x82, 0x04, 0x24), INSN_INVPCID, 2, 0,
	  NONE },
	{ "invlpgb", BYTES(0x0f, 0x01, 0xfe), INSN_INVLPGB, 4, 0, NONE },
	{ "tlbsync", BYTES(0x0f, 0x01, 0xff), INSN_TLBSYNC, 4, 0, NONE },
	{ "wbinvd", BYTES(0x0f, 0x09), INSN_WBINVD, 4, 0, NONE },
	{ "wbnoinvd", BYTES(0xf3, 0x0f, 0x09), INSN_WBINVD, 4, 0, NONE },
	{ "invd", BYTES(0x0f, 0x08), INSN_INVD, 4, 0, NONE },
	{ "hlt", BYTES(0xf4), INSN_HLT, 4, 0, NONE },
	{ "clac", BYTES(0x0f, 0x01, 0xca), INSN_CLAC, 4, 0, NONE },
	{ "stac", BYTES(0x0f, 0x01, 0xcb), INSN_STAC, 4, 0, NONE },
	{ "monitor", BYTES(0x0f, 0x01, 0xc8), INSN_MONITOR, 4, 0, NONE },
	{ "mwait", BYTES(0x0f, 0x01, 0xc9), INSN_MWAIT, 4, 0, NONE },
	{ "sgdt (%rdi)", BYTES(0x0f, 0x01, 0x07), INSN_SGDT, 4, 0, NONE },
	{ "sidt 8(%rsp)", BYTES(0x0f, 0x01, 0x4c, 0x24, 0x08), INSN_SIDT, 4, 0, NONE },
	{ "lgdt (%rax)", BYTES(0x0f, 0x01, 0x10), INSN_LGDT, 4, 0, NONE },
	{ "lidt x(%rip)", BYTES(0x0f, 0x01, 0x1d, 1, 2, 3, 4), INSN_LIDT, 4, 0, NONE },
	{ "smsw %ax", BYTES(0x66, 0x0f, 0x01, 0xe0), INSN_SMSW, 2, 0, 0 },
	{ "lmsw %cx", BYTES(0x0f, 0x01, 0xf1), INSN_LMSW, 4, 0, 1 },
	{ "sldt %eax", BYTES(0x0f, 0x00, 0xc0), INSN_SLDT, 4, 0, 0 },
	{ "str %eax", BYTES(0x0f, 0x00, 0xc8), INSN_STR, 4, 0, 0 },
	{ "lldt %ax", BYTES(0x0f, 0x00, 0xd0), INSN_LLDT, 4, 0, 0 },
	{ "ltr %ax", BYTES(0x0f, 0x00, 0xd8), INSN_LTR, 4, 0, 0 },
	{ "mov %eax, %ss", BYTES(0x8e, 0xd0), INSN_MOV_SREG, 4, 2, 0 },
	{ "mov %r9d, %ds", BYTES(0x41, 0x8e, 0xd9), INSN_MOV_SREG, 4, 3, 9 },
	{ "xsaves64 (%rdi)", BYTES(0x48, 0x0f, 0xc7, 0x2f), INSN_XSAVES, 8, 0, NONE },
	{ "xrstors64 (%rdi)", BYTES(0x48, 0x0f, 0xc7, 0x1f), INSN_XRSTORS, 8, 0, NONE },
	{ "xsetbv", BYTES(0x0f, 0x01, 0xd1), INSN_XSETBV, 4, 0, NONE },
	{ "rdtsc", BYTES(0x0f, 0x31), INSN_RDTSC, 4, 0, NONE },
	{ "rdtscp", BYTES(0x0f, 0x01, 0xf9), INSN_RDTSCP, 4, 0, NONE },
	{ "rdpmc", BYTES(0x0f, 0x33), INSN_RDPMC, 4, 0, NONE },
	{ "tpause %ecx", BYTES(0x66, 0x0f, 0xae, 0xf1), INSN_TPAUSE, 2, 0, NONE },
	{ "cpuid", BYTES(0x0f, 0xa2), INSN_CPUID, 4, 0, NONE },
	{ "int $2", BYTES(0xcd, 0x02), INSN_INT, 4, 2, NONE },
	{ "ud2", BYTES(0x0f, 0x0b), INSN_UD2, 4, 0, NONE },
	{ "in (%dx), %al", BYTES(0xec), INSN_IN, 1, 0, NONE },
	{ "in (%dx), %ax", BYTES(0x66, 0xed), INSN_IN, 2, 0, NONE },
	{ "out %eax, $0x80", BYTES(0xe7, 0x80), INSN_OUT, 4, 0, NONE },
	{ "insb (%dx), (%rdi)", BYTES(0x6c), INSN_INS, 1, 0, NONE },
	{ "rep insw (%dx), (%rdi)", BYTES(0x66, 0xf3, 0x6d), INSN_INS, 2, 0, NONE },
	{ "outsl %gs:(%rsi), (%dx)", BYTES(0x65, 0x6f), INSN_OUTS, 4, 0, NONE },
	{ "REX.W out %eax, (%dx)", BYTES(0x48, 0xef), INSN_OUT, 4, 0, NONE },
};

static void what_linux_executes_is_known(void **unused)
{
	struct insn i;
	size_t n;

	(void)unused;
	for (n = 0; n < sizeof(goldens) / sizeof(goldens[0]); n++) {
		const struct golden *g = &goldens[n];

		if (!insn_decode(g->bytes, g->n, true, &i))
			fail_msg("%s is not known", g->text);
		if (i.op != g->op || i.length != g->n || i.size != g->size || i.reg != g->reg ||
		    i.gpr != g->gpr)
			fail_msg("%s: op %d length %u size %u reg %u gpr %u", g->text, i.op,
				 i.length, i.size, i.reg, i.gpr);
	}
}

#define K(op, text, ...) { text, BYTES(__VA_ARGS__), INSN_##op, 0, 0, 0 },
static const struct golden kernels[] = { RING1_KERNELS(K) };
#undef K

static void what_debians_kernels_hold_is_known(void **unused)
{
	struct insn i;
	size_t n;

	(void)unused;
	for (n = 0; n < sizeof(kernels) / sizeof(kernels[0]); n++) {
		const struct golden *g = &kernels[n];

		if (!insn_decode(g->bytes, g->n, true, &i))
			fail_msg("%s is not known", g->text);
		if (i.op != g->op || i.length != g->n)
			fail_msg("%s: op %d, length %u", g->text, i.op, i.length);
	}
}

/* The decoder may not take one byte more than the instruction has, nor go by one less. */
static void a_cut_instruction_is_none(void **unused)
{
	struct insn i;
	size_t n, length;

	(void)unused;
	for (n = 0; n < sizeof(goldens) / sizeof(goldens[0]); n++)
		for (length = 0; length < goldens[n].n; length++)
			if (insn_decode(goldens[n].bytes, length, true, &i))
				fail_msg("%s: taken with %zu bytes", goldens[n].text, length);
}

static void every_instruction_has_a_golden(void **unused)
{
	bool seen[INSN_NR] = { [INSN_UNKNOWN] = true };
	size_t n;

	(void)unused;
	for (n = 0; n < sizeof(goldens) / sizeof(goldens[0]); n++)
		seen[goldens[n].op] = true;
	for (n = 0; n < INSN_NR; n++)
		if (!seen[n])
			fail_msg("instruction %zu has none", n);
}

static void unknown(const char *text, const uint8_t *bytes, size_t n)
{
	struct insn i;

	if (insn_decode(bytes, n, true, &i))
		fail_msg("%s is taken for %d", text, i.op);
}

static void others_are_not_ours(void **unused)
{
	uint8_t prefixes[16];

	(void)unused;
	unknown("nop", BYTES(0x90));
	unknown("mov (%rax), %rax", BYTES(0x48, 0x8b, 0x00));
	unknown("lock rdmsr", BYTES(0xf0, 0x0f, 0x32));
	unknown("vmcall", BYTES(0x0f, 0x01, 0xc1));
	unknown("clui", BYTES(0xf3, 0x0f, 0x01, 0xee));
	unknown("rmpupdate", BYTES(0xf2, 0x0f, 0x01, 0xfe));
	unknown("rmpadjust", BYTES(0xf3, 0x0f, 0x01, 0xfe));
	unknown("pvalidate", BYTES(0xf2, 0x0f, 0x01, 0xff));
	unknown("psmash", BYTES(0xf3, 0x0f, 0x01, 0xff));
	unknown("verr %ax", BYTES(0x0f, 0x00, 0xe0));
	unknown("cmpxchg8b (%rdi)", BYTES(0x0f, 0xc7, 0x0f));
	unknown("rdrand %eax", BYTES(0x0f, 0xc7, 0xf0));
	unknown("invept", BYTES(0x66, 0x0f, 0x38, 0x80, 0x04, 0x24));
	unknown("invpcid without 66", BYTES(0x0f, 0x38, 0x82, 0x04, 0x24));
	unknown("syscall", BYTES(0x0f, 0x05));
	memset(prefixes, 0x66, sizeof(prefixes));
	prefixes[15] = 0xf4;
	unknown("an instruction of 16 bytes", prefixes, sizeof(prefixes));
}

/* A REX prefix counts right before the opcode only. SDM vol. 2, 2.2.1, REX Prefixes */
static void rex_before_another_prefix_is_ignored(void **unused)
{
	struct insn i;

	(void)unused;
	assert_true(insn_decode(BYTES(0x48, 0x3e, 0xcf), true, &i));
	assert_int_equal(i.size, 4);
	assert_true(insn_decode(BYTES(0x3e, 0x48, 0xcf), true, &i));
	assert_int_equal(i.size, 8);
}

static void memory_operands(void **unused)
{
	struct insn i;

	(void)unused;
	assert_true(insn_decode(BYTES(0x0f, 0x01, 0x3d, 0x10, 0, 0, 0), true, &i));
	assert_true(i.memory.rip_relative);
	assert_int_equal(i.memory.displacement, 0x10);
	/* invlpg %gs:-8(%r13,%r12,4) */
	assert_true(insn_decode(BYTES(0x65, 0x43, 0x0f, 0x01, 0x7c, 0xa5, 0xf8), true, &i));
	assert_int_equal(i.memory.base, 13);
	assert_int_equal(i.memory.index, 12);
	assert_int_equal(i.memory.scale, 4);
	assert_int_equal(i.memory.displacement, -8);
	assert_true(i.memory.gs);
	/* invlpg 0x11223344 */
	assert_true(insn_decode(BYTES(0x0f, 0x01, 0x3c, 0x25, 0x44, 0x33, 0x22, 0x11), true, &i));
	assert_int_equal(i.memory.base, INSN_NO_REG);
	assert_int_equal(i.memory.index, INSN_NO_REG);
	assert_int_equal(i.memory.displacement, 0x11223344);
	/* invlpg (%esp) */
	assert_true(insn_decode(BYTES(0x67, 0x0f, 0x01, 0x3c, 0x24), true, &i));
	assert_int_equal(i.memory.base, 4);
	assert_true(i.memory.address_32);
	/* invlpg (%r12): 100 of ModRM wants a SIB byte, with REX.B too */
	assert_true(insn_decode(BYTES(0x41, 0x0f, 0x01, 0x3c, 0x24), true, &i));
	assert_int_equal(i.memory.base, 12);
	/* invlpg 0(%r13): 101 without displacement is RIP-relative, with REX.B too */
	assert_true(insn_decode(BYTES(0x41, 0x0f, 0x01, 0x3d, 1, 0, 0, 0), true, &i));
	assert_true(i.memory.rip_relative);
}

/* 32-bit user space has no REX: 40h to 4Fh are instructions. */
static void in_32_bit_code_only_ports_are_known(void **unused)
{
	struct insn i;

	(void)unused;
	assert_true(insn_decode(BYTES(0x66, 0xed), false, &i));
	assert_int_equal(i.op, INSN_IN);
	assert_int_equal(i.size, 2);
	assert_true(insn_decode(BYTES(0xe6, 0x80), false, &i));
	assert_int_equal(i.port, 0x80);
	assert_true(insn_decode(BYTES(0xf2, 0x6e), false, &i));
	assert_int_equal(i.op, INSN_OUTS);
	assert_true(i.repeated && i.memory.address_32);
	assert_false(insn_decode(BYTES(0x67, 0x6e), false, &i));
	assert_false(insn_decode(BYTES(0x48, 0xed), false, &i));
	assert_false(insn_decode(BYTES(0x0f, 0x01, 0xf8), false, &i));
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(what_linux_executes_is_known),
	cmocka_unit_test(what_debians_kernels_hold_is_known),
	cmocka_unit_test(a_cut_instruction_is_none),
	cmocka_unit_test(every_instruction_has_a_golden),
	cmocka_unit_test(others_are_not_ours),
	cmocka_unit_test(rex_before_another_prefix_is_ignored),
	cmocka_unit_test(memory_operands),
	cmocka_unit_test(in_32_bit_code_only_ports_are_known),
};

UNIT_MAIN(tests)
