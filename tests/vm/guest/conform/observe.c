// SPDX-License-Identifier: GPL-2.0-only
/* Begins instructions with known registers, and tells what the signal says that ends them. */
#include <asm/prctl.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "conform.h"

#define STEPS_MAX 200
#define ALTERNATE_SIZE 65536

unsigned char conform_data[DATA_SIZE] __attribute__((aligned(4096)));
unsigned char conform_stack[STACK_SIZE] __attribute__((aligned(4096)));
struct start conform_start;
volatile struct caught conform_caught;
volatile uint64_t conform_resume[3];

static unsigned char alternate[ALTERNATE_SIZE] __attribute__((aligned(4096)));
static const struct code *running;
static uint64_t own_fs_base;
static unsigned int steps;

void conform_enter(void) __attribute__((noreturn));
asm(".pushsection .text\n"
    "conform_enter: lea conform_start(%rip), %rsp\n"
    "pop %r15\n pop %r14\n pop %r13\n pop %r12\n pop %r11\n pop %r10\n pop %r9\n pop %r8\n"
    "pop %rbp\n pop %rdi\n pop %rsi\n pop %rdx\n pop %rcx\n pop %rbx\n pop %rax\n"
    "iretq\n"
    ".popsection\n");

/* What a handler has to keep, since the C library needs FS. */
struct segments {
	unsigned int ds, es, fs, gs;
	uint64_t fs_base, gs_base;
};

static struct segments take_segments(void)
{
	struct segments s;

	asm volatile("mov %%ds, %0\n mov %%es, %1\n mov %%fs, %2\n mov %%gs, %3"
		     : "=r"(s.ds), "=r"(s.es), "=r"(s.fs), "=r"(s.gs));
	system_call(SYS_arch_prctl, ARCH_GET_FS, (long)&s.fs_base, 0);
	system_call(SYS_arch_prctl, ARCH_GET_GS, (long)&s.gs_base, 0);
	if (own_fs_base)
		system_call(SYS_arch_prctl, ARCH_SET_FS, (long)own_fs_base, 0);
	return s;
}

/* Addresses relative to what they lie in: where that is differs from build to build. */
static void out_value(uint64_t value)
{
	if (running &&
	    value - (uint64_t)running->start <= (uint64_t)(running->end - running->start))
		out("+%lu", value - (uint64_t)running->start);
	else if (value - (uint64_t)conform_data < DATA_SIZE)
		out("data+%lx", value - (uint64_t)conform_data);
	else if (value - (uint64_t)conform_stack < STACK_SIZE)
		out("stack+%lx", value - (uint64_t)conform_stack);
	else
		out("%lx", value);
}

static void out_named(const char *name, uint64_t value)
{
	out(" %s ", name);
	out_value(value);
}

static void out_segments(const struct segments *s, uint64_t cs_ss)
{
	unsigned int cs = cs_ss & 0xffff, ss = cs_ss >> 48;

	if (cs != conform_start.cs)
		out(" cs %x", cs);
	if (ss != conform_start.ss)
		out(" ss %x", ss);
	if (s->ds || s->es || s->fs || s->gs)
		out(" ds %x es %x fs %x gs %x", s->ds, s->es, s->fs, s->gs);
	if (s->fs_base != own_fs_base)
		out_named("fs_base", s->fs_base);
	if (s->gs_base)
		out_named("gs_base", s->gs_base);
}

static void out_registers(const greg_t *r)
{
	static const struct {
		const char *name;
		int now;
		size_t before;
	} registers[] = {
		{ "rax", REG_RAX, offsetof(struct start, rax) },
		{ "rbx", REG_RBX, offsetof(struct start, rbx) },
		{ "rcx", REG_RCX, offsetof(struct start, rcx) },
		{ "rdx", REG_RDX, offsetof(struct start, rdx) },
		{ "rsi", REG_RSI, offsetof(struct start, rsi) },
		{ "rdi", REG_RDI, offsetof(struct start, rdi) },
		{ "rbp", REG_RBP, offsetof(struct start, rbp) },
		{ "rsp", REG_RSP, offsetof(struct start, rsp) },
		{ "r8", REG_R8, offsetof(struct start, r8) },
		{ "r9", REG_R9, offsetof(struct start, r9) },
		{ "r10", REG_R10, offsetof(struct start, r10) },
		{ "r11", REG_R11, offsetof(struct start, r11) },
		{ "r12", REG_R12, offsetof(struct start, r12) },
		{ "r13", REG_R13, offsetof(struct start, r13) },
		{ "r14", REG_R14, offsetof(struct start, r14) },
		{ "r15", REG_R15, offsetof(struct start, r15) },
	};
	uint64_t before;

	for (size_t i = 0; i < ARRAY_SIZE(registers); i++) {
		memcpy(&before, (const char *)&conform_start + registers[i].before, sizeof(before));
		if ((uint64_t)r[registers[i].now] != before)
			out_named(registers[i].name, (uint64_t)r[registers[i].now]);
	}
}

static bool is_end(int number, const greg_t *r)
{
	return number == SIGTRAP && running && r[REG_RIP] == (greg_t)running->end + 1;
}

