/* SPDX-License-Identifier: GPL-2.0-only */
/* A file that the command writes: whole, or as it was. */
#ifndef MERCURY_OUTPUT_H
#define MERCURY_OUTPUT_H

#include <stdbool.h>
#include <stdio.h>
#include <sys/types.h>

#include "mercury.h"

struct output {
	FILE *to;
	const char *path; /* as it was given, for what is said                                    */
	char *place;      /* where its links lead                                                 */
	char *beside;     /* the new file; NULL: what is there is written itself                  */
	bool is_shared;   /* with the shell, that has opened it                                   */
};

/*
 * Open a new file beside `path`, as `path`.XXXXXX; but what is there and is no regular file, like a device
 * or a pipe, itself; and so what the shell has opened, if `path` is /dev/stdout or the like. 0, or 1 with
 * `problem`.
 */
int output_open(struct output *o, const char *path, struct mercury_problem *problem);

/*
 * Close it. If `result`, what writing it has returned, is 0, it takes the place of what is there, with
 * that mode; else it goes. `result`; or 1 with `problem`, if all of it could not be written.
 */
int output_close(struct output *o, mode_t mode, int result, struct mercury_problem *problem);

#endif
