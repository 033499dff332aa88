// SPDX-License-Identifier: GPL-2.0-only
/*
 * Debug registers by ptrace: a data watchpoint traps behind the store, an instruction breakpoint in
 * front of a CPUID, and DR6 says which.
 */
#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/user.h>

#include "tracee.h"
#include "worker.h"

#define DEBUG_REGISTER(n) offsetof(struct user, u_debugreg[n])

/* DR7: enable bits L0 and L1; LEN0 = 4 bytes, R/W0 = write; LEN1 = 0, R/W1 = execute. */
#define DR7_WATCH UINT64_C(0xd0005)

extern const unsigned char watch_behind_store[], watch_cpuid[];

static volatile uint32_t watched;

__attribute__((noinline)) static int watched_code(void)
{
	uint32_t leaf = 0;

	asm volatile("int3\n"
		     "mov %[value], %[watched]\n"
		     "watch_behind_store: mov %[watched], %%ecx\n"
		     "xor %%ecx, %%ecx\n"
		     "watch_cpuid: cpuid\n"
		     "movl $2, %[watched]\n"
		     "nop\n"
		     : "+a" (leaf), [watched] "+m" (watched)
		     : [value] "r" (UINT32_C(1))
		     : "rbx", "rcx", "rdx", "cc", "memory");
	return watched == 2 && leaf >= 1 ? 0 : 1;
}

static bool poke(pid_t child, unsigned int number, uint64_t value)
{
	return ptrace(PTRACE_POKEUSER, child, DEBUG_REGISTER(number), value) == 0;
}

static bool set_watchpoints(pid_t child)
{
	return poke(child, 0, (uintptr_t)&watched) && poke(child, 1, (uintptr_t)watch_cpuid) &&
	       poke(child, 7, DR7_WATCH);
}

static const char *watchpoint_missing(void)
{
	pid_t child = tracee_start(watched_code);
	bool ok;

	if (child < 0)
		return "no child under ptrace";
	ok = set_watchpoints(child);
	tracee_kill(child);
	return ok ? NULL : "the kernel gives no debug registers";
}

/* Runs to the next hit and expects it as debug register @number, at @rip unless that is NULL. */
static bool expect_hit(pid_t child, unsigned int number, const unsigned char *rip)
{
	uint64_t dr6;

	if (!tracee_run(child, PTRACE_CONT))
		return false;
	errno = 0;
	dr6 = (uint64_t)ptrace(PTRACE_PEEKUSER, child, DEBUG_REGISTER(6), NULL);
	expect_sys(errno == 0, "reading DR6");
	expect((dr6 & 0xf) == 1u << number, "DR6 is %llx at a hit of DR%u",
	       (unsigned long long)dr6, number);
	poke(child, 6, 0);
	done(1);
	if (!rip)
		return true;
	return expect(tracee_rip(child) == (uintptr_t)rip, "DR%u hit at %llx instead of %p", number,
		      (unsigned long long)tracee_rip(child), (const void *)rip);
}

static uint64_t watchpoint_round(void)
{
	pid_t child = tracee_start(watched_code);

	if (child < 0)
		return 0;
	if (expect_sys(set_watchpoints(child), "setting debug registers") &&
	    expect_hit(child, 0, watch_behind_store) && expect_hit(child, 1, watch_cpuid) &&
	    expect_hit(child, 0, NULL))
		tracee_finish(child);
	else
		tracee_kill(child);
	return digest_u64(DIGEST_START, 3);
}

const struct worker watchpoint_worker = { .name = "watchpoint", .missing = watchpoint_missing,
					  .round = watchpoint_round };
