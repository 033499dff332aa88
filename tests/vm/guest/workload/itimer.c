// SPDX-License-Identifier: GPL-2.0-only
/* setitimer in real time and in user time: signals come, not too many, not too early. */
#include <signal.h>
#include <sys/time.h>
#include <time.h>

#include "worker.h"

#define PERIOD_NS UINT64_C(4000000)
#define SIGNALS 3

static volatile sig_atomic_t alarms, virtual_alarms;

static void count(int number)
{
	if (number == SIGALRM)
		alarms++;
	else
		virtual_alarms++;
}

static void set_timer(int which, suseconds_t microseconds)
{
	const struct itimerval value = { { 0, microseconds }, { 0, microseconds } };

	expect_sys(setitimer(which, &value, NULL) == 0, "setitimer");
}

static void real_time(void)
{
	sigset_t blocked, open;
	uint64_t begin, periods;

	sigemptyset(&blocked);
	sigaddset(&blocked, SIGALRM);
	sigprocmask(SIG_BLOCK, &blocked, &open);
	alarms = 0;
	begin = now_ns();
	set_timer(ITIMER_REAL, PERIOD_NS / 1000);
	/* A lost signal leaves this waiting, and the supervisor then reports no progress. */
	while (alarms < SIGNALS)
		sigsuspend(&open);
	set_timer(ITIMER_REAL, 0);
	periods = (now_ns() - begin) / PERIOD_NS;
	sigprocmask(SIG_SETMASK, &open, NULL);
	expect((uint64_t)alarms <= periods, "%d SIGALRM in %llu periods", (int)alarms,
	       (unsigned long long)periods);
	done(1);
}

/* User time is accounted by the tick, so only the wait for it is judged. */
static void user_time(void)
{
	uint64_t limit = now_ns() + LOST_WAKEUP_SECONDS * UINT64_C(1000000000);

	virtual_alarms = 0;
	set_timer(ITIMER_VIRTUAL, 1000);
	while (!virtual_alarms && now_ns() < limit)
		for (volatile int i = 0; i < 1000; i++)
			;
	set_timer(ITIMER_VIRTUAL, 0);
	expect(virtual_alarms, "no SIGVTALRM in %d s of computing", LOST_WAKEUP_SECONDS);
	done(1);
}

static uint64_t itimer_round(void)
{
	struct sigaction action = { .sa_handler = count };

	sigaction(SIGALRM, &action, NULL);
	sigaction(SIGVTALRM, &action, NULL);
	real_time();
	user_time();
	return DIGEST_START;
}

const struct worker itimer_worker = { .name = "itimer", .round = itimer_round };
