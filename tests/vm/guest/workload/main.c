// SPDX-License-Identifier: GPL-2.0-only
/* A workload that verifies all it does: the table of workers, the options, the final report. */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "supervisor.h"

static const struct worker *const workers[] = {
	/* clang-format off */
	&cpuid_worker, &exec_worker, &ia32_worker, &sysenter_worker, &file_worker,
	&x87_worker, &sse2_worker, &avx_worker,
	&timer_worker, &itimer_worker, &clock_worker, &tsc_worker,
	&signal_worker, &fault_worker, &remap_worker,
	&pipe_worker, &socket_worker, &mutex_worker, &futex_worker,
	&step_worker, &movss_worker, &watchpoint_worker, &breakpoint_worker,
	&segment_worker, &base_worker,
	/* clang-format on */
};

static struct limits limits = { .stall_seconds = 120 };
static const char *only;

static const char usage[] =
	"usage: workload [--seconds S] [--rounds R] [--threads N] [--only KIND,...] [--stall S]\n"
	"  Does many kinds of work at once, a process each, and verifies every result.\n"
	"  --seconds S  begin no round after S seconds (default 2, or no limit with --rounds)\n"
	"  --rounds R   at most R rounds of each kind\n"
	"  --threads N  threads of the kinds that use threads (default: one per CPU, at least 2)\n"
	"  --only LIST  only these kinds; breakpoint, movss and sysenter, where Bochs errs, only so\n"
	"  --stall S    a kind without progress for S seconds has failed (default 120)\n"
	"  SIGTERM ends it early with its report; SIGUSR1 prints a checkpoint line once every kind\n"
	"  has begun and completed a round after the signal.\n"
	"  Exit status: 0 if every kind did something and nothing failed, else 1; 2: bad arguments.\n";

static void __attribute__((noreturn)) fail_usage(const char *problem, const char *what)
{
	fprintf(stderr, "workload: %s: %s\n%s", what, problem, usage);
	exit(2);
}

static double positive_number(const char *text, const char *option)
{
	char *end;
	double value = strtod(text, &end);

	if (end == text || *end || !(value > 0) || value > 1e9)
		fail_usage("not a number between 0 and 1e9", option);
	return value;
}

static unsigned int whole_number(const char *text, const char *option)
{
	double value = positive_number(text, option);

	if (value != (double)(unsigned int)value)
		fail_usage("not a whole number", option);
	return (unsigned int)value;
}

static void parse_arguments(int argc, char **argv)
{
	static const struct option options[] = {
		{ "seconds", required_argument, NULL, 's' },
		{ "rounds", required_argument, NULL, 'r' },
		{ "threads", required_argument, NULL, 't' },
		{ "only", required_argument, NULL, 'o' },
		{ "stall", required_argument, NULL, 'l' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);
	int option;

	thread_count = cpus > 2 ? (unsigned int)cpus : 2;
	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (option) {
		case 's':
			limits.seconds = positive_number(optarg, "--seconds");
			break;
		case 'r':
			limits.rounds = whole_number(optarg, "--rounds");
			break;
		case 't':
			thread_count = whole_number(optarg, "--threads");
			break;
		case 'o':
			only = optarg;
			break;
		case 'l':
			limits.stall_seconds = positive_number(optarg, "--stall");
			break;
		case 'h':
			fputs(usage, stdout);
			exit(0);
		default:
			fputs(usage, stderr);
			exit(2);
		}
	}
	if (optind < argc)
		fail_usage("no such argument", argv[optind]);
	if (thread_count < 2 || thread_count > 256)
		fail_usage("must be 2 to 256", "--threads");
	if (!limits.rounds && limits.seconds == 0)
		limits.seconds = 2;
}

/* Is @name one of the comma-separated words of @list? */
static bool in_list(const char *list, const char *name)
{
	size_t length = strlen(name);

	for (const char *word = list; word; word = strchr(word, ',')) {
		word += *word == ',';
		if (strncmp(word, name, length) == 0 && (!word[length] || word[length] == ','))
			return true;
	}
	return false;
}

static void check_only(void)
{
	char *list = strdup(only), *rest = NULL;

	for (char *word = strtok_r(list, ",", &rest); word; word = strtok_r(NULL, ",", &rest)) {
		bool known = false;

		for (size_t i = 0; i < ARRAY_SIZE(workers); i++)
			known |= strcmp(workers[i]->name, word) == 0;
		if (!known)
			fail_usage("no such kind", word);
	}
	free(list);
}

static size_t make_jobs(struct job *jobs, struct report *reports)
{
	size_t count = 0;

	for (size_t i = 0; i < ARRAY_SIZE(workers); i++) {
		if (only ? !in_list(only, workers[i]->name) : workers[i]->on_request)
			continue;
		report = &reports[i];
		jobs[count].worker = workers[i];
		jobs[count].report = report;
		jobs[count].missing = workers[i]->missing ? workers[i]->missing() : NULL;
		count++;
	}
	return count;
}

static bool print_job(const struct job *job)
{
	const struct report *done_report = job->report;
	unsigned long long operations = atomic_load(&done_report->operations);
	unsigned long long errors = atomic_load(&done_report->errors);

	if (job->missing) {
		printf("%s: not available here: %s\n", job->worker->name, job->missing);
		return errors == 0;
	}
	printf("%s: %llu operations, %llu errors\n", job->worker->name, operations, errors);
	if (errors)
		printf("error %s: %s\n", job->worker->name, done_report->first_error);
	return operations && !errors;
}

static void print_digests(const struct job *jobs, size_t count)
{
	uint64_t all = DIGEST_START;

	for (size_t i = 0; i < count; i++) {
		if (jobs[i].missing)
			continue;
		printf("digest %s: %016llx\n", jobs[i].worker->name,
		       (unsigned long long)jobs[i].report->digest);
		all = digest_u64(all, jobs[i].report->digest);
	}
	printf("digest all: %016llx\n", (unsigned long long)all);
}

int main(int argc, char **argv)
{
	struct report *reports;
	struct job jobs[ARRAY_SIZE(workers)] = { 0 };
	size_t count, good = 0;

	if (argc == 4 && strcmp(argv[1], "--exec-child") == 0)
		return exec_child(argv[2], argv[3]);
	parse_arguments(argc, argv);
	if (only)
		check_only();
	setvbuf(stdout, NULL, _IOLBF, 0);
	reports = mmap(NULL, sizeof(*reports) * ARRAY_SIZE(workers), PROT_READ | PROT_WRITE,
		       MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (reports == MAP_FAILED) {
		perror("workload: mmap");
		return 2;
	}
	block_supervisor_signals();
	count = make_jobs(jobs, reports);
	supervise(jobs, count, &limits);
	for (size_t i = 0; i < count; i++)
		good += print_job(&jobs[i]);
	print_digests(jobs, count);
	printf("workload: %zu of %zu kinds good\n", good, count);
	return good == count ? 0 : 1;
}
