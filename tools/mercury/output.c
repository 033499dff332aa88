// SPDX-License-Identifier: GPL-2.0-only
/* A new file takes the place of the old one when it is whole: who reads sees the one or the other. */
#define _GNU_SOURCE
#include "output.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "command.h"

#define MAX_LINKS 40

/*
 * What the shell has opened, where the link /proc/self/fd/N stands for it: that description again, or -1. A new
 * one would begin at the file's first byte, and a new file would not be the shell's.
 */
static int opened_before(const char *link, const struct stat *there)
{
	const char *slash = strrchr(link, '/'), *name = slash ? slash + 1 : link;
	struct stat s;
	char *end;
	int fd = (int)strtol(name, &end, 10);

	if (end == name || *end || fstat(fd, &s) || s.st_dev != there->st_dev ||
	    s.st_ino != there->st_ino)
		return -1;
	return fcntl(fd, F_DUPFD_CLOEXEC, 0);
}

/* Where links lead, be anything there or not; to be freed. NULL with errno. Or `fd`, and the link that it is. */
static char *follow(const char *path, const struct stat *there, int *fd)
{
	char *place = strdup(path), *next, target[PATH_MAX];
	int links;

	for (links = 0; place && links < MAX_LINKS; links++) {
		ssize_t n = readlink(place, target, sizeof(target) - 1);
		const char *slash = strrchr(place, '/');
		int folder;

		if (n >= 0 && there)
			*fd = opened_before(place, there);
		if (n < 0 || *fd >= 0)
			return place;
		target[n] = 0;
		folder = *target == '/' || !slash ? 0 : (int)(slash + 1 - place);
		if (asprintf(&next, "%.*s%s", folder, place, target) < 0)
			next = NULL;
		free(place);
		place = next;
	}
	if (place)
		errno = ELOOP;
	free(place);
	return NULL;
}

/* Not so where it is something else, or where only a link of /proc's leads to it. */
static bool can_be_replaced(const char *place, const struct stat *there)
{
	struct stat s;

	return S_ISREG(there->st_mode) && !lstat(place, &s) && s.st_dev == there->st_dev &&
	       s.st_ino == there->st_ino;
}

static int open_beside(struct output *o)
{
	if (asprintf(&o->beside, "%s.XXXXXX", o->place) < 0) {
		o->beside = NULL;
		return -1;
	}
	return mkostemp(o->beside, O_CLOEXEC);
}

static void forget(struct output *o, bool is_half)
{
	if (is_half && o->beside)
		unlink(o->beside);
	free(o->beside);
	free(o->place);
}

int output_open(struct output *o, const char *path, struct mercury_problem *problem)
{
	struct stat there;
	bool is_there = !stat(path, &there);
	int fd = -1;

	*o = (struct output){ .path = path };
	if (is_there || errno == ENOENT)
		o->place = follow(path, is_there ? &there : NULL, &fd);
	o->is_shared = fd >= 0;
	/* O_CREAT: then the kernel gives no FIFO away that somebody else has put into /tmp (fs.protected_fifos). */
	if (o->place && fd < 0)
		fd = is_there && !can_be_replaced(o->place, &there) ?
			     open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600) :
			     open_beside(o);
	o->to = fd < 0 ? NULL : fdopen(fd, "w");
	if (o->to)
		return 0;
	file_problem(problem, path);
	if (fd >= 0)
		close(fd);
	forget(o, fd >= 0);
	return 1;
}

int output_close(struct output *o, mode_t mode, int result, struct mercury_problem *problem)
{
	bool failed = fflush(o->to) || ferror(o->to);

	failed = failed || (o->beside && fchmod(fileno(o->to), mode));
	/* Or what is renamed might be empty behind a crash, and the old one gone. */
	failed = failed || (!result && o->beside && fsync(fileno(o->to)));
	failed = fclose(o->to) || failed;
	if (!result && !failed && o->beside)
		failed = rename(o->beside, o->place);
	if (!result && failed)
		result = file_problem(problem, o->path);
	forget(o, result);
	return result;
}
