// SPDX-License-Identifier: GPL-2.0-only
/* What of the kernel's log is ours. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "files.h"
#include "problem.h"

/* "6,1234,5678901,-;mercury: loaded": priority, number, microseconds, flags. */
static bool parse(const char *record, struct mercury_log_line *line)
{
	const char *text = strchr(record, ';');
	unsigned int priority;

	if (!text || strncmp(text, ";mercury: ", 10) ||
	    sscanf(record, "%u,%*u,%" SCNu64, &priority, &line->microseconds) != 2)
		return false;
	line->level = priority & 7;
	snprintf(line->text, sizeof(line->text), "%s", text + 1);
	return true;
}

/*
 * The device gives one record at each read(), behind whose first line there are others about it. A file
 * gives many: what is left of the last of them is put to the front.
 */
static size_t take(char *buffer, size_t used, void (*tell)(const struct mercury_log_line *, void *),
		   void *data)
{
	struct mercury_log_line line;
	char *start = buffer, *end;

	while ((end = memchr(start, '\n', used - (size_t)(start - buffer)))) {
		*end = 0;
		if (parse(start, &line))
			tell(&line, data);
		start = end + 1;
	}
	used -= (size_t)(start - buffer);
	memmove(buffer, start, used);
	return used;
}

int mercury_log_read(bool follow, void (*tell)(const struct mercury_log_line *line, void *data),
		     void *data, struct mercury_problem *problem)
{
	int fd = files_open(KERNEL_LOG, !follow), error;
	char buffer[16384];
	size_t used = 0;
	ssize_t n;

	if (fd < 0)
		return mercury_problem(problem, errno,
				       errno == ENOENT ? "see dmesg, on the machine itself" :
							 "run it as root",
				       "%s: %s", KERNEL_LOG, strerror(errno));
	/* EPIPE: records were overwritten before they were read; the next read has the oldest. */
	while ((n = read(fd, buffer + used, sizeof(buffer) - used)) > 0 ||
	       (n < 0 && errno == EPIPE))
		if (n > 0)
			used = take(buffer, used + (size_t)n, tell, data);
	error = errno;
	close(fd);
	if (!n || error == EAGAIN || (follow && error == EINTR))
		return 0;
	return mercury_problem(problem, error, "run it as root", "%s: %s", KERNEL_LOG,
			       strerror(error));
}
