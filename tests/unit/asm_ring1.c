// SPDX-License-Identifier: GPL-2.0-only
/*
 * Ring 1's entry code executed one instruction at a time, with an NMI, #MC or #DB in front of each: Linux
 * finds every register as it was, and each event once. The processor's part (delivery, IRETQ) is done
 * here by hand, C is called for real.
 */
#define _GNU_SOURCE
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>

#include "ring1_linux.h"

#define NEVER (-1)
#define MAX_INSTRUCTIONS 2000
#define MAX_EVENTS 2
#define INTERRUPT 0x31
#define LINUX_RIP UINT64_C(0xffffffff81234567)
#define USER_RSP UINT64_C(0x7ffd00001238)

/* entry.asm; the first is its insn_ring1_enter(), the fake has another one. */
extern const char walk_ring1_enter[], ring1_exit_iret[], ring1_entries[], ring1_stubs[];
extern const char ring1_stub_syscall[], ring1_stub_compat[], ring1_stub_sysenter[];

/* What happens on a walk: each event in front of this instruction, counted from the event before. */
static struct {
	unsigned int vector[MAX_EVENTS];
	int at[MAX_EVENTS];
	unsigned int events; /* that came */
	int instructions;    /* since the last one */
	const char *problem;
	bool to_linux;
} walk;

/* The code's registers when it starts, those of Linux when it ends. */
static gregset_t registers, outside;
static struct ring1_iret linux_at_end;

static const int greg[16] = { REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP,
			      REG_RSI, REG_RDI, REG_R8,  REG_R9,  REG_R10, REG_R11,
			      REG_R12, REG_R13, REG_R14, REG_R15 };

/* --- The processor's part ------------------------------------------------------------------------- */

static void end(greg_t *regs, const char *problem)
{
	walk.problem = problem;
	walk.to_linux = !problem;
	memcpy(registers, regs, sizeof(registers));
	memcpy(regs, outside, sizeof(outside));
}

static void push(greg_t *regs, uint64_t value)
{
	regs[REG_RSP] -= 8;
	memcpy((void *)regs[REG_RSP], &value, 8);
}

static uint64_t pop(greg_t *regs)
{
	uint64_t value;

	memcpy(&value, (void *)regs[REG_RSP], 8);
	regs[REG_RSP] += 8;
	return value;
}

/* SDM vol. 3, 6.14, Exception and Interrupt Handling in 64-bit Mode */
static void interrupt(greg_t *regs, unsigned int vector, uint64_t stack, uint64_t cs)
{
	struct ring1_iret from = { (uint64_t)regs[REG_RIP], cs,
				   ((uint64_t)regs[REG_EFL] & ~(uint64_t)RFLAGS_TF),
				   (uint64_t)regs[REG_RSP], 0 };

	regs[REG_RSP] = (greg_t)(stack & ~UINT64_C(15));
	push(regs, from.ss);
	push(regs, from.rsp);
	push(regs, from.rflags);
	push(regs, from.cs);
	push(regs, from.rip);
	if (vector < 32 && X86_BIT32(vector) & VECTORS_WITH_ERROR_CODE)
		push(regs, 0);
	regs[REG_RIP] = (greg_t)ring1_entries + 16 * vector;
}

static void iretq(greg_t *regs)
{
	struct ring1_iret to;

	to.rip = pop(regs);
	to.cs = pop(regs);
	to.rflags = pop(regs);
	to.rsp = pop(regs);
	to.ss = pop(regs);
	if (to.cs & SELECTOR_RPL) {
		linux_at_end = to;
		end(regs, NULL);
		return;
	}
	regs[REG_RIP] = (greg_t)to.rip;
	regs[REG_RSP] = (greg_t)to.rsp;
	regs[REG_EFL] = (greg_t)(to.rflags | RFLAGS_TF);
}

/* --- C ------------------------------------------------------------------------------------------ */

/* True if the code stands at a function of C's, which has then been called and has returned. */
static bool called_c(greg_t *regs)
{
	struct ring1_frame *frame = (struct ring1_frame *)regs[REG_RDI];
	uint64_t rip = (uint64_t)regs[REG_RIP], result = UINT64_C(0xdead0000dead0000);

	if (rip == (uint64_t)ring1_trap)
		ring1_trap(frame);
	else if (rip == (uint64_t)ring1_deliver_pending)
		ring1_deliver_pending(frame);
	else if (rip == (uint64_t)ring1_root_trap)
		ring1_root_trap(frame);
	else if (rip == (uint64_t)ring1_event)
		result = (uint64_t)ring1_event(frame);
	else if (rip == (uint64_t)ring1_iret_failed)
		result = (uint64_t)ring1_iret_failed(frame);
	else
		return false;
	if (regs[REG_RSP] % 16 != 8) {
		end(regs, "C was called on a stack that is not aligned");
		return true;
	}
	/* It keeps rbx, rbp and r12 to r15 only. */
	regs[REG_RCX] = regs[REG_RDX] = regs[REG_RSI] = regs[REG_RDI] = -1;
	regs[REG_R8] = regs[REG_R9] = regs[REG_R10] = regs[REG_R11] = -1;
	regs[REG_RAX] = (greg_t)result;
	regs[REG_RIP] = (greg_t)pop(regs);
	return true;
}

