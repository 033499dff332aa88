// SPDX-License-Identifier: GPL-2.0-only
/* mercury virtual, mercury native. */
#include <errno.h>
#include <json-c/json.h>
#include <stdio.h>

#include "command.h"

static enum exit_status set(const struct options *options, bool is_virtual)
{
	const char *mode = is_virtual ? "virtual" : "native";
	struct mercury_problem problem;
	struct json_object *object;

	if (mercury_set_virtual(is_virtual, &problem)) {
		print_problem(options, &problem);
		return problem.number == ENOENT || problem.number == ENODEV ? EXIT_UNABLE :
									      EXIT_FAILED;
	}
	if (!options->json) {
		printf("%s\n", mode);
		return EXIT_DONE;
	}
	object = json_object_new_object();
	json_object_object_add(object, "mode", json_object_new_string(mode));
	puts(json_object_to_json_string_ext(object, JSON_C_TO_STRING_PRETTY));
	json_object_put(object);
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
