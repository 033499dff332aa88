// SPDX-License-Identifier: GPL-2.0-only
/* mercury log. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "command.h"
#include "json.h"

/* Errors red, warnings yellow; only where somebody looks, and lets us. */
static const char *colour(unsigned int level)
{
	static int wanted = -1;

	if (wanted < 0)
		wanted = isatty(STDOUT_FILENO) && !getenv("NO_COLOR");
	if (!wanted || level > 4)
		return "";
	return level == 4 ? "\033[33m" : "\033[31m";
}

/* Each line is to be seen at once; where nothing more can be written there is nothing more to follow. */
static void written(void)
{
	if (flushed(EXIT_DONE))
		exit(EXIT_FAILED);
}

static void print_text(const struct mercury_log_line *line, void *unused)
{
	const char *start = colour(line->level);

	(void)unused;
	printf("%s[%5" PRIu64 ".%06" PRIu64 "] %s%s\n", start, line->microseconds / 1000000,
	       line->microseconds % 1000000, line->text, *start ? "\033[m" : "");
	written();
}

/* An object for each line: the log may go on for ever. */
static void print_json(const struct mercury_log_line *line, void *unused)
{
	struct json_object *object = json_object_new_object();

	(void)unused;
	json_object_object_add(object, "level", json_object_new_int((int)line->level));
	add_number(object, "microseconds", line->microseconds);
	add_text(object, "text", line->text);
	puts(json_object_to_json_string_ext(object, JSON_C_TO_STRING_PLAIN));
	json_object_put(object);
	written();
}

enum exit_status command_log(const struct options *options, int argc, char **argv)
{
	struct mercury_problem problem;
	bool follow = false;
	int i;

	for (i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--follow"))
			return wrong_word("log", argv[i]);
		follow = true;
	}
	if (!mercury_log_read(follow, options->json ? print_json : print_text, NULL, &problem))
		return EXIT_DONE;
	print_problem(options, &problem);
	return EXIT_FAILED;
}
