// SPDX-License-Identifier: GPL-2.0-only
/*
 * POSIX timers, timerfd and sleeping: each expiration is counted once, none comes early, and no
 * wait is forgotten.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "worker.h"

#define PERIOD_NS UINT64_C(3000000)
#define EXPIRATIONS 4

static const struct itimerspec periodic = {
	.it_interval = { .tv_nsec = PERIOD_NS },
	.it_value = { .tv_nsec = PERIOD_NS },
};

static struct timespec after(uint64_t nanoseconds)
{
	uint64_t at = now_ns() + nanoseconds;

	return (struct timespec){ .tv_sec = (time_t)(at / 1000000000),
				  .tv_nsec = (long)(at % 1000000000) };
}

/* Waits for one signal of @timer; returns the expirations it stands for, 0 if it is lost. */
static uint64_t wait_for_timer(timer_t timer, const sigset_t *set, void *cookie)
{
	const struct timespec limit = { .tv_sec = LOST_WAKEUP_SECONDS };
	siginfo_t info = { 0 };

	if (!expect(sigtimedwait(set, &info, &limit) == SIGRTMIN, "a POSIX timer's signal is lost"))
		return 0;
	expect(info.si_code == SI_TIMER && info.si_value.sival_ptr == cookie,
	       "a POSIX timer's signal has si_code %d and a wrong value", info.si_code);
	return 1 + (uint64_t)timer_getoverrun(timer);
}

static void posix_timer(void)
{
	struct sigevent event = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGRTMIN };
	uint64_t begin, expirations = 0, got;
	sigset_t set;
	timer_t timer;

	sigemptyset(&set);
	sigaddset(&set, SIGRTMIN);
	sigprocmask(SIG_BLOCK, &set, NULL);
	event.sigev_value.sival_ptr = &timer;
	if (!expect_sys(timer_create(CLOCK_MONOTONIC, &event, &timer) == 0, "timer_create"))
		return;
	begin = now_ns();
	expect_sys(timer_settime(timer, 0, &periodic, NULL) == 0, "timer_settime");
	while (expirations < EXPIRATIONS) {
		got = wait_for_timer(timer, &set, &timer);
		if (!got)
			break;
		expirations += got;
		expect(expirations <= (now_ns() - begin) / PERIOD_NS,
		       "%llu expirations of a POSIX timer in %llu ns",
		       (unsigned long long)expirations, (unsigned long long)(now_ns() - begin));
	}
	timer_delete(timer);
	/* One that came meanwhile stays queued; the next round must not count it. */
	while (sigtimedwait(&set, NULL, &(struct timespec){ 0 }) > 0)
		;
	done(1);
}

/* Read late on purpose: the count must then be exactly the periods that have passed. */
static void timer_descriptor(void)
{
	const struct timespec pause = { .tv_nsec = EXPIRATIONS * PERIOD_NS };
	uint64_t armed_after, armed_before, read_after, read_before, count = 0;
	int fd = timerfd_create(CLOCK_MONOTONIC, 0);
	struct pollfd ready = { .fd = fd, .events = POLLIN };

	if (!expect_sys(fd >= 0, "timerfd_create"))
		return;
	armed_after = now_ns();
	expect_sys(timerfd_settime(fd, 0, &periodic, NULL) == 0, "timerfd_settime");
	armed_before = now_ns();
	nanosleep(&pause, NULL);
	if (expect(poll(&ready, 1, LOST_WAKEUP_SECONDS * 1000) == 1, "a timerfd never got ready")) {
		read_after = now_ns();
		expect_sys(read(fd, &count, sizeof(count)) == sizeof(count), "read of a timerfd");
		read_before = now_ns();
		expect(count >= (read_after - armed_before) / PERIOD_NS &&
			       count <= (read_before - armed_after) / PERIOD_NS,
		       "a timerfd counted %llu periods in %llu ns", (unsigned long long)count,
		       (unsigned long long)(read_after - armed_before));
	}
	close(fd);
	done(1);
}

static void sleeping(void)
{
	struct timespec target = after(2000000);
	uint64_t target_ns = (uint64_t)target.tv_sec * 1000000000 + (uint64_t)target.tv_nsec;
	int result;

	do
		result = clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &target, NULL);
	while (result == EINTR);
	expect(result == 0, "clock_nanosleep: %s", strerror(result));
	expect(now_ns() >= target_ns, "clock_nanosleep woke up too early");
	done(1);
}

static uint64_t timer_round(void)
{
	posix_timer();
	timer_descriptor();
	sleeping();
	return DIGEST_START;
}

const struct worker timer_worker = { .name = "timer", .round = timer_round };
