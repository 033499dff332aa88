// SPDX-License-Identifier: GPL-2.0-only
/* x87, SSE and AVX registers over signals, system calls, context switches and faults. */
#define SUBJECT "fpu"
#include <cpuid.h>
#include <sched.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "conform.h"

#define AVX_STATE 4

struct state {
	uint8_t ymm[16][32];
	uint8_t st[512] __attribute__((aligned(16)));
	uint32_t mxcsr;
};

static struct state before, after, in_handler;
static bool has_avx;

static void find_avx(void)
{
	unsigned int a, b, c, d;

	__cpuid(1, a, b, c, d);
	if (!(c & bit_OSXSAVE) || !(c & bit_AVX))
		return;
	asm volatile("xgetbv" : "=a"(a), "=d"(d) : "c"(0));
	has_avx = a & AVX_STATE;
}

#define EACH(op)                                                                                   \
	op(0) op(1) op(2) op(3) op(4) op(5) op(6) op(7) op(8) op(9) op(10) op(11) op(12) op(13)    \
		op(14) op(15)
#define LOAD_YMM(n) "vmovups " #n "*32(%0), %%ymm" #n "\n"
#define LOAD_XMM(n) "movups " #n "*32(%0), %%xmm" #n "\n"
#define STORE_YMM(n) "vmovups %%ymm" #n ", " #n "*32(%0)\n"
#define STORE_XMM(n) "movups %%xmm" #n ", " #n "*32(%0)\n"
#define CLEAR_XMM(n) "xorps %%xmm" #n ", %%xmm" #n "\n"

static inline __attribute__((always_inline)) void load_state(struct state *s)
{
	if (has_avx)
		asm volatile(EACH(LOAD_YMM) : : "r"(s->ymm) : "memory");
	else
		asm volatile(EACH(LOAD_XMM) : : "r"(s->ymm) : "memory");
	asm volatile("fninit\n fld1\n fldpi\n fldl2e\n fldln2\n ldmxcsr %0" : : "m"(s->mxcsr));
}

static inline __attribute__((always_inline)) void store_state(struct state *s)
{
	asm volatile("fxsave (%0)" : : "r"(s->st) : "memory");
	if (has_avx)
		asm volatile(EACH(STORE_YMM) : : "r"(s->ymm) : "memory");
	else
		asm volatile(EACH(STORE_XMM) : : "r"(s->ymm) : "memory");
	asm volatile("stmxcsr %0" : "=m"(s->mxcsr));
}

static uint64_t digest(const void *data, size_t size)
{
	const uint8_t *bytes = data;
	uint64_t value = 0xcbf29ce484222325;

	for (size_t i = 0; i < size; i++)
		value = (value ^ bytes[i]) * 0x100000001b3;
	return value;
}

static void out_state(const char *name, const struct state *s)
{
	uint16_t control, status;

	memcpy(&control, s->st, 2);
	memcpy(&status, s->st + 2, 2);
	out("%s: ymm %lx st %lx control %x status %x tag %x mxcsr %x\n", name,
	    digest(s->ymm, sizeof(s->ymm)), digest(s->st + 32, 128), control, status, s->st[4],
	    s->mxcsr);
}

static void fill(struct state *s)
{
	find_avx();
	memset(s, 0, sizeof(*s));
	for (size_t i = 0; i < sizeof(s->ymm); i++)
		((uint8_t *)s->ymm)[i] = has_avx || i % 32 < 16 ? (uint8_t)(i * 37 + 11) : 0;
	s->mxcsr = 0x9fa0;
}

/* The handler finds what the kernel gives it, and spoils all. */
static void on_signal(int number, siginfo_t *info, void *context)
{
	store_state(&in_handler);
	(void)number, (void)info, (void)context;
	asm volatile(EACH(CLEAR_XMM) "fninit" : : "r"(0));
	/* over a UD2 or a HLT that came here as a signal */
	if (number == SIGILL)
		((ucontext_t *)context)->uc_mcontext.gregs[REG_RIP] += 2;
	if (number == SIGSEGV)
		((ucontext_t *)context)->uc_mcontext.gregs[REG_RIP] += 1;
}

