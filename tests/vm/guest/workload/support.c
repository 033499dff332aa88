// SPDX-License-Identifier: GPL-2.0-only
/* What all workers share: counting, checking, digests, pinning, waiting. */
#include <errno.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>

#include "worker.h"

struct report *report;
unsigned int thread_count = 2;

static cpu_set_t usable_cpus;

void done(uint64_t operations)
{
	atomic_fetch_add(&report->operations, operations);
}

bool expect(bool ok, const char *format, ...)
{
	va_list arguments;

	if (ok)
		return true;
	if (atomic_fetch_add(&report->errors, 1) == 0) {
		va_start(arguments, format);
		vsnprintf(report->first_error, sizeof(report->first_error), format, arguments);
		va_end(arguments);
	}
	return false;
}

bool expect_sys(bool ok, const char *what)
{
	return expect(ok, "%s: %s", what, strerror(errno));
}

uint64_t digest_bytes(uint64_t digest, const void *data, size_t size)
{
	const unsigned char *byte = data;

	while (size--)
		digest = (digest ^ *byte++) * UINT64_C(0x100000001b3);
	return digest;
}

uint64_t digest_u64(uint64_t digest, uint64_t value)
{
	return digest_bytes(digest, &value, sizeof(value));
}

uint32_t next_random(uint32_t *state)
{
	*state = *state * 1664525 + 1013904223;
	return *state >> 8;
}

uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

/* Learns the CPUs before the first worker pins itself; children inherit the answer. */
__attribute__((constructor)) static void learn_usable_cpus(void)
{
	sched_getaffinity(0, sizeof(usable_cpus), &usable_cpus);
}

void pin_to_cpu(unsigned int index)
{
	cpu_set_t one;
	unsigned int cpu = 0;

	index %= (unsigned int)CPU_COUNT(&usable_cpus);
	while (!CPU_ISSET(cpu, &usable_cpus) || index--)
		cpu++;
	CPU_ZERO(&one);
	CPU_SET(cpu, &one);
	if (expect_sys(sched_setaffinity(0, sizeof(one), &one) == 0, "sched_setaffinity"))
		expect((unsigned int)sched_getcpu() == cpu, "pinned to CPU %u, runs on CPU %d", cpu,
		       sched_getcpu());
}

void unpin(void)
{
	expect_sys(sched_setaffinity(0, sizeof(usable_cpus), &usable_cpus) == 0,
		   "sched_setaffinity of all CPUs");
}

void expect_exit(int child, int status, const char *what)
{
	int state = 0;
	pid_t got;

	do
		got = waitpid(child, &state, 0);
	while (got < 0 && errno == EINTR);
	if (!expect_sys(got == child, "waitpid"))
		return;
	if (WIFSIGNALED(state))
		expect(false, "%s died of signal %d", what, WTERMSIG(state));
	else
		expect(WEXITSTATUS(state) == status, "%s exited with %d instead of %d", what,
		       WEXITSTATUS(state), status);
}
