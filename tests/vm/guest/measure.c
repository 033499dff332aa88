// SPDX-License-Identifier: GPL-2.0-only
/*
 * measure: runs a program and says what it took.
 *
 *	measure NAME COMMAND...
 *
 * Its output goes to /tmp/measure.out, and one line comes to stdout:
 *
 *	row NAME STATUS CPU_US WALL_NS TICKS
 *
 * the processor time of the program and all that it waited for, and how far the clock and the TSC have
 * come meanwhile; then, if there is a VMM that counts them, a line for each reason:
 *
 *	exit NAME REASON COUNT
 *
 * MEASURE_ASK names a terminal to which it writes "ready NAME" before, to read a line: whoever watches from
 * outside can look at counters of his own then.
 */
#include <err.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <x86intrin.h>

#define REASONS 128
#define OUTPUT "/tmp/measure.out"

/* Exits by reason, or in ring 1 traps by kind, of all CPUs together. */
struct counts {
	unsigned int n;
	struct {
		char reason[40];
		unsigned long long count;
	} of[REASONS];
};

static void add(struct counts *counts, const char *reason, unsigned long long count)
{
	unsigned int i;

	for (i = 0; i < counts->n && strcmp(counts->of[i].reason, reason); i++)
		;
	if (i == REASONS)
		return;
	if (i == counts->n) {
		snprintf(counts->of[i].reason, sizeof(counts->of[i].reason), "%s", reason);
		counts->n++;
	}
	counts->of[i].count += count;
}

/* "exits cpu0: CPUID 61, VMCALL 5": a reason may have blanks in it, which become underscores. */
static void add_line(struct counts *counts, char *line)
{
	char *word, *save;

	line[strcspn(line, "\n")] = '\0';
	for (word = strtok_r(line, ",", &save); word; word = strtok_r(NULL, ",", &save)) {
		char *number;

		word += strspn(word, " ");
		number = strrchr(word, ' ');
		if (!number)
			continue;
		*number++ = '\0';
		for (char *p = word; *p; p++)
			*p = *p == ' ' ? '_' : *p;
		add(counts, word, strtoull(number, NULL, 10));
	}
}

static struct counts read_counts(void)
{
	FILE *f = fopen("/proc/mercury", "re");
	struct counts counts = { 0 };
	char line[4096];

	while (f && fgets(line, sizeof(line), f)) {
		char *colon = strchr(line, ':');

		if (colon && (!strncmp(line, "exits cpu", 9) || !strncmp(line, "traps cpu", 9)))
			add_line(&counts, colon + 1);
	}
	if (f)
		fclose(f);
	return counts;
}

static uint64_t nanoseconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC_RAW, &t);
	return (uint64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static void ask(const char *terminal, const char *name)
{
	int fd = open(terminal, O_RDWR | O_NOCTTY | O_CLOEXEC);
	char line[64];

	if (fd < 0 || dprintf(fd, "ready %s\n", name) < 0 || read(fd, line, sizeof(line)) <= 0)
		err(1, "%s", terminal);
	close(fd);
}

static pid_t start(char **command)
{
	pid_t pid = fork();
	int out;

	if (pid)
		return pid;
	out = open(OUTPUT, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (out < 0 || dup2(out, 1) < 0 || dup2(out, 2) < 0)
		_exit(126);
	execvp(command[0], command);
	_exit(127);
}

static uint64_t microseconds(const struct rusage *u)
{
	return (uint64_t)(u->ru_utime.tv_sec + u->ru_stime.tv_sec) * 1000000 + u->ru_utime.tv_usec +
	       u->ru_stime.tv_usec;
}

int main(int argc, char **argv)
{
	uint64_t wall, ticks;
	struct counts before, after;
	struct rusage usage;
	int status;

	if (argc < 3)
		errx(2, "usage: measure NAME COMMAND...");
	if (getenv("MEASURE_ASK"))
		ask(getenv("MEASURE_ASK"), argv[1]);
	before = read_counts();
	wall = nanoseconds();
	ticks = __rdtsc();
	if (wait4(start(argv + 2), &status, 0, &usage) < 0)
		err(1, "fork");
	ticks = __rdtsc() - ticks;
	wall = nanoseconds() - wall;
	after = read_counts();
	printf("row %s %d %llu %llu %llu\n", argv[1],
	       WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status),
	       (unsigned long long)microseconds(&usage), (unsigned long long)wall,
	       (unsigned long long)ticks);
	for (unsigned int i = 0; i < before.n; i++)
		add(&after, before.of[i].reason, -before.of[i].count);
	for (unsigned int i = 0; i < after.n; i++)
		if (after.of[i].count)
			printf("exit %s %s %llu\n", argv[1], after.of[i].reason, after.of[i].count);
	return 0;
}
