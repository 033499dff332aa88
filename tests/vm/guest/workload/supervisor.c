// SPDX-License-Identifier: GPL-2.0-only
/* Starts one process per worker, watches that each makes progress, and stops them. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "supervisor.h"

#define TICK_NS 50000000

static _Atomic bool *stop;

static double now_seconds(void)
{
	return (double)now_ns() / 1e9;
}

static void supervisor_signals(sigset_t *set)
{
	sigemptyset(set);
	sigaddset(set, SIGTERM);
	sigaddset(set, SIGINT);
	sigaddset(set, SIGUSR1);
	sigaddset(set, SIGCHLD);
}

void block_supervisor_signals(void)
{
	sigset_t set;

	supervisor_signals(&set);
	sigprocmask(SIG_BLOCK, &set, NULL);
}

/*
 * The body of a worker's process: rounds until stopped, each with the first one's digest. The first
 * error ends it too: a wait that is lost once would be lost again, for as long.
 */
static void work(const struct worker *worker, unsigned long rounds)
{
	uint64_t digest;

	do {
		digest = worker->round();
		if (atomic_load(&report->rounds) == 0)
			report->digest = digest;
		expect(digest == report->digest,
		       "round %llu has digest %016llx, the first had %016llx",
		       (unsigned long long)atomic_load(&report->rounds), (unsigned long long)digest,
		       (unsigned long long)report->digest);
	} while (atomic_fetch_add(&report->rounds, 1) + 1 != rounds && !atomic_load(stop) &&
		 !atomic_load(&report->errors));
}

static void start(struct job *job, unsigned long rounds)
{
	sigset_t set;

	report = job->report;
	job->seen_at = now_seconds();
	job->pid = fork();
	if (!expect_sys(job->pid >= 0, "fork of the worker")) {
		job->pid = 0;
		return;
	}
	if (job->pid)
		return;
	/* A group of its own, so that a stalled worker's children can be ended with it. */
	setpgid(0, 0);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	supervisor_signals(&set);
	sigprocmask(SIG_UNBLOCK, &set, NULL);
	signal(SIGINT, SIG_IGN);
	work(job->worker, rounds);
	_exit(0);
}

static struct job *find_job(struct job *jobs, size_t count, pid_t pid)
{
	for (size_t i = 0; i < count; i++)
		if (jobs[i].pid == pid)
			return &jobs[i];
	return NULL;
}

static void reap(struct job *jobs, size_t count)
{
	struct job *job;
	pid_t pid;
	int state;

	while ((pid = waitpid(-1, &state, WNOHANG)) > 0) {
		job = find_job(jobs, count, pid);
		if (!job)
			continue;
		job->pid = 0;
		report = job->report;
		if (WIFSIGNALED(state))
			expect(false, "the worker died of signal %d (%s)", WTERMSIG(state),
			       strsignal(WTERMSIG(state)));
		else
			expect(WEXITSTATUS(state) == 0, "the worker exited with %d",
			       WEXITSTATUS(state));
	}
}

static void end_if_stalled(struct job *job, double stall_seconds)
{
	uint64_t seen = atomic_load(&job->report->operations) + atomic_load(&job->report->rounds);

	if (seen != job->seen) {
		job->seen = seen;
		job->seen_at = now_seconds();
		return;
	}
	if (now_seconds() - job->seen_at < stall_seconds)
		return;
	report = job->report;
	expect(false, "no progress for %.0f s: a lost wake-up, or a loop", stall_seconds);
	kill(-job->pid, SIGKILL);
	waitpid(job->pid, NULL, 0);
	job->pid = 0;
}

static size_t watch(struct job *jobs, size_t count, double stall_seconds)
{
	size_t running = 0;

	reap(jobs, count);
	for (size_t i = 0; i < count; i++) {
		if (jobs[i].pid)
			end_if_stalled(&jobs[i], stall_seconds);
		running += jobs[i].pid != 0;
	}
	return running;
}

static void set_mark(struct job *jobs, size_t count)
{
	for (size_t i = 0; i < count; i++)
		jobs[i].mark_rounds = atomic_load(&jobs[i].report->rounds);
}

/* The round under way at the mark ends first, so two more have to be complete. */
static bool mark_reached(const struct job *jobs, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (jobs[i].pid && atomic_load(&jobs[i].report->rounds) < jobs[i].mark_rounds + 2)
			return false;
	return true;
}

static void print_checkpoint(const struct job *jobs, size_t count, unsigned int number)
{
	unsigned long long operations = 0, errors = 0;
	size_t running = 0;

	for (size_t i = 0; i < count; i++) {
		operations += atomic_load(&jobs[i].report->operations);
		errors += atomic_load(&jobs[i].report->errors);
		running += jobs[i].pid != 0;
	}
	printf("checkpoint %u: %zu kinds running, each did a whole round since asked; "
	       "%llu operations, %llu errors so far\n",
	       number, running, operations, errors);
	fflush(stdout);
}

/* Sleeps one tick or until a signal; handles it. */
static void handle_signal(struct job *jobs, size_t count, bool *marking)
{
	const struct timespec tick = { .tv_nsec = TICK_NS };
	sigset_t set;
	int got;

	supervisor_signals(&set);
	got = sigtimedwait(&set, NULL, &tick);
	if (got == SIGTERM || got == SIGINT)
		atomic_store(stop, true);
	if (got == SIGUSR1) {
		set_mark(jobs, count);
		*marking = true;
	}
}

void supervise(struct job *jobs, size_t count, const struct limits *limits)
{
	double begin = now_seconds();
	unsigned int checkpoints = 0;
	bool marking = false;

	stop = mmap(NULL, sizeof(*stop), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (stop == MAP_FAILED) {
		perror("workload: mmap");
		exit(2);
	}
	for (size_t i = 0; i < count; i++)
		if (!jobs[i].missing)
			start(&jobs[i], limits->rounds);
	/* From here on signals are expected. */
	puts("workload: started");
	while (watch(jobs, count, limits->stall_seconds)) {
		if (limits->seconds > 0 && now_seconds() - begin >= limits->seconds)
			atomic_store(stop, true);
		if (marking && mark_reached(jobs, count)) {
			print_checkpoint(jobs, count, ++checkpoints);
			marking = false;
		}
		handle_signal(jobs, count, &marking);
	}
}
