// SPDX-License-Identifier: GPL-2.0-only
/* Steps through ring 1's assembly: see ring1_walk.h. */
#define _GNU_SOURCE
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <ucontext.h>

#include "unit.h"

#include "fake.h"
#include "insn.h"
#include "ring1/port.h"
#include "ring1_walk.h"
#include "x86/cr.h"
#include "x86/msr.h"
#include "x86/vector.h"

#define MAX_INSTRUCTIONS 2000

extern const char ring1_entries[]; /* entry.asm */

/* The code's own table of fixups; named by the linker. */
extern const struct {
	uint64_t fault, resume;
} __start_walk_fixups[], __stop_walk_fixups[];

struct ring1_walk ring1_walk;
gregset_t walk_registers;

static gregset_t outside;

const int walk_greg[16] = { REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP, REG_RSI, REG_RDI,
			    REG_R8,  REG_R9,  REG_R10, REG_R11, REG_R12, REG_R13, REG_R14, REG_R15 };

/* --- The processor's part ------------------------------------------------------------------------- */

static void end(greg_t *regs, const char *problem)
{
	ring1_walk.problem = problem;
	ring1_walk.is_over = !problem;
	memcpy(walk_registers, regs, sizeof(walk_registers));
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
void walk_interrupt(greg_t *regs, unsigned int vector, uint64_t stack, uint64_t cs)
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

static void finish(greg_t *regs, const struct ring1_iret *to)
{
	ring1_walk.end = *to;
	end(regs, NULL);
}

static void iretq(greg_t *regs)
{
	const uint64_t rsp = (uint64_t)regs[REG_RSP];
	struct ring1_iret to;

	to.rip = pop(regs);
	to.cs = pop(regs);
	to.rflags = pop(regs);
	to.rsp = pop(regs);
	to.ss = pop(regs);
	if (ring1_walk.iret_fails && (to.cs & SELECTOR_RPL) == 3) {
		ring1_walk.iret_fails = false;
		walk_interrupt(regs, VECTOR_GP, rsp, 0x10);
		return;
	}
	if (to.cs & SELECTOR_RPL) {
		finish(regs, &to);
		return;
	}
	regs[REG_RIP] = (greg_t)to.rip;
	regs[REG_RSP] = (greg_t)to.rsp;
	regs[REG_EFL] = (greg_t)(to.rflags | RFLAGS_TF);
}

/* SDM vol. 2, SYSRET - Return From Fast System Call, with 64-bit operand size */
static void sysret(greg_t *regs)
{
	const struct ring1_iret to = {
		.rip = (uint64_t)regs[REG_RCX],
		.cs = LINUX_USER_CS,
		.rflags = (uint64_t)regs[REG_R11] | RFLAGS_FIXED1,
		.rsp = (uint64_t)regs[REG_RSP],
		.ss = LINUX_USER_SS,
	};

	if (to.rip >> 47) {
		end(regs, "SYSRET faulted: RCX is not canonical");
		return;
	}
	ring1_walk.by_sysret = true;
	finish(regs, &to);
}

/* --- C ------------------------------------------------------------------------------------------ */

/* True if the code stands at a function of C's, which has then been called and has returned. */
static bool called_c(greg_t *regs)
{
	struct ring1_frame *frame = (struct ring1_frame *)regs[REG_RDI];
	uint64_t rip = (uint64_t)regs[REG_RIP], result = UINT64_C(0xdead0000dead0000);

	if (rip == (uint64_t)ring1_trap) {
		ring1_walk.traps++;
		ring1_trap(frame);
	} else if (rip == (uint64_t)ring1_deliver_pending) {
		ring1_deliver_pending(frame);
	} else if (rip == (uint64_t)ring1_root_trap) {
		result = (uint64_t)ring1_root_trap(frame);
	} else if (rip == (uint64_t)ring1_event) {
		result = (uint64_t)ring1_event(frame);
	} else {
		return false;
	}
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

static void pushfq(greg_t *regs)
{
	push(regs, (uint64_t)regs[REG_EFL] & ~(uint64_t)RFLAGS_TF);
}

static void popfq(greg_t *regs)
{
	regs[REG_EFL] = (greg_t)(pop(regs) | RFLAGS_TF);
}

static void swap_gs(greg_t *regs)
{
	(void)regs;
	insn_swapgs();
}

static void read_gs_base(greg_t *regs)
{
	regs[REG_RAX] = (greg_t)fake.cpu.gs.base;
}

static void write_gs_base(greg_t *regs)
{
	fake.cpu.gs.base = (uint64_t)regs[REG_RDI];
}

static void cr3_to_rsp(greg_t *regs)
{
	regs[REG_RSP] = (greg_t)insn_read_cr3();
}

static void cr3_to_rax(greg_t *regs)
{
	regs[REG_RAX] = (greg_t)insn_read_cr3();
}

static void cr2_to_rax(greg_t *regs)
{
	regs[REG_RAX] = (greg_t)insn_read_cr2();
}

static void cr3_from_rax(greg_t *regs)
{
	insn_write_cr3((uint64_t)regs[REG_RAX]);
}

static void cr3_from_rsp(greg_t *regs)
{
	insn_write_cr3((uint64_t)regs[REG_RSP]);
}

static void cr3_from_rdi(greg_t *regs)
{
	insn_write_cr3((uint64_t)regs[REG_RDI]);
}

/* What user space cannot do, or not as is wanted; by its first bytes. `length` 0: it goes elsewhere. */
static const struct {
	uint8_t code[5];
	unsigned int bytes, length;
	void (*execute)(greg_t *regs);
} privileged[] = {
	{ { 0x48, 0xcf }, 2, 0, iretq },
	{ { 0x48, 0x0f, 0x07 }, 3, 0, sysret },
	{ { 0x9c }, 1, 1, pushfq },
	{ { 0x9d }, 1, 1, popfq },
	{ { 0x0f, 0x01, 0xf8 }, 3, 3, swap_gs },
	{ { 0xf3, 0x48, 0x0f, 0xae, 0xc8 }, 5, 5, read_gs_base },
	{ { 0xf3, 0x48, 0x0f, 0xae, 0xdf }, 5, 5, write_gs_base },
	{ { 0x0f, 0x20, 0xdc }, 3, 3, cr3_to_rsp },
	{ { 0x0f, 0x20, 0xd8 }, 3, 3, cr3_to_rax },
	{ { 0x0f, 0x20, 0xd0 }, 3, 3, cr2_to_rax },
	{ { 0x0f, 0x22, 0xd8 }, 3, 3, cr3_from_rax },
	{ { 0x0f, 0x22, 0xdc }, 3, 3, cr3_from_rsp },
	{ { 0x0f, 0x22, 0xdf }, 3, 3, cr3_from_rdi },
	{ { 0x0f, 0x00, 0x2d }, 3, 7, NULL }, /* VERW of a selector of Linux's */
};

static unsigned int ist_of(unsigned int vector)
{
	return vector == VECTOR_NMI ? RING1_IST_NMI :
	       vector == VECTOR_DB  ? RING1_IST_DB :
	       vector == VECTOR_MC  ? RING1_IST_MC :
				      0;
}

/* At CPL 0. */
static void deliver(greg_t *regs, unsigned int vector)
{
	unsigned int ist = ist_of(vector);

	walk_interrupt(regs, vector,
		       ist ? ring1_cpu(fake_vmm_cpu())->tss.ist[ist - 1] : (uint64_t)regs[REG_RSP],
		       0x10);
}

/* INT n and UD2; false: another instruction. */
static bool raised(greg_t *regs, const uint8_t *code)
{
	if (code[0] == 0xcd) {
		regs[REG_RIP] += 2;
		deliver(regs, code[1]);
		return true;
	}
	if (code[0] == 0x0f && code[1] == 0x0b) {
		deliver(regs, VECTOR_UD);
		return true;
	}
	return false;
}

/* False: the processor executes it now. */
static bool by_hand(greg_t *regs)
{
	const uint8_t *code = (const uint8_t *)regs[REG_RIP];
	size_t i;

	if (called_c(regs) || raised(regs, code))
		return true;
	for (i = 0; i < sizeof(privileged) / sizeof(privileged[0]); i++) {
		if (memcmp(code, privileged[i].code, privileged[i].bytes) != 0)
			continue;
		/* Before it executes: what ends the walk changes all registers. */
		regs[REG_RIP] += privileged[i].length;
		if (privileged[i].execute)
			privileged[i].execute(regs);
		return true;
	}
	return false;
}

static bool event_is_due(void)
{
	return ring1_walk.events < WALK_EVENTS &&
	       ring1_walk.instructions == ring1_walk.at[ring1_walk.events];
}

static void deliver_event(greg_t *regs)
{
	ring1_walk.event_rip[ring1_walk.events] = (uint64_t)regs[REG_RIP];
	ring1_walk.instructions = 0;
	deliver(regs, ring1_walk.vector[ring1_walk.events++]);
}

static void advance(greg_t *regs)
{
	bool done = true;

	while (done && !ring1_walk.problem && !ring1_walk.is_over) {
		while (event_is_due())
			deliver_event(regs);
		done = by_hand(regs);
		ring1_walk.instructions++;
		if (ring1_walk.instructions > MAX_INSTRUCTIONS)
			end(regs, "the code does not come to an end");
	}
}

/* As ring1_root_trap() does it where there is a fixup. */
static void faulted(greg_t *regs, uint64_t address)
{
	static char problem[80];
	const uint8_t *code = (const uint8_t *)regs[REG_RIP];
	size_t i;

	for (i = 0; &__start_walk_fixups[i] < __stop_walk_fixups; i++) {
		if (__start_walk_fixups[i].fault != (uint64_t)regs[REG_RIP])
			continue;
		fake.cr2 = address;
		insn_write_cr2(cpu_shared(fake_vmm_cpu())->cr2);
		regs[REG_RIP] = (greg_t)__start_walk_fixups[i].resume;
		if (ring1_walk.at_fixup)
			ring1_walk.at_fixup();
		return;
	}
	snprintf(problem, sizeof(problem), "%02x %02x %02x %02x %02x %02x %02x faulted, RSP %llx",
		 code[0], code[1], code[2], code[3], code[4], code[5], code[6], regs[REG_RSP]);
	end(regs, problem);
}

static void on_signal(int signal, siginfo_t *info, void *context)
{
	greg_t *regs = ((ucontext_t *)context)->uc_mcontext.gregs;
	unsigned int i;

	if (signal == SIGUSR1) {
		memcpy(outside, regs, sizeof(outside));
		for (i = 0; i < 16; i++)
			regs[walk_greg[i]] = walk_registers[walk_greg[i]];
		regs[REG_RIP] = walk_registers[REG_RIP];
		regs[REG_EFL] = walk_registers[REG_EFL] | RFLAGS_TF;
	}
	if (signal == SIGUSR1 || signal == SIGTRAP)
		advance(regs);
	else
		faulted(regs, (uint64_t)info->si_addr);
}

void walk_go(void)
{
	static const int signals[] = { SIGUSR1, SIGTRAP, SIGILL, SIGSEGV, SIGBUS };
	static uint8_t stack[262144];
	const stack_t alternate = { .ss_sp = stack, .ss_size = sizeof(stack) };
	const struct sigaction action = { .sa_sigaction = on_signal,
					  .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER };
	struct sigaction before[sizeof(signals) / sizeof(signals[0])];
	size_t i;

	ring1_walk.events = 0;
	ring1_walk.instructions = 0;
	ring1_walk.problem = NULL;
	ring1_walk.is_over = false;
	ring1_walk.traps = 0;
	ring1_walk.by_sysret = false;
	assert_int_equal(sigaltstack(&alternate, NULL), 0);
	for (i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
		sigaction(signals[i], &action, &before[i]);
	raise(SIGUSR1);
	for (i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
		sigaction(signals[i], &before[i], NULL);
	if (ring1_walk.problem)
		fail_msg("%s; events in front of %d, %d", ring1_walk.problem, ring1_walk.at[0],
			 ring1_walk.at[1]);
}
