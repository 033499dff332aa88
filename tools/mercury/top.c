// SPDX-License-Identifier: GPL-2.0-only
/* mercury top: the status, live; what happens in a second, by reason and by CPU. */
#include <curses.h>
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <term.h>
#include <time.h>
#include <unistd.h>

#include "command.h"

#define MAX_REASONS 64

/* What is shown, and what was shown before. */
struct view {
	struct mercury_status now, before;
	double seconds; /* between the two; 0 at first                                            */
};

static double clock_seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* How often in a second. A module that was loaded anew counts from 0: then it is not known. */
static double rate(const struct view *v, uint64_t now, uint64_t before)
{
	return v->seconds > 0 && now >= before ? (double)(now - before) / v->seconds : 0;
}

static const struct mercury_cpu_status *cpu_before(const struct view *v, unsigned int cpu)
{
	static const struct mercury_cpu_status nothing;
	size_t i;

	for (i = 0; i < v->before.nr_cpus; i++)
		if (v->before.cpus[i].cpu == cpu)
			return &v->before.cpus[i];
	return &nothing;
}

/* The next line, as much of it as the window is wide; what is below the window is left out. */
static int next_line;

static void __attribute__((format(printf, 1, 2))) line(const char *format, ...)
{
	char text[512];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	mvaddnstr(next_line++, 0, text, COLS);
}

/* --- By reason, all CPUs together ----------------------------------------------------------------- */

static void add(struct mercury_count *sums, size_t *n, const struct mercury_count *one)
{
	size_t i;

	for (i = 0; i < *n; i++)
		if (!strcmp(sums[i].name, one->name))
			break;
	if (i == MAX_REASONS)
		return;
	if (i == *n) {
		sums[i] = *one;
		++*n;
	} else {
		sums[i].count += one->count;
	}
}

static size_t sum_up(const struct mercury_status *s, struct mercury_count *sums)
{
	size_t n = 0, i, j;

	for (i = 0; i < s->nr_cpus; i++)
		for (j = 0; j < s->cpus[i].nr_reasons; j++)
			add(sums, &n, &s->cpus[i].reasons[j]);
	return n;
}

static int larger_first(const void *a, const void *b)
{
	const struct mercury_count *x = a, *y = b;

	return x->count < y->count ? 1 : x->count > y->count ? -1 : strcmp(x->name, y->name);
}

static void show_reasons(const struct view *v)
{
	struct mercury_count now[MAX_REASONS], before[MAX_REASONS];
	size_t n = sum_up(&v->now, now), m = sum_up(&v->before, before), i, j;

	qsort(now, n, sizeof(*now), larger_first);
	next_line++;
	line("%-24s %14s %10s", "REASON", "all", "per s");
	for (i = 0; i < n; i++) {
		uint64_t old = 0;

		for (j = 0; j < m; j++)
			if (!strcmp(before[j].name, now[i].name))
				old = before[j].count;
		line("%-24s %14" PRIu64 " %10.1f", now[i].name, now[i].count,
		     rate(v, now[i].count, old));
	}
}

/* --- By CPU --------------------------------------------------------------------------------------- */

static void show_cpus(const struct view *v)
{
	size_t i;

	next_line++;
	line("%4s  %-8s %10s %12s %12s %8s %8s", "CPU", "mode", "exits/s", "enter, cyc.",
	     "leave, cyc.", "NMIs", "forced");
	for (i = 0; i < v->now.nr_cpus; i++) {
		const struct mercury_cpu_status *c = &v->now.cpus[i];

		line("%4u  %-8s %10.1f %12" PRIu64 " %12" PRIu64 " %8" PRIu64 " %8" PRIu64, c->cpu,
		     c->is_virtual ? "virtual" : "native",
		     rate(v, c->exits, cpu_before(v, c->cpu)->exits), c->enter_last, c->leave_last,
		     c->nmis_in_root, c->forced);
	}
}

/* --- A snapshot ----------------------------------------------------------------------------------- */

static double share(uint64_t part, uint64_t whole)
{
	return whole ? 100.0 * (double)part / (double)whole : 0;
}

