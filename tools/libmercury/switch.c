// SPDX-License-Identifier: GPL-2.0-only
/* Asking the module for a mode, and making its refusal a sentence with a next step. */
#include <errno.h>
#include <string.h>

#include "files.h"
#include "problem.h"

/* What an operator does about a refusal. */
static const struct {
	int number;
	const char *next;
} steps[] = {
	{ ENODEV, "see mercury check for what this machine lacks" },
	{ EBUSY, "end what owns VMX (guests, kvm_intel) or wait until sleep or restart is over" },
	{ ETIMEDOUT, "try again; dmesg tells if that CPU is locked up" },
	{ EIO, "see mercury log for the VMM's own words, and mercury status" },
	{ ENOMEM, "unload the module, load it again" },
	{ EINTR, "run it again" },
	{ EPERM, "run it as root" },
	{ EACCES, "run it as root" },
};

static const char *next_step(int number)
{
	size_t i;

	for (i = 0; i < sizeof(steps) / sizeof(steps[0]); i++)
		if (steps[i].number == number)
			return steps[i].next;
	return "see mercury log";
}

/* The module's reason, where this refusal has left one: a signal has not, and what is there is another's. */
static const char *reason(int number, const struct mercury_status *status)
{
	bool is_told = number != EINTR && *status->last_error && strcmp(status->last_error, "none");

	return is_told ? status->last_error : strerror(number);
}

int mercury_set_virtual(bool is_virtual, struct mercury_problem *problem)
{
	const char *mode = is_virtual ? "virtual" : "native";
	struct mercury_status status;
	int number;

	if (!files_write(PROC_MERCURY, mode))
		return 0;
	number = errno;
	if (number == ENOENT)
		return mercury_problem_absent(problem);
	if (number == EACCES || number == EPERM)
		return mercury_problem(problem, number, next_step(number),
				       "not allowed to switch to %s mode: that takes CAP_SYS_ADMIN",
				       mode);
	if (mercury_status_read(&status, problem))
		return -1;
	mercury_problem(problem, number, next_step(number), "not %s: %s", mode,
			reason(number, &status));
	mercury_status_free(&status);
	return -1;
}
