// SPDX-License-Identifier: GPL-2.0-only
/* CLOCK_MONOTONIC and the TSC never go back: on one CPU, and from one CPU to another. */
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <x86intrin.h>

#include "worker.h"

#define READINGS 400

struct race {
	uint64_t (*read)(void);
	const char *name;
	bool across_cpus; /* also compare with what other CPUs have read */
	_Atomic uint64_t latest;
};

struct runner {
	struct race *race;
	unsigned int cpu;
};

static uint64_t read_tsc(void)
{
	uint64_t value;

	/* LFENCE on both sides: RDTSC is not ordered with loads (SDM vol. 2, RDTSC). */
	_mm_lfence();
	value = __rdtsc();
	_mm_lfence();
	return value;
}

static void *run(void *argument)
{
	const struct runner *runner = argument;
	struct race *race = runner->race;
	uint64_t before, now, last = 0;

	pin_to_cpu(runner->cpu);
	for (int i = 0; i < READINGS; i++) {
		before = race->across_cpus ? atomic_load(&race->latest) : last;
		now = race->read();
		if (!expect(now >= before, "%s went back by %llu on CPU %d", race->name,
			    (unsigned long long)(before - now), sched_getcpu()))
			break;
		last = now;
		while (now > before && !atomic_compare_exchange_weak(&race->latest, &before, now))
			;
		if (i % 64 == 0)
			sched_yield();
	}
	done(READINGS);
	return NULL;
}

static void run_race(struct race *race)
{
	pthread_t threads[thread_count];
	struct runner runners[thread_count];
	unsigned int started = 0;

	for (; started < thread_count; started++) {
		runners[started] = (struct runner){ race, started };
		if (!expect(pthread_create(&threads[started], NULL, run, &runners[started]) == 0,
			    "pthread_create failed"))
			break;
	}
	while (started--)
		pthread_join(threads[started], NULL);
}

static uint64_t clock_round(void)
{
	struct race race = { .read = now_ns, .name = "CLOCK_MONOTONIC", .across_cpus = true };

	run_race(&race);
	return DIGEST_START;
}

/* The kernel uses the TSC as its clock only if it found it to agree between CPUs. */
static bool tsc_agrees_between_cpus(void)
{
	char name[32] = "";
	FILE *file = fopen("/sys/devices/system/clocksource/clocksource0/current_clocksource", "r");

	if (!file)
		return false;
	if (!fgets(name, sizeof(name), file))
		name[0] = 0;
	fclose(file);
	return strcmp(name, "tsc\n") == 0;
}

static uint64_t tsc_round(void)
{
	struct race race = { .read = read_tsc,
			     .name = "the TSC",
			     .across_cpus = tsc_agrees_between_cpus() };

	run_race(&race);
	return DIGEST_START;
}

const struct worker clock_worker = { .name = "clock", .round = clock_round };
const struct worker tsc_worker = { .name = "tsc", .round = tsc_round };