static void show_snapshot(const struct view *v)
{
	const struct mercury_snapshot_progress *p = &v->now.snapshot, *old = &v->before.snapshot;
	const struct mercury_snapshot_history *h = &v->now.snapshots;

	if (!p->is_taken && (!*h->last || !strcmp(h->last, "none"))) {
		line("snapshot none");
		return;
	}
	if (!p->is_taken) {
		line("snapshot none; the last one %s, %" PRIu64 " good, %" PRIu64 " full, %" PRIu64
		     " cancelled, %" PRIu64 " failed",
		     h->last, h->good, h->full, h->cancelled, h->failed);
		return;
	}
	line("snapshot %s, read %" PRIu64 " of %" PRIu64 " MiB (%.0f %%)",
	     p->is_over ? "over" : "running", p->read >> 8, p->pages >> 8,
	     share(p->read, p->pages));
	line("         kept %" PRIu64 " pages (%.0f %% of the pool), faults %" PRIu64
	     " (%.1f per s)",
	     p->kept, share(p->kept, p->pool_pages), p->faults,
	     rate(v, p->faults, old->is_taken ? old->faults : p->faults));
}

static void show(const struct view *v)
{
	const struct mercury_status *s = &v->now;

	erase();
	next_line = 0;
	if (s->state == MERCURY_STATE_ABSENT) {
		line("The module is not loaded.");
	} else {
		line("%s, %s", s->backend, s->sentence);
		line("switches %" PRIu64 " to virtual, %" PRIu64 " to native; memory %" PRIu64
		     " of %" PRIu64 " KiB",
		     s->to_virtual, s->to_native, s->memory_used, s->memory_allocated);
		show_snapshot(v);
		show_reasons(v);
		show_cpus(v);
	}
	/* Where there is more than fits, the last line says so. */
	if (next_line > LINES) {
		move(LINES - 1, 0);
		clrtoeol();
		printw("%d lines more: mercury status", next_line - LINES + 1);
	}
	mvaddstr(0, COLS > 9 ? COLS - 9 : 0, "  q: quit");
	refresh();
}

/* --- Together ------------------------------------------------------------------------------------- */

/* Then no key will come, and getch() does not wait for one. */
static bool terminal_is_gone(void)
{
	struct pollfd terminal = { .fd = STDIN_FILENO };

	return poll(&terminal, 1, 0) > 0;
}

/* Until q is pressed, a signal comes or the terminal goes. 0; -1 with `problem`. */
static int watch(struct mercury_problem *problem)
{
	struct view view = { .seconds = 0 };
	double last = 0;
	int key = ERR, error = 0;

	while (!stopped && key != 'q' && !terminal_is_gone()) {
		double now = clock_seconds();

		mercury_status_free(&view.before);
		view.before = view.now;
		error = mercury_status_read(&view.now, problem);
		if (error)
			break;
		view.seconds = last > 0 ? now - last : 0;
		last = now;
		show(&view);
		key = getch();
	}
	mercury_status_free(&view.before);
	mercury_status_free(&view.now);
	return error;
}

/* A terminal whose cursor can be put somewhere, which that of TERM=dumb cannot. */
static bool can_be_drawn_on(void)
{
	int error;

	return isatty(STDIN_FILENO) && isatty(STDOUT_FILENO) &&
	       setupterm(NULL, STDOUT_FILENO, &error) == OK && tigetstr("cup") &&
	       newterm(NULL, stdout, stdin);
}

enum exit_status command_top(const struct options *options, int argc, char **argv)
{
	enum exit_status wrong = no_arguments(argc, argv);
	struct mercury_problem problem;
	int error;

	if (wrong)
		return wrong;
	if (options->json) {
		fputs("mercury: top is for who looks at it; see mercury status --json\n", stderr);
		return EXIT_USAGE;
	}
	if (!can_be_drawn_on()) {
		fputs("mercury: top is for a terminal, and knows what TERM says it is\n"
		      "mercury: next: mercury status, or mercury status --json\n",
		      stderr);
		return EXIT_FAILED;
	}
	stop_on_signals();
	cbreak();
	noecho();
	curs_set(0);
	timeout(1000);
	error = watch(&problem);
	endwin();
	if (!error)
		return EXIT_DONE;
	print_problem(options, &problem);
	return EXIT_FAILED;
}