enum event { NOTHING, RAISE, UD2, HLT, INT80, YIELD };

static void over(const void *argument)
{
	struct sigaction action = { .sa_sigaction = on_signal, .sa_flags = SA_SIGINFO };
	enum event event = *(const enum event *)argument;
	long pid = getpid(), result;

	sigaction(SIGUSR1, &action, NULL);
	sigaction(SIGILL, &action, NULL);
	sigaction(SIGSEGV, &action, NULL);
	fill(&before);
	load_state(&before);
	if (event == RAISE)
		asm volatile("syscall"
			     : "=a"(result)
			     : "a"(SYS_kill), "D"(pid), "S"(SIGUSR1)
			     : "rcx", "r11", "memory");
	else if (event == UD2)
		asm volatile("ud2");
	else if (event == HLT)
		asm volatile("hlt");
	else if (event == INT80)
		asm volatile("int $0x80"
			     : "=a"(result)
			     : "a"(158)
			     : "r8", "r9", "r10", "r11", "memory");
	else if (event == YIELD)
		asm volatile("syscall"
			     : "=a"(result)
			     : "a"(SYS_sched_yield)
			     : "rcx", "r11", "memory");
	store_state(&after);
	out_state("before", &before);
	if (event >= RAISE && event <= HLT)
		out_state("in the handler", &in_handler);
	out_state("after", &after);
	out("kept %d avx %d", !memcmp(before.ymm, after.ymm, sizeof(before.ymm)), has_avx);
}

GROUP(over)
{
	static const enum event events[] = { NOTHING, RAISE, UD2, HLT, INT80, YIELD };
	static const char *const names[] = { "nothing", "raise", "ud2", "hlt", "int80", "yield" };

	for (size_t i = 0; i < ARRAY_SIZE(events); i++) {
		char name[40] = SUBJECT "/over_";

		in_child(strcat(name, names[i]), over, &events[i]);
	}
}

/* The frame holds the registers: what the handler changes there is what comes back. */
static void change_xmm(int number, siginfo_t *info, void *context)
{
	struct _libc_fpstate *state = ((ucontext_t *)context)->uc_mcontext.fpregs;

	(void)number, (void)info;
	out("cwd %x swd %x ftw %x mxcsr %x mask %x ", state->cwd, state->swd, state->ftw,
	    state->mxcsr, state->mxcr_mask);
	out("xmm1 %lx ", digest(&state->_xmm[1], 16));
	memset(&state->_xmm[1], 0x42, 16);
	state->mxcsr = 0x1f80;
}

static void changed_in_frame(const void *unused)
{
	struct sigaction action = { .sa_sigaction = change_xmm, .sa_flags = SA_SIGINFO };
	long pid = getpid(), result;

	(void)unused;
	sigaction(SIGUSR1, &action, NULL);
	fill(&before);
	load_state(&before);
	asm volatile("syscall"
		     : "=a"(result)
		     : "a"(SYS_kill), "D"(pid), "S"(SIGUSR1)
		     : "rcx", "r11", "memory");
	store_state(&after);
	out("\n");
	out_state("after", &after);
}

GROUP(changed)
{
	in_child(SUBJECT "/changed_in_frame", changed_in_frame, NULL);
}

/* Two processes with different registers take turns on this CPU. */
static void turns(const void *unused)
{
	unsigned int wrong = 0;
	pid_t child = fork();

	(void)unused;
	fill(&before);
	before.ymm[3][5] ^= child ? 0x55 : 0xaa;
	for (int i = 0; i < 100; i++) {
		long result;

		load_state(&before);
		asm volatile("syscall"
			     : "=a"(result)
			     : "a"(SYS_sched_yield)
			     : "rcx", "r11", "memory");
		store_state(&after);
		wrong += !!memcmp(before.ymm, after.ymm, sizeof(before.ymm));
	}
	if (!child)
		_exit(0);
	out("wrong %u", wrong);
}

GROUP(turns)
{
	in_child(SUBJECT "/turns", turns, NULL);
}
