// SPDX-License-Identifier: GPL-2.0-only
/* mercury metrics: the status as text for Prometheus, as node_exporter's textfile directory takes it. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "command.h"
#include "output.h"

struct page {
	FILE *to;
	bool openmetrics; /* the stricter format: a counter's name there lacks _total but in its samples */
};

static void head(const struct page *p, const char *name, const char *type, const char *help)
{
	bool is_counter = !strcmp(type, "counter");
	const char *total = is_counter && !p->openmetrics ? "_total" : "";

	const char *unit = strrchr(name, '_');

	fprintf(p->to, "# HELP mercury_%s%s %s\n# TYPE mercury_%s%s %s\n", name, total, help, name,
		total, type);
	if (p->openmetrics && unit &&
	    (!strcmp(unit, "_bytes") || !strcmp(unit, "_seconds") || !strcmp(unit, "_cycles")))
		fprintf(p->to, "# UNIT mercury_%s %s\n", name, unit + 1);
}

static void gauge(const struct page *p, const char *name, const char *help, uint64_t value)
{
	head(p, name, "gauge", help);
	fprintf(p->to, "mercury_%s %" PRIu64 "\n", name, value);
}

/* What each CPU has one number of. */
static const struct {
	const char *name, *type, *help;
	size_t offset;
} of_cpu[] = {
#define CPU(name, type, field, help)                                                               \
	{                                                                                          \
		name, type, help, offsetof(struct mercury_cpu_status, field)                       \
	}
	CPU("enter_last_cycles", "gauge", enter_last, "TSC cycles of the last switch to virtual."),
	CPU("enter_max_cycles", "gauge", enter_max, "TSC cycles of the longest switch to virtual."),
	CPU("leave_last_cycles", "gauge", leave_last, "TSC cycles of the last switch to native."),
	CPU("leave_max_cycles", "gauge", leave_max, "TSC cycles of the longest switch to native."),
	CPU("nmis_in_root", "counter", nmis_in_root, "NMIs that came while the VMM ran."),
	CPU("machine_checks", "counter", machine_checks, "Machine checks while the VMM ran."),
	CPU("dropped_writes", "counter", dropped_writes, "Writes of Linux's to hidden memory."),
	CPU("forced_native", "counter", forced, "Times a CPU went native without a command."),
#undef CPU
};

static void cpu_numbers(const struct page *p, const struct mercury_status *s)
{
	size_t i, j;

	for (i = 0; i < sizeof(of_cpu) / sizeof(of_cpu[0]); i++) {
		const char *total = strcmp(of_cpu[i].type, "counter") ? "" : "_total";

		head(p, of_cpu[i].name, of_cpu[i].type, of_cpu[i].help);
		for (j = 0; j < s->nr_cpus; j++) {
			uint64_t value;

			memcpy(&value, (const char *)&s->cpus[j] + of_cpu[i].offset, sizeof(value));
			fprintf(p->to, "mercury_%s%s{cpu=\"%u\"} %" PRIu64 "\n", of_cpu[i].name,
				total, s->cpus[j].cpu, value);
		}
	}
}

static void cpus(const struct page *p, const struct mercury_status *s)
{
	size_t i, j;

	head(p, "cpu_virtual", "gauge", "1 while this CPU is virtual.");
	for (i = 0; i < s->nr_cpus; i++)
		fprintf(p->to, "mercury_cpu_virtual{cpu=\"%u\"} %d\n", s->cpus[i].cpu,
			s->cpus[i].is_virtual);
	head(p, "exits", "counter", "VM exits by reason; in ring 1, traps by kind.");
	for (i = 0; i < s->nr_cpus; i++)
		for (j = 0; j < s->cpus[i].nr_reasons; j++)
			fprintf(p->to,
				"mercury_exits_total{cpu=\"%u\",reason=\"%s\"} %" PRIu64 "\n",
				s->cpus[i].cpu, s->cpus[i].reasons[j].name,
				s->cpus[i].reasons[j].count);
	cpu_numbers(p, s);
}

/* --- Snapshots ------------------------------------------------------------------------------------ */

#define PAGE 4096

static void counter(const struct page *p, const char *name, const char *help, uint64_t value)
{
	head(p, name, "counter", help);
	fprintf(p->to, "mercury_%s_total %" PRIu64 "\n", name, value);
}

/* In units of a thousand millionth, as the base unit that metrics are to have. */
static void seconds(const struct page *p, const char *name, const char *help, uint64_t ns)
{
	head(p, name, "gauge", help);
	fprintf(p->to, "mercury_%s %" PRIu64 ".%09" PRIu64 "\n", name, ns / 1000000000,
		ns % 1000000000);
}

