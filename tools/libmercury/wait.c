// SPDX-License-Identifier: GPL-2.0-only
/* Waiting for a mode: /proc/mercury can be polled, and tells when it has changed. */
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "files.h"
#include "problem.h"

/* 1 it is in that mode, 0 it is not, -1 with errno. The mode is the first line. */
static int is_in_mode(int fd, bool is_virtual)
{
	const char *line = is_virtual ? "mode: virtual\n" : "mode: native\n";
	char text[32];
	ssize_t n = pread(fd, text, sizeof(text), 0);

	if (n < 0)
		return -1;
	return (size_t)n >= strlen(line) && !strncmp(text, line, strlen(line));
}

int mercury_wait(bool is_virtual, struct mercury_problem *problem)
{
	struct pollfd changed = { .events = POLLPRI };
	struct mercury_status status;
	int is, error;

	if (mercury_status_read(&status, problem))
		return -1;
	mercury_status_free(&status);
	if (is_virtual && status.state == MERCURY_STATE_UNABLE)
		return mercury_problem(problem, ENODEV,
				       "see mercury check for what this machine lacks",
				       "nothing to wait for: %s", status.sentence);
	changed.fd = files_open(PROC_MERCURY, false);
	if (changed.fd < 0 && errno == ENOENT)
		return mercury_problem_absent(problem);
	if (changed.fd < 0)
		return mercury_problem(problem, errno, "see mercury status", "%s: %s", PROC_MERCURY,
				       strerror(errno));
	/* The first poll holds the module, and what happens from then on is not missed. */
	is = poll(&changed, 1, 0) < 0 ? -1 : is_in_mode(changed.fd, is_virtual);
	while (!is)
		is = poll(&changed, 1, -1) < 0 ? -1 : is_in_mode(changed.fd, is_virtual);
	error = errno;
	close(changed.fd);
	if (is > 0)
		return 0;
	return mercury_problem(problem, error, "run it again", "waiting for %s: %s",
			       is_virtual ? "virtual" : "native", strerror(error));
}
