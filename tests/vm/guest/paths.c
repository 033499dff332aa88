// SPDX-License-Identifier: GPL-2.0-only
/*
 * paths: what ways through the kernel take here, in cycles of the TSC, a line NAME CYCLES for each: the least
 * of many tries, which is one without an interrupt. In an emulator whose TSC counts instructions the figures
 * are exact: they are equal where the kernel executes the same. mmap() is not among them: what it takes differs
 * from process to process, with where the others of its mappings lie.
 */
#include <err.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <x86intrin.h>

#define ROUNDS 20
#define TRIES 400

static int ends[2];
static char *page;

static void get_ppid(void)
{
	syscall(SYS_getppid);
}

static void through_a_pipe(void)
{
	char byte = 0;

	if (write(ends[1], &byte, 1) != 1 || read(ends[0], &byte, 1) != 1)
		err(1, "pipe");
}

static void open_and_close(void)
{
	int fd = open("/dev/null", O_RDONLY);

	if (fd < 0)
		err(1, "/dev/null");
	close(fd);
}

/* A page fault: the page is gone, and comes again. */
static void fault(void)
{
	madvise(page, 4096, MADV_DONTNEED);
	*(volatile char *)page = 1;
}

static void protect(void)
{
	mprotect(page, 4096, PROT_READ);
	mprotect(page, 4096, PROT_READ | PROT_WRITE);
}

static void on_signal(int number)
{
	(void)number;
}

static void take_a_signal(void)
{
	raise(SIGUSR1);
}

static void take_a_trap(void)
{
	asm volatile("int3");
}

static void yield(void)
{
	syscall(SYS_sched_yield);
}

static const struct {
	const char *name;
	void (*walk)(void);
} paths[] = {
	{ "getppid", get_ppid }, { "pipe", through_a_pipe }, { "open", open_and_close },
	{ "fault", fault },      { "mprotect", protect },    { "signal", take_a_signal },
	{ "int3", take_a_trap }, { "yield", yield },
};

static uint64_t least_of(void (*walk)(void))
{
	uint64_t least = UINT64_MAX;

	for (unsigned int try = 0; try < TRIES; try++) {
		uint64_t start = __rdtsc(), spent;

		for (unsigned int i = 0; i < ROUNDS; i++)
			walk();
		spent = __rdtsc() - start;
		least = spent < least ? spent : least;
	}
	return least;
}

int main(void)
{
	signal(SIGUSR1, on_signal);
	signal(SIGTRAP, on_signal);
	page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (page == MAP_FAILED || pipe(ends))
		err(1, "mmap or pipe");
	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++)
		printf("%s %llu\n", paths[i].name, (unsigned long long)least_of(paths[i].walk));
	return 0;
}
