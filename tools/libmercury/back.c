// SPDX-License-Identifier: GPL-2.0-only
/* The way back: the machine gets the mode that it had, or the caller hears that it has not. */
#include <errno.h>

#include "problem.h"

static bool is_in_mode(bool is_virtual)
{
	struct mercury_problem unread;
	struct mercury_status now;
	bool is;

	if (mercury_status_read(&now, &unread))
		return false;
	is = (now.state == MERCURY_STATE_VIRTUAL) == is_virtual;
	mercury_status_free(&now);
	return is;
}

int mercury_bring_back(bool is_virtual, int result, struct mercury_problem *problem)
{
	struct mercury_problem first, last;
	int error;

	/* A signal that comes while another command has its turn. */
	do
		error = mercury_set_virtual(is_virtual, &last);
	while (error && last.number == EINTR);
	if (!error || (result && is_in_mode(is_virtual)))
		return result;
	if (!result) {
		*problem = last;
		return -1;
	}
	first = *problem;
	mercury_problem(problem, first.number,
			is_virtual ? "end what keeps it native, then: mercury virtual" :
				     "end what keeps it virtual, then: mercury native",
			"%.150s; and the machine is not as it was: %.200s", first.what, last.what);
	return result;
}
