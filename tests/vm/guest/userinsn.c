// SPDX-License-Identifier: GPL-2.0-only
/*
 * userinsn: executes instructions that VT-x has a control, an exit or a shadow for, in user space on
 * one CPU, and prints what came of each: a value, or the signal. Whoever compares its output of native
 * and virtual mode sees whether a program could tell the two apart.
 */
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <x86intrin.h>

#include "hypervisor.h"

/*
 * What the waits wait, in ticks of the TSC: far below any limit of the kernel's. An interrupt ends a
 * wait too, so a wait is repeated until one ends in another way.
 */
#define WAIT_TICKS 20000
#define WAIT_TRIES 1000

/* An instruction: runs it and puts what it gave into @text, unless a signal comes first. */
struct probe {
	const char *name;
	void (*run)(char *text, size_t size);
};

static sigjmp_buf back;

static void caught(int number)
{
	siglongjmp(back, number);
}

/* An instruction that leaves nothing to look at; ECX and EDX:EAX are 0, memory operands are zeros. */
#define PLAIN(name, instruction)                                                                   \
	static void run_##name(char *text, size_t size)                                            \
	{                                                                                          \
		static uint64_t zeros[4];                                                          \
		uint32_t eax = 0, ecx = 0, edx = 0;                                                \
                                                                                                   \
		asm volatile(instruction                                                           \
			     : "+a"(eax), "+c"(ecx), "+d"(edx)                                     \
			     : "D"(zeros)                                                          \
			     : "rbx", "rsi", "memory", "cc");                                      \
		snprintf(text, size, "executed");                                                  \
	}

/* An instruction that stores or gives a 64-bit value which does not change by itself. */
#define VALUE(name, instruction)                                                                   \
	static void run_##name(char *text, size_t size)                                            \
	{                                                                                          \
		uint64_t value = 0;                                                                \
                                                                                                   \
		asm volatile(instruction : "+r"(value) : : "memory", "cc");                        \
		snprintf(text, size, "%#lx", value);                                               \
	}

/* A descriptor table register. */
#define TABLE(name, instruction)                                                                   \
	static void run_##name(char *text, size_t size)                                            \
	{                                                                                          \
		struct {                                                                           \
			uint16_t limit;                                                            \
			uint64_t base;                                                             \
		} __attribute__((packed)) table = { 0 };                                           \
                                                                                                   \
		asm volatile(instruction " %0" : "+m"(table));                                     \
		snprintf(text, size, "base %#lx limit %#x", table.base, table.limit);              \
	}

/* Each of these is a name and what the assembler is told. */
/* clang-format off */
#define PLAINS(X)							\
	X(xgetbv1,	"mov $1, %%ecx\n xgetbv")			\
	X(xsetbv,	"xsetbv")					\
	X(xsaves,	"xsaves64 (%%rdi)")				\
	X(invpcid,	"invpcid (%%rdi), %%rax")			\
	X(vmcall,	"vmcall")					\
	X(vmxon,	"vmxon (%%rdi)")				\
	X(vmclear,	"vmclear (%%rdi)")				\
	X(vmptrld,	"vmptrld (%%rdi)")				\
	X(vmptrst,	"vmptrst (%%rdi)")				\
	X(vmread,	"vmread %%rax, %%rdx")				\
	X(vmwrite,	"vmwrite %%rax, %%rdx")				\
	X(vmlaunch,	"vmlaunch")					\
	X(vmresume,	"vmresume")					\
	X(vmxoff,	"vmxoff")					\
	X(vmfunc,	"vmfunc")					\
	X(invept,	"invept (%%rdi), %%rax")			\
	X(invvpid,	"invvpid (%%rdi), %%rax")			\
	X(getsec,	"getsec")					\
	X(rdpmc,	"rdpmc")					\
	X(rdmsr,	"rdmsr")					\
	X(wrmsr,	"wrmsr")					\
	X(rdpkru,	"rdpkru")					\
	X(monitor,	"mov %%rdi, %%rax\n monitor")			\
	X(mwait,	"mwait")					\
	X(hlt,		"hlt")						\
	X(invd,		"invd")						\
	X(wbinvd,	"wbinvd")					\
	X(clts,		"clts")						\
	X(lgdt,		"lgdt (%%rdi)")					\
	X(ltr,		"ltr %%ax")					\
	X(read_cr4,	"mov %%cr4, %%rax")				\
	X(write_dr7,	"mov %%rax, %%dr7")				\
	X(in,		"in $0x80, %%al")				\
	X(swapgs,	"swapgs")					\
	X(clac,		"clac")						\
	X(rdfsbase,	"rdfsbase %%rax")

