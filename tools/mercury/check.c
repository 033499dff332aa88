// SPDX-License-Identifier: GPL-2.0-only
/* mercury check. */
#include <stdio.h>
#include <string.h>

#include "command.h"
#include "json.h"

static const char *const verdicts[] = { "ok", "unknown", "no" };

static bool is_ring1(const struct mercury_finding *finding)
{
	return !strcmp(finding->name, "ring-1");
}

static void print_finding(const struct mercury_finding *finding, void *data)
{
	bool *by_ring1 = data;

	*by_ring1 |= is_ring1(finding);
	printf("%-7s  %-9s %s\n", verdicts[finding->verdict], finding->name, finding->sentence);
	if (*finding->next)
		printf("%-7s  %-9s next: %s\n", "", "", finding->next);
}

/* What is made of the findings. */
struct listing {
	struct json_object *array;
	bool by_ring1;
};

static void add_finding(const struct mercury_finding *finding, void *data)
{
	struct json_object *object = json_object_new_object();
	struct listing *listing = data;

	listing->by_ring1 |= is_ring1(finding);
	add_text(object, "name", finding->name);
	add_text(object, "verdict", verdicts[finding->verdict]);
	add_text(object, "what", finding->sentence);
	add_text(object, "next", finding->next);
	json_object_array_add(listing->array, object);
}

static int check_as_json(void)
{
	struct json_object *object = json_object_new_object();
	struct listing listing = { .array = json_object_new_array() };
	int verdict = mercury_check(add_finding, &listing);

	add_text(object, "verdict", verdicts[verdict]);
	json_object_object_add(object, "backend",
			       verdict == MERCURY_BAD ?
				       NULL :
				       json_object_new_string(listing.by_ring1 ? "ring1" : "vmx"));
	json_object_object_add(object, "findings", listing.array);
	puts(json_object_to_json_string_ext(object, JSON_C_TO_STRING_PRETTY));
	json_object_put(object);
	return verdict;
}

static int check_as_text(void)
{
	static const char *const conclusions[][2] = {
		{ "This machine can go virtual, by VT-x.",
		  "This machine can go virtual, in ring 1." },
		{ "Nothing speaks against VT-x, but not all could be looked at.",
		  "Nothing speaks against ring 1, but not all could be looked at." },
		{ "This machine cannot go virtual as it is.",
		  "This machine cannot go virtual as it is." },
	};
	bool by_ring1 = false;
	int verdict = mercury_check(print_finding, &by_ring1);

	printf("\n%s\n", conclusions[verdict][by_ring1]);
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
