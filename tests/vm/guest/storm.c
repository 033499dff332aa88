// SPDX-License-Identifier: GPL-2.0-only
/* storm: switches many times, checks by CPUID on all CPUs, stops at the first error. */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "hypervisor.h"

#define PROC_FILE "/proc/mercury"

static const char usage[] =
	"usage: storm [--check-every K] [--pause US] [--seconds S] [--first] N\n"
	"  Switches N times between native and virtual by writing to " PROC_FILE
	", and after every\n"
	"  K-th switch (default 1; 0: only at the end) asks every CPU by CPUID which it is. Between\n"
	"  two switches it sleeps US microseconds (default 0). After S seconds it ends early. --first:\n"
	"  before all other work, which has the pauses, instead of in turn with it.\n"
	"  Exit status: 0 if all switched, 1 at the first error, 2: bad arguments.\n";

static unsigned long check_every = 1, pause_us, seconds_at_most;

static unsigned long parse_number(const char *text)
{
	char *end;
	unsigned long value;

	errno = 0;
	value = strtoul(text, &end, 10);
	if (errno || end == text || *end || *text == '-') {
		fprintf(stderr, "storm: %s: not a number\n%s", text, usage);
		exit(2);
	}
	return value;
}

static unsigned long parse_arguments(int argc, char **argv)
{
	static const struct option options[] = {
		{ "check-every", required_argument, NULL, 'k' },
		{ "pause", required_argument, NULL, 'p' },
		{ "seconds", required_argument, NULL, 's' },
		{ "first", no_argument, NULL, 'f' },
		{ NULL, 0, NULL, 0 },
	};
	unsigned long switches;
	int option;

	while ((option = getopt_long(argc, argv, "", options, NULL)) > 0 && option != '?')
		if (option == 'f')
			setpriority(PRIO_PROCESS, 0, -20);
		else
			*(option == 'k' ? &check_every :
			  option == 'p' ? &pause_us :
					  &seconds_at_most) = parse_number(optarg);
	if (option == -1 && argc == optind + 1) {
		switches = parse_number(argv[optind]);
		if (switches)
			return switches;
	}
	fputs(usage, stderr);
	exit(2);
}

/* Copies the value of @key in /proc/mercury to @value; false if it is not there. */
static bool read_field(const char *key, char *value, size_t size)
{
	char line[512];
	size_t length = strlen(key);
	bool found = false;
	FILE *file = fopen(PROC_FILE, "r");

	while (file && !found && fgets(line, sizeof(line), file)) {
		if (strncmp(line, key, length) || line[length] != ':')
			continue;
		line[strcspn(line, "\n")] = 0;
		snprintf(value, size, "%s", line + length + 1 + strspn(line + length + 1, " "));
		found = true;
	}
	if (file)
		fclose(file);
	return found;
}

static void print_last_error(void)
{
	char text[256] = "";

	if (read_field("last error", text, sizeof(text)))
		fprintf(stderr, "storm: last error: %s\n", text);
}

static bool switch_to(const char *mode)
{
	int fd = open(PROC_FILE, O_WRONLY), saved;
	bool ok;

	if (fd < 0)
		return false;
	ok = write(fd, mode, strlen(mode)) == (ssize_t)strlen(mode);
	saved = errno;
	close(fd);
	errno = saved;
	return ok;
}

/* Is every CPU under Mercury, or none? Says which is not. */
static bool all_cpus_are(bool virtual, const cpu_set_t *cpus, size_t size)
{
	struct hypervisor hypervisor;

	for (int cpu = 0; cpu < (int)size * 8; cpu++) {
		if (!CPU_ISSET_S(cpu, size, cpus))
			continue;
		if (!move_to_cpu(cpu, size)) {
			/* Offline by now, a CPU is in no mode; and it may go when we are there. */
			if (errno == EINVAL || errno == EAGAIN)
				continue;
			fprintf(stderr, "storm: cannot run on cpu%d: %s\n", cpu, strerror(errno));
			return false;
		}
		hypervisor = hypervisor_of_this_cpu();
		if (hypervisor_is_mercury(&hypervisor) == virtual)
			continue;
		fprintf(stderr, "storm: cpu%d is %s after a switch to %s\n", cpu,
			virtual ? "not under Mercury" : "still under Mercury",
			virtual ? "virtual" : "native");
		return false;
	}
	return true;
}

static bool one_switch(unsigned long number, bool virtual, const cpu_set_t *cpus, size_t size,
		       bool check)
{
	const char *mode = virtual ? "virtual" : "native";

	if (!switch_to(mode)) {
		fprintf(stderr, "storm: switch %lu to %s: %s\n", number, mode, strerror(errno));
		print_last_error();
		return false;
	}
	if (check && !all_cpus_are(virtual, cpus, size)) {
		fprintf(stderr, "storm: at switch %lu\n", number);
		print_last_error();
		return false;
	}
	return true;
}

static double seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

int main(int argc, char **argv)
{
	unsigned long switches = parse_arguments(argc, argv), checks = 0;
	char mode[16] = "";
	size_t size;
	cpu_set_t *cpus = usable_cpus(&size);
	bool virtual, check;
	double begin = seconds(), elapsed;

	if (!cpus || !read_field("mode", mode, sizeof(mode))) {
		fprintf(stderr, "storm: no mode in " PROC_FILE "; is mercury-vmx loaded?\n");
		return 1;
	}
	virtual = strcmp(mode, "virtual") == 0;
	for (unsigned long i = 1; i <= switches; i++) {
		if (seconds_at_most && seconds() - begin >= (double)seconds_at_most)
			switches = i;
		virtual = !virtual;
		check = i == switches || (check_every && i % check_every == 0);
		if (!one_switch(i, virtual, cpus, size, check))
			return 1;
		checks += check;
		if (pause_us)
			usleep((useconds_t)pause_us);
	}
	elapsed = seconds() - begin;
	printf("storm: %lu switches in %.2f s, %.0f per second, %lu times checked on %d CPUs, "
	       "0 errors; mode %s\n",
	       switches, elapsed, (double)switches / elapsed, checks, CPU_COUNT_S(size, cpus),
	       virtual ? "virtual" : "native");
	return 0;
}
