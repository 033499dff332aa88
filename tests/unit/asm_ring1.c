// SPDX-License-Identifier: GPL-2.0-only
/*
 * Ring 1's entry code executed one instruction at a time, with an NMI, #MC or #DB in front of each: Linux
 * finds every register as it was, and each event once.
 */
#define _GNU_SOURCE /* REG_RIP */
#include <string.h>

#include "ring1/stubs.h"
#include "ring1_linux.h"
#include "ring1_walk.h"

#define INTERRUPT 0x31
#define LINUX_RIP UINT64_C(0xffffffff81234567)
#define USER_RSP UINT64_C(0x7ffd00001238)

/* entry.asm; the first is its insn_ring1_enter(), the fake has another one. */
extern const char walk_ring1_enter[], ring1_exit_iret[];

/* --- Ways in -------------------------------------------------------------------------------------- */

static uint64_t garbage(unsigned int i)
{
	return UINT64_C(0x123456789abcdef1) * (i + 1);
}

/* What Linux is to find where it goes on, before the handlers of what came. */
static struct ring1_iret expected;
static uint64_t expected_regs[16];

static void set_registers(uint64_t rsp, uint64_t rflags)
{
	unsigned int i;

	for (i = 0; i < 16; i++) {
		expected_regs[i] = garbage(i);
		walk_registers[walk_greg[i]] = (greg_t)garbage(i);
	}
	walk_registers[REG_RSP] = (greg_t)rsp;
	walk_registers[REG_EFL] = (greg_t)rflags;
}

static void expect_at(uint64_t rip, uint64_t rflags, uint64_t rsp)
{
	expected = (struct ring1_iret){ rip, LINUX_CS, rflags, rsp, LINUX_SS };
}

/* An interrupt of Linux at CPL 1. */
static void interrupted(void)
{
	const uint64_t rsp = (uint64_t)linux_at(LINUX_STACK) - 0x100;

	set_registers(rsp, RFLAGS_FIXED1 | RFLAGS_IF | RFLAGS_CF);
	walk_registers[REG_RIP] = (greg_t)LINUX_RIP;
	expect_at(LINUX_RIP, RFLAGS_FIXED1 | RFLAGS_IF | RFLAGS_CF, rsp);
	walk_interrupt(walk_registers, INTERRUPT, (uint64_t)fake_vmm_cpu(), RING1_CS);
	walk_registers[REG_EFL] = RFLAGS_FIXED1 | RFLAGS_CF;
}

/* A double fault out of Linux, whose frame the processor puts below where others are. */
static void double_fault(void)
{
	const uint64_t rsp = (uint64_t)linux_at(LINUX_STACK) - 0x100;

	set_registers(rsp, RFLAGS_FIXED1 | RFLAGS_CF);
	walk_registers[REG_RIP] = (greg_t)LINUX_RIP;
	expect_at(LINUX_RIP, RFLAGS_FIXED1 | RFLAGS_CF, rsp);
	walk_interrupt(walk_registers, VECTOR_DF,
		       ring1_cpu(fake_vmm_cpu())->tss.ist[VMM_IST_DF - 1], RING1_CS);
	walk_registers[REG_EFL] = RFLAGS_FIXED1 | RFLAGS_CF;
}

/* The IRETQ to user space with a bad frame. */
static void iret_fails(void)
{
	struct ring1_frame *f = ring1_frame(fake_vmm_cpu());
	const uint64_t rsp = (uint64_t)linux_at(LINUX_STACK) - 0x100;

	f->rip = LINUX_RIP;
	f->cs = RING1_CS;
	f->rflags = RFLAGS_FIXED1 | RING1_IOPL | RFLAGS_IF;
	f->rsp = rsp;
	f->ss = RING1_SS;
	set_registers((uint64_t)&f->rip, RFLAGS_FIXED1);
	walk_registers[REG_RIP] = (greg_t)ring1_exit_iret;
	expect_at(LINUX_RIP, RFLAGS_FIXED1 | RFLAGS_IF, rsp);
	walk_interrupt(walk_registers, VECTOR_GP, (uint64_t)&f->rip, 0x10);
}

