// SPDX-License-Identifier: GPL-2.0-only
/*
 * What operations of the kernel cost, in TSC cycles, which on Bochs are instructions: ops NAME prints a line
 * "NAME operation cycles traps" for each, cycles being the median of the rounds, traps those of ring 1 that
 * each took; ops NAME switch the same for a switch to virtual mode, and one to native.
 */
#include <signal.h>
#include <spawn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <x86intrin.h>

#define PAGE 4096
#define ROUNDS 15
#define TICKING 100000000 /* cycles                                                       */

static int ends[2][2];
static char *fresh;
static volatile int signals;

static void must(int ok, const char *what)
{
	if (ok)
		return;
	perror(what);
	exit(1);
}

static void op_getpid(unsigned int n)
{
	while (n--)
		syscall(SYS_getpid);
}

static void op_fork_exec(unsigned int n)
{
	static char *argv[] = { "ops", "nothing", NULL }, *envp[] = { NULL };
	int status;
	pid_t pid;

	while (n--) {
		pid = fork();
		if (!pid) {
			execve("/proc/self/exe", argv, envp);
			_exit(1);
		}
		must(waitpid(pid, &status, 0) == pid && status == 0, "fork and exec");
	}
}

/* The other end gives back what it gets. */
static void op_pipe(unsigned int n)
{
	char byte = 0;

	while (n--) {
		must(write(ends[0][1], &byte, 1) == 1, "write");
		must(read(ends[1][0], &byte, 1) == 1, "read");
	}
}

static void on_signal(int number)
{
	(void)number;
	signals++;
}

static void op_signal(unsigned int n)
{
	while (n--)
		raise(SIGUSR1);
}

static void op_fault(unsigned int n)
{
	while (n--) {
		*fresh = 1;
		fresh += PAGE;
	}
}

static const struct op {
	const char *name;
	void (*run)(unsigned int n);
	unsigned int n;
} ops[] = {
	{ "getpid", op_getpid, 200 }, { "fork+exec", op_fork_exec, 1 }, { "pipe", op_pipe, 40 },
	{ "signal", op_signal, 40 },  { "page-fault", op_fault, 100 },
};

static void start_echo(void)
{
	char byte;

	must(!pipe(ends[0]) && !pipe(ends[1]), "pipe");
	if (fork())
		return;
	close(ends[0][1]);
	close(ends[1][0]);
	while (read(ends[0][0], &byte, 1) == 1)
		must(write(ends[1][1], &byte, 1) == 1, "write");
	_exit(0);
}

static int ascending(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

static uint64_t median(uint64_t *each)
{
	qsort(each, ROUNDS, sizeof(each[0]), ascending);
	return each[ROUNDS / 2];
}

/* The sum of all numbers behind the names in the lines of `file` that begin with `start`. */
static uint64_t sum(const char *file, const char *start)
{
	FILE *lines = fopen(file, "r");
	uint64_t total = 0;
	char line[1024], *at;

	if (!lines)
		return 0;
	while (fgets(line, sizeof(line), lines)) {
		at = line + strspn(line, " ");
		if (strncmp(at, start, strlen(start)) != 0)
			continue;
		for (at = strchr(at, ':'); at && *at; at++)
			if (at[0] == ' ' && at[1] >= '0' && at[1] <= '9')
				total += strtoull(at + 1, &at, 10);
	}
	fclose(lines);
	return total;
}

static void print(const char *name, const char *what, uint64_t cycles, double traps)
{
	printf("%s %s %llu %.2f\n", name, what, (unsigned long long)cycles, traps);
}

static void measure(const char *name, const struct op *op)
{
	uint64_t each[ROUNDS], start, traps = sum("/proc/mercury", "traps ");
	unsigned int i;

	for (i = 0; i < ROUNDS; i++) {
		start = __rdtsc();
		op->run(op->n);
		each[i] = (__rdtsc() - start) / op->n;
	}
	traps = sum("/proc/mercury", "traps ") - traps;
	print(name, op->name, median(each), (double)traps / ROUNDS / op->n);
}

/* All that happens while user space only computes, by timer interrupts. */
static void measure_tick(const char *name)
{
	uint64_t traps = sum("/proc/mercury", "traps "), ticks = sum("/proc/interrupts", "LOC");
	uint64_t start = __rdtsc();

	while (__rdtsc() - start < TICKING)
		;
	ticks = sum("/proc/interrupts", "LOC") - ticks;
	traps = sum("/proc/mercury", "traps ") - traps;
	if (ticks)
		print(name, "tick", 0, (double)traps / ticks);
}

static uint64_t switch_to(const char *mode)
{
	FILE *status = fopen("/proc/mercury", "w");
	uint64_t start;

	must(status && !setvbuf(status, NULL, _IONBF, 0), "/proc/mercury");
	start = __rdtsc();
	must(fputs(mode, status) >= 0, mode);
	start = __rdtsc() - start;
	fclose(status);
	return start;
}

static void measure_switch(const char *name)
{
	uint64_t in[ROUNDS], out[ROUNDS];
	unsigned int i;

	for (i = 0; i < ROUNDS; i++) {
		in[i] = switch_to("virtual");
		out[i] = switch_to("native");
	}
	print(name, "to-virtual", median(in), 0);
	print(name, "to-native", median(out), 0);
}

int main(int argc, char **argv)
{
	unsigned int i;

	if (argc == 2 && !strcmp(argv[1], "nothing"))
		return 0;
	if (argc == 3 && !strcmp(argv[2], "switch")) {
		measure_switch(argv[1]);
		return 0;
	}
	if (argc != 2) {
		fprintf(stderr, "usage: ops NAME [switch]\n");
		return 2;
	}
	signal(SIGUSR1, on_signal);
	start_echo();
	fresh = mmap(NULL, (ROUNDS + 1) * 100 * PAGE, PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	must(fresh != MAP_FAILED && !madvise(fresh, (ROUNDS + 1) * 100 * PAGE, MADV_NOHUGEPAGE),
	     "mmap");
	op_fault(1);
	for (i = 0; i < sizeof(ops) / sizeof(ops[0]); i++)
		measure(argv[1], &ops[i]);
	measure_tick(argv[1]);
	return 0;
}
