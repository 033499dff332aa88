// SPDX-License-Identifier: GPL-2.0-only
/* What the events of a switch cost, as the module measures them when it is asked. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "files.h"
#include "problem.h"

static const char *next_step(int number)
{
	switch (number) {
	case EINTR:
		return "run it again";
	case EBUSY:
		return "end KVM's guests, unload kvm_intel";
	case ENODEV:
		return "see mercury check: this takes VT-x";
	}
	return "run it as root";
}

/* "vmread 1.0 2.5 3.0"; not by "%lf", which the caller's locale may want a comma for. */
static bool parse(const char *line, struct mercury_cost *cost)
{
	unsigned int whole[3], tenths[3];

	if (sscanf(line, "%31s %u.%1u %u.%1u %u.%1u", cost->event, &whole[0], &tenths[0], &whole[1],
		   &tenths[1], &whole[2], &tenths[2]) != 7)
		return false;
	cost->low = whole[0] + tenths[0] / 10.0;
	cost->middle = whole[1] + tenths[1] / 10.0;
	cost->high = whole[2] + tenths[2] / 10.0;
	return true;
}

int mercury_costs_read(void (*tell)(const struct mercury_cost *cost, void *data), void *data,
		       struct mercury_problem *problem)
{
	char *text = files_read(DEBUGFS_CALIBRATE), *rest, *line;
	struct mercury_cost cost;

	if (!text && errno == ENOENT)
		return mercury_problem_debugfs(problem, DEBUGFS_CALIBRATE);
	if (!text)
		return mercury_problem(problem, errno, next_step(errno), "%s: %s",
				       DEBUGFS_CALIBRATE, strerror(errno));
	for (line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest))
		if (parse(line, &cost))
			tell(&cost, data);
	free(text);
	return 0;
}