/* The way down, at its end. */
static void entered(void)
{
	struct cpu *cpu = fake_vmm_cpu();
	const uint64_t rsp = (uint64_t)linux_at(LINUX_STACK) - 0x100;
	struct ring1_frame *enter = &ring1_cpu(cpu)->enter;
	unsigned int i;

	set_registers((uint64_t)cpu - 0x800, RFLAGS_FIXED1);
	for (i = 0; i < 16; i++)
		enter->regs.by_number[i] = garbage(i);
	enter->rip = LINUX_RIP;
	enter->rflags = RFLAGS_FIXED1 | RING1_IOPL | RFLAGS_CF;
	enter->rsp = rsp;
	walk_registers[REG_RDI] = (greg_t)cpu;
	walk_registers[REG_RIP] = (greg_t)walk_ring1_enter;
	expect_at(LINUX_RIP, RFLAGS_FIXED1 | RFLAGS_CF, rsp);
}

static void in_stub(const char *stub, uint64_t rsp)
{
	set_registers(rsp, RFLAGS_FIXED1 | RFLAGS_CF);
	walk_registers[REG_RIP] =
		(greg_t)cpu_slot(fake_vmm_cpu(), MERCURY_CPU_RING1_STUB) + (stub - ring1_stubs);
}

static void by_syscall(void)
{
	in_stub(ring1_stub_syscall, USER_RSP);
	expected_regs[11] &= ~RFLAGS_IOPL;
	expect_at(ring1_cpu(fake_vmm_cpu())->syscall.rip, RFLAGS_FIXED1, USER_RSP);
}

static void by_compat_syscall(void)
{
	in_stub(ring1_stub_compat, USER_RSP);
	expected_regs[11] &= ~RFLAGS_IOPL;
	expect_at(ring1_cpu(fake_vmm_cpu())->compat.rip, RFLAGS_FIXED1, USER_RSP);
}

static void by_sysenter(void)
{
	struct ring1_cpu *r = ring1_cpu(fake_vmm_cpu());

	in_stub(ring1_stub_sysenter, (uint64_t)&r->sysenter.rsp);
	expect_at(r->sysenter.rip, RFLAGS_FIXED1 | RFLAGS_CF, r->sysenter.rsp);
}

/* --- Where Linux is ------------------------------------------------------------------------------- */

/*
 * From handler to what it interrupted, down to where Linux is expected. How often each vector came;
 * returns how many did.
 */
static unsigned int unwind(unsigned int *came)
{
	struct ring1_iret at = ring1_walk.end;
	unsigned int all = 0;

	memset(came, 0, 256 * sizeof(*came));
	assert_int_equal(at.cs, RING1_CS);
	assert_int_equal(at.ss, RING1_SS);
	assert_int_equal(at.rflags & RFLAGS_IOPL, RING1_IOPL);
	at.cs = LINUX_CS;
	at.ss = LINUX_SS;
	at.rflags &= ~RFLAGS_IOPL;
	while (at.rip != expected.rip) {
		uint64_t vector = (at.rip - HANDLER(0)) / 0x10;

		assert_in_range(vector, 0, 255);
		came[vector]++;
		all++;
		memcpy(&at, (void *)(at.rsp + (takes_error_code(vector) ? 8 : 0)), sizeof(at));
	}
	at.rflags &= ~(uint64_t)(RFLAGS_RF | RFLAGS_TF);
	if (memcmp(&at, &expected, sizeof(at)))
		fail_msg("Linux is at cs %lx rflags %lx rsp %lx ss %lx; events in front of %d, %d",
			 at.cs, at.rflags, at.rsp, at.ss, ring1_walk.at[0], ring1_walk.at[1]);
	return all;
}

static void check_registers(void)
{
	unsigned int i;

	for (i = 0; i < 16; i++)
		if (i != 4 && (uint64_t)walk_registers[walk_greg[i]] != expected_regs[i])
			fail_msg("register %u is %llx, not %lx; events in front of %d, %d", i,
				 walk_registers[walk_greg[i]], expected_regs[i], ring1_walk.at[0],
				 ring1_walk.at[1]);
}

/* --- Walks ---------------------------------------------------------------------------------------- */

struct way {
	const char *name;
	void (*begin)(void);
	unsigned int vector; /* that Linux takes of it; 0: none                                 */
	bool debug_is_linuxs;
};

