// SPDX-License-Identifier: GPL-2.0-only
/* Time, and timers that land between any two instructions of loops whose results are known. */
#define SUBJECT "clock"
#include <sched.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>
#include <x86intrin.h>

#include "conform.h"

static void forward(const void *unused)
{
	uint64_t last = __rdtsc(), now;
	unsigned int aux, node, cpu, backwards = 0;
	struct timespec a, b;

	(void)unused;
	for (int i = 0; i < 10000; i++) {
		now = __rdtsc();
		backwards += now < last;
		last = now;
	}
	__rdtscp(&aux);
	out("backwards %u aux %u ", backwards, aux);
	getcpu(&cpu, &node);
	out("getcpu %u %u sched_getcpu %d ", cpu, node, sched_getcpu());
	clock_gettime(CLOCK_MONOTONIC, &a);
	clock_gettime(CLOCK_MONOTONIC, &b);
	out("monotonic %d vdso %d ",
	    b.tv_sec > a.tv_sec || (b.tv_sec == a.tv_sec && b.tv_nsec >= a.tv_nsec),
	    getauxval(AT_SYSINFO_EHDR) != 0);
	out("time %d", time(NULL) > 0);
}

GROUP(forward)
{
	in_child(SUBJECT "/forward", forward, NULL);
}

CODE(rdtsc_upper, "rdtsc\n shr $32, %rax\n shr $32, %rdx");
CODE(rdtscp_upper, "rdtscp\n shr $32, %rax\n shr $32, %rdx");
CODE(rdpid, "rdpid %rax");

/* --- A timer over loops ----------------------------------------------------------------------------- */

#define SIGNALS 200
#define INTERVAL 500000 /* ns */

static volatile sig_atomic_t signals;
static volatile unsigned int bad_frames;

static void on_timer(int number, siginfo_t *info, void *context)
{
	const greg_t *r = ((ucontext_t *)context)->uc_mcontext.gregs;
	const unsigned int hidden = FLAG_IOPL | FLAG_TF | 0x4000;

	(void)number, (void)info;
	signals++;
	if ((r[REG_CSGSFS] & 0xffff) != USER_CS || (uint64_t)r[REG_CSGSFS] >> 48 != USER_DS ||
	    !(r[REG_EFL] & FLAG_IF) || (r[REG_EFL] & hidden))
		bad_frames++;
}

static uint64_t registers_loop(uint64_t rounds)
{
	uint64_t value = 1;

	asm volatile("push %%rbp\n"
		     "mov $3, %%rbx\n mov $5, %%rbp\n mov $7, %%rsi\n mov $11, %%rdi\n mov $13, %%r8\n"
		     "mov $17, %%r9\n mov $19, %%r10\n mov $23, %%r11\n mov $29, %%r12\n mov $31, %%r13\n"
		     "1: add %%rbx, %%rax\n adc %%rbp, %%rbx\n adc %%rsi, %%rbp\n adc %%rdi, %%rsi\n"
		     "adc %%r8, %%rdi\n adc %%r9, %%r8\n adc %%r10, %%r9\n adc %%r11, %%r10\n"
		     "adc %%r12, %%r11\n adc %%r13, %%r12\n adc %%rax, %%r13\n rol $7, %%rax\n"
		     "loop 1b\n"
		     "xor %%rbx, %%rax\n xor %%rbp, %%rax\n xor %%rsi, %%rax\n xor %%rdi, %%rax\n"
		     "xor %%r8, %%rax\n xor %%r9, %%rax\n xor %%r10, %%rax\n xor %%r11, %%rax\n"
		     "xor %%r12, %%rax\n xor %%r13, %%rax\n"
		     "pop %%rbp\n"
		     : "+a"(value), "+c"(rounds)
		     :
		     : "rbx", "rsi", "rdi", "r8", "r9", "r10", "r11", "r12", "r13", "cc", "memory");
	return value;
}

/* Instructions that a VMM may have to do with. */
static uint64_t special_loop(uint64_t rounds)
{
	uint64_t value = 0, a, b, c, d;

	while (rounds--) {
		a = rounds & 1, c = 0;
		asm volatile("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
		value = value * 31 + (a == 0) + (b != 0);
		asm volatile("mov %%ss, %%eax\n mov %%eax, %%ss\n pushf\n popf\n mov %%ds, %%eax\n mov %%eax, %%ds"
			     :
			     :
			     : "rax", "memory");
		value += (uint64_t)(system_call(SYS_getppid, 0, 0, 0) > 0);
		asm volatile("int $0x80" : "=a"(a) : "a"(158) : "r8", "r9", "r10", "r11", "memory");
		value += (uint64_t)a;
	}
	return value;
}

static void under_a_timer(const void *argument)
{
	uint64_t (*loop)(uint64_t) = *(uint64_t(*const *)(uint64_t))argument;
	struct sigaction action = { .sa_sigaction = on_timer, .sa_flags = SA_SIGINFO | SA_RESTART };
	struct itimerspec often = { { 0, INTERVAL }, { 0, INTERVAL } };
	struct sigevent event = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1 };
	unsigned int wrong = 0;
	uint64_t right = loop(500);
	timer_t timer;

	sigaction(SIGUSR1, &action, NULL);
	if (timer_create(CLOCK_MONOTONIC, &event, &timer) || timer_settime(timer, 0, &often, NULL))
		out("no timer ");
	while (signals < SIGNALS)
		wrong += loop(500) != right;
	timer_delete(timer);
	out("result %lx wrong %u bad frames %u", right, wrong, bad_frames);
}

GROUP(timers)
{
	static uint64_t (*const plain)(uint64_t) = registers_loop,
				(*const special)(uint64_t) = special_loop;

	in_child(SUBJECT "/registers_under_a_timer", under_a_timer, &plain);
	in_child(SUBJECT "/instructions_under_a_timer", under_a_timer, &special);
}

/* A profiling timer, by the CPU time of the process. */
static void on_prof(int number)
{
	(void)number;
	signals++;
}

static void profiled(const void *unused)
{
	struct itimerval often = { { 0, 1000 }, { 0, 1000 } };
	uint64_t right = registers_loop(5000);
	unsigned int wrong = 0;

	(void)unused;
	signal(SIGPROF, on_prof);
	setitimer(ITIMER_PROF, &often, NULL);
	while (signals < 20)
		wrong += registers_loop(5000) != right;
	out("wrong %u", wrong);
}

GROUP(profiled)
{
	in_child(SUBJECT "/profiled", profiled, NULL);
}
