// SPDX-License-Identifier: GPL-2.0-only
/*
 * The short way of a page fault to Linux, one instruction at a time: it does what ring1_trap() does, with an
 * NMI, #MC or #DB in front of each instruction too, and leaves to that one what it does not know.
 */
#define _GNU_SOURCE /* REG_RIP */
#include "patched_linux.h"
#include "x86/paging.h"

#define LINUX_RIP UINT64_C(0xffffffff81234567)
#define LINUX_RSP (LINUX_STACK - 0x108)
#define ADDRESS UINT64_C(0x7f1234567890)
#define ERROR_CODE 0x7
#define OTHER_HANDLER UINT64_C(0xffffffff81a80000)
#define STACK_END UINT64_C(0x500000000000)

/* --- Page faults ---------------------------------------------------------------------------------- */

static uint64_t garbage(unsigned int i)
{
	return UINT64_C(0x123456789abcdef1) * (i + 1);
}

static const struct ring1_iret in_linux = { LINUX_RIP, RING1_CS,
					    RFLAGS_FIXED1 | RING1_IOPL | RFLAGS_IF | RFLAGS_TF |
						    RFLAGS_CF,
					    0, RING1_SS };
static const struct ring1_iret in_program = { USER_RIP, USER_CS,
					      RFLAGS_FIXED1 | RING1_IOPL | RFLAGS_IF | RFLAGS_ZF,
					      USER_RSP, USER_SS };

/* The processor's part of it; walk_interrupt() pushes SS and error code 0. */
static void fault(const struct ring1_iret *at, uint64_t rsp)
{
	struct ring1_iret *pushed = (struct ring1_iret *)cpu() - 1;
	unsigned int i;

	if (at->cs == USER_CS)
		in_user_space();
	else
		in_kernel();
	fake.cr2 = ADDRESS;
	for (i = 0; i < 16; i++)
		walk_registers[walk_greg[i]] = (greg_t)garbage(i);
	walk_registers[REG_EFL] = (greg_t)at->rflags;
	walk_registers[REG_RIP] = (greg_t)at->rip;
	walk_registers[REG_RSP] = (greg_t)rsp;
	walk_interrupt(walk_registers, VECTOR_PF, (uint64_t)cpu(), at->cs);
	*pushed = *at;
	pushed->rsp = rsp;
	((uint64_t *)pushed)[-1] = ERROR_CODE;
	memset(fake.tlb, 0, sizeof(fake.tlb));
	tlb_cache((struct fake_translation){ .kind = MAP_LINEAR, .pcid = (uint16_t)given.pcid });
	walk_registers[REG_EFL] = RFLAGS_FIXED1 | RFLAGS_CF;
}

/* Where it goes, and all that it leaves. */
struct outcome {
	struct ring1_iret at;
	uint64_t pushed[6], regs[16], cr2, cr3, gs, faults;
	uint64_t frame_vector;
	uint32_t nmi_blocked, nmi_latched, pending, tlb_is_flushed;
};

static struct outcome outcome(uint64_t rsp)
{
	struct outcome o = {
		.at = ring1_walk.end,
		.cr2 = cpu_shared(cpu())->cr2,
		.cr3 = fake.cpu.cr3,
		.gs = fake.cpu.gs.base,
		.faults = cpu_shared(cpu())->exits[MERCURY_RING1_PAGE_FAULT],
		.nmi_blocked = own()->nmi_blocked,
		.nmi_latched = own()->nmi_latched,
		.frame_vector = frame()->vector,
		.pending = cpu()->pending,
		.tlb_is_flushed = !fake.tlb[0].valid,
	};
	unsigned int i;

	for (i = 0; i < 16; i++)
		o.regs[i] = i == 4 ? 0 : (uint64_t)walk_registers[walk_greg[i]];
	if (rsp)
		memcpy(o.pushed, (const void *)((rsp & ~UINT64_C(15)) - sizeof(o.pushed)),
		       sizeof(o.pushed));
	return o;
}

/* Where the handler's frame ends. */
static uint64_t stack_of(const struct ring1_iret *at, uint64_t rsp)
{
	return at->cs == USER_CS ? (uint64_t)linux_at(SP0) : rsp;
}

