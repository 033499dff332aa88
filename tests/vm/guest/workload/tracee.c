// SPDX-License-Identifier: GPL-2.0-only
/* A child under ptrace that runs one function and stops at its breakpoints. */
#include <errno.h>
#include <signal.h>
#include <sys/ptrace.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tracee.h"
#include "worker.h"

static bool wait_for_trap(pid_t child)
{
	int state = 0;
	pid_t got;

	do
		got = waitpid(child, &state, 0);
	while (got < 0 && errno == EINTR);
	return expect(got == child && WIFSTOPPED(state) && WSTOPSIG(state) == SIGTRAP,
		      "the traced child is in state %x instead of stopped by SIGTRAP",
		      (unsigned int)state);
}

pid_t tracee_start(int (*body)(void))
{
	pid_t child = fork();

	if (child == 0) {
		ptrace(PTRACE_TRACEME, 0, NULL, NULL);
		_exit(body());
	}
	if (!expect_sys(child > 0, "fork"))
		return -1;
	if (wait_for_trap(child))
		return child;
	tracee_kill(child);
	return -1;
}

bool tracee_run(pid_t child, int request)
{
	if (!expect_sys(ptrace(request, child, NULL, NULL) == 0, "ptrace"))
		return false;
	return wait_for_trap(child);
}

uint64_t tracee_rip(pid_t child)
{
	struct user_regs_struct registers = { 0 };

	expect_sys(ptrace(PTRACE_GETREGS, child, NULL, &registers) == 0, "PTRACE_GETREGS");
	return registers.rip;
}

void tracee_finish(pid_t child)
{
	if (expect_sys(ptrace(PTRACE_CONT, child, NULL, NULL) == 0, "PTRACE_CONT"))
		expect_exit(child, 0, "the traced child");
	else
		tracee_kill(child);
}

void tracee_kill(pid_t child)
{
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
}