/* --- Steps ---------------------------------------------------------------------------------------- */

/* One instruction that user space cannot do, or not as is wanted; false: the processor does it now. */
static bool by_hand(greg_t *regs)
{
	const uint8_t *code = (const uint8_t *)regs[REG_RIP];

	if (called_c(regs))
		return true;
	if (code[0] == 0x48 && code[1] == 0xcf) {
		iretq(regs);
		return true;
	}
	if (code[0] == 0x9c) {
		push(regs, (uint64_t)regs[REG_EFL] & ~(uint64_t)RFLAGS_TF);
		regs[REG_RIP] += 1;
		return true;
	}
	if (code[0] == 0x9d) {
		regs[REG_EFL] = (greg_t)(pop(regs) | RFLAGS_TF);
		regs[REG_RIP] += 1;
		return true;
	}
	return false;
}

static bool event_is_due(void)
{
	return walk.events < MAX_EVENTS && walk.instructions == walk.at[walk.events];
}

static void deliver_event(greg_t *regs)
{
	unsigned int vector = walk.vector[walk.events++];
	unsigned int ist = vector == VECTOR_NMI ? RING1_IST_NMI :
			   vector == VECTOR_DB  ? RING1_IST_DB :
						  RING1_IST_MC;

	walk.instructions = 0;
	interrupt(regs, vector, ring1_cpu(fake_vmm_cpu())->tss.ist[ist - 1], 0x10);
}

static void advance(greg_t *regs)
{
	bool done = true;

	while (done && !walk.problem && !walk.to_linux) {
		if (event_is_due())
			deliver_event(regs);
		done = by_hand(regs);
		walk.instructions++;
		if (walk.instructions > MAX_INSTRUCTIONS)
			end(regs, "the code does not come to an end");
	}
}

static void on_signal(int signal, siginfo_t *info, void *context)
{
	greg_t *regs = ((ucontext_t *)context)->uc_mcontext.gregs;
	unsigned int i;

	(void)info;
	if (signal == SIGUSR1) {
		memcpy(outside, regs, sizeof(outside));
		for (i = 0; i < 16; i++)
			regs[greg[i]] = registers[greg[i]];
		regs[REG_RIP] = registers[REG_RIP];
		regs[REG_EFL] = registers[REG_EFL] | RFLAGS_TF;
	}
	if (signal == SIGUSR1 || signal == SIGTRAP)
		advance(regs);
	else
		end(regs, "an instruction faulted");
}

static void go(void)
{
	static const int signals[] = { SIGUSR1, SIGTRAP, SIGILL, SIGSEGV, SIGBUS };
	static uint8_t stack[262144];
	const stack_t alternate = { .ss_sp = stack, .ss_size = sizeof(stack) };
	const struct sigaction action = { .sa_sigaction = on_signal,
					  .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER };
	struct sigaction before[sizeof(signals) / sizeof(signals[0])];
	size_t i;

	walk.events = 0;
	walk.instructions = 0;
	walk.problem = NULL;
	walk.to_linux = false;
	assert_int_equal(sigaltstack(&alternate, NULL), 0);
	for (i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
		sigaction(signals[i], &action, &before[i]);
	raise(SIGUSR1);
	for (i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
		sigaction(signals[i], &before[i], NULL);
	if (walk.problem)
		fail_msg("%s; events in front of %d, %d", walk.problem, walk.at[0], walk.at[1]);
}

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
		registers[greg[i]] = (greg_t)garbage(i);
	}
	registers[REG_RSP] = (greg_t)rsp;
	registers[REG_EFL] = (greg_t)rflags;
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
	registers[REG_RIP] = (greg_t)LINUX_RIP;
	expect_at(LINUX_RIP, RFLAGS_FIXED1 | RFLAGS_IF | RFLAGS_CF, rsp);
	interrupt(registers, INTERRUPT, (uint64_t)fake_vmm_cpu(), RING1_CS);
	registers[REG_EFL] = RFLAGS_FIXED1 | RFLAGS_CF;
}

