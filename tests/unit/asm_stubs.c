// SPDX-License-Identifier: GPL-2.0-only
/*
 * The stubs for patched code executed one instruction at a time, with an NMI, #MC or #DB in front of each.
 * Linux finds the event on an instruction of its own, with its own GS base and page tables, and what it then
 * goes on with ends as if there had been none.
 */
#define _GNU_SOURCE /* REG_RIP */
#include "asm_stubs.h"

/* --- From the stub to where it ends --------------------------------------------------------------- */

static const struct way *way;
static unsigned int came[256]; /* how often Linux has taken each vector                            */
static struct ring1_walk first; /* the walk with the events: those after it have none              */

#define FAIL(format, ...)                                                                          \
	fail_msg("%s, %s, mark %d, NMI %d%d, vectors %u, %u in front of %d, %d: " format,          \
		 way->name, given.machine->name, given.mark, given.blocked, given.latched,         \
		 first.vector[0], first.vector[1], first.at[0], first.at[1], ##__VA_ARGS__)

static void begin(void)
{
	const struct fake_translation users = {
		.kind = MAP_LINEAR, .pcid = given.machine->noflush ? X86_BIT32(11) | PCID : 0
	};
	const uint16_t word = OTHER_MARKS | (given.mark ? X86_BIT32(PCID) : 0);

	fake.ops = 0;
	memset(fake.tlb, 0, sizeof(fake.tlb));
	tlb_cache(users);
	memcpy(linux_at(FLUSH), &word, sizeof(word));
	memset(linux_at(SCRATCH), 0, 8);
	memset(came, 0, sizeof(came));
	cpu()->pending = 0;
	own()->nmi_blocked = given.blocked;
	own()->nmi_latched = given.latched;
	ring1_walk.iret_fails = false;
	way->begin();
}

/* The end of Linux's handler of it. */
static void handled(uint64_t vector)
{
	came[vector]++;
	if (vector != VECTOR_NMI)
		return;
	came[vector] += own()->nmi_latched;
	own()->nmi_latched = 0;
	own()->nmi_blocked = 0;
}

/* Out of the handlers that were called on top of each other, to where Linux was interrupted. */
static struct ring1_iret unwind(void)
{
	struct ring1_iret at = ring1_walk.end;

	if ((at.cs & SELECTOR_RPL) == 3)
		return at;
	if (at.cs != RING1_CS || at.ss != RING1_SS || (at.rflags & RFLAGS_IOPL) != RING1_IOPL)
		FAIL("Linux goes on at cs %lx ss %lx rflags %lx", at.cs, at.ss, at.rflags);
	at.cs = LINUX_CS;
	at.ss = LINUX_SS;
	at.rflags &= ~RFLAGS_IOPL;
	while (at.rip >= HANDLER(0) && at.rip < HANDLER(256)) {
		uint64_t vector = (at.rip - HANDLER(0)) / 0x10;

		memcpy(&at, (void *)(at.rsp + (takes_error_code(vector) ? 8 : 0)), sizeof(at));
		handled(vector);
	}
	at.rflags &= ~(uint64_t)(RFLAGS_RF | RFLAGS_TF);
	return at;
}

static void check_in_kernel(void)
{
	const uint64_t other = fake_get_msr(MSR_IA32_KERNEL_GS_BASE);

	/* It may have been written already; so may CR3. */
	if (fake.cpu.gs.base != KERNEL_GS ||
	    (other != USER_GS && (way->to_user || other != expected.kernel_gs)))
		FAIL("Linux has the GS base %lx, %lx behind SWAPGS", fake.cpu.gs.base, other);
	if (fake.cpu.cr3 != KERNEL_CR3 && fake.cpu.cr3 != expected.cr3)
		FAIL("Linux has CR3 %lx", fake.cpu.cr3);
	if (fake.cpu.cr3 & given.machine->user_cr3)
		FAIL("Linux has CR3 %lx, user space's", fake.cpu.cr3);
}

/* Linux goes on where it was interrupted; false: that is its end. */
static bool restart(const struct ring1_iret *at)
{
	uint64_t r11 = RFLAGS_FIXED1 | RING1_IOPL;

	if (at->rip != ASKS && at->rip != USER_RETURN)
		return false;
	check_in_kernel();
	if (at->cs != LINUX_CS || at->ss != LINUX_SS ||
	    (at->rip == USER_RETURN && at->rflags & RFLAGS_IF))
		FAIL("Linux is at cs %lx ss %lx rflags %lx", at->cs, at->ss, at->rflags);
	if (at->rip == ASKS)
		r11 |= at->rflags;
	else
		walk_registers[REG_RAX] = MERCURY_RING1_TO_USER;
	walk_registers[REG_RCX] = ASKS + 2;
	walk_registers[REG_R11] = (greg_t)r11;
	walk_registers[REG_RSP] = (greg_t)at->rsp;
	walk_registers[REG_EFL] = RFLAGS_FIXED1;
	walk_registers[REG_RIP] =
		(greg_t)cpu_slot(cpu(), MERCURY_CPU_RING1_STUB) +
		((given.machine->user_cr3 ? ring1_stub_apart : ring1_stub_shared) - ring1_stubs);
	return true;
}

static void check_end(const struct ring1_iret *at)
{
	unsigned int i;

	if (memcmp(at, &expected.at, sizeof(*at)))
		FAIL("it ends at rip %lx cs %lx rflags %lx rsp %lx ss %lx", at->rip, at->cs,
		     at->rflags, at->rsp, at->ss);
	for (i = 0; i < 16; i++)
		if (!(expected.any & REG(i)) &&
		    (uint64_t)walk_registers[walk_greg[i]] != expected.regs[i])
			FAIL("register %u is %llx, not %lx", i, walk_registers[walk_greg[i]],
			     expected.regs[i]);
	if (fake.cpu.gs.base != expected.gs ||
	    fake_get_msr(MSR_IA32_KERNEL_GS_BASE) != expected.kernel_gs)
		FAIL("it ends with the GS base %lx, %lx behind SWAPGS", fake.cpu.gs.base,
		     fake_get_msr(MSR_IA32_KERNEL_GS_BASE));
	if (fake.cpu.cr3 != expected.cr3)
		FAIL("it ends with CR3 %lx, not %lx", fake.cpu.cr3, expected.cr3);
	if (ring1_walk.by_sysret != expected.by_sysret)
		FAIL("it ends by %s", expected.by_sysret ? "IRETQ" : "SYSRET");
}

static void check_system_call(void)
{
	uint64_t rsp;

	memcpy(&rsp, linux_at(SCRATCH), sizeof(rsp));
	if (rsp != USER_RSP)
		FAIL("user space's RSP is %lx for Linux", rsp);
	if (own()->nmi_blocked)
		FAIL("NMIs are blocked, with no handler of one");
}

static void check_to_user(void)
{
	const uint16_t own_mark = given.machine->noflush || !given.mark ? 0 : X86_BIT32(PCID);

	if (flush_word() != (OTHER_MARKS | own_mark))
		FAIL("the PCIDs that want a flush are %x", flush_word());
	if (given.machine->user_cr3 && !given.machine->noflush && !user_tlb_is_flushed())
		FAIL("user space's translations are as they were");
	if (given.machine->noflush && given.mark && !user_tlb_is_flushed())
		FAIL("user space's translations are as they were, though marked");
	if (given.machine->noflush && !given.mark && !first.events && user_tlb_is_flushed())
		FAIL("user space's translations are gone for nothing");
	if (own()->nmi_latched || (own()->nmi_blocked && !expected.fault))
		FAIL("user space runs with an NMI latched or blocked");
}

static void check_bad_frame(void)
{
	const struct ring1_iret *frame = (const void *)expected.at.rsp;

	if (memcmp(frame, &saved()->rip, sizeof(*frame)))
		FAIL("the frame that IRETQ did not take is rip %lx cs %lx rsp %lx", frame->rip,
		     frame->cs, frame->rsp);
}

/* A breakpoint on what the way to user space reads is dropped there; and in the VMM itself. */
static bool debug_is_linuxs(uint64_t rip)
{
	const struct ring1_patched_stub *stub = &ring1_patched_stubs[given.machine->user_cr3 != 0];
	uint64_t offset = rip - (uint64_t)cpu_slot(cpu(), MERCURY_CPU_RING1_STUB);

	return offset < MERCURY_PAGE_SIZE && (offset < stub->user || offset >= stub->other);
}

static void check_came(void)
{
	unsigned int wanted[256] = { 0 }, i, least;

	for (i = 0; i < first.events; i++)
		wanted[first.vector[i]] += first.vector[i] != VECTOR_DB ||
					   debug_is_linuxs(first.event_rip[i]);
	wanted[VECTOR_GP] += expected.fault;
	least = wanted[VECTOR_NMI];
	if (given.latched) {
		/* One more while one is latched is lost, as in a processor. */
		least = 1;
		wanted[VECTOR_NMI]++;
	}
	came[VECTOR_NMI] += own()->nmi_latched;
	/* In the handling of a #DB that is dropped: with the next trap. */
	if (first.vector[0] == VECTOR_DB && first.events == 2)
		came[VECTOR_NMI] += (cpu()->pending & PENDING_NMI) != 0;
	if (came[VECTOR_NMI] >= least && came[VECTOR_NMI] <= wanted[VECTOR_NMI])
		wanted[VECTOR_NMI] = came[VECTOR_NMI];
	for (i = 0; i < 256; i++)
		if (came[i] != wanted[i])
			FAIL("Linux took vector %u %u times, not %u", i, came[i], wanted[i]);
}

static void follow(void)
{
	struct ring1_iret at;
	unsigned int walks = 1;

	begin();
	first = ring1_walk;
	walk_go();
	first = ring1_walk;
	ring1_walk.at[0] = ring1_walk.at[1] = WALK_NEVER;
	for (at = unwind(); restart(&at); at = unwind(), walks++) {
		if (walks > 4)
			FAIL("Linux does not get what it asks for");
		walk_go();
	}
	check_end(&at);
	if (way->from_user)
		check_system_call();
	if (way->to_user)
		check_to_user();
	if (expected.fault)
		check_bad_frame();
	check_came();
	memcpy(ring1_walk.at, first.at, sizeof(first.at));
}

/* --- Walks ---------------------------------------------------------------------------------------- */

/*
 * Is this a state of its own? NMIs are latched only while they are blocked, and not in user space. There they
 * are not blocked, though the flag may say so.
 */
static bool is_possible(void)
{
	if (given.mark && !(given.machine->noflush && way->to_user))
		return false;
	return !given.latched || (given.blocked && way->to_user);
}

static void for_each_state(void (*visit)(void))
{
	size_t m, w;

	for (m = 0; m < MACHINES; m++) {
		set_machine(&machines[m]);
		for (w = 0; w < WAYS * 8; w++) {
			way = &ways[w / 8];
			given.mark = w & 1;
			given.blocked = w & 2;
			given.latched = w & 4;
			if (is_possible())
				visit();
		}
	}
}

static void without_events(void)
{
	ring1_walk.at[0] = ring1_walk.at[1] = WALK_NEVER;
	follow();
}

static void no_event_no_change(void **unused)
{
	(void)unused;
	for_each_state(without_events);
}

/* Can this vector end in another way than in a state that is walked through as well? */
static bool makes_a_difference(unsigned int vector)
{
	if (given.machine == &machines[1])
		return vector == VECTOR_MC && !given.blocked;
	if (given.blocked)
		return given.machine == &machines[2] &&
		       (vector == VECTOR_NMI || (given.latched && vector == VECTOR_MC));
	return true;
}

static struct mercury_ring1_saved changed;

static void to_user_as_changed(void)
{
	to_user(changed.rip, changed.rcx, changed.rflags, changed.r11);
	saved()->cs = changed.cs;
	saved()->ss = changed.ss;
	expected.at.cs = changed.cs;
	expected.at.ss = changed.ss;
}

static void expect_iretq(void)
{
	static const struct way to_user = { "what SYSRET cannot do", to_user_as_changed, false,
					    true };

	ring1_walk.at[0] = ring1_walk.at[1] = WALK_NEVER;
	way = &to_user;
	given.mark = given.blocked = given.latched = false;
	follow();
	changed = (struct mercury_ring1_saved){ .rip = USER_RIP,
						.rcx = USER_RIP,
						.cs = USER_CS,
						.rflags = USER_RFLAGS,
						.r11 = USER_RFLAGS,
						.ss = USER_SS };
}

/* Each of these alone differs from what SYSRET does right. */
static void what_sysret_cannot_do_is_iretqs(void **unused)
{
	const uint64_t flags[] = { RFLAGS_RF, RFLAGS_TF };
	size_t m, i;

	(void)unused;
	for (m = 0; m < MACHINES; m++) {
		set_machine(&machines[m]);
		changed = (struct mercury_ring1_saved){ .rip = USER_RIP,
							.rcx = OTHER_RIP,
							.cs = USER_CS,
							.rflags = USER_RFLAGS,
							.r11 = USER_RFLAGS,
							.ss = USER_SS };
		expect_iretq();
		changed.r11 ^= RFLAGS_CF;
		expect_iretq();
		changed.rip = changed.rcx = UINT64_C(1) << 47;
		expect_iretq();
		for (i = 0; i < sizeof(flags) / sizeof(flags[0]); i++) {
			changed.rflags |= flags[i];
			changed.r11 |= flags[i];
			expect_iretq();
		}
		changed.cs = 0x23;
		expect_iretq();
		changed.ss = 0x23;
		expect_iretq();
	}
}

/* In front of each instruction, until there are no more. */
static void with_one_event(void)
{
	static const unsigned int vectors[] = { VECTOR_NMI, VECTOR_MC, VECTOR_DB };
	size_t i;
	int at;

	ring1_walk.at[1] = WALK_NEVER;
	for (i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++) {
		if (!makes_a_difference(vectors[i]))
			continue;
		ring1_walk.vector[0] = vectors[i];
		for (at = 0;; at++) {
			ring1_walk.at[0] = at;
			follow();
			if (!first.events)
				break;
		}
		assert_in_range(at, 9, 400);
	}
}

static void each_event_at_each_instruction(void **unused)
{
	(void)unused;
	for_each_state(with_one_event);
}

/* A second one within the first, and behind it. */
static void two_events(unsigned int one, unsigned int two)
{
	int at, then;

	ring1_walk.vector[0] = one;
	ring1_walk.vector[1] = two;
	for (at = 0;; at++) {
		for (then = at % WALK_STRIDE;; then += WALK_STRIDE) {
			ring1_walk.at[0] = at;
			ring1_walk.at[1] = then;
			follow();
			if (first.events < 2)
				break;
		}
		if (!first.events)
			return;
	}
}

static void with_two_events(void)
{
	if (given.machine != &machines[2] || given.blocked || given.mark != way->to_user)
		return;
	two_events(VECTOR_NMI, VECTOR_MC);
	two_events(VECTOR_MC, VECTOR_NMI);
	/* Dropped, and the stub goes on to the second. */
	if (way->to_user)
		two_events(VECTOR_DB, VECTOR_NMI);
}

static void an_event_within_another(void **unused)
{
	(void)unused;
	for_each_state(with_two_events);
}

#define T(name) cmocka_unit_test_setup(name, with_stubs)
static const struct CMUnitTest tests[] = {
	T(no_event_no_change),
	T(what_sysret_cannot_do_is_iretqs),
	T(each_event_at_each_instruction),
	T(an_event_within_another),
};

UNIT_MAIN(tests)
