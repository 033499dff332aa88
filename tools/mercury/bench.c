// SPDX-License-Identifier: GPL-2.0-only
/* mercury bench: what a switch costs on this machine, over many of them. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "command.h"
#include "json.h"
#include "problem.h"

#define ROUNDS_MAX 1000000

/* What every CPU's switches in one direction took, in TSC cycles. */
struct costs {
	const char *name;
	uint64_t *cycles;
	size_t n, room;
};

static bool note(struct costs *c, uint64_t cycles)
{
	if (c->n == c->room) {
		size_t room = c->room ? 2 * c->room : 1024;
		uint64_t *more = realloc(c->cycles, room * sizeof(*more));

		if (!more)
			return false;
		c->cycles = more;
		c->room = room;
	}
	c->cycles[c->n++] = cycles;
	return true;
}

/* To that mode, and what it took each CPU. 0, or -1 with `problem`. */
static int go(bool is_virtual, struct costs *costs, struct mercury_problem *problem)
{
	struct mercury_status s;
	bool noted = true;
	size_t i;

	if (mercury_set_virtual(is_virtual, problem) || mercury_status_read(&s, problem))
		return -1;
	for (i = 0; i < s.nr_cpus && noted; i++)
		noted = note(costs, is_virtual ? s.cpus[i].enter_last : s.cpus[i].leave_last);
	mercury_status_free(&s);
	if (noted)
		return 0;
	return mercury_problem(problem, ENOMEM, "free some memory, or give fewer --rounds",
			       "out of memory");
}

/* --- The report ----------------------------------------------------------------------------------- */

static int ascending(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

static uint64_t part(const struct costs *c, size_t percent)
{
	return c->n ? c->cycles[(c->n - 1) * percent / 100] : 0;
}

static void print_text(const struct costs *c)
{
	printf("%-10s %8zu %10" PRIu64 " %10" PRIu64 " %10" PRIu64 " %10" PRIu64 "\n", c->name,
	       c->n, part(c, 0), part(c, 50), part(c, 99), part(c, 100));
}

static struct json_object *json_of(const struct costs *c)
{
	static const struct {
		const char *key;
		size_t percent;
	} parts[] = { { "min", 0 }, { "median", 50 }, { "p99", 99 }, { "max", 100 } };
	struct json_object *object = json_object_new_object();
	size_t i;

	add_number(object, "samples", c->n);
	for (i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
		json_object_object_add(object, parts[i].key,
				       json_object_new_uint64(part(c, parts[i].percent)));
	return object;
}

static void report(const struct options *options, struct costs costs[2])
{
	int i;

	for (i = 0; i < 2; i++)
		if (costs[i].n)
			qsort(costs[i].cycles, costs[i].n, sizeof(*costs[i].cycles), ascending);
	if (options->json) {
		struct json_object *object = json_object_new_object();

		for (i = 0; i < 2; i++)
			json_object_object_add(object, costs[i].name, json_of(&costs[i]));
		puts(json_object_to_json_string_ext(object, JSON_C_TO_STRING_PRETTY));
		json_object_put(object);
		return;
	}
	printf("%-10s %8s %10s %10s %10s %10s   TSC cycles, interrupts off\n", "switch to",
	       "samples", "min", "median", "99 %", "max");
	print_text(&costs[0]);
	print_text(&costs[1]);
}

/* --- Together ------------------------------------------------------------------------------------- */

static int parse(int argc, char **argv, unsigned long *rounds)
{
	char *end;

	if (argc == 1)
		return 0;
	if (strcmp(argv[1], "--rounds") || argc > 3) {
		wrong_word("bench", argv[argc == 2 ? 1 : argc - 1]);
		return -1;
	}
	*rounds = argc == 3 ? strtoul(argv[2], &end, 10) : 0;
	if (*rounds && !*end && *rounds <= ROUNDS_MAX)
		return 0;
	fprintf(stderr, "mercury: --rounds takes a number from 1 to %d; see mercury --help\n",
		ROUNDS_MAX);
	return -1;
}

/* What is wanted, and what it costs to get virtual and to get native. */
struct bench {
	unsigned long rounds;
	struct costs costs[2];
};

/* Native first, then to and fro. */
static int run(void *argument, struct mercury_problem *problem)
{
	struct bench *b = argument;
	unsigned long i;
	int error = mercury_set_virtual(false, problem);

	for (i = 0; !error && !stopped && i < b->rounds; i++)
		error = go(true, &b->costs[0], problem) || go(false, &b->costs[1], problem) ? -1 :
											      0;
	/* The signal may have come while another command had its turn. */
	return stopped && error && problem->number == EINTR ? 0 : error;
}

enum exit_status command_bench(const struct options *options, int argc, char **argv)
{
	struct bench b = { 100, { { .name = "virtual" }, { .name = "native" } } };
	struct mercury_problem problem;
	int error;

	if (parse(argc, argv, &b.rounds))
		return EXIT_USAGE;
	error = keep_mode(run, &b, &problem);
	if (error)
		print_problem(options, &problem);
	else
		report(options, b.costs);
	free(b.costs[0].cycles);
	free(b.costs[1].cycles);
	return error ? exit_for(&problem) : EXIT_DONE;
}