/* A double fault out of Linux, whose frame the processor puts below where others are. */
static void double_fault(void)
{
	const uint64_t rsp = (uint64_t)linux_at(LINUX_STACK) - 0x100;

	set_registers(rsp, RFLAGS_FIXED1 | RFLAGS_CF);
	registers[REG_RIP] = (greg_t)LINUX_RIP;
	expect_at(LINUX_RIP, RFLAGS_FIXED1 | RFLAGS_CF, rsp);
	interrupt(registers, VECTOR_DF, ring1_cpu(fake_vmm_cpu())->tss.ist[VMM_IST_DF - 1],
		  RING1_CS);
	registers[REG_EFL] = RFLAGS_FIXED1 | RFLAGS_CF;
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
	registers[REG_RIP] = (greg_t)ring1_exit_iret;
	expect_at(LINUX_RIP, RFLAGS_FIXED1 | RFLAGS_IF, rsp);
	interrupt(registers, VECTOR_GP, (uint64_t)&f->rip, 0x10);
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
	registers[REG_RDI] = (greg_t)cpu;
	registers[REG_RIP] = (greg_t)walk_ring1_enter;
	expect_at(LINUX_RIP, RFLAGS_FIXED1 | RFLAGS_CF, rsp);
}

static void in_stub(const char *stub, uint64_t rsp)
{
	set_registers(rsp, RFLAGS_FIXED1 | RFLAGS_CF);
	registers[REG_RIP] =
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

static bool takes_error_code(uint64_t vector)
{
	return vector < 32 && X86_BIT32(vector) & VECTORS_WITH_ERROR_CODE;
}

/*
 * From handler to what it interrupted, down to where Linux is expected. How often each vector came;
 * returns how many did.
 */
static unsigned int unwind(unsigned int *came)
{
	struct ring1_iret at = linux_at_end;
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
			 at.cs, at.rflags, at.rsp, at.ss, walk.at[0], walk.at[1]);
	return all;
}

static void check_registers(void)
{
	unsigned int i;

	for (i = 0; i < 16; i++)
		if (i != 4 && (uint64_t)registers[greg[i]] != expected_regs[i])
			fail_msg("register %u is %llx, not %lx; events in front of %d, %d", i,
				 registers[greg[i]], expected_regs[i], walk.at[0], walk.at[1]);
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

/* Linux has stacks of its own for these: at its SYSCALL entry RSP is user space's. */
static void set_stack(unsigned int vector, unsigned int ist, uint64_t offset)
{
	struct tss64 *tss = linux_at(LINUX_TSS);

	set_gate(vector, ist, 0);
	tss->ist[ist - 1] = (uint64_t)linux_at(offset);
}

static int with_stubs(void **state)
{
	void *page;

	fresh(state);
	set_stack(VECTOR_MC, 3, 0x7000);
	set_stack(VECTOR_DB, 4, 0x9000);
	set_stack(VECTOR_DF, 5, 0xb000);
	page = cpu_slot(fake_vmm_cpu(), MERCURY_CPU_RING1_STUB);
	memcpy(page, ring1_stubs, MERCURY_PAGE_SIZE);
	return mprotect(page, MERCURY_PAGE_SIZE, PROT_READ | PROT_WRITE | PROT_EXEC);
}

static void start(const struct way *way)
{
	struct ring1_cpu *r = ring1_cpu(fake_vmm_cpu());

	r->nmi_blocked = 0;
	r->nmi_latched = 0;
	fake_vmm_cpu()->pending = 0;
	way->begin();
	go();
}

static void check_came(const struct way *way)
{
	unsigned int came[256], i, all = unwind(came), expected_all = way->vector != 0;

	check_registers();
	if (way->vector && came[way->vector] != 1)
		fail_msg("%s itself came %u times", way->name, came[way->vector]);
	for (i = 0; i < walk.events; i++) {
		unsigned int vector = walk.vector[i];
		unsigned int wanted = vector != VECTOR_DB || way->debug_is_linuxs;

		expected_all += wanted;
		if (came[vector] != wanted)
			fail_msg("%s: vector %u in front of instruction %d came %u times",
				 way->name, vector, walk.at[i], came[vector]);
	}
	if (all != expected_all)
		fail_msg("%s: Linux took %u events, not %u; one in front of %d", way->name, all,
			 expected_all, walk.at[0]);
}

static void no_event_no_change(void **unused)
{
	size_t i;

	(void)unused;
	walk.at[0] = walk.at[1] = NEVER;
	for (i = 0; i < WAYS; i++) {
		start(&ways[i]);
		check_came(&ways[i]);
	}
}

/* In front of each instruction, until there are no more; returns how many. */
static int walk_with(const struct way *way, unsigned int vector)
{
	int at;

	walk.vector[0] = vector;
	walk.at[1] = NEVER;
	for (at = 0;; at++) {
		walk.at[0] = at;
		start(way);
		check_came(way);
		if (!walk.events)
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

/* The second in front of each instruction from the first on: in its entry, and behind it. */
static void two_events(const struct way *way, unsigned int first, unsigned int second)
{
	int at, then;

	walk.vector[0] = first;
	walk.vector[1] = second;
	for (at = 0;; at++) {
		for (then = 0;; then++) {
			walk.at[0] = at;
			walk.at[1] = then;
			start(way);
			check_came(way);
			if (walk.events < 2)
				break;
		}
		if (!walk.events)
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