static const struct way ways[] = {
	{ "an interrupt", interrupted, INTERRUPT, false },
	{ "a double fault of Linux's", double_fault, VECTOR_DF, false },
	{ "an IRETQ that fails", iret_fails, VECTOR_GP, false },
	{ "the way down", entered, 0, false },
	{ "SYSCALL", by_syscall, 0, true },
	{ "SYSCALL of 32-bit code", by_compat_syscall, 0, true },
	{ "SYSENTER", by_sysenter, 0, true },
};

#define WAYS (sizeof(ways) / sizeof(ways[0]))

static void start(const struct way *way)
{
	struct ring1_cpu *r = ring1_cpu(fake_vmm_cpu());

	r->nmi_blocked = 0;
	r->nmi_latched = 0;
	fake_vmm_cpu()->pending = 0;
	way->begin();
	walk_go();
}

static void check_came(const struct way *way)
{
	unsigned int came[256], i, all = unwind(came), expected_all = way->vector != 0;

	check_registers();
	if (way->vector && came[way->vector] != 1)
		fail_msg("%s itself came %u times", way->name, came[way->vector]);
	for (i = 0; i < ring1_walk.events; i++) {
		unsigned int vector = ring1_walk.vector[i];
		unsigned int wanted = vector != VECTOR_DB || way->debug_is_linuxs;

		expected_all += wanted;
		if (came[vector] != wanted)
			fail_msg("%s: vector %u in front of instruction %d came %u times",
				 way->name, vector, ring1_walk.at[i], came[vector]);
	}
	if (all != expected_all)
		fail_msg("%s: Linux took %u events, not %u; one in front of %d", way->name, all,
			 expected_all, ring1_walk.at[0]);
}

static void no_event_no_change(void **unused)
{
	size_t i;

	(void)unused;
	ring1_walk.at[0] = ring1_walk.at[1] = WALK_NEVER;
	for (i = 0; i < WAYS; i++) {
		start(&ways[i]);
		check_came(&ways[i]);
	}
}

/* In front of each instruction, until there are no more; returns how many. */
static int walk_with(const struct way *way, unsigned int vector)
{
	int at;

	ring1_walk.vector[0] = vector;
	ring1_walk.at[1] = WALK_NEVER;
	for (at = 0;; at++) {
		ring1_walk.at[0] = at;
		start(way);
		check_came(way);
		if (!ring1_walk.events)
			return at;
	}
}

static void each_event_at_each_instruction(void **unused)
{
	static const unsigned int vectors[] = { VECTOR_NMI, VECTOR_MC, VECTOR_DB };
	size_t i, n;

	(void)unused;
	for (i = 0; i < WAYS; i++)
		for (n = 0; n < sizeof(vectors) / sizeof(vectors[0]); n++)
			assert_in_range(walk_with(&ways[i], vectors[n]), 5, 200);
}

/* The second within the first, and behind it. */
static void two_events(const struct way *way, unsigned int first, unsigned int second)
{
	int at, then;

	ring1_walk.vector[0] = first;
	ring1_walk.vector[1] = second;
	for (at = 0;; at++) {
		for (then = at % WALK_STRIDE;; then += WALK_STRIDE) {
			ring1_walk.at[0] = at;
			ring1_walk.at[1] = then;
			start(way);
			check_came(way);
			if (ring1_walk.events < 2)
				break;
		}
		if (!ring1_walk.events)
			return;
	}
}

static void a_machine_check_within_an_nmi(void **unused)
{
	size_t i;

	(void)unused;
	for (i = 0; i < WAYS; i++)
		two_events(&ways[i], VECTOR_NMI, VECTOR_MC);
}

static void an_nmi_within_a_machine_check(void **unused)
{
	size_t i;

	(void)unused;
	for (i = 0; i < WAYS; i++)
		two_events(&ways[i], VECTOR_MC, VECTOR_NMI);
}

#define T(name) cmocka_unit_test_setup(name, with_stubs)
static const struct CMUnitTest tests[] = {
	T(no_event_no_change),
	T(each_event_at_each_instruction),
	T(a_machine_check_within_an_nmi),
	T(an_nmi_within_a_machine_check),
};

UNIT_MAIN(tests)
