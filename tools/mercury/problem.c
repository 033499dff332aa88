// SPDX-License-Identifier: GPL-2.0-only
/* What goes wrong with a file that is written: the sentence and the next step. */
#include <errno.h>
#include <string.h>

#include "command.h"
#include "problem.h"

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

	mercury_problem(problem, number, next_step(number), "%.300s: %s", path, strerror(number));
	return 1;
}
