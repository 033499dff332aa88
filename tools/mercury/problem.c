// SPDX-License-Identifier: GPL-2.0-only
/* What goes wrong in the command itself: the sentence and the next step. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "command.h"

int set_problem(struct mercury_problem *problem, int number, const char *next, const char *format,
		...)
{
	va_list arguments;

	*problem = (struct mercury_problem){ .number = number };
	snprintf(problem->next, sizeof(problem->next), "%s", next);
	va_start(arguments, format);
	vsnprintf(problem->what, sizeof(problem->what), format, arguments);
	va_end(arguments);
	return -1;
}

static const char *next_step(int number)
{
	switch (number) {
	case EACCES:
	case EPERM:
		return "run it as root, or write somewhere else";
	case ENOENT:
	case ENOTDIR:
		return "make that folder first";
	case ENOSPC:
	case EDQUOT:
		return "free some space, or write somewhere else";
	}
	return "give another FILE";
}

int file_problem(struct mercury_problem *problem, const char *path)
{
	int number = errno;

	set_problem(problem, number, next_step(number), "%s: %s", path, strerror(number));
	return 1;
}
