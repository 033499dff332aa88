// SPDX-License-Identifier: GPL-2.0-only
/* Steps through the image's assembly by RFLAGS.TF and SIGTRAP. */
#define _GNU_SOURCE
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <ucontext.h>

#include "unit.h"

#include "step.h"
#include "vmx/event.h"
#include "vmx/vmx.h"
#include "x86/cr.h"
#include "x86/vector.h"
#include "x86/vmx.h"

#define MAX_INSTRUCTIONS 1000
#define RFLAGS_HOST (RFLAGS_FIXED1 | RFLAGS_IF)

struct step step;

extern const uint64_t trap_entries[32];

/* The CPU's slot of the window, where the stack pointer's upper bits find it. */
static uint8_t slot[MERCURY_CPU_SLOT] __attribute__((aligned(MERCURY_CPU_SLOT)));

/* The test's own context while the code runs. */
static gregset_t outside;

struct cpu *step_cpu(void)
{
	return (struct cpu *)(slot + MERCURY_CPU_DATA);
}

void step_reset(void)
{
	memset(&step, 0, sizeof(step));
	memset(slot, 0, sizeof(slot));
	step.nmi_at = STEP_NEVER;
}

/* --- What the assembly refers to and never executes: its entries mark the calls ------------------ */

struct descriptor_table_register idt_register;

enum mercury_error vmm_dispatch(struct cpu *cpu, enum mercury_call call, uint64_t arg0,
				uint64_t arg1)
{
	(void)cpu, (void)call, (void)arg0, (void)arg1;
	abort();
}

void vmx_handle_exit(struct cpu *cpu)
{
	(void)cpu;
	abort();
}

void vmx_inject_pending(struct cpu *cpu)
{
	(void)cpu;
	abort();
}

_Noreturn void vmx_resume_failed(struct cpu *cpu)
{
	(void)cpu;
	abort();
}

_Noreturn void trap_handle(void *frame)
{
	(void)frame;
	abort();
}

/* --- Registers ---------------------------------------------------------------------------------- */

/* In the numbering of instructions. */
static const int greg[16] = { REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP,
			      REG_RSI, REG_RDI, REG_R8,  REG_R9,  REG_R10, REG_R11,
			      REG_R12, REG_R13, REG_R14, REG_R15 };

static void load_guest(greg_t *regs)
{
	unsigned int i;

	for (i = 0; i < 16; i++)
		if (i != X86_RSP)
			regs[greg[i]] = (greg_t)step.guest.by_number[i];
}

static void store_guest(const greg_t *regs)
{
	unsigned int i;

	for (i = 0; i < 16; i++)
		if (i != X86_RSP)
			step.guest.by_number[i] = (uint64_t)regs[greg[i]];
}

/* Back to the test, which finds why in step.problem if something is wrong. */
static void end(greg_t *regs, const char *problem)
{
	step.problem = problem;
	store_guest(regs);
	memcpy(regs, outside, sizeof(outside));
}

/* --- Instructions that user space does not have -------------------------------------------------- */

struct cpuid_regs step_cpuid(uint32_t leaf, uint32_t subleaf)
{
	return (struct cpuid_regs){ leaf ^ 0xaaaaaaaa, subleaf ^ 0xbbbbbbbb, leaf + subleaf + 0xc,
				    ~leaf };
}

static void do_cpuid(greg_t *regs)
{
	struct cpuid_regs r = step_cpuid((uint32_t)regs[REG_RAX], (uint32_t)regs[REG_RCX]);

	regs[REG_RAX] = r.eax;
	regs[REG_RBX] = r.ebx;
	regs[REG_RCX] = r.ecx;
	regs[REG_RDX] = r.edx;
	regs[REG_RIP] += 2;
}

/* The operand of a ModRM byte: a register, or memory at RSP with an 8-bit displacement. */
static uint64_t *operand(greg_t *regs, const uint8_t *modrm, int *length)
{
	if (*modrm >> 6 == 3) {
		*length = 1;
		return (uint64_t *)&regs[greg[*modrm & 7]];
	}
	if (*modrm >> 6 == 1 && (*modrm & 7) == 4 && modrm[1] == 0x24) {
		*length = 3;
		return (uint64_t *)(regs[REG_RSP] + (int8_t)modrm[2]);
	}
	return NULL;
}

/* VMREAD, VMWRITE: the register of ModRM names the field. */
static bool do_vmcs(greg_t *regs, const uint8_t *code)
{
	uint64_t field = (uint64_t)regs[greg[code[2] >> 3 & 7]];
	int length;
	uint64_t *value = operand(regs, code + 2, &length);

	if (!value || field >= STEP_FIELDS)
		return false;
	if (code[1] == 0x78)
		*value = step.vmcs[field];
	else
		step.vmcs[field] = *value;
	regs[REG_RIP] += 2 + length;
	return true;
}

static void do_vmresume(greg_t *regs)
{
	if (!step.resume_fails) {
		step.resumed++;
		end(regs, step_cpu()->pending ? "an event was overlooked" : NULL);
		return;
	}
	regs[REG_EFL] |= RFLAGS_ZF;
	regs[REG_RIP] += 3;
}