static struct outcome walk(const struct ring1_iret *at, uint64_t rsp)
{
	cpu_shared(cpu())->cr2 = 0;
	cpu_shared(cpu())->exits[MERCURY_RING1_PAGE_FAULT] = 0;
	fault(at, rsp);
	walk_go();
	return outcome(rsp - STACK_END < 48 ? 0 : stack_of(at, rsp));
}

static void forget(void)
{
	memset(&own()->page_fault, 0, sizeof(own()->page_fault));
}

static int patched(void **state)
{
	int error = with_stubs(state);

	memset(&ring1_walk, 0, sizeof(ring1_walk));
	ring1_walk.at[0] = ring1_walk.at[1] = WALK_NEVER;
	set_machine(&machines[0]);
	cpu_shared(cpu())->patch.swapped[0] = X86_BIT32(VECTOR_PF);
	return error;
}

static uint64_t linux_rsp(void)
{
	return (uint64_t)linux_at(LINUX_RSP);
}

/* --- As ring1_trap() does ------------------------------------------------------------------------- */

static void compare(const struct ring1_iret *at)
{
	const uint64_t rsp = at->cs == USER_CS ? USER_RSP : linux_rsp();
	struct outcome slow, fast;

	forget();
	own()->nmi_blocked = 1;
	slow = walk(at, rsp);
	assert_int_equal(ring1_walk.traps, 1);
	memset((void *)(stack_of(at, rsp) - 0x100), 0, 0x100);
	own()->nmi_blocked = 1;
	fast = walk(at, rsp);
	assert_int_equal(ring1_walk.traps, 0);
	assert_int_equal(fast.at.rip, HANDLER(VECTOR_PF));
	assert_int_equal(fast.pushed[0], ERROR_CODE);
	assert_memory_equal(&fast, &slow, sizeof(fast));
}

static void as_ring1_trap_does(void **unused)
{
	size_t i;

	(void)unused;
	for (i = 0; i < MACHINES; i++) {
		set_machine(&machines[i]);
		cpu_shared(cpu())->patch.swapped[0] = X86_BIT32(VECTOR_PF);
		compare(&in_linux);
		compare(&in_program);
	}
}

/* --- Events --------------------------------------------------------------------------------------- */

/* Linux finds the event as one of the page fault's handler, whose frame is as it was. */
static void check_event(const struct ring1_iret *at, const struct outcome *quiet)
{
	const unsigned int vector = ring1_walk.vector[0];
	const uint64_t rsp = at->cs == USER_CS ? USER_RSP : linux_rsp();
	struct outcome o = outcome(stack_of(at, rsp));
	struct ring1_iret end;

	if (ring1_walk.events && vector != VECTOR_DB) {
		assert_int_equal(o.at.rip, HANDLER(vector));
		memcpy(&end, (const void *)o.at.rsp, sizeof(end));
		end.cs = RING1_CS;
		end.ss = RING1_SS;
		end.rflags |= RING1_IOPL;
		o.at = end;
		if (vector == VECTOR_NMI) {
			assert_int_equal(o.nmi_blocked, 1);
			o.nmi_blocked = 0;
		}
	}
	if (memcmp(&o, quiet, sizeof(o)))
		fail_msg("vector %u in front of instruction %d at %lx changes what Linux finds",
			 vector, ring1_walk.at[0], ring1_walk.event_rip[0]);
}

static void walk_with(const struct ring1_iret *at, unsigned int vector)
{
	const uint64_t rsp = at->cs == USER_CS ? USER_RSP : linux_rsp();
	struct outcome quiet;

	ring1_walk.at[0] = WALK_NEVER;
	own()->nmi_blocked = 0;
	quiet = walk(at, rsp);
	ring1_walk.vector[0] = vector;
	for (ring1_walk.at[0] = 0;; ring1_walk.at[0]++) {
		own()->nmi_blocked = 0;
		walk(at, rsp);
		check_event(at, &quiet);
		assert_int_equal(ring1_walk.traps, 0);
		if (!ring1_walk.events)
			break;
	}
	assert_in_range(ring1_walk.at[0], 80, 200);
}

