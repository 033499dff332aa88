// SPDX-License-Identifier: GPL-2.0-only
/* A 32-bit program: its own system-call entries (INT 80h, SYSENTER) and segments of the GDT. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "worker.h"

#define IA32_GOOD 42
#define NO_EXEC 126

/* workload/ia32/image.S */
extern const unsigned char ia32_image[], ia32_image_end[];

/* Starts the program; the child exits with NO_EXEC if the kernel does not run such programs. */
static pid_t start_ia32(const char *argument)
{
	char *argv[] = { strdup("ia32"), argument ? strdup(argument) : NULL, NULL };
	char *environment[] = { NULL };
	size_t size = (size_t)(ia32_image_end - ia32_image);
	int fd = memfd_create("ia32", MFD_CLOEXEC);
	pid_t child = -1;

	if (expect_sys(fd >= 0 && write(fd, ia32_image, size) == (ssize_t)size, "memfd_create"))
		child = fork();
	if (child == 0) {
		fexecve(fd, argv, environment);
		_exit(errno == ENOEXEC || errno == ENOENT ? NO_EXEC : 127);
	}
	close(fd);
	free(argv[0]);
	free(argv[1]);
	return child;
}

static const char *missing(void)
{
	int state = 0;
	pid_t child = start_ia32(NULL);

	if (child > 0)
		waitpid(child, &state, 0);
	return WIFEXITED(state) && WEXITSTATUS(state) == NO_EXEC ?
		       "this kernel runs no 32-bit programs" :
		       NULL;
}

static uint64_t run_program(const char *argument)
{
	pid_t child = start_ia32(argument);

	if (expect_sys(child > 0, "fork"))
		expect_exit(child, IA32_GOOD, "the 32-bit program");
	done(1);
	return DIGEST_START;
}

static uint64_t ia32_round(void)
{
	return run_program(NULL);
}

static uint64_t sysenter_round(void)
{
	return run_program("sysenter");
}

const struct worker ia32_worker = { .name = "ia32", .missing = missing, .round = ia32_round };
/*
 * SYSRET to 32-bit code sets base, limit and attributes of SS (SDM vol. 2, SYSRET). Bochs 3.0
 * leaves limit and B as they were in the kernel, zero if an interrupt came before a task switch,
 * and the program dies at its stack, with or without a VMM.
 */
const struct worker sysenter_worker = {
	.name = "sysenter", .on_request = true, .missing = missing, .round = sysenter_round
};
