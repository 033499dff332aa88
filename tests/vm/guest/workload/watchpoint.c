// SPDX-License-Identifier: GPL-2.0-only
/*
 * Debug registers by ptrace: a data watchpoint traps behind the store, an instruction breakpoint in
 * front of a CPUID and only once.
 */
#include <errno.h>
#include <stddef.h>
#include <sys/ptrace.h>
#include <sys/user.h>

#include "tracee.h"
#include "worker.h"

#define DEBUG_REGISTER(n) offsetof(struct user, u_debugreg[n])

/* DR7: L0, and LEN0 = 4 bytes with R/W0 = write, or LEN0 = R/W0 = 0 for execution. */
#define DR7_WATCH UINT64_C(0xd0001)
#define DR7_BREAK UINT64_C(0x00001)

extern const unsigned char watch_first[], watch_cpuid[], watch_second[];

static volatile uint32_t watched;

__attribute__((noinline)) static int watched_code(void)
{
	uint32_t leaf = 0;

	watched = 0;
	asm volatile("int3\n"
		     "movl $1, %[watched]\n"
		     "watch_first: xor %%ecx, %%ecx\n"
		     "watch_cpuid: cpuid\n"
		     "movl $2, %[watched]\n"
		     "watch_second: nop\n"
		     : "+a"(leaf), [watched] "+m"(watched)
		     :
		     : "rbx", "rcx", "rdx", "cc", "memory");
	return watched == 2 && leaf >= 1 ? 0 : 1;
}

static bool poke(pid_t child, unsigned int number, uint64_t value)
{
	return ptrace(PTRACE_POKEUSER, child, DEBUG_REGISTER(number), value) == 0;
}

static bool arm(pid_t child, const volatile void *address, uint64_t dr7)
{
	return poke(child, 0, (uintptr_t)address) && poke(child, 7, dr7);
}

static const char *missing(void)
{
	pid_t child = tracee_start(watched_code);
	bool ok;

	if (child < 0)
		return "no child under ptrace";
	ok = arm(child, &watched, DR7_WATCH);
	tracee_kill(child);
	return ok ? NULL : "the kernel gives no debug registers";
}

/* Runs to the next hit of DR0, which has to be at @rip. */
static bool expect_hit(pid_t child, const unsigned char *rip)
{
	uint64_t dr6;

	if (!tracee_run(child, PTRACE_CONT))
		return false;
	errno = 0;
	dr6 = (uint64_t)ptrace(PTRACE_PEEKUSER, child, DEBUG_REGISTER(6), NULL);
	expect_sys(errno == 0, "reading DR6");
	expect((dr6 & 0xf) == 1, "DR6 is %llx at a hit of DR0", (unsigned long long)dr6);
	poke(child, 6, 0);
	done(1);
	return expect(tracee_rip(child) == (uintptr_t)rip, "DR0 hit at %llx instead of %p",
		      (unsigned long long)tracee_rip(child), (const void *)rip);
}

/* Runs the code with DR0 at @address and expects its @count hits. */
static uint64_t run_watched(const volatile void *address, uint64_t dr7,
			    const unsigned char *const *hits, size_t count)
{
	pid_t child = tracee_start(watched_code);
	bool ok;

	if (child < 0)
		return 0;
	ok = expect_sys(arm(child, address, dr7), "setting debug registers");
	for (size_t i = 0; ok && i < count; i++)
		ok = expect_hit(child, hits[i]);
	if (ok)
		tracee_finish(child);
	else
		tracee_kill(child);
	return digest_u64(DIGEST_START, count);
}

static uint64_t watchpoint_round(void)
{
	static const unsigned char *const hits[] = { watch_first, watch_second };

	return run_watched(&watched, DR7_WATCH, hits, ARRAY_SIZE(hits));
}

static uint64_t breakpoint_round(void)
{
	static const unsigned char *const hits[] = { watch_cpuid };

	return run_watched(watch_cpuid, DR7_BREAK, hits, ARRAY_SIZE(hits));
}

const struct worker watchpoint_worker = { .name = "watchpoint",
					  .missing = missing,
					  .round = watchpoint_round };
/* Bochs 3.0 hangs at an instruction breakpoint, with or without a VMM. */
const struct worker breakpoint_worker = {
	.name = "breakpoint", .missing = missing, .on_request = true, .round = breakpoint_round
};
