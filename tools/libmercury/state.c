// SPDX-License-Identifier: GPL-2.0-only
/* Linux's state, item by item, from the module's file for developers. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "files.h"
#include "problem.h"

/* "cpu0 machine CR0                  0000000080050033" */
static bool parse(const char *line, struct mercury_item *item)
{
	char kind[8];

	if (sscanf(line, "cpu%u %7s %31s %" SCNx64, &item->cpu, kind, item->name, &item->value) !=
	    4)
		return false;
	item->is_machine = !strcmp(kind, "machine");
	return true;
}

int mercury_state_read(void (*tell)(const struct mercury_item *item, void *data), void *data,
		       struct mercury_problem *problem)
{
	char *text = files_read(DEBUGFS_STATE), *rest, *line;
	struct mercury_item item;

	if (!text && errno == ENOENT)
		return mercury_problem_debugfs(problem, DEBUGFS_STATE);
	if (!text)
		return mercury_problem(problem, errno, "run it as root", "%s: %s", DEBUGFS_STATE,
				       strerror(errno));
	for (line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest))
		if (parse(line, &item))
			tell(&item, data);
	free(text);
	return 0;
}
