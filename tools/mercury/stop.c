// SPDX-License-Identifier: GPL-2.0-only
/* Signals that end what the command does, but not before all is as it was. */
#include <signal.h>
#include <unistd.h>

#include "command.h"

volatile sig_atomic_t stopped;

/* Again each second, for this one may have come just before a call that waits, behind the last look at `stopped`. */
static void on_signal(int number)
{
	(void)number;
	stopped = 1;
	alarm(1);
}

void stop_on_signals(void)
{
	const struct sigaction stop = { .sa_handler = on_signal };
	struct sigaction hangup;

	sigaction(SIGINT, &stop, NULL);
	sigaction(SIGTERM, &stop, NULL);
	sigaction(SIGALRM, &stop, NULL);
	/* nohup has it ignored. */
	if (!sigaction(SIGHUP, NULL, &hangup) && hangup.sa_handler != SIG_IGN)
		sigaction(SIGHUP, &stop, NULL);
}
