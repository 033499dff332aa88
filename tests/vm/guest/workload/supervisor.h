/* SPDX-License-Identifier: GPL-2.0-only */
/* Starting the workers, watching their progress and stopping them. */
#ifndef WORKLOAD_SUPERVISOR_H
#define WORKLOAD_SUPERVISOR_H

#include <stdbool.h>
#include <sys/types.h>

#include "worker.h"

/* How long to run. */
struct limits {
	double seconds;       /* 0: no limit */
	unsigned long rounds; /* of each worker; 0: no limit */
	double stall_seconds; /* a worker without progress for so long has failed */
};

/* One worker of the table, as this run sees it. */
struct job {
	const struct worker *worker;
	struct report *report; /* shared with the worker's process */
	const char *missing;   /* why it is left out, or NULL */
	pid_t pid;             /* 0: not running */
	uint64_t seen;         /* operations and rounds at the last progress */
	double seen_at;
	uint64_t mark_rounds; /* rounds when the checkpoint was asked for */
};

/* The signals that ask the supervisor for something; must be blocked before supervise(). */
void block_supervisor_signals(void);

/*
 * Runs all @jobs that are not missing to the limit, or until SIGTERM or SIGINT, after a line on
 * stdout that they are started. SIGUSR1 asks for a checkpoint: one line on stdout once every
 * worker has begun and completed a round after the signal. Errors are counted in the jobs'
 * reports.
 */
void supervise(struct job *jobs, size_t count, const struct limits *limits);

#endif
