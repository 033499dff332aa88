// SPDX-License-Identifier: GPL-2.0-only
/* mercury status. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "command.h"
#include "json.h"

static const char *state_name(enum mercury_state state)
{
	static const char *const names[] = {
		[MERCURY_STATE_ABSENT] = "not loaded",
		[MERCURY_STATE_UNABLE] = "no backend",
		[MERCURY_STATE_NATIVE] = "native",
		[MERCURY_STATE_VIRTUAL] = "virtual",
	};

	return names[state];
}

static void print_text(const struct mercury_status *s)
{
	size_t i;

	printf("mode      %s\n", state_name(s->state));
	if (s->state == MERCURY_STATE_ABSENT)
		return;
	printf("backend   %s\nstatus    %s\n", s->backend, s->sentence);
	printf("switches  %" PRIu64 " to virtual, %" PRIu64 " to native\n", s->to_virtual,
	       s->to_native);
	if (s->memory_allocated)
		printf("memory    %" PRIu64 " KiB used, %" PRIu64 " KiB allocated\n",
		       s->memory_used, s->memory_allocated);
	if (s->snapshot.is_taken)
		printf("snapshot  %s, read %" PRIu64 " of %" PRIu64 " pages, kept %" PRIu64
		       " of %" PRIu64 ", faults %" PRIu64 "\n",
		       s->snapshot.is_over ? "over" : "running", s->snapshot.read,
		       s->snapshot.pages, s->snapshot.kept, s->snapshot.pool_pages,
		       s->snapshot.faults);
	if (*s->snapshots.last && strcmp(s->snapshots.last, "none"))
		printf("snapshots last %s; %" PRIu64 " good, %" PRIu64 " full, %" PRIu64
		       " cancelled, %" PRIu64 " failed\n",
		       s->snapshots.last, s->snapshots.good, s->snapshots.full,
		       s->snapshots.cancelled, s->snapshots.failed);
	printf("error     %s\n", s->last_error);
	if (!s->nr_cpus)
		return;
	printf("\n%4s  %-8s %20s %20s %12s\n", "CPU", "mode", "enter, cycles", "leave, cycles",
	       "VM exits");
	printf("%4s  %-8s %10s %9s %10s %9s\n", "", "", "last", "max", "last", "max");
	for (i = 0; i < s->nr_cpus; i++) {
		const struct mercury_cpu_status *c = &s->cpus[i];

		printf("%4u  %-8s %10" PRIu64 " %9" PRIu64 " %10" PRIu64 " %9" PRIu64 " %12" PRIu64
		       "\n",
		       c->cpu, c->is_virtual ? "virtual" : "native", c->enter_last, c->enter_max,
		       c->leave_last, c->leave_max, c->exits);
	}
}

static struct json_object *json_of_cpu(const struct mercury_cpu_status *c)
{
	struct json_object *object = json_object_new_object();

	add_number(object, "cpu", c->cpu);
	add_text(object, "mode", c->is_virtual ? "virtual" : "native");
	add_number(object, "enter_last_cycles", c->enter_last);
	add_number(object, "enter_max_cycles", c->enter_max);
	add_number(object, "leave_last_cycles", c->leave_last);
	add_number(object, "leave_max_cycles", c->leave_max);
	add_number(object, "exits", c->exits);
	return object;
}

/* Null while none is taken. */
static struct json_object *json_of_snapshot(const struct mercury_snapshot_progress *p)
{
	struct json_object *object;

	if (!p->is_taken)
		return NULL;
	object = json_object_new_object();
	add_text(object, "state", p->is_over ? "over" : "running");
	add_number(object, "pages_read", p->read);
	add_number(object, "pages", p->pages);
	add_number(object, "pages_kept", p->kept);
	add_number(object, "pool_pages", p->pool_pages);
	add_number(object, "faults", p->faults);
	return object;
}

/* Those that are over. */
static struct json_object *json_of_snapshots(const struct mercury_snapshot_history *h)
{
	struct json_object *object = json_object_new_object();

	add_text(object, "last", h->last);
	add_number(object, "good", h->good);
	add_number(object, "full", h->full);
	add_number(object, "cancelled", h->cancelled);
	add_number(object, "failed", h->failed);
	add_number(object, "pages_read", h->read);
	add_number(object, "faults", h->faults);
	add_number(object, "stopped_last_ns", h->stopped_last_ns);
	add_number(object, "stopped_max_ns", h->stopped_max_ns);
	return object;
}

static void print_json(const struct mercury_status *s)
{
	struct json_object *object = json_object_new_object(), *cpus = json_object_new_array();
	size_t i;

	add_text(object, "mode", state_name(s->state));
	add_text(object, "backend", s->backend);
	add_text(object, "status", s->sentence);
	add_number(object, "to_virtual", s->to_virtual);
	add_number(object, "to_native", s->to_native);
	add_number(object, "memory_used_kib", s->memory_used);
	add_number(object, "memory_allocated_kib", s->memory_allocated);
	add_text(object, "last_error", s->last_error);
	json_object_object_add(object, "snapshot", json_of_snapshot(&s->snapshot));
	json_object_object_add(object, "snapshots", json_of_snapshots(&s->snapshots));
	for (i = 0; i < s->nr_cpus; i++)
		json_object_array_add(cpus, json_of_cpu(&s->cpus[i]));
	json_object_object_add(object, "cpus", cpus);
	puts(json_object_to_json_string_ext(object, JSON_C_TO_STRING_PRETTY));
	json_object_put(object);
}

enum exit_status command_status(const struct options *options, int argc, char **argv)
{
	enum exit_status wrong = no_arguments(argc, argv);
	struct mercury_problem problem;
	struct mercury_status status;
	bool able;

	if (wrong)
		return wrong;
	if (mercury_status_read(&status, &problem)) {
		print_problem(options, &problem);
		return EXIT_FAILED;
	}
	(options->json ? print_json : print_text)(&status);
	able = status.state == MERCURY_STATE_NATIVE || status.state == MERCURY_STATE_VIRTUAL;
	mercury_status_free(&status);
	return able ? EXIT_DONE : EXIT_UNABLE;
}
