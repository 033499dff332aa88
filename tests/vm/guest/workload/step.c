// SPDX-License-Identifier: GPL-2.0-only
/*
 * Single-stepping by ptrace: every instruction boundary is reported once, also behind CPUID, which
 * a VMM emulates and after which it owes the guest the trap. No SYSCALL is stepped: Bochs 3.0 then
 * traps inside the kernel. And, on request, MOV to SS, which holds the trap back for one instruction
 * (SDM vol. 3, "Masking Exceptions and Interrupts When Switching Stacks"): with several CPUs Bochs
 * 3.0 at times forgets that, without a VMM as well.
 */
#include <sys/ptrace.h>

#include "tracee.h"
#include "worker.h"

/* The stepped code, and the boundaries in it. */
extern const unsigned char step_0[], step_1[], step_2[], step_3[], step_4[], step_5[], step_end[];
extern const unsigned char movss_0[], movss_1[], movss_2[], movss_4[], movss_end[];

/* In the order they are to be reported. REP MOVSB traps after each of its three iterations. */
static const unsigned char *const step_boundaries[] = {
	step_1, step_2, step_3, step_4, step_4, step_4, step_5, step_end,
};

/* MOV SS inhibits the trap in front of the CPUID behind it. */
static const unsigned char *const movss_boundaries[] = {
	movss_1,
	movss_2,
	movss_4,
	movss_end,
};

__attribute__((noinline)) static int stepped_code(void)
{
	uint64_t rax = 0;
	unsigned char from[3] = "ab", to[3] = "";
	unsigned char *source = from, *destination = to;
	uint64_t count = sizeof(to);

	asm volatile("int3\n"
		     "step_0: nop\n"
		     "step_1: xor %%ecx, %%ecx\n"
		     "step_2: cpuid\n"
		     "step_3: mov %[count], %%rcx\n"
		     "step_4: rep movsb\n"
		     "step_5: nop\n"
		     "step_end: int3\n"
		     : "+a"(rax), "+S"(source), "+D"(destination)
		     : [count] "r"(count)
		     : "rbx", "rcx", "rdx", "cc", "memory");
	return to[0] == 'a' && to[1] == 'b' ? 0 : 1;
}

__attribute__((noinline)) static int movss_code(void)
{
	uint64_t rax = 0;

	asm volatile("int3\n"
		     "movss_0: nop\n"
		     "movss_1: mov %%ss, %%edx\n"
		     "movss_2: mov %%edx, %%ss\n"
		     "cpuid\n"
		     "movss_4: nop\n"
		     "movss_end: int3\n"
		     : "+a"(rax)
		     :
		     : "rbx", "rcx", "rdx", "cc", "memory");
	return 0;
}

static uint64_t step_through(int (*code)(void), const unsigned char *first,
			     const unsigned char *const *boundaries, size_t n)
{
	pid_t child = tracee_start(code);
	uint64_t rip;

	if (child < 0)
		return 0;
	expect(tracee_rip(child) == (uintptr_t)first, "stepping begins at the wrong place");
	for (size_t i = 0; i < n; i++) {
		if (!tracee_run(child, PTRACE_SINGLESTEP))
			break;
		rip = tracee_rip(child);
		if (!expect(rip == (uintptr_t)boundaries[i],
			    "step %zu ended at code offset %td instead of %td", i,
			    (const unsigned char *)rip - first, boundaries[i] - first))
			break;
		done(1);
	}
	/* The INT3 at the end still traps, and then the child checks its own results. */
	if (tracee_run(child, PTRACE_CONT))
		tracee_finish(child);
	else
		tracee_kill(child);
	return digest_u64(DIGEST_START, n);
}

static uint64_t step_round(void)
{
	return step_through(stepped_code, step_0, step_boundaries, ARRAY_SIZE(step_boundaries));
}

static uint64_t movss_round(void)
{
	return step_through(movss_code, movss_0, movss_boundaries, ARRAY_SIZE(movss_boundaries));
}

const struct worker step_worker = { .name = "step", .round = step_round };
const struct worker movss_worker = { .name = "movss", .on_request = true, .round = movss_round };
