// SPDX-License-Identifier: GPL-2.0-only
/* Reading /proc/mercury: a line for each fact, "key: value"; lines that are not known are left alone. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "files.h"
#include "problem.h"

static void copy(char *to, size_t size, const char *from)
{
	snprintf(to, size, "%s", from);
}

/* The entry for that CPU, made if it is new; NULL without memory. Lines of a CPU come together. */
static struct mercury_cpu_status *cpu_entry(struct mercury_status *s, unsigned int cpu)
{
	struct mercury_cpu_status *more;
	size_t i;

	for (i = 0; i < s->nr_cpus; i++)
		if (s->cpus[i].cpu == cpu)
			return &s->cpus[i];
	more = realloc(s->cpus, (s->nr_cpus + 1) * sizeof(*more));
	if (!more)
		return NULL;
	s->cpus = more;
	more[s->nr_cpus] = (struct mercury_cpu_status){ .cpu = cpu };
	return &more[s->nr_cpus++];
}

static bool add_reason(struct mercury_cpu_status *c, const char *name, size_t length,
		       uint64_t count)
{
	struct mercury_count *more = realloc(c->reasons, (c->nr_reasons + 1) * sizeof(*more)),
			     *last;

	if (!more)
		return false;
	c->reasons = more;
	last = &more[c->nr_reasons++];
	snprintf(last->name, sizeof(last->name), "%.*s", (int)length, name);
	last->count = count;
	c->exits += count;
	return true;
}

/* "CPUID 61, EPT VIOLATION 5": a name may have spaces; the number is the last word. */
static bool exits_line(struct mercury_cpu_status *c, const char *text)
{
	text += strspn(text, " ");
	while (*text) {
		size_t length = strcspn(text, ","), name = length;

		while (name && text[name - 1] != ' ')
			name--;
		if (name && !add_reason(c, text, name - 1, strtoull(text + name, NULL, 10)))
			return false;
		text += length + strspn(text + length, ", ");
	}
	return true;
}

static void events_line(struct mercury_cpu_status *c, const char *text)
{
	sscanf(text,
	       "NMIs in root %" SCNu64 ", machine checks %" SCNu64 ", dropped writes %" SCNu64
	       ", to native without a command %" SCNu64,
	       &c->nmis_in_root, &c->machine_checks, &c->dropped_writes, &c->forced);
}

/* "running, read 5 of 9 pages, kept 1 of 7, faults 2", "over, ..." or "none". */
static void snapshot_line(struct mercury_snapshot_progress *p, const char *text)
{
	p->is_taken = sscanf(text,
			     "%*[a-z], read %" SCNu64 " of %" SCNu64 " pages, kept %" SCNu64
			     " of %" SCNu64 ", faults %" SCNu64,
			     &p->read, &p->pages, &p->kept, &p->pool_pages, &p->faults) == 5;
	p->is_over = p->is_taken && !strncmp(text, "over,", 5);
}

/* "2 good, 1 full, 0 cancelled, 3 failed, last good, read 9 pages, faults 2, stopped last 5 max 6 ns" */
static void snapshots_line(struct mercury_snapshot_history *h, const char *text)
{
	sscanf(text,
	       "%" SCNu64 " good, %" SCNu64 " full, %" SCNu64 " cancelled, %" SCNu64
	       " failed, last %15[a-z], read %" SCNu64 " pages, faults %" SCNu64
	       ", stopped last %" SCNu64 " max %" SCNu64,
	       &h->good, &h->full, &h->cancelled, &h->failed, h->last, &h->read, &h->faults,
	       &h->stopped_last_ns, &h->stopped_max_ns);
}

/* False: there is no memory. */
static bool cpu_line(struct mercury_status *s, const char *key, const char *value)
{
	struct mercury_cpu_status *c;
	char kind[8] = "";
	unsigned int cpu;
	int end;

	if (sscanf(key, "cpu%u%n", &cpu, &end) != 1 &&
	    sscanf(key, "%7s cpu%u%n", kind, &cpu, &end) != 2)
		return true;
	if (key[end])
		return true;
	c = cpu_entry(s, cpu);
	if (!c)
		return false;
	if (!*kind)
		c->is_virtual = !strcmp(value, "virtual");
	else if (!strcmp(kind, "enter"))
		sscanf(value, "last %" SCNu64 " max %" SCNu64, &c->enter_last, &c->enter_max);
	else if (!strcmp(kind, "leave"))
		sscanf(value, "last %" SCNu64 " max %" SCNu64, &c->leave_last, &c->leave_max);
	else if (!strcmp(kind, "events"))
		events_line(c, value);
	else if (!strcmp(kind, "exits") || !strcmp(kind, "traps"))
		return exits_line(c, value);
	return true;
}

static bool line(struct mercury_status *s, const char *key, const char *value)
{
	if (!strcmp(key, "mode"))
		s->state = strcmp(value, "virtual") ? MERCURY_STATE_NATIVE : MERCURY_STATE_VIRTUAL;
	else if (!strcmp(key, "backend"))
		copy(s->backend, sizeof(s->backend), value);
	else if (!strcmp(key, "switches"))
		sscanf(value, "%" SCNu64 " to virtual, %" SCNu64 " to native", &s->to_virtual,
		       &s->to_native);
	else if (!strcmp(key, "memory"))
		sscanf(value, "used %" SCNu64 " KiB, allocated %" SCNu64 " KiB", &s->memory_used,
		       &s->memory_allocated);
	else if (!strcmp(key, "state check"))
		copy(s->state_check, sizeof(s->state_check), value);
	else if (!strcmp(key, "snapshot"))
		snapshot_line(&s->snapshot, value);
	else if (!strcmp(key, "snapshots"))
		snapshots_line(&s->snapshots, value);
	else if (!strcmp(key, "last error"))
		copy(s->last_error, sizeof(s->last_error), value);
	else
		return cpu_line(s, key, value);
	return true;
}

static bool parse(struct mercury_status *s, char *text)
{
	char *rest, *key;

	for (key = strtok_r(text, "\n", &rest); key; key = strtok_r(NULL, "\n", &rest)) {
		char *value = strstr(key, ": ");

		if (!value)
			continue;
		*value = 0;
		if (!line(s, key, value + 2))
			return false;
	}
	if (!strcmp(s->backend, "none"))
		s->state = MERCURY_STATE_UNABLE;
	return true;
}

int mercury_status_read(struct mercury_status *status, struct mercury_problem *problem)
{
	char *text = files_read(PROC_MERCURY);
	bool ok;

	*status = (struct mercury_status){ .state = MERCURY_STATE_ABSENT };
	if (!text) {
		if (errno == ENOENT)
			return 0;
		return mercury_problem(
			problem, errno,
			"see whether the kernel's own files can be read: cat /proc/version",
			"%s: %s", PROC_MERCURY, strerror(errno));
	}
	ok = parse(status, text);
	free(text);
	if (!ok) {
		mercury_status_free(status);
		return mercury_problem(problem, ENOMEM, "free some memory", "out of memory");
	}
	text = files_read(SYSCTL_STATUS);
	if (text) {
		text[strcspn(text, "\n")] = 0;
		copy(status->sentence, sizeof(status->sentence), text);
		free(text);
	}
	return 0;
}

void mercury_status_free(struct mercury_status *status)
{
	size_t i;

	for (i = 0; i < status->nr_cpus; i++)
		free(status->cpus[i].reasons);
	free(status->cpus);
	status->cpus = NULL;
	status->nr_cpus = 0;
}