static void each_event_at_each_instruction(void **unused)
{
	static const unsigned int vectors[] = { VECTOR_NMI, VECTOR_MC, VECTOR_DB };
	size_t i, n;

	(void)unused;
	for (i = 0; i < MACHINES; i++) {
		set_machine(&machines[i]);
		cpu_shared(cpu())->patch.swapped[0] = X86_BIT32(VECTOR_PF);
		walk(&in_linux, linux_rsp());
		for (n = 0; n < sizeof(vectors) / sizeof(vectors[0]); n++) {
			walk_with(&in_linux, vectors[n]);
			walk_with(&in_program, vectors[n]);
		}
	}
}

/* --- What it leaves to ring1_trap() --------------------------------------------------------------- */

/* The gate is known, then something is changed. */
static struct outcome after(void (*change)(void), const struct ring1_iret *at, uint64_t rsp)
{
	struct outcome o;

	walk(&in_linux, linux_rsp());
	change();
	o = walk(at, rsp);
	assert_int_equal(ring1_walk.traps, 1);
	return o;
}

static void other_handler(void)
{
	set_gate_to(OTHER_HANDLER, VECTOR_PF, 0, 0);
}

static void a_gate_that_has_changed(void **unused)
{
	(void)unused;
	assert_int_equal(after(other_handler, &in_linux, linux_rsp()).at.rip, OTHER_HANDLER);
	/* And that one is known then. */
	assert_int_equal(walk(&in_linux, linux_rsp()).at.rip, OTHER_HANDLER);
	assert_int_equal(ring1_walk.traps, 0);
}

static void other_high_half(void)
{
	set_gate_to(OTHER_HANDLER ^ X86_BIT64(40), VECTOR_PF, 0, 0);
	own()->page_fault.gate.offset_15_0 = OTHER_HANDLER & 0xffff;
	own()->page_fault.gate.offset_31_16 = OTHER_HANDLER >> 16 & 0xffff;
}

static void a_gate_whose_high_half_has_changed(void **unused)
{
	(void)unused;
	assert_int_equal(after(other_high_half, &in_linux, linux_rsp()).at.rip,
			 OTHER_HANDLER ^ X86_BIT64(40));
}

static void with_ist(void)
{
	set_stack(VECTOR_PF, 4, 0x9000);
}

static void as_trap_gate(void)
{
	((struct idt_gate *)linux_at(LINUX_IDT))[VECTOR_PF].access =
		SEGMENT_AR_P | SEGMENT_TYPE_TRAP_GATE;
}

static void gates_that_it_does_not_know(void **unused)
{
	struct outcome o = after(with_ist, &in_linux, linux_rsp());

	(void)unused;
	assert_int_equal(o.at.rsp, (uint64_t)linux_at(0x9000) - 48);
	walk(&in_linux, linux_rsp());
	assert_int_equal(ring1_walk.traps, 1);
	set_gate(VECTOR_PF, 0, 0);
	o = after(as_trap_gate, &in_linux, linux_rsp());
	assert_int_equal(o.at.rflags & RFLAGS_IF, RFLAGS_IF);
	walk(&in_linux, linux_rsp());
	assert_int_equal(ring1_walk.traps, 1);
}

static void absent(void)
{
	forget();
	memset((struct idt_gate *)linux_at(LINUX_IDT) + VECTOR_PF, 0, sizeof(struct idt_gate));
}

static void a_gate_that_is_absent(void **unused)
{
	(void)unused;
	assert_int_equal(after(absent, &in_linux, linux_rsp()).at.rip, HANDLER(VECTOR_DF));
}

static void short_idt(void)
{
	own()->idtr.limit = VECTOR_PF * 16 + 14;
}

static void a_table_that_ends_before_it(void **unused)
{
	(void)unused;
	assert_int_equal(after(short_idt, &in_linux, linux_rsp()).at.rip, HANDLER(VECTOR_DF));
}

static void latch(void)
{
	own()->nmi_latched = 1;
}