static void out_signal(int number, const siginfo_t *info, const greg_t *r)
{
	if (is_end(number, r)) {
		out("done flags %llx", r[REG_EFL]);
		return;
	}
	out("SIG%s code %d", signal_name(number), info->si_code);
	if (info->si_code > 0)
		out_named("addr", (uint64_t)info->si_addr);
	out(" trap %lld error %llx", r[REG_TRAPNO], r[REG_ERR]);
	if (r[REG_TRAPNO] == 14)
		out_named("cr2", (uint64_t)r[REG_CR2]);
	out_named("at", (uint64_t)r[REG_RIP]);
	out(" flags %llx", r[REG_EFL]);
}

/* Back to where the TRY goes on. */
static void resume(int number, const siginfo_t *info, greg_t *r)
{
	uint64_t cs_ss = (uint64_t)r[REG_CSGSFS];

	conform_caught = (struct caught){
		.signal = number,
		.code = info->si_code,
		.trap = (uint64_t)r[REG_TRAPNO],
		.error = (uint64_t)r[REG_ERR],
		.address = info->si_code > 0 ? (uint64_t)info->si_addr : 0,
		.cs = cs_ss & 0xffff,
		.ss = cs_ss >> 48,
		.flags = (uint64_t)r[REG_EFL],
		.rsp = (uint64_t)r[REG_RSP],
		.rip = (uint64_t)r[REG_RIP],
	};
	r[REG_RIP] = (greg_t)conform_resume[0];
	r[REG_RSP] = (greg_t)conform_resume[1];
	r[REG_RBP] = (greg_t)conform_resume[2];
	r[REG_EFL] = FLAGS_START;
	r[REG_CSGSFS] = (greg_t)(USER_CS | (uint64_t)USER_DS << 48);
	conform_resume[0] = 0;
}

static void on_signal(int number, siginfo_t *info, void *context)
{
	struct segments segments;
	greg_t *r = ((ucontext_t *)context)->uc_mcontext.gregs;

	/* The kernel leaves AC on; C is not written for that. */
	asm volatile("pushf\n andl %0, (%%rsp)\n popf" : : "i"(~FLAG_AC) : "memory", "cc");
	segments = take_segments();
	if (conform_resume[0]) {
		resume(number, info, r);
		return;
	}
	/* A single step, or a watchpoint, is told and goes on. */
	if (number == SIGTRAP && (info->si_code == TRAP_TRACE || info->si_code == TRAP_HWBKPT) &&
	    running && steps++ < STEPS_MAX) {
		out(info->si_code == TRAP_TRACE ? "step" : "watch");
		out_value((uint64_t)r[REG_RIP]);
		out(" ");
		return;
	}
	out_signal(number, info, r);
	out_segments(&segments, (uint64_t)r[REG_CSGSFS]);
	if (running)
		out_registers(r);
	finish();
}

void out_caught(void)
{
	if (!conform_caught.signal)
		out("executed");
	else
		out("SIG%s code %d trap %ld error %lx", signal_name(conform_caught.signal),
		    conform_caught.code, conform_caught.trap, conform_caught.error);
}

void catch_signals(void)
{
	static const int numbers[] = { SIGSEGV, SIGBUS, SIGILL, SIGTRAP, SIGFPE, SIGSYS };
	struct sigaction action = { .sa_sigaction = on_signal,
				    .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER };
	stack_t stack = { .ss_sp = alternate, .ss_size = sizeof(alternate) };

	sigaltstack(&stack, NULL);
	for (size_t i = 0; i < ARRAY_SIZE(numbers); i++)
		sigaction(numbers[i], &action, NULL);
	system_call(SYS_arch_prctl, ARCH_GET_FS, (long)&own_fs_base, 0);
}

void observe_as(const struct code *code)
{
	running = code;
}

void enter_code(const struct code *code)
{
	running = code;
	conform_start.rip = (uint64_t)code->start;
	conform_start.cs = code->bits == 64 ? USER_CS : USER_CS_32;
	/* As in any 32-bit program; in 64-bit ones they are null. */
	if (code->bits == 32)
		asm volatile("mov %0, %%ds\n mov %0, %%es" : : "r"(USER_DS));
	conform_enter();
}

void run_code(const struct code *code)
{
	conform_start = (struct start){
		.rax = 0xa0a0a0a0a0a0a0a0,
		.rbx = 0xb0b0b0b0b0b0b0b0,
		.rcx = 0xc0c0c0c0c0c0c0c0,
		.rdx = 0xd0d0d0d0d0d0d0d0,
		.rsi = (uint64_t)conform_data + DATA_SIZE / 2,
		.rdi = (uint64_t)conform_data,
		.rbp = 0xbbbbbbbbbbbbbbbb,
		.r8 = 0x0808080808080808,
		.r9 = 0x0909090909090909,
		.r10 = 0x1010101010101010,
		.r11 = 0x1111111111111111,
		.r12 = 0x1212121212121212,
		.r13 = 0x1313131313131313,
		.r14 = 0x1414141414141414,
		.r15 = 0x1515151515151515,
		.rflags = FLAGS_START,
		.rsp = (uint64_t)conform_stack + STACK_SIZE / 2,
		.ss = USER_DS,
	};
	catch_signals();
	if (code->setup)
		code->setup();
	enter_code(code);
}
