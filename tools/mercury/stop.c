// SPDX-License-Identifier: GPL-2.0-only
/* Signals that end what the command does, but not before all is as it was. */
#include <signal.h>

#include "command.h"

volatile sig_atomic_t stopped;

static void on_signal(int number)
{
	(void)number;
	stopped = 1;
}

void stop_on_signals(void)
{
	const struct sigaction stop = { .sa_handler = on_signal };
	struct sigaction hangup;

	sigaction(SIGINT, &stop, NULL);
	sigaction(SIGTERM, &stop, NULL);
	/* nohup has it ignored. */
	if (!sigaction(SIGHUP, NULL, &hangup) && hangup.sa_handler != SIG_IGN)
		sigaction(SIGHUP, &stop, NULL);
}