/* How many ended in each way; and which way the last one did. */
static void ends(const struct page *p, const struct mercury_snapshot_history *h)
{
	const struct {
		const char *name;
		uint64_t count;
	} results[] = { { "good", h->good },
			{ "full", h->full },
			{ "cancelled", h->cancelled },
			{ "failed", h->failed } };
	const size_t n = sizeof(results) / sizeof(results[0]);
	size_t i;

	head(p, "snapshots", "counter", "Snapshots of memory that are over, by how they ended.");
	for (i = 0; i < n; i++)
		fprintf(p->to, "mercury_snapshots_total{result=\"%s\"} %" PRIu64 "\n",
			results[i].name, results[i].count);
	head(p, "snapshot_last_result", "gauge", "1 for the way in which the last one ended.");
	for (i = 0; i < n; i++)
		fprintf(p->to, "mercury_snapshot_last_result{result=\"%s\"} %d\n", results[i].name,
			!strcmp(h->last, results[i].name));
}

/* Of the one that is being taken gauges, zero while there is none; counters are of all. */
static void snapshots(const struct page *p, const struct mercury_status *s)
{
	const struct mercury_snapshot_progress *now = &s->snapshot;
	const struct mercury_snapshot_history *h = &s->snapshots;

	gauge(p, "snapshot_frozen", "1 while a snapshot holds memory as it was at one instant.",
	      now->is_taken && !now->is_over);
	gauge(p, "snapshot_size_bytes", "Memory that the snapshot being taken can read.",
	      now->pages * PAGE);
	gauge(p, "snapshot_done_bytes", "Memory of it that its reader has read.", now->read * PAGE);
	gauge(p, "snapshot_kept_bytes", "Old contents that are kept for it.", now->kept * PAGE);
	gauge(p, "snapshot_pool_bytes", "Memory that is set aside for them.",
	      now->pool_pages * PAGE);
	counter(p, "snapshot_read_bytes", "Memory that readers of snapshots have read.",
		(h->read + now->read) * PAGE);
	counter(p, "snapshot_first_writes", "Writes that found a page of a snapshot protected.",
		h->faults + now->faults);
	ends(p, h);
	seconds(p, "snapshot_stopped_last_seconds",
		"How long a CPU stood still for the last snapshot, the longest of all.",
		h->stopped_last_ns);
	seconds(p, "snapshot_stopped_max_seconds", "The same of all snapshots.", h->stopped_max_ns);
}

/* --- Together ------------------------------------------------------------------------------------- */

static void print(const struct page *p, const struct mercury_status *s)
{
	gauge(p, "loaded", "1 if the module is loaded.", s->state != MERCURY_STATE_ABSENT);
	if (s->state != MERCURY_STATE_ABSENT) {
		head(p, "backend_info", "gauge", "How Linux runs virtual on this machine.");
		fprintf(p->to, "mercury_backend_info{backend=\"%s\"} 1\n", s->backend);
		gauge(p, "usable", "1 if this machine can go virtual.",
		      s->state != MERCURY_STATE_UNABLE);
		gauge(p, "virtual", "1 while Linux runs virtual.",
		      s->state == MERCURY_STATE_VIRTUAL);
		head(p, "switches", "counter", "Switches of the machine, by the mode entered.");
		fprintf(p->to,
			"mercury_switches_total{to=\"virtual\"} %" PRIu64
			"\nmercury_switches_total{to=\"native\"} %" PRIu64 "\n",
			s->to_virtual, s->to_native);
		gauge(p, "memory_used_bytes", "Memory that the VMM uses.", s->memory_used << 10);
		gauge(p, "memory_allocated_bytes", "Memory that is set aside for it.",
		      s->memory_allocated << 10);
		if (s->nr_cpus) {
			cpus(p, s);
			snapshots(p, s);
		}
	}
	if (p->openmetrics)
		fputs("# EOF\n", p->to);
}

/* For node_exporter, which is not root, whatever the umask of who runs this. */
static int print_to_file(struct page *p, const struct mercury_status *s, const char *path,
			 struct mercury_problem *problem)
{
	struct output o;

	if (output_open(&o, path, problem))
		return 1;
	p->to = o.to;
	print(p, s);
	return output_close(&o, 0644, 0, problem);
}

enum exit_status command_metrics(const struct options *options, int argc, char **argv)
{
	struct page page = { .to = stdout };
	struct mercury_problem problem;
	struct mercury_status status;
	const char *path = NULL;
	int failed = 0, i;

	if (options->json) {
		fputs("mercury: metrics is a format already; see mercury status --json\n", stderr);
		return EXIT_USAGE;
	}
	for (i = 1; i < argc; i++) {
		if (!strcmp(argv[i], "--openmetrics"))
			page.openmetrics = true;
		else if ((argv[i][0] == '-' && argv[i][1]) || path)
			return wrong_word("metrics", argv[i]);
		else
			path = argv[i];
	}
	if (mercury_status_read(&status, &problem)) {
		print_problem(options, &problem);
		return EXIT_FAILED;
	}
	if (path && strcmp(path, "-"))
		failed = print_to_file(&page, &status, path, &problem);
	else
		print(&page, &status);
	mercury_status_free(&status);
	if (failed)
		print_problem(options, &problem);
	return failed ? EXIT_FAILED : EXIT_DONE;
}
