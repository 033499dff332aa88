// SPDX-License-Identifier: GPL-2.0-only
/* mercury state. */
#include <inttypes.h>
#include <stdio.h>

#include "command.h"
#include "json.h"

static const char *kind(const struct mercury_item *item)
{
	return item->is_machine ? "machine" : "task";
}

static void print_item(const struct mercury_item *item, void *unused)
{
	(void)unused;
	printf("%4u  %-7s  %-20s %016" PRIx64 "\n", item->cpu, kind(item), item->name, item->value);
}

static void add_item(const struct mercury_item *item, void *array)
{
	struct json_object *object = json_object_new_object();
	char hex[2 + 16 + 1];

	snprintf(hex, sizeof(hex), "0x%016" PRIx64, item->value);
	json_object_object_add(object, "cpu", json_object_new_int((int)item->cpu));
	add_text(object, "of", kind(item));
	add_text(object, "name", item->name);
	add_number(object, "value", item->value);
	/* Not all that read JSON know integers above 2^53. */
	add_text(object, "hex", hex);
	json_object_array_add(array, object);
}

/* What comparing has found, first; 0 or -1. */
static int read_all(const struct options *options, struct json_object *object,
		    struct mercury_problem *problem)
{
	struct json_object *array = json_object_new_array();
	struct mercury_status status;

	json_object_object_add(object, "items", array);
	if (mercury_status_read(&status, problem))
		return -1;
	add_text(object, "check", status.state_check);
	if (!options->json && *status.state_check)
		printf("check     %s\n\n", status.state_check);
	mercury_status_free(&status);
	return mercury_state_read(options->json ? add_item : print_item, array, problem);
}

enum exit_status command_state(const struct options *options, int argc, char **argv)
{
	enum exit_status wrong = no_arguments(argc, argv);
	struct mercury_problem problem;
	struct json_object *object;
	int failed;

	if (wrong)
		return wrong;
	object = json_object_new_object();
	failed = read_all(options, object, &problem);
	if (failed)
		print_problem(options, &problem);
	else if (options->json)
		puts(json_object_to_json_string_ext(object, JSON_C_TO_STRING_PRETTY));
	json_object_put(object);
	if (!failed)
		return EXIT_DONE;
	return exit_for(&problem);
}
