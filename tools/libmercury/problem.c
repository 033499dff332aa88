// SPDX-License-Identifier: GPL-2.0-only
/* Noting why a call failed. */
#include "problem.h"

#include <stdarg.h>
#include <stdio.h>

int mercury_problem(struct mercury_problem *problem, int number, const char *next,
		    const char *format, ...)
{
	va_list arguments;

	problem->number = number;
	snprintf(problem->next, sizeof(problem->next), "%s", next);
	va_start(arguments, format);
	vsnprintf(problem->what, sizeof(problem->what), format, arguments);
	va_end(arguments);
	return -1;
}
