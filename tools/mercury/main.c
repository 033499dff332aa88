// SPDX-License-Identifier: GPL-2.0-only
/* The mercury command: finds the subcommand and takes the options out. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "command.h"
#include "json.h"
#include "problem.h"

const struct command commands[] = {
	{ "status", "", "show the mode, the costs and the memory", false, command_status },
	{ "virtual", "", "slide the VMM under the running kernel", false, command_virtual },
	{ "native", "", "take it away again", false, command_native },
	{ "check", "", "can this machine do it? If not: why, and what to do", false,
	  command_check },
	{ "top", "", "the status, live", false, command_top },
	{ "bench", "", "switch to and fro, and say what it costs", true, command_bench },
	{ "calibrate", "[FILE]", "measure what each event of a switch costs, for predictions",
	  false, command_calibrate },
	{ "wait", "MODE", "wait until the mode is native, or virtual", false, command_wait },
	{ "state", "", "show the registers that a switch leaves as they were", false,
	  command_state },
	{ "log", "", "show what module and VMM have written to the kernel log", true, command_log },
	{ "metrics", "[FILE]", "write the status for Prometheus to FILE, or to stdout", true,
	  command_metrics },
	{ "snapshot", "FILE", "write memory as it is now to FILE, an ELF core; - is stdout", true,
	  command_snapshot },
};
const unsigned int nr_commands = sizeof(commands) / sizeof(commands[0]);

static void usage(FILE *to)
{
	unsigned int i;

	fputs("usage: mercury COMMAND [--json]\n\nSelf-virtualization for Linux.\n\n", to);
	for (i = 0; i < nr_commands; i++)
		fprintf(to, "  %-9s %-6s %s\n", commands[i].name, commands[i].arguments,
			commands[i].what);
	fputs("\n  --json           print one JSON object instead of text\n"
	      "  --help           this text\n"
	      "  --version        the version\n"
	      "  --follow         log: and what is written from now on\n"
	      "  --rounds N       bench: so many times to and fro; 100 if not given\n"
	      "  --openmetrics    metrics: in the stricter format of that name\n"
	      "  --range A-B      snapshot: only physical memory from A to B; may be repeated\n"
	      "  --pool SIZE      snapshot: memory for pages that are written meanwhile\n"
	      "  --on-full WHAT   snapshot: abort (default) when that is full, or stall writers\n"
	      "  --kernel-only    snapshot: no user, free, zero, cache pages, by makedumpfile\n"
	      "  --compress       snapshot: in its format of compressed pages\n"
	      "\nExit status: 0 done, 1 refused or failed, 2 wrong command line, 3 this machine\n"
	      "cannot, or the module is not loaded.\n",
	      to);
}

enum exit_status no_arguments(int argc, char **argv)
{
	if (argc < 2)
		return EXIT_DONE;
	fprintf(stderr, "mercury: '%s': %s takes no argument; see mercury --help\n", argv[1],
		argv[0]);
	return EXIT_USAGE;
}

enum exit_status wrong_word(const char *command, const char *word)
{
	fprintf(stderr, "mercury: '%s' means nothing to %s; see mercury --help\n", word, command);
	return EXIT_USAGE;
}

enum exit_status exit_for(const struct mercury_problem *problem)
{
	switch (problem->number) {
	case ENOENT:
	case ENODEV:
	case EOPNOTSUPP:
		return EXIT_UNABLE;
	}
	return EXIT_FAILED;
}

void print_problem(const struct options *options, const struct mercury_problem *problem)
{
	struct json_object *object;

	if (!options->json) {
		fprintf(stderr, "mercury: %s\n", problem->what);
		if (*problem->next)
			fprintf(stderr, "mercury: next: %s\n", problem->next);
		return;
	}
	object = json_object_new_object();
	add_text(object, "error", problem->what);
	json_object_object_add(object, "errno", json_object_new_int(problem->number));
	add_text(object, "next", problem->next);
	fprintf(options->to, "%s\n",
		json_object_to_json_string_ext(object, JSON_C_TO_STRING_PRETTY));
	json_object_put(object);
}

/* Wherever it stands. */
static bool asks_for_help(int argc, char **argv)
{
	int i;

	for (i = 1; i < argc; i++)
		if (!strcmp(argv[i], "--help") || !strcmp(argv[i], "-h"))
			return true;
	return false;
}

static bool has_options(const char *name)
{
	unsigned int i;

	for (i = 0; i < nr_commands; i++)
		if (name && !strcmp(name, commands[i].name))
			return commands[i].has_options;
	return false;
}

/* Takes the options out of argv wherever they stand; false: there is one that is not known. */
static bool take_options(struct options *options, int *argc, char **argv)
{
	int from, to = 1;

	for (from = 1; from < *argc; from++) {
		if (!strcmp(argv[from], "--json")) {
			options->json = true;
		} else if (argv[from][0] == '-' && argv[from][1] && !has_options(argv[1])) {
			fprintf(stderr, "mercury: %s is no option; see mercury --help\n",
				argv[from]);
			return false;
		} else {
			argv[to++] = argv[from];
		}
	}
	argv[to] = NULL;
	*argc = to;
	return true;
}

enum exit_status flushed(enum exit_status status)
{
	static const struct options as_text;
	struct mercury_problem problem;

	errno = 0;
	if (!fflush(stdout) && !ferror(stdout))
		return status;
	mercury_problem(&problem, errno, "free some space, or see why what reads it ended",
			"writing the output: %s", errno ? strerror(errno) : "some of it is lost");
	print_problem(&as_text, &problem);
	return status ? status : EXIT_FAILED;
}

static enum exit_status run(int argc, char **argv)
{
	struct options options = { .to = stdout };
	unsigned int i;

	if (asks_for_help(argc, argv)) {
		usage(stdout);
		return EXIT_DONE;
	}
	if (argc > 1 && !strcmp(argv[1], "--version")) {
		printf("mercury %s\n", mercury_version());
		return EXIT_DONE;
	}
	if (!take_options(&options, &argc, argv))
		return EXIT_USAGE;
	if (argc < 2) {
		usage(stderr);
		return EXIT_USAGE;
	}
	for (i = 0; i < nr_commands; i++)
		if (!strcmp(argv[1], commands[i].name))
			return commands[i].run(&options, argc - 1, argv + 1);
	fprintf(stderr, "mercury: '%s' is no command; see mercury --help\n", argv[1]);
	return EXIT_USAGE;
}

/* Those that are closed, or a FILE would be one, and what is said go into it; writing to stdout stays an error. */
static void open_standard(void)
{
	int fd;

	for (fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
		if (fcntl(fd, F_GETFD) < 0)
			open("/dev/null", fd == STDERR_FILENO ? O_WRONLY : O_RDONLY);
}

int main(int argc, char **argv)
{
	open_standard();
	return flushed(run(argc, argv));
}
