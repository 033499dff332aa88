/* SPDX-License-Identifier: GPL-2.0-only */
/* makedumpfile, as mercury snapshot --kernel-only and --compress use it. */
#ifndef MERCURY_FILTER_H
#define MERCURY_FILTER_H

#include <stdbool.h>

#include "mercury.h"

/* Is there makedumpfile? 0, or 1 with `problem`: it says nothing of this machine. */
int filter_check(struct mercury_problem *problem);

/*
 * Make of the image `from` the file `to`: without pages that are zero, free, of the page cache or of user
 * space, or with each page compressed, or both. 0; 1 or -1 with `problem`: it is not there, or it failed.
 * What makedumpfile itself says is on stderr.
 */
int filter_image(const char *from, const char *to, bool kernel_only, bool compress,
		 struct mercury_problem *problem);

#endif