#define VALUES(X)							\
	X(smsw,		"smsw %0")					\
	X(sldt,		"sldt %0")					\
	X(str,		"str %0")

#define TABLES(X)							\
	X(sgdt,		"sgdt")						\
	X(sidt,		"sidt")
/* clang-format on */

PLAINS(PLAIN)
VALUES(VALUE)
TABLES(TABLE)

/* Linux puts the CPU's number into the low 12 bits of IA32_TSC_AUX. */
static void tell_cpu(char *text, size_t size, uint64_t aux)
{
	unsigned int cpu = 0;

	syscall(SYS_getcpu, &cpu, NULL, NULL);
	snprintf(text, size, (aux & 0xfff) == cpu ? "this CPU" : "CPU %lu instead of %u",
		 aux & 0xfff, cpu);
}

static void run_rdpid(char *text, size_t size)
{
	uint64_t aux = 0;

	asm volatile("rdpid %0" : "+r"(aux));
	tell_cpu(text, size, aux);
}

static void run_rdtscp(char *text, size_t size)
{
	unsigned int aux;

	__rdtscp(&aux);
	tell_cpu(text, size, aux);
}

/* These return CF, which tells that the kernel's limit ended the wait, not the deadline. */
static bool tpause(uint64_t deadline)
{
	bool limited;

	asm volatile("tpause %%ecx"
		     : "=@ccc"(limited)
		     : "c"(1), "a"((uint32_t)deadline), "d"((uint32_t)(deadline >> 32)));
	return limited;
}

static bool umwait(uint64_t deadline)
{
	static uint64_t watched;
	bool limited;

	asm volatile("umonitor %0" : : "r"(&watched) : "memory");
	asm volatile("umwait %%ecx"
		     : "=@ccc"(limited)
		     : "c"(1), "a"((uint32_t)deadline), "d"((uint32_t)(deadline >> 32))
		     : "memory");
	return limited;
}

static void tell_wait(char *text, size_t size, bool (*wait)(uint64_t deadline))
{
	uint64_t deadline;

	for (int i = 0; i < WAIT_TRIES; i++) {
		deadline = __rdtsc() + WAIT_TICKS;
		if (wait(deadline)) {
			snprintf(text, size, "until the limit");
			return;
		}
		if (__rdtsc() >= deadline) {
			snprintf(text, size, "until the deadline");
			return;
		}
	}
	snprintf(text, size, "neither until the deadline nor until the limit");
}

static void run_tpause(char *text, size_t size)
{
	tell_wait(text, size, tpause);
}

static void run_umwait(char *text, size_t size)
{
	tell_wait(text, size, umwait);
}

/* The header's XCOMP_BV tells which components a compacted area holds. */
static void run_xsavec(char *text, size_t size)
{
	static uint8_t area[4096] __attribute__((aligned(64)));
	uint64_t xcomp_bv;

	asm volatile("xsavec64 (%0)" : : "r"(area), "a"(3), "d"(0) : "memory");
	memcpy(&xcomp_bv, area + 520, sizeof(xcomp_bv));
	snprintf(text, size, "XCOMP_BV %#lx", xcomp_bv);
}

#define PROBE(name, ...) { #name, run_##name },

static const struct probe probes[] = { PROBE(rdpid) PROBE(rdtscp) PROBE(tpause) PROBE(umwait) PROBE(
	xsavec) PLAINS(PROBE) VALUES(PROBE) TABLES(PROBE) };

static void catch_signals(void)
{
	static const int signals[] = { SIGILL, SIGSEGV, SIGBUS, SIGTRAP };
	struct sigaction action = { .sa_handler = caught };

	for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
		sigaction(signals[i], &action, NULL);
}

/* The registers of the tables are each CPU's own, so all runs ask the first one that may be used. */
static bool settle(void)
{
	size_t size;
	cpu_set_t *cpus = usable_cpus(&size);

	for (int cpu = 0; cpus && cpu < (int)size * 8; cpu++)
		if (CPU_ISSET_S(cpu, size, cpus))
			return move_to_cpu(cpu, size);
	return false;
}

int main(int argc, char **argv)
{
	char text[80];
	int number;

	if (argc != 1) {
		fprintf(stderr, "usage: %s\n", argv[0]);
		return 2;
	}
	if (!settle()) {
		perror("userinsn: sched_setaffinity");
		return 2;
	}
	catch_signals();
	for (size_t i = 0; i < sizeof(probes) / sizeof(probes[0]); i++) {
		number = sigsetjmp(back, 1);
		if (number == 0)
			probes[i].run(text, sizeof(text));
		else
			snprintf(text, sizeof(text), "SIG%s", sigabbrev_np(number));
		printf("%s: %s\n", probes[i].name, text);
	}
	return 0;
}
