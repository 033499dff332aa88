// SPDX-License-Identifier: GPL-2.0-only
/* mercury snapshot FILE. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "command.h"
#include "filter.h"
#include "json.h"
#include "output.h"
#include "problem.h"

/* Memory is nobody else's business. */
#define MODE 0600

/* `data`: the percentage that is shown, where somebody looks at it. */
static int progress(void *data, uint64_t done, uint64_t total)
{
	uint64_t percent = done * 100 / total, *shown = data;

	if (shown && percent != *shown) {
		*shown = percent;
		fprintf(stderr, "\rmercury: %" PRIu64 " of %" PRIu64 " MiB%s", done >> 20,
			total >> 20, done == total ? "\n" : "");
	}
	return stopped;
}

/* --- The report ----------------------------------------------------------------------------------- */

/* On stderr: the image may go to stdout. */
static void print_text(const struct mercury_snapshot_report *r)
{
	fprintf(stderr,
		"stopped   %.1f us (median of %u CPUs), %.1f us (longest); skew %.1f us, retries %u\n",
		r->stop_median_us, r->cpus, r->stop_max_us, r->skew_us, r->retries);
	fprintf(stderr, "kept      %" PRIu64 " pages in %" PRIu64 " first writes\n", r->copied,
		r->faults);
	fprintf(stderr,
		"pools     %" PRIu64 " of %" PRIu64 " pages for old contents, %" PRIu64
		" of %" PRIu64 " for tables; waited %" PRIu64 " times\n",
		r->pool_peak, r->pool_pages, r->table_peak, r->table_pages, r->stalled);
	fprintf(stderr, "image     %" PRIu64 " MiB in %.1f s\n", r->bytes >> 20, r->duration_s);
}

static void add_double(struct json_object *object, const char *key, double value)
{
	json_object_object_add(object, key, json_object_new_double(value));
}

static void print_json(const struct mercury_snapshot_report *r, FILE *to)
{
	struct json_object *object = json_object_new_object();

	add_double(object, "stop_median_us", r->stop_median_us);
	add_double(object, "stop_max_us", r->stop_max_us);
	add_double(object, "skew_us", r->skew_us);
	add_double(object, "duration_s", r->duration_s);
	add_number(object, "cpus", r->cpus);
	add_number(object, "retries", r->retries);
	add_number(object, "first_writes", r->faults);
	add_number(object, "kept_pages", r->copied);
	add_number(object, "pool_pages", r->pool_pages);
	add_number(object, "pool_peak", r->pool_peak);
	add_number(object, "table_pages", r->table_pages);
	add_number(object, "table_peak", r->table_peak);
	add_number(object, "stalled", r->stalled);
	add_number(object, "bytes", r->bytes);
	fprintf(to, "%s\n", json_object_to_json_string_ext(object, JSON_C_TO_STRING_PRETTY));
	json_object_put(object);
}

/* --- The command line ----------------------------------------------------------------------------- */

/* What of memory, and where to. */
struct wanted {
	const char *path;
	bool kernel_only, compress;
	struct mercury_range *ranges;
	struct mercury_snapshot_options options;
};

static bool is_filtered(const struct wanted *w)
{
	return w->kernel_only || w->compress;
}

static int bad(const char *word, const char *why)
{
	fprintf(stderr, "mercury: '%s': %s; see mercury --help\n", word, why);
	return -1;
}

/* A number without a sign, of 64 bits, and what stands behind it. */
static bool parse_number(const char *word, char **end, uint64_t *number)
{
	errno = 0;
	*number = strtoull(word, end, 0);
	return *word >= '0' && *word <= '9' && !errno;
}

/* Bytes, with K, M or G behind. */
static int parse_size(const char *word, uint64_t *size)
{
	static const char units[] = "KMG";
	const char *unit;
	int shift;
	char *end;

	if (!parse_number(word, &end, size))
		return bad(word, "is no size");
	unit = *end ? strchr(units, *end) : NULL;
	if (*end && (!unit || end[1]))
		return bad(word, "a size is a number with K, M or G");
	shift = unit ? 10 * (int)(unit - units + 1) : 0;
	if (*size > UINT64_MAX >> shift)
		return bad(word, "is no size");
	*size <<= shift;
	return 0;
}

/* START-END, physical bytes. */
static int parse_range(const char *word, struct wanted *w)
{
	struct mercury_range *more;
	char *dash, *end;
	uint64_t from, to;

	if (!parse_number(word, &dash, &from) || *dash != '-' ||
	    !parse_number(dash + 1, &end, &to) || *end || from >= to)
		return bad(word, "a range is START-END, physical bytes, as in 0x100000-0x200000");
	more = realloc(w->ranges, (w->options.nr_only + 1) * sizeof(*more));
	if (!more)
		return bad(word, "out of memory");
	more[w->options.nr_only++] = (struct mercury_range){ from, to };
	w->options.only = w->ranges = more;
	return 0;
}

static int parse_on_full(const char *word, struct wanted *w)
{
	if (strcmp(word, "abort") && strcmp(word, "stall"))
		return bad(word, "--on-full takes abort or stall");
	w->options.stall = !strcmp(word, "stall");
	return 0;
}

/* An option without a value. */
static bool take_flag(const char *word, struct wanted *w)
{
	w->kernel_only |= !strcmp(word, "--kernel-only");
	w->compress |= !strcmp(word, "--compress");
	return !strcmp(word, "--kernel-only") || !strcmp(word, "--compress");
}

