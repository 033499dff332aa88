// SPDX-License-Identifier: GPL-2.0-only
/* mercury check. */
#include <json-c/json.h>
#include <stdio.h>

#include "command.h"

static const char *const verdicts[] = { "ok", "unknown", "no" };

static void print_finding(const struct mercury_finding *finding, void *unused)
{
	(void)unused;
	printf("%-7s  %-9s %s\n", verdicts[finding->verdict], finding->name, finding->sentence);
	if (*finding->next)
		printf("%-7s  %-9s next: %s\n", "", "", finding->next);
}

static void add_finding(const struct mercury_finding *finding, void *array)
{
	struct json_object *object = json_object_new_object();

	json_object_object_add(object, "name", json_object_new_string(finding->name));
	json_object_object_add(object, "verdict",
			       json_object_new_string(verdicts[finding->verdict]));
	json_object_object_add(object, "what", json_object_new_string(finding->sentence));
	json_object_object_add(object, "next", json_object_new_string(finding->next));
	json_object_array_add(array, object);
}

static int check_as_json(void)
{
	struct json_object *object = json_object_new_object(), *array = json_object_new_array();
	int verdict = mercury_check(add_finding, array);

	json_object_object_add(object, "verdict", json_object_new_string(verdicts[verdict]));
	json_object_object_add(object, "findings", array);
	puts(json_object_to_json_string_ext(object, JSON_C_TO_STRING_PRETTY));
	json_object_put(object);
	return verdict;
}

static int check_as_text(void)
{
	static const char *const conclusions[] = {
		"This machine can go virtual.",
		"Nothing speaks against it, but not all could be looked at.",
		"This machine cannot go virtual as it is.",
	};
	int verdict = mercury_check(print_finding, NULL);

	printf("\n%s\n", conclusions[verdict]);
	return verdict;
}

enum exit_status command_check(const struct options *options, int argc, char **argv)
{
	enum exit_status wrong = no_arguments(argc, argv);

	if (wrong)
		return wrong;
	return (options->json ? check_as_json() : check_as_text()) == MERCURY_BAD ? EXIT_UNABLE :
										    EXIT_DONE;
}
