// SPDX-License-Identifier: GPL-2.0-only
/* Contended mutexes with a condition variable, and a bare futex hand-over between two CPUs. */
#include <errno.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "worker.h"

#define INCREMENTS 100
#define HANDOVERS 40

struct contest {
	pthread_mutex_t mutex;
	pthread_cond_t all_finished;
	unsigned int finished;
	unsigned long counter; /* only the mutex makes the additions whole */
	struct place {
		struct contest *contest;
		unsigned int cpu;
	} places[256];
};

static void *contend(void *argument)
{
	const struct place *place = argument;
	struct contest *contest = place->contest;
	unsigned long seen;

	pin_to_cpu(place->cpu);
	for (int i = 0; i < INCREMENTS; i++) {
		pthread_mutex_lock(&contest->mutex);
		seen = *(volatile unsigned long *)&contest->counter;
		if (i % 16 == 0)
			sched_yield();
		*(volatile unsigned long *)&contest->counter = seen + 1;
		pthread_mutex_unlock(&contest->mutex);
	}
	pthread_mutex_lock(&contest->mutex);
	contest->finished++;
	pthread_cond_signal(&contest->all_finished);
	pthread_mutex_unlock(&contest->mutex);
	return NULL;
}

static void wait_for_all(struct contest *contest, unsigned int threads)
{
	struct timespec limit;

	clock_gettime(CLOCK_REALTIME, &limit);
	limit.tv_sec += LOST_WAKEUP_SECONDS;
	pthread_mutex_lock(&contest->mutex);
	while (contest->finished < threads)
		if (!expect(pthread_cond_timedwait(&contest->all_finished, &contest->mutex,
						   &limit) == 0,
			    "a wake-up of a condition is lost"))
			break;
	pthread_mutex_unlock(&contest->mutex);
}

static uint64_t mutex_round(void)
{
	static struct contest memory;
	struct contest *contest = &memory;
	pthread_t threads[thread_count];
	unsigned int started = 0;

	pthread_mutex_init(&contest->mutex, NULL);
	pthread_cond_init(&contest->all_finished, NULL);
	contest->counter = 0;
	contest->finished = 0;
	for (; started < thread_count; started++) {
		contest->places[started] = (struct place){ contest, started };
		if (!expect(pthread_create(&threads[started], NULL, contend,
					   &contest->places[started]) == 0,
			    "pthread_create failed"))
			break;
	}
	wait_for_all(contest, started);
	for (unsigned int i = 0; i < started; i++)
		pthread_join(threads[i], NULL);
	expect(contest->counter == (unsigned long)started * INCREMENTS,
	       "%lu additions under the mutex instead of %lu", contest->counter,
	       (unsigned long)started * INCREMENTS);
	done(contest->counter);
	return DIGEST_START;
}

static _Atomic uint32_t turn;

static bool wait_while(uint32_t value)
{
	const struct timespec limit = { .tv_sec = LOST_WAKEUP_SECONDS };
	long result;

	while (atomic_load(&turn) == value) {
		result = syscall(SYS_futex, &turn, FUTEX_WAIT_PRIVATE, value, &limit, NULL, 0);
		if (!expect(result == 0 || errno == EAGAIN || errno == EINTR,
			    "a futex wake-up is lost"))
			return false;
	}
	return true;
}

static void pass_on(void)
{
	atomic_fetch_add(&turn, 1);
	syscall(SYS_futex, &turn, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}

/* Two threads take turns: the even ones here, the odd ones there. */
static void take_turns(uint32_t first, unsigned int cpu)
{
	pin_to_cpu(cpu);
	for (uint32_t mine = first; mine < 2 * HANDOVERS; mine += 2) {
		if (mine && !wait_while(mine - 1))
			return;
		expect(atomic_load(&turn) == mine, "turn %u came at %u", mine, atomic_load(&turn));
		pass_on();
	}
}

static void *odd_turns(void *unused)
{
	(void)unused;
	take_turns(1, 1);
	return NULL;
}

static uint64_t futex_round(void)
{
	pthread_t other;

	atomic_store(&turn, 0);
	if (!expect(pthread_create(&other, NULL, odd_turns, NULL) == 0, "pthread_create failed"))
		return 0;
	take_turns(0, 0);
	pthread_join(other, NULL);
	unpin();
	done(atomic_load(&turn));
	return digest_u64(DIGEST_START, atomic_load(&turn));
}

const struct worker mutex_worker = { .name = "mutex", .round = mutex_round };
const struct worker futex_worker = { .name = "futex", .round = futex_round };
