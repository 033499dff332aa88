// SPDX-License-Identifier: GPL-2.0-only
/* The files that the module and the kernel offer. */
#define _GNU_SOURCE
#include "files.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

const char *files_root(void)
{
	const char *root = secure_getenv("MERCURY_ROOT");

	return root ? root : "";
}

static int open_below(const char *path, int flags)
{
	char full[PATH_MAX];

	if (snprintf(full, sizeof(full), "%s%s", files_root(), path) >= (int)sizeof(full)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	return open(full, flags | O_CLOEXEC);
}

/* Files of /proc tell no size: read until there is no more. */
static char *read_all(int fd)
{
	size_t size = 4096, used = 0;
	char *text = NULL;

	for (;;) {
		char *bigger = realloc(text, size + 1);
		ssize_t n;

		if (!bigger)
			break;
		text = bigger;
		n = read(fd, text + used, size - used);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			break;
		if (!n) {
			text[used] = 0;
			return text;
		}
		used += (size_t)n;
		if (used == size)
			size *= 2;
	}
	free(text);
	return NULL;
}

char *files_read(const char *path)
{
	int fd = open_below(path, O_RDONLY), error;
	char *text;

	if (fd < 0)
		return NULL;
	text = read_all(fd);
	error = errno;
	close(fd);
	errno = error;
	return text;
}

int files_open(const char *path, bool nonblocking)
{
	return open_below(path, O_RDONLY | (nonblocking ? O_NONBLOCK : 0));
}

int files_locked_down(void)
{
	char *text = files_read("/sys/kernel/security/lockdown"), *modules;
	int locked = text ? !strstr(text, "[none]") : -1;

	free(text);
	if (locked >= 0)
		return locked;
	/* A kernel without lockdown has no such file, but others there. */
	modules = files_read("/sys/kernel/security/lsm");
	free(modules);
	return modules ? 0 : -1;
}

bool files_confidential(void)
{
	char *text = files_read("/sys/kernel/security/lockdown");
	bool confidential = text && strstr(text, "[confidentiality]");

	free(text);
	return confidential;
}

void files_release(char *release)
{
	char *text = files_read("/proc/sys/kernel/osrelease");
	struct utsname u;

	uname(&u);
	snprintf(release, MAX_RELEASE, "%.*s", text ? (int)strcspn(text, "\n") : -1,
		 text ? text : u.release);
	free(text);
}

bool files_has_module(void)
{
	char release[MAX_RELEASE], path[MAX_RELEASE + 32], *text;
	bool has;

	files_release(release);
	snprintf(path, sizeof(path), "/lib/modules/%s/modules.dep", release);
	text = files_read(path);
	has = text && strstr(text, "/mercury-vmx.ko");
	free(text);
	return has;
}

int files_write(const char *path, const char *text)
{
	int fd = open_below(path, O_WRONLY), error;
	ssize_t n;

	if (fd < 0)
		return -1;
	n = write(fd, text, strlen(text));
	error = errno;
	close(fd);
	errno = error;
	return n == (ssize_t)strlen(text) ? 0 : -1;
}