/* makedumpfile goes through its input more than once, and looks the pages up in the kernel's own lists. */
static int fits(const struct wanted *w)
{
	if (!w->path)
		return bad("snapshot", "takes a FILE, or - for standard output");
	if (is_filtered(w) && !strcmp(w->path, "-"))
		return bad("-", "--kernel-only and --compress need a FILE");
	if (w->kernel_only && w->ranges)
		return bad("--kernel-only", "needs all of memory, not a --range");
	return 0;
}

static int parse(int argc, char **argv, struct wanted *w)
{
	int i;

	for (i = 1; i < argc; i++) {
		const char *word = argv[i], *value = argv[i + 1];
		int error;

		if (word[0] != '-' || !word[1]) {
			if (w->path)
				return bad(word, "one file is enough");
			w->path = word;
			continue;
		}
		if (take_flag(word, w))
			continue;
		if (strcmp(word, "--pool") && strcmp(word, "--range") && strcmp(word, "--on-full"))
			return bad(word, "is no option of snapshot");
		if (!value)
			return bad(word, "takes a value");
		i++;
		if (!strcmp(word, "--pool"))
			error = parse_size(value, &w->options.pool_bytes);
		else if (!strcmp(word, "--range"))
			error = parse_range(value, w);
		else
			error = parse_on_full(value, w);
		if (error)
			return error;
	}
	return fits(w);
}

/* --- Together ------------------------------------------------------------------------------------- */

/* Past the page cache: or each page that is written would take a free one, whose old content is kept. */
static void bypass_cache(const struct output *o)
{
	int fd = fileno(o->to);
	struct stat s;

	/* Of a pipe the flag means something else; and what others write behind is not in whole pages. */
	if (!o->is_shared && !fstat(fd, &s) && (S_ISREG(s.st_mode) || S_ISBLK(s.st_mode)))
		fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_DIRECT);
}

static int write_to(const struct output *o, const struct wanted *w,
		    struct mercury_snapshot_report *report, struct mercury_problem *problem)
{
	bypass_cache(o);
	return mercury_snapshot(&w->options, fileno(o->to), report, problem);
}

static int write_file(const struct wanted *w, struct mercury_snapshot_report *report,
		      struct mercury_problem *problem)
{
	struct output o;

	if (output_open(&o, w->path, problem))
		return 1;
	return output_close(&o, MODE, write_to(&o, w, report, problem), problem);
}

/* The whole image lies beside the file meanwhile. */
static int filter_to(const struct output *o, const struct wanted *w,
		     struct mercury_snapshot_report *report, struct mercury_problem *problem)
{
	struct output whole;
	int result;

	if (!o->beside) {
		mercury_problem(problem, EINVAL, "give another FILE",
				"%.300s: --kernel-only and --compress need a regular file",
				w->path);
		return 1;
	}
	if (output_open(&whole, w->path, problem))
		return 1;
	result = write_to(&whole, w, report, problem);
	if (!result)
		result =
			filter_image(whole.beside, o->beside, w->kernel_only, w->compress, problem);
	/* Whole or not, it goes. */
	output_close(&whole, MODE, 1, problem);
	return result;
}

static int write_filtered(const struct wanted *w, struct mercury_snapshot_report *report,
			  struct mercury_problem *problem)
{
	struct output o;

	if (filter_check(problem) || output_open(&o, w->path, problem))
		return 1;
	return output_close(&o, MODE, filter_to(&o, w, report, problem), problem);
}

static int write_image(const struct wanted *w, struct mercury_snapshot_report *report,
		       struct mercury_problem *problem)
{
	if (!strcmp(w->path, "-"))
		return mercury_snapshot(&w->options, STDOUT_FILENO, report, problem);
	return is_filtered(w) ? write_filtered(w, report, problem) : write_file(w, report, problem);
}

static enum exit_status run(const struct options *options, struct wanted *w)
{
	struct mercury_snapshot_report report;
	struct mercury_problem problem;
	uint64_t percent = 0;
	int result;

	w->options.progress = progress;
	w->options.data = isatty(STDERR_FILENO) ? &percent : NULL;
	result = write_image(w, &report, &problem);
	if (result) {
		if (w->options.data && *(uint64_t *)w->options.data % 100)
			fputc('\n', stderr);
		print_problem(options, &problem);
		return result > 0 ? EXIT_FAILED : exit_for(&problem);
	}
	if (options->json)
		print_json(&report, options->to);
	else
		print_text(&report);
	return EXIT_DONE;
}

enum exit_status command_snapshot(const struct options *options, int argc, char **argv)
{
	struct options own = *options;
	struct wanted w = { .path = NULL };
	enum exit_status status = EXIT_USAGE;

	if (!parse(argc, argv, &w)) {
		/* Where the image goes nothing else does. */
		if (!strcmp(w.path, "-"))
			own.to = stderr;
		if (!strcmp(w.path, "-") && isatty(STDOUT_FILENO)) {
			bad("-", "memory is not for a terminal: redirect it");
		} else {
			/* A signal, or the end of what reads it, brings the machine back. */
			stop_on_signals();
			signal(SIGPIPE, SIG_IGN);
			status = run(&own, &w);
		}
	}
	free(w.ranges);
	return status;
}
