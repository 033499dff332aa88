// SPDX-License-Identifier: GPL-2.0-only
/* mercury virtual, mercury native, mercury wait. */
#include <stdio.h>
#include <string.h>

#include "command.h"
#include "json.h"
#include "problem.h"

static void print_mode_as_json(const char *mode)
{
	struct json_object *object = json_object_new_object();

	add_text(object, "mode", mode);
	puts(json_object_to_json_string_ext(object, JSON_C_TO_STRING_PRETTY));
	json_object_put(object);
}

static enum exit_status set(const struct options *options, bool is_virtual)
{
	const char *mode = is_virtual ? "virtual" : "native";
	struct mercury_problem problem;

	if (mercury_set_virtual(is_virtual, &problem)) {
		print_problem(options, &problem);
		return exit_for(&problem);
	}
	if (options->json)
		print_mode_as_json(mode);
	else
		puts(mode);
	return EXIT_DONE;
}

enum exit_status command_virtual(const struct options *options, int argc, char **argv)
{
	enum exit_status status = no_arguments(argc, argv);

	return status ? status : set(options, true);
}

enum exit_status command_native(const struct options *options, int argc, char **argv)
{
	enum exit_status status = no_arguments(argc, argv);

	return status ? status : set(options, false);
}

int keep_mode(int (*work)(void *argument, struct mercury_problem *problem), void *argument,
	      struct mercury_problem *problem)
{
	struct mercury_status before;
	bool was_virtual;

	if (mercury_status_read(&before, problem))
		return -1;
	was_virtual = before.state == MERCURY_STATE_VIRTUAL;
	mercury_status_free(&before);
	stop_on_signals();
	return mercury_bring_back(was_virtual, work(argument, problem), problem);
}

enum exit_status command_wait(const struct options *options, int argc, char **argv)
{
	struct mercury_problem problem;

	if (argc != 2 || (strcmp(argv[1], "virtual") && strcmp(argv[1], "native"))) {
		fputs("mercury: wait takes native or virtual; see mercury --help\n", stderr);
		return EXIT_USAGE;
	}
	if (mercury_wait(!strcmp(argv[1], "virtual"), &problem)) {
		print_problem(options, &problem);
		return exit_for(&problem);
	}
	if (options->json)
		print_mode_as_json(argv[1]);
	return EXIT_DONE;
}
