// SPDX-License-Identifier: GPL-2.0-only
/* What makedumpfile makes of an image: without the pages that are not the kernel's, compressed. */
#include "filter.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "command.h"
#include "problem.h"

#define MAKEDUMPFILE "makedumpfile"

extern char **environ;

/* Its status as wait() has it, or -1 with errno. What it says goes to stderr, or nowhere. */
static int run(const char *const *words, bool quiet)
{
	posix_spawn_file_actions_t actions;
	int error, status;
	pid_t child;

	posix_spawn_file_actions_init(&actions);
	if (quiet) {
		posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
		posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
	} else {
		posix_spawn_file_actions_adddup2(&actions, STDERR_FILENO, STDOUT_FILENO);
	}
	error = posix_spawnp(&child, words[0], &actions, NULL, (char *const *)words, environ);
	posix_spawn_file_actions_destroy(&actions);
	if (error) {
		errno = error;
		return -1;
	}
	while (waitpid(child, &status, 0) < 0) {
		if (errno != EINTR)
			return -1;
		if (stopped)
			kill(child, SIGTERM);
	}
	return status;
}

static int no_makedumpfile(struct mercury_problem *problem)
{
	mercury_problem(problem, errno, "install the package makedumpfile",
			MAKEDUMPFILE " cannot be started: %s", strerror(errno));
	return 1;
}

int filter_check(struct mercury_problem *problem)
{
	const char *const words[] = { MAKEDUMPFILE, "-v", NULL };

	return run(words, true) < 0 ? no_makedumpfile(problem) : 0;
}

int filter_image(const char *from, const char *to, bool kernel_only, bool compress,
		 struct mercury_problem *problem)
{
	/*
	 * -E: an ELF core as before; else the format that has compressed pages. Messages: errors, and the
	 * common ones, of which one is that it does not know this kernel.
	 */
	const char *const words[] = {
		MAKEDUMPFILE, "--message-level",        "6",  "-f", compress ? "-c" : "-E",
		"-d",         kernel_only ? "31" : "0", from, to,   NULL
	};
	int status = run(words, false);

	if (status < 0)
		return no_makedumpfile(problem);
	if (stopped)
		return mercury_problem(problem, EINTR, "run it again", "interrupted");
	if (!status)
		return 0;
	return mercury_problem(problem, EIO, "see what it says above, or take the image without it",
			       MAKEDUMPFILE " ended %s %d",
			       WIFSIGNALED(status) ? "by signal" : "with status",
			       WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
}
