// SPDX-License-Identifier: GPL-2.0-only
/*
 * spawn COUNT COMMAND...: starts a program COUNT times, one after the other, each of which must end well.
 * `spawn 0` does nothing: the smallest static program to be started.
 */
#include <err.h>
#include <spawn.h>
#include <stdlib.h>
#include <sys/wait.h>

extern char **environ;

int main(int argc, char **argv)
{
	unsigned long count = argc > 1 ? strtoul(argv[1], NULL, 10) : 0;

	if (count && argc < 3)
		errx(2, "usage: spawn COUNT COMMAND...");
	while (count--) {
		int status;
		pid_t pid;

		if (posix_spawnp(&pid, argv[2], NULL, NULL, argv + 2, environ))
			errx(1, "%s cannot be started", argv[2]);
		if (waitpid(pid, &status, 0) != pid || status)
			errx(1, "%s ended with status %x", argv[2], status);
	}
	return 0;
}
