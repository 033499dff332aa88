// SPDX-License-Identifier: GPL-2.0-only
/*
 * attack: instructions that a VMM must answer, on every CPU at once and as fast as it goes, until
 * SIGTERM. Each answer is checked: CPUID says what it said at first, but for the bits that a VMM
 * changes, and VMX instructions are undefined, whatever the registers hold.
 */
#include <cpuid.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <ucontext.h>

#include "hypervisor.h"

#define COOKIE UINT64_C(0x4d455243564d4d31)
#define CPUID_1_ECX_CHANGES (1u << 5 | 1u << 31)
#define MAX_CPUS 64

struct attacker {
	pthread_t thread;
	int cpu;
	size_t set_size;
	unsigned long rounds, wrong;
};

static volatile sig_atomic_t over;

static void on_term(int signal)
{
	(void)signal;
	over = 1;
}

/* The attacks load R8 with where to go on and R9 with where the fault is to be; R10 counts. */
static void on_undefined(int signal, siginfo_t *info, void *context)
{
	greg_t *regs = ((ucontext_t *)context)->uc_mcontext.gregs;

	(void)signal, (void)info;
	regs[REG_R10] += regs[REG_RIP] == regs[REG_R9] && regs[REG_TRAPNO] == 6 ? 1 : 1000;
	regs[REG_RIP] = regs[REG_R8];
}

/* False if it was not #UD, once, at the instruction itself, or if it changed a register. */
#define UNDEFINED(insn, a, di)                                                                     \
	({                                                                                         \
		register uint64_t r10 asm("r10") = 0;                                              \
		uint64_t rax = (a), rdi = (di);                                                    \
		asm volatile("lea 1f(%%rip), %%r9\n lea 2f(%%rip), %%r8\n"                         \
			     "1: " insn "\n"                                                       \
			     "2:\n"                                                                \
			     : "+a"(rax), "+D"(rdi), "+r"(r10)                                     \
			     : "c"(number), "d"(number), "S"(number)                               \
			     : "r8", "r9", "memory", "cc");                                        \
		r10 == 1 && rax == (a) && rdi == (di);                                             \
	})

static bool attack_vmx(uint64_t number)
{
	return UNDEFINED("vmcall", number, number) & UNDEFINED("vmcall", COOKIE, number % 16) &
	       UNDEFINED("vmread %%rax, %%rcx", number, number) &
	       UNDEFINED("vmwrite %%rax, %%rcx", number, number) &
	       UNDEFINED("vmlaunch", number, number) & UNDEFINED("vmresume", number, number) &
	       UNDEFINED("vmxoff", number, number);
}

struct leaf {
	unsigned int a, b, c, d;
};

static struct leaf leaf(unsigned int number)
{
	struct leaf l;

	__cpuid_count(number, 0, l.a, l.b, l.c, l.d);
	if (number == 1)
		l.c &= ~CPUID_1_ECX_CHANGES;
	return l;
}

/* @first: what the leaves said at first on this CPU. */
static bool attack_cpuid(const struct leaf *first, const unsigned int *numbers, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct leaf now = leaf(numbers[i]);

		if (memcmp(&now, &first[i], sizeof(now)))
			return false;
	}
	return true;
}

static void *run_cpuid(void *argument)
{
	static const unsigned int numbers[] = { 0, 1, 2, 7, 0x80000002 };
	const size_t count = sizeof(numbers) / sizeof(numbers[0]);
	struct attacker *self = argument;
	struct leaf first[5];

	if (!move_to_cpu(self->cpu, self->set_size))
		self->wrong++;
	for (size_t i = 0; i < count; i++)
		first[i] = leaf(numbers[i]);
	for (; !over; self->rounds++)
		self->wrong += !attack_cpuid(first, numbers, count);
	return NULL;
}

static void *run_vmx(void *argument)
{
	struct attacker *self = argument;
	uint64_t number = UINT64_C(0x9e3779b97f4a7c15);

	if (!move_to_cpu(self->cpu, self->set_size))
		self->wrong++;
	for (; !over; self->rounds++) {
		number = number * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
		self->wrong += !attack_vmx(number);
	}
	return NULL;
}

int main(int argc, char **argv)
{
	const struct sigaction undefined = { .sa_sigaction = on_undefined, .sa_flags = SA_SIGINFO };
	const struct sigaction term = { .sa_handler = on_term };
	static struct attacker attackers[MAX_CPUS];
	unsigned long rounds = 0, wrong = 0;
	size_t size, n = 0;
	cpu_set_t *cpus = usable_cpus(&size);
	bool vmx = argc == 2 && !strcmp(argv[1], "vmx");

	if (!cpus || argc != 2 || (!vmx && strcmp(argv[1], "cpuid"))) {
		fputs("usage: attack cpuid|vmx\n  Until SIGTERM; exit status 1 if an answer was "
		      "wrong.\n",
		      stderr);
		return 2;
	}
	sigaction(SIGILL, &undefined, NULL);
	sigaction(SIGTERM, &term, NULL);
	for (int cpu = 0; cpu < MAX_CPUS; cpu++)
		if (CPU_ISSET_S(cpu, size, cpus))
			attackers[n++] = (struct attacker){ .cpu = cpu, .set_size = size };
	for (size_t i = 0; i < n; i++)
		if (pthread_create(&attackers[i].thread, NULL, vmx ? run_vmx : run_cpuid,
				   &attackers[i]))
			return 2;
	for (size_t i = 0; i < n; i++) {
		pthread_join(attackers[i].thread, NULL);
		rounds += attackers[i].rounds;
		wrong += attackers[i].wrong;
	}
	printf("attack: %s, %lu rounds on %zu CPUs, %lu wrong\n", argv[1], rounds, n, wrong);
	return wrong || !rounds ? 1 : 0;
}
