/* SPDX-License-Identifier: GPL-2.0-only */
/* What the subcommands share: their table, exit statuses, output. */
#ifndef MERCURY_COMMAND_H
#define MERCURY_COMMAND_H

#include <signal.h>
#include <stdbool.h>
#include <stdio.h>

#include "mercury.h"

enum exit_status {
	EXIT_DONE,   /* what was asked for is so                                                */
	EXIT_FAILED, /* it was refused, or failed: nothing has changed; or its output is lost   */
	EXIT_USAGE,  /* the command line is wrong                                               */
	EXIT_UNABLE, /* this machine cannot, or the module is not loaded                        */
};

struct options {
	bool json;
	FILE *to; /* for JSON: stdout, unless that takes something else                          */
};

/* One subcommand: its words behind the name are argv[1..argc), options taken out. */
struct command {
	const char *name, *arguments, *what;
	bool has_options; /* of its own; else only those that all have                            */
	enum exit_status (*run)(const struct options *options, int argc, char **argv);
};

extern const struct command commands[];
extern const unsigned int nr_commands;

enum exit_status command_status(const struct options *options, int argc, char **argv);
enum exit_status command_virtual(const struct options *options, int argc, char **argv);
enum exit_status command_native(const struct options *options, int argc, char **argv);
enum exit_status command_calibrate(const struct options *options, int argc, char **argv);
enum exit_status command_bench(const struct options *options, int argc, char **argv);
enum exit_status command_top(const struct options *options, int argc, char **argv);
enum exit_status command_wait(const struct options *options, int argc, char **argv);
enum exit_status command_state(const struct options *options, int argc, char **argv);
enum exit_status command_log(const struct options *options, int argc, char **argv);
enum exit_status command_metrics(const struct options *options, int argc, char **argv);
enum exit_status command_snapshot(const struct options *options, int argc, char **argv);
enum exit_status command_check(const struct options *options, int argc, char **argv);

/* "mercury: WHAT" and, if there is one, the next step; on stderr, or as JSON on options->to. */
void print_problem(const struct options *options, const struct mercury_problem *problem);

/* By errno, of a file that was to be written; returns 1, for it says nothing of this machine. */
int file_problem(struct mercury_problem *problem, const char *path);

/*
 * `status`, if all that was printed is written: a full disk or a reader that went away must not look like
 * success. Else it is said, and EXIT_FAILED where that was EXIT_DONE.
 */
enum exit_status flushed(enum exit_status status);

/* What such a problem means: EXIT_UNABLE or EXIT_FAILED. */
enum exit_status exit_for(const struct mercury_problem *problem);

/*
 * `work`, which changes the mode, and which signals only stop; then the mode that was. 0; what `work`
 * returned, or -1, with the problem, of `work` if it had one.
 */
int keep_mode(int (*work)(void *argument, struct mercury_problem *problem), void *argument,
	      struct mercury_problem *problem);

/*
 * From now on SIGINT, SIGTERM and SIGHUP, unless that is ignored, end no process: they set `stopped`, and
 * interrupt a call that waits, as SIGALRM then does each second.
 */
void stop_on_signals(void);
extern volatile sig_atomic_t stopped;

/* Words where there must be none: EXIT_USAGE, said. */
enum exit_status no_arguments(int argc, char **argv);

/* A word that `command` does not take: EXIT_USAGE, said. */
enum exit_status wrong_word(const char *command, const char *word);

#endif
