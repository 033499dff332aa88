/* SPDX-License-Identifier: GPL-2.0-only */
/* Noting why a call failed. */
#ifndef LIBMERCURY_PROBLEM_H
#define LIBMERCURY_PROBLEM_H

#include "mercury.h"

/* Fill in `problem`, the errno, the next step (may be "") and the sentence; returns -1. */
int mercury_problem(struct mercury_problem *problem, int number, const char *next,
		    const char *format, ...) __attribute__((format(printf, 4, 5)));

/* The same for a module that is not loaded. */
int mercury_problem_absent(struct mercury_problem *problem);

/* The same for a file in debugfs that is not there: by what the module says of itself. */
int mercury_problem_debugfs(struct mercury_problem *problem, const char *path);

/*
 * Behind what went virtual, or native, and returned `result`, with `problem` unless that is 0: to the mode that
 * was before. `result`; -1 with `problem` if only this fails; if both do `problem` tells of both.
 */
int mercury_bring_back(bool is_virtual, int result, struct mercury_problem *problem);

#endif
