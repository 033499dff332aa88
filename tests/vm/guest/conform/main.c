// SPDX-License-Identifier: GPL-2.0-only
/*
 * Runs all cases, or those whose name begins with an argument. --skip NAME leaves one out; --tell names each
 * on stderr before it runs, so that one that a machine dies of is known.
 */
#include <errno.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "conform.h"

#define TIME_LIMIT 60 /* seconds, for one case */

extern const struct subject *const __start_conform[], *const __stop_conform[];

/* The line that the process of a case makes; it outlives that process. */
static struct line {
	size_t used;
	char text[65000];
} * line;

static const char **skipped;
static int skipped_count;
static bool telling;

void out(const char *format, ...)
{
	va_list arguments;
	int n;

	va_start(arguments, format);
	n = vsnprintf(line->text + line->used, sizeof(line->text) - line->used, format, arguments);
	va_end(arguments);
	if (n > 0)
		line->used += (size_t)n;
	if (line->used >= sizeof(line->text))
		line->used = sizeof(line->text) - 1;
}

void out_result(const char *name, long result)
{
	if (result < 0 && result >= -4095)
		out("%s %s ", name, strerrorname_np((int)-result));
	else
		out("%s %#lx ", name, result);
}

const char *signal_name(int number)
{
	const char *name = sigabbrev_np(number);

	return name ? name : "?";
}

void finish(void)
{
	_exit(0);
}

static bool is_skipped(const char *name)
{
	for (int i = 0; i < skipped_count; i++)
		if (!strcmp(name, skipped[i]))
			return true;
	return false;
}

void in_child(const char *name, void (*run)(const void *argument), const void *argument)
{
	int status = 0;
	pid_t child;

	if (is_skipped(name))
		return;
	if (telling)
		fprintf(stderr, "%s\n", name);
	line->used = 0;
	line->text[0] = '\0';
	fflush(stdout);
	child = fork();
	if (child == 0) {
		alarm(TIME_LIMIT);
		run(argument);
		finish();
	}
	if (child < 0 || waitpid(child, &status, 0) != child) {
		perror("conform: a process for a case");
		exit(2);
	}
	/* Several lines are several observations of the case. */
	for (char *text = line->text, *next; text; text = next) {
		next = strchr(text, '\n');
		if (next)
			*next++ = '\0';
		if (next || *text || WIFSIGNALED(status))
			printf("%s: %s", name, text);
		if (!next && WIFSIGNALED(status))
			printf("ended by SIG%s", signal_name(WTERMSIG(status)));
		if (next || *text || WIFSIGNALED(status))
			putchar('\n');
	}
}

static void run_code_case(const void *code)
{
	run_code(code);
}

static void run(const struct subject *subject)
{
	if (is_skipped(subject->name))
		return;
	if (subject->code)
		in_child(subject->name, run_code_case, subject->code);
	else
		subject->run();
}

/* Where things lie has to be the same each time. Comes back in a new image. */
static void fix_addresses(char **argv)
{
	int now = personality(0xffffffff);

	if (now & ADDR_NO_RANDOMIZE)
		return;
	personality((unsigned long)now | ADDR_NO_RANDOMIZE);
	execv("/proc/self/exe", argv);
	perror("conform: exec of itself");
	exit(2);
}

static void one_cpu(void)
{
	struct rlimit none = { 0, 0 };
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(0, &set);
	if (sched_setaffinity(0, sizeof(set), &set))
		perror("conform: CPU 0");
	setrlimit(RLIMIT_CORE, &none);
}

int main(int argc, char **argv)
{
	const char *only = "";

	fix_addresses(argv);
	skipped = calloc((size_t)argc, sizeof(*skipped));
	line = mmap(NULL, sizeof(*line), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (!skipped || line == MAP_FAILED) {
		perror("conform: memory");
		return 2;
	}
	for (int i = 1; i < argc; i++) {
		if (!strcmp(argv[i], "--skip") && i + 1 < argc)
			skipped[skipped_count++] = argv[++i];
		else if (!strcmp(argv[i], "--tell"))
			telling = true;
		else
			only = argv[i];
	}
	one_cpu();
	for (const struct subject *const *s = __start_conform; s < __stop_conform; s++)
		if (!strncmp((*s)->name, only, strlen(only)))
			run(*s);
	return 0;
}
