// SPDX-License-Identifier: GPL-2.0-only
/* New processes: fork and exec, posix_spawn and exec, fork with copy on write. */
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "worker.h"

#define SELF "/proc/self/exe"
#define CHILD_LOOPS 2000
#define COW_BYTES (4 * 4096)

static uint64_t child_digest(uint32_t seed)
{
	uint64_t digest = DIGEST_START;

	for (int i = 0; i < CHILD_LOOPS; i++)
		digest = digest_u64(digest, next_random(&seed));
	return digest;
}

static int child_status(uint32_t seed)
{
	return (int)(seed % 100) + 1;
}

int exec_child(const char *seed_text, const char *fd_text)
{
	uint32_t seed = (uint32_t)strtoul(seed_text, NULL, 10);
	uint64_t digest = child_digest(seed);

	if (write(atoi(fd_text), &digest, sizeof(digest)) != sizeof(digest))
		return 101;
	return child_status(seed);
}

static int start_by_fork(char *const argv[])
{
	int pid = fork();

	if (pid == 0) {
		execv(SELF, argv);
		_exit(102);
	}
	return pid;
}

static int start_by_spawn(char *const argv[])
{
	char *const environment[] = { NULL };
	pid_t pid;

	return posix_spawn(&pid, SELF, NULL, NULL, argv, environment) == 0 ? pid : -1;
}

static uint64_t run_child(int (*start)(char *const argv[]), uint32_t seed, const char *what)
{
	char seed_text[16], fd_text[16], name[] = "workload", option[] = "--exec-child";
	char *argv[] = { name, option, seed_text, fd_text, NULL };
	uint64_t digest = 0;
	int ends[2], pid;

	if (!expect_sys(pipe(ends) == 0, "pipe"))
		return 0;
	snprintf(seed_text, sizeof(seed_text), "%u", seed);
	snprintf(fd_text, sizeof(fd_text), "%d", ends[1]);
	pid = start(argv);
	close(ends[1]);
	if (expect_sys(pid > 0, what)) {
		expect(read(ends[0], &digest, sizeof(digest)) == sizeof(digest),
		       "%s: the child wrote no result", what);
		expect(digest == child_digest(seed), "%s: the child computed %016llx", what,
		       (unsigned long long)digest);
		expect_exit(pid, child_status(seed), what);
	}
	close(ends[0]);
	done(1);
	return digest;
}

/* Parent and child both change their copies of the same pages after the fork. */
static uint64_t copy_on_write(void)
{
	static unsigned char pages[COW_BYTES] __attribute__((aligned(4096)));
	uint64_t digest;
	int pid;

	memset(pages, 'a', sizeof(pages));
	pid = fork();
	if (!expect_sys(pid >= 0, "fork"))
		return 0;
	if (pid == 0) {
		for (size_t i = 0; i < sizeof(pages); i += 64)
			pages[i]++;
		for (size_t i = 0; i < sizeof(pages); i++)
			if (pages[i] != 'a' + (i % 64 == 0))
				_exit(1);
		_exit(0);
	}
	for (size_t i = 32; i < sizeof(pages); i += 64)
		pages[i] += 2;
	expect_exit(pid, 0, "child with its own copy of the pages");
	digest = digest_bytes(DIGEST_START, pages, sizeof(pages));
	for (size_t i = 0; i < sizeof(pages); i++)
		if (!expect(pages[i] == 'a' + 2 * (i % 64 == 32), "the parent's copy has changed"))
			break;
	done(1);
	return digest;
}

static uint64_t exec_round(void)
{
	uint64_t digest = DIGEST_START;

	digest = digest_u64(digest, run_child(start_by_fork, 4711, "fork and exec"));
	digest = digest_u64(digest, run_child(start_by_spawn, 815, "posix_spawn"));
	return digest_u64(digest, copy_on_write());
}

const struct worker exec_worker = { .name = "exec", .round = exec_round };