/* --- Calls into C -------------------------------------------------------------------------------- */

static void note_saved(void)
{
	if (step.handled + step.injected + step.failed == 0)
		step.saved = step_cpu()->regs;
}

/* As if the function that has just been called had returned. */
static void go_back(greg_t *regs)
{
	regs[REG_RIP] = *(greg_t *)regs[REG_RSP];
	regs[REG_RSP] += 8;
}

static bool called(greg_t *regs, uint64_t function)
{
	struct cpu *cpu = step_cpu();

	if ((uint64_t)regs[REG_RIP] != function)
		return false;
	if (regs[REG_RDI] != (greg_t)cpu || regs[REG_RSP] != (greg_t)cpu - 8)
		step.problem = "C was called with another argument, or on another stack";
	note_saved();
	return true;
}

/* True if the code stands in front of such a call. */
static bool do_call(greg_t *regs)
{
	if (called(regs, (uint64_t)vmx_handle_exit)) {
		step.handled++;
	} else if (called(regs, (uint64_t)vmx_inject_pending)) {
		step.injected += step_cpu()->pending != 0;
		step_cpu()->pending = 0;
	} else if (called(regs, (uint64_t)vmx_resume_failed)) {
		step.failed++;
		end(regs, step.problem);
		return true;
	} else {
		return false;
	}
	/* C keeps rbx, rbp and r12 to r15 only. */
	regs[REG_RAX] = regs[REG_RCX] = regs[REG_RDX] = regs[REG_RSI] = regs[REG_RDI] = -1;
	regs[REG_R8] = regs[REG_R9] = regs[REG_R10] = regs[REG_R11] = -1;
	go_back(regs);
	return true;
}

/* --- Steps --------------------------------------------------------------------------------------- */

/* As the processor delivers it: SDM vol. 3, 6.14, Exception and Interrupt Handling in 64-bit Mode. */
static void deliver_nmi(greg_t *regs)
{
	uint64_t *frame = (uint64_t *)((regs[REG_RSP] & ~15ll) - 40);

	frame[0] = (uint64_t)regs[REG_RIP];
	frame[1] = VMM_CS;
	frame[2] = (uint64_t)regs[REG_EFL];
	frame[3] = (uint64_t)regs[REG_RSP];
	frame[4] = VMM_DS;
	regs[REG_RSP] = (greg_t)frame;
	regs[REG_RIP] = (greg_t)trap_entries[VECTOR_NMI];
	step.nmi_came = true;
}

/* One instruction that the processor cannot do here; false if it can, and does it now. */
static bool do_instruction(greg_t *regs)
{
	const uint8_t *code = (const uint8_t *)regs[REG_RIP];

	if (code[0] != 0x0f)
		return false;
	if (code[1] == 0xa2)
		do_cpuid(regs);
	else if (code[1] == 0x01 && code[2] == 0xc3)
		do_vmresume(regs);
	else if (code[1] != 0x78 && code[1] != 0x79)
		return false;
	else if (!do_vmcs(regs, code))
		end(regs, "VMREAD or VMWRITE has an operand that is not known here");
	return true;
}

static bool is_over(void)
{
	return step.problem || step.resumed || step.failed;
}

/* Up to an instruction that the processor itself executes. */
static void advance(greg_t *regs)
{
	bool done = true;

	while (done && !is_over()) {
		if (step.instructions == step.nmi_at && !step.nmi_came)
			deliver_nmi(regs);
		done = do_call(regs) || do_instruction(regs);
		step.instructions += !step.nmi_came && !is_over();
		if (step.instructions > MAX_INSTRUCTIONS)
			end(regs, "the code does not come to an end");
	}
}

static void on_signal(int signal, siginfo_t *info, void *context)
{
	greg_t *regs = ((ucontext_t *)context)->uc_mcontext.gregs;

	(void)info;
	if (signal == SIGUSR1) {
		memcpy(outside, regs, sizeof(outside));
		load_guest(regs);
		regs[REG_RSP] = (greg_t)step_cpu();
		regs[REG_RIP] = (greg_t)insn_vmexit_entry;
		regs[REG_EFL] = RFLAGS_HOST | RFLAGS_TF;
	}
	if (signal == SIGUSR1 || signal == SIGTRAP)
		advance(regs);
	else
		end(regs, "an instruction faulted");
}

void step_exit(void)
{
	static const int signals[] = { SIGUSR1, SIGTRAP, SIGILL, SIGSEGV, SIGBUS };
	static uint8_t stack[65536];
	const stack_t alternate = { .ss_sp = stack, .ss_size = sizeof(stack) };
	const struct sigaction action = { .sa_sigaction = on_signal,
					  .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER };
	struct sigaction before[sizeof(signals) / sizeof(signals[0])];
	unsigned int i;

	assert_int_equal(sigaltstack(&alternate, NULL), 0);
	for (i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
		sigaction(signals[i], &action, &before[i]);
	raise(SIGUSR1);
	for (i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
		sigaction(signals[i], &before[i], NULL);
	if (step.problem)
		fail_msg("%s, behind %d instructions", step.problem, step.instructions);
}
