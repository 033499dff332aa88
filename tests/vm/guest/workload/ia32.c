// SPDX-License-Identifier: GPL-2.0-only
/* A 32-bit program: system-call entries of its own (INT 80h, SYSENTER), segments of the GDT. */
#include <errno.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "worker.h"

#define IA32_GOOD 42
#define NO_EXEC 126

/* workload/ia32/image.S */
extern const unsigned char ia32_image[], ia32_image_end[];

/* Starts the program; the child exits with NO_EXEC if the kernel does not run such programs. */
static pid_t start_ia32(void)
{
	char name[] = "ia32";
	char *argv[] = { name, NULL }, *environment[] = { NULL };
	size_t size = (size_t)(ia32_image_end - ia32_image);
	int fd = memfd_create("ia32", MFD_CLOEXEC);
	pid_t child;

	if (!expect_sys(fd >= 0 && write(fd, ia32_image, size) == (ssize_t)size, "memfd_create"))
		return -1;
	child = fork();
	if (child == 0) {
		fexecve(fd, argv, environment);
		_exit(errno == ENOEXEC || errno == ENOENT ? NO_EXEC : 127);
	}
	close(fd);
	return child;
}

static const char *ia32_missing(void)
{
	int state = 0;
	pid_t child = start_ia32();

	if (child > 0)
		waitpid(child, &state, 0);
	return WIFEXITED(state) && WEXITSTATUS(state) == NO_EXEC ?
	       "this kernel runs no 32-bit programs" : NULL;
}

static uint64_t ia32_round(void)
{
	pid_t child = start_ia32();

	if (expect_sys(child > 0, "fork"))
		expect_exit(child, IA32_GOOD, "the 32-bit program");
	done(1);
	return DIGEST_START;
}

const struct worker ia32_worker = { .name = "ia32", .missing = ia32_missing, .round = ia32_round };
