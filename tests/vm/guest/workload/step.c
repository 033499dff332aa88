// SPDX-License-Identifier: GPL-2.0-only
/*
 * Single-stepping by ptrace: every instruction boundary is reported once, also behind CPUID, which
 * a VMM emulates and after which it owes the guest the trap, and behind MOV to SS, which holds
 * the trap back for one instruction (SDM vol. 3, "Masking Exceptions and Interrupts When
 * Switching Stacks"). No SYSCALL is stepped: Bochs 3.0 then traps inside the kernel.
 */
#include <sys/ptrace.h>

#include "tracee.h"
#include "worker.h"

/* The stepped code, and the boundaries in it. */
extern const unsigned char step_0[], step_1[], step_2[], step_3[], step_4[], step_5[], step_6[],
	step_7[], step_8[], step_end[];

/*
 * In the order they are to be reported. MOV SS inhibits the trap in front of step_5; REP MOVSB
 * traps after each of its three iterations.
 */
static const unsigned char *const boundaries[] = {
	step_1, step_2, step_3, step_4, step_6, step_7, step_7, step_7, step_8, step_end,
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
		     "step_3: mov %%ss, %%edx\n"
		     "step_4: mov %%edx, %%ss\n"
		     "step_5: cpuid\n"
		     "step_6: mov %[count], %%rcx\n"
		     "step_7: rep movsb\n"
		     "step_8: nop\n"
		     "step_end: int3\n"
		     : "+a" (rax), "+S" (source), "+D" (destination)
		     : [count] "r" (count)
		     : "rbx", "rcx", "rdx", "cc", "memory");
	return to[0] == 'a' && to[1] == 'b' ? 0 : 1;
}

static uint64_t step_round(void)
{
	pid_t child = tracee_start(stepped_code);
	uint64_t rip;

	if (child < 0)
		return 0;
	expect(tracee_rip(child) == (uintptr_t)step_0, "stepping begins at the wrong place");
	for (size_t i = 0; i < ARRAY_SIZE(boundaries); i++) {
		if (!tracee_run(child, PTRACE_SINGLESTEP))
			break;
		rip = tracee_rip(child);
		if (!expect(rip == (uintptr_t)boundaries[i],
			    "step %zu ended at code offset %td instead of %td", i,
			    (const unsigned char *)rip - step_0, boundaries[i] - step_0))
			break;
		done(1);
	}
	/* The INT3 at the end still traps, and then the child checks its own results. */
	if (tracee_run(child, PTRACE_CONT))
		tracee_finish(child);
	else
		tracee_kill(child);
	return digest_u64(DIGEST_START, ARRAY_SIZE(boundaries));
}

const struct worker step_worker = { .name = "step", .round = step_round };