/* From user space it is due. */
static void an_nmi_that_is_latched(void **unused)
{
	struct outcome o = after(latch, &in_program, USER_RSP);

	(void)unused;
	assert_int_equal(o.at.rip, HANDLER(VECTOR_NMI));
	assert_int_equal(o.nmi_latched, 0);
	assert_int_equal(o.nmi_blocked, 1);
}

static void not_swapped(void)
{
	cpu_shared(cpu())->patch.swapped[0] = 0;
}

static void a_handler_that_is_not_patched(void **unused)
{
	struct outcome o = after(not_swapped, &in_program, USER_RSP);

	(void)unused;
	assert_int_equal(o.at.rip, HANDLER(VECTOR_PF));
	assert_int_equal(o.pushed[2], USER_CS);
	assert_int_equal(o.gs, USER_GS);
}

/* One access of it faults, and those of ring1_trap() do not. */
static char *closed;

static void reopen(void)
{
	assert_int_equal(mprotect(closed, PAGE_4K, PROT_READ | PROT_WRITE), 0);
}

static void close_it(void)
{
	assert_int_equal(mprotect(closed, PAGE_4K, PROT_NONE), 0);
	ring1_walk.at_fixup = reopen;
}

static void check_closed(void *page, const struct ring1_iret *at, uint64_t rsp)
{
	struct outcome o;

	closed = page;
	fake.cr2 = 0;
	cpu_shared(cpu())->cr2 = 0;
	o = after(close_it, at, rsp);
	assert_int_equal(o.at.rip, HANDLER(VECTOR_PF));
	assert_int_equal(o.cr2, ADDRESS);
	assert_int_equal(fake.cr2, ADDRESS);
}

/* Linux finds the address of its own fault, not of the VMM's. */
static void accesses_that_fault(void **unused)
{
	char *pages =
		mmap(NULL, 2 * PAGE_4K, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	const size_t gate = VECTOR_PF * sizeof(struct idt_gate),
		     end = gate + sizeof(struct idt_gate);

	(void)unused;
	assert_ptr_not_equal(pages, MAP_FAILED);
	check_closed(linux_at(LINUX_IDT), &in_linux, linux_rsp());
	check_closed(linux_at(LINUX_TSS), &in_program, USER_RSP);
	check_closed((void *)(linux_rsp() & ~(PAGE_4K - 1)), &in_linux, linux_rsp());
	/* A gate that lies on two pages. */
	memcpy(pages + PAGE_4K + 8 - end, linux_at(LINUX_IDT), end);
	own()->idtr.base = (uint64_t)pages + PAGE_4K + 8 - end;
	own()->idtr.limit = end - 1;
	check_closed(pages + PAGE_4K, &in_linux, linux_rsp());
	assert_int_equal(munmap(pages, 2 * PAGE_4K), 0);
}

static void nothing(void)
{
}

/* Linux cannot take it: a double fault, whichever words of the frame still have a page. */
static void a_stack_that_ends(void **unused)
{
	void *page = mmap((void *)STACK_END, PAGE_4K, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
	uint64_t rsp;

	(void)unused;
	assert_ptr_equal(page, (void *)STACK_END);
	fake_ring1.bad = STACK_END - PAGE_4K;
	fake_ring1.bad_end = STACK_END;
	for (rsp = STACK_END; rsp < STACK_END + 48; rsp += 16)
		assert_int_equal(after(nothing, &in_linux, rsp).at.rip, HANDLER(VECTOR_DF));
	walk(&in_linux, STACK_END + 48);
	assert_int_equal(ring1_walk.traps, 0);
	assert_int_equal(munmap(page, PAGE_4K), 0);
}

#define T(name) cmocka_unit_test_setup(name, patched)
static const struct CMUnitTest tests[] = {
	T(as_ring1_trap_does),          T(each_event_at_each_instruction),
	T(a_gate_that_has_changed),     T(a_gate_whose_high_half_has_changed),
	T(gates_that_it_does_not_know), T(a_table_that_ends_before_it),
	T(an_nmi_that_is_latched),      T(a_handler_that_is_not_patched),
	T(a_gate_that_is_absent),       T(accesses_that_fault),
	T(a_stack_that_ends),
};

UNIT_MAIN(tests)
