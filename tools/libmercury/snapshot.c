// SPDX-License-Identifier: GPL-2.0-only
/* A snapshot: the module's device on one side, the core file on the other. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "dma.h"
#include "files.h"
#include "problem.h"
#include "uapi/mercury_snapshot.h"
#include "vmcore.h"

#define PAGE UINT64_C(4096)

/* __START_KERNEL_map: where the kernel's image is mapped, before phys_base is taken off. */
#define KERNEL_MAP UINT64_C(0xffffffff80000000)

/* Everything that is gathered before the file can be written. */
struct snapshot {
	int device;
	struct vmcore core;
	struct mercury_snapshot_range *all; /* RAM, as the module tells                           */
	uint32_t nr_all;
	struct vmcore_range *ranges; /* what of it is wanted                                      */
	size_t next;                 /* that is to be read                                        */
	struct vmcore_cpu *cpus;
	void *vmcoreinfo;
	char *dma;
	const struct mercury_snapshot_options *options;
	struct mercury_problem *problem;
};

static int failed(struct snapshot *s, const char *what)
{
	static const struct {
		int number;
		const char *what, *next;
	} known[] = {
		{ EACCES, "not allowed to take a snapshot", "run it as root" },
		{ EPERM, "not allowed to take a snapshot: that takes CAP_SYS_ADMIN",
		  "run it as root" },
		{ EINVAL, "a CPU went native before the snapshot began",
		  "try again, and let nobody switch meanwhile" },
		{ ENOMEM, "there is no memory for the snapshot",
		  "free some memory, or give a smaller --pool" },
		{ E2BIG, "RAM lies in more ranges than the module supports", "report it" },
		{ EINTR, "interrupted", "run it again" },
		{ EAGAIN, "the CPUs could not all be stopped in time", "try again" },
		{ EBUSY, "another snapshot is being taken", "wait until it is done" },
		{ ECANCELED, "the snapshot was ended: the mode changed, or the module goes",
		  "try again, and let nobody switch meanwhile" },
		{ EIO, "the VMM failed, or a CPU went native by itself", "see mercury log" },
		{ ENOENT, "there is no " MERCURY_SNAPSHOT_DEVICE, "modprobe mercury-vmx" },
		{ EOPNOTSUPP, "without EPT no page can be protected",
		  "load the module with ept=auto, on a CPU that has EPT: see mercury check" },
	};
	int number = errno;
	size_t i;

	if (number == EPERM && files_confidential())
		return mercury_problem(s->problem, number, "boot with lockdown=integrity",
				       "the kernel is locked down and keeps memory to itself");
	for (i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (known[i].number == number)
			return mercury_problem(s->problem, number, known[i].next, "%s",
					       known[i].what);
	return mercury_problem(s->problem, number, "see mercury log", "%s: %s", what,
			       strerror(number));
}

/* How far it came helps to choose a pool that is large enough. */
static int pool_is_full(struct snapshot *s, uint64_t address)
{
	struct mercury_snapshot_stats stats;
	bool tables;

	if (ioctl(s->device, MERCURY_SNAPSHOT_STATS, &stats))
		return failed(s, "asking for the snapshot's statistics");
	tables = stats.pool_peak < stats.pool_pages && stats.table_peak == stats.table_pages;
	return mercury_problem(s->problem, ENOSPC,
			       tables ? "free some memory, or load the module with snapshot_gib=N" :
					"give a larger --pool, a --range, or --on-full stall",
			       "the pool for %s is full: the snapshot is over at %" PRIu64
			       " MiB, with %" PRIu64 " pages kept; writers waited %" PRIu64
			       " times",
			       tables ? "tables" : "old contents", address >> 20,
			       (uint64_t)stats.copied, (uint64_t)stats.stalled);
}

static int out_of_memory(struct snapshot *s)
{
	return mercury_problem(s->problem, ENOMEM, "free some memory", "out of memory");
}

/*
 * Between two ranges lies what is not wanted: the module gives up what is read page behind page, and would wait for
 * these. One that is older does not know of it, and gives up nothing more.
 */
static void skip_gap(struct snapshot *s, uint64_t address)
{
	if (s->next == s->core.nr_ranges || address != s->ranges[s->next].start)
		return;
	ioctl(s->device, MERCURY_SNAPSHOT_GIVE_UP, &address);
	s->next++;
}

static int read_memory(void *data, void *buffer, size_t size, uint64_t address)
{
	struct snapshot *s = data;
	char *to = buffer;

	skip_gap(s, address);
	while (size) {
		ssize_t n = pread(s->device, to, size, (off_t)address);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			errno = n ? errno : ENODATA;
			return errno == ENOSPC ? pool_is_full(s, address) :
						 failed(s, "reading memory");
		}
		to += n;
		size -= (size_t)n;
		address += (size_t)n;
	}
	return 0;
}

/* --- What there is -------------------------------------------------------------------------------- */

static int get_ranges(struct snapshot *s)
{
	struct mercury_snapshot_ranges asked = { .room = 0 };

	if (ioctl(s->device, MERCURY_SNAPSHOT_RANGES, &asked))
		return failed(s, "asking for the ranges of RAM");
	s->all = calloc(asked.count + 1, sizeof(*s->all));
	if (!s->all)
		return out_of_memory(s);
	asked.ranges = (uintptr_t)s->all;
	asked.room = asked.count;
	if (ioctl(s->device, MERCURY_SNAPSHOT_RANGES, &asked))
		return failed(s, "asking for the ranges of RAM");
	s->nr_all = asked.count;
	s->core.direct_map = asked.direct_map;
	return 0;
}

/* That of the whole pages in which the range lies. No page ends behind 2^64. */
static struct mercury_range whole_pages(const struct mercury_range *range)
{
	const uint64_t last = 0 - PAGE;

	return (struct mercury_range){
		range->start / PAGE * PAGE,
		range->end < last ? (range->end + PAGE - 1) / PAGE * PAGE : last,
	};
}

/* What of the range lies in `only`, whole pages; appended. */
static void add_range(struct snapshot *s, const struct mercury_snapshot_range *range,
		      const struct mercury_range *only)
{
	struct mercury_range pages = whole_pages(only);
	uint64_t start = pages.start > range->start ? pages.start : range->start;
	uint64_t end = pages.end < range->end ? pages.end : range->end;

	if (start < end)
		s->ranges[s->core.nr_ranges++] = (struct vmcore_range){ start, end };
}

static int by_start(const void *a, const void *b)
{
	const struct vmcore_range *x = a, *y = b;

	return x->start < y->start ? -1 : x->start > y->start;
}

/* In order, and of those that overlap one: a page that was read whole is given up. */
static void unite_ranges(struct snapshot *s)
{
	size_t i, n = 0;

	qsort(s->ranges, s->core.nr_ranges, sizeof(*s->ranges), by_start);
	for (i = 0; i < s->core.nr_ranges; i++) {
		struct vmcore_range *last = n ? &s->ranges[n - 1] : NULL;

		if (!last || s->ranges[i].start >= last->end)
			s->ranges[n++] = s->ranges[i];
		else if (s->ranges[i].end > last->end)
			last->end = s->ranges[i].end;
	}
	s->core.nr_ranges = n;
}

static int choose_ranges(struct snapshot *s)
{
	static const struct mercury_range everything = { 0, UINT64_MAX };
	const struct mercury_range *only = s->options->only ? s->options->only : &everything;
	size_t nr_only = s->options->only ? s->options->nr_only : 1, i, j;

	s->ranges = calloc(s->nr_all * nr_only + 1, sizeof(*s->ranges));
	if (!s->ranges)
		return out_of_memory(s);
	for (i = 0; i < s->nr_all; i++)
		for (j = 0; j < nr_only; j++)
			add_range(s, &s->all[i], &only[j]);
	unite_ranges(s);
	s->core.ranges = s->ranges;
	if (!s->core.nr_ranges)
		return mercury_problem(s->problem, EINVAL, "see /proc/iomem, System RAM",
				       "no RAM lies in the ranges that were given");
	return 0;
}

static int get_cpus(struct snapshot *s)
{
	long cpu, all = sysconf(_SC_NPROCESSORS_CONF);

	s->cpus = calloc((size_t)all, sizeof(*s->cpus));
	if (!s->cpus)
		return out_of_memory(s);
	for (cpu = 0; cpu < all; cpu++) {
		struct mercury_snapshot_cpu asked = { .cpu = (uint32_t)cpu };
		struct vmcore_cpu *to = &s->cpus[s->core.nr_cpus];

		if (ioctl(s->device, MERCURY_SNAPSHOT_CPU, &asked)) {
			if (errno == ENOENT)
				continue;
			return failed(s, "asking for a CPU's registers");
		}
		to->pid = asked.pid;
		memcpy(to->regs, asked.regs, sizeof(to->regs));
		s->core.nr_cpus++;
	}
	s->core.cpus = s->cpus;
	return 0;
}

/* The kernel keeps the note ready for kdump: /sys/kernel/vmcoreinfo has "ADDRESS SIZE". */
static int get_vmcoreinfo(struct snapshot *s)
{
	char *text = files_read("/sys/kernel/vmcoreinfo");
	unsigned long long address, size, done, part;
	int found = text && sscanf(text, "%llx %llx", &address, &size) == 2 && size < 1 << 20;

	free(text);
	if (!found)
		return 0;
	s->vmcoreinfo = calloc(size + 1, 1);
	if (!s->vmcoreinfo)
		return out_of_memory(s);
	/* By halves of pages: it comes again with the memory around it, and shall not be given up. */
	for (done = 0; done < size; done += part) {
		part = size - done < PAGE / 2 ? size - done : PAGE / 2;
		if (read_memory(s, (char *)s->vmcoreinfo + done, part, address + done))
			return -1;
	}
	s->core.vmcoreinfo = s->vmcoreinfo;
	s->core.vmcoreinfo_size = size;
	return 0;
}

/*
 * The kernel's own image has addresses of its own beside the direct map's: where it lies /proc/iomem
 * tells, what is added to them the note. Tools that do not find it cannot walk page tables.
 */
static void get_kernel(struct snapshot *s)
{
	static const char key[] = "NUMBER(phys_base)=";
	const char *base = s->vmcoreinfo ? memmem(s->vmcoreinfo, s->core.vmcoreinfo_size, key,
						  sizeof(key) - 1) :
					   NULL;
	char *iomem = files_read("/proc/iomem"), *line;
	unsigned long long start, end;

	for (line = iomem; line && base; line = strchr(line, '\n')) {
		line += *line == '\n';
		if (sscanf(line, "%llx-%llx : Kernel", &start, &end) != 2 ||
		    strncmp(line + strcspn(line, ":"), ": Kernel ", 9))
			continue;
		if (!s->core.kernel.end)
			s->core.kernel.start = start;
		s->core.kernel.end = (end + PAGE) / PAGE * PAGE;
	}
	free(iomem);
	if (base)
		s->core.kernel_map =
			KERNEL_MAP - (uint64_t)strtoll(base + sizeof(key) - 1, NULL, 0);
}

static int get_dma(struct snapshot *s)
{
	s->dma = dma_note();
	s->core.dma = s->dma;
	return s->dma ? 0 : out_of_memory(s);
}

/* --- The report ----------------------------------------------------------------------------------- */

static double seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static int report_on(struct snapshot *s, struct mercury_snapshot_report *report)
{
	struct mercury_snapshot_stats stats;
	double khz;
	size_t i;

	if (ioctl(s->device, MERCURY_SNAPSHOT_STATS, &stats))
		return failed(s, "asking for the snapshot's statistics");
	khz = stats.tsc_khz ? (double)stats.tsc_khz / 1e3 : 1;
	report->stop_median_us = (double)stats.stop_median / khz;
	report->stop_max_us = (double)stats.stop_max / khz;
	report->skew_us = (double)stats.skew / khz;
	report->faults = stats.faults;
	report->copied = stats.copied;
	report->pool_pages = stats.pool_pages;
	report->pool_peak = stats.pool_peak;
	report->table_pages = stats.table_pages;
	report->table_peak = stats.table_peak;
	report->stalled = stats.stalled;
	report->cpus = stats.cpus;
	report->retries = stats.retries;
	for (i = 0; i < s->core.nr_ranges; i++)
		report->bytes += s->ranges[i].end - s->ranges[i].start;
	return 0;
}

/* --- Together ------------------------------------------------------------------------------------- */

/* Where all that is wanted lies: what is written elsewhere need not be kept. */
static void hull(const struct mercury_snapshot_options *options,
		 struct mercury_snapshot_start *start)
{
	size_t i;

	for (i = 0; options->only && i < options->nr_only; i++) {
		struct mercury_range pages = whole_pages(&options->only[i]);

		if (!i || pages.start < start->from)
			start->from = pages.start;
		if (pages.end > start->to)
			start->to = pages.end;
	}
}

/* Before anything is done for it. */
static int look_at_ranges(const struct mercury_snapshot_options *options,
			  struct mercury_problem *problem)
{
	size_t i;

	for (i = 0; options->only && i < options->nr_only; i++)
		if (options->only[i].start >= options->only[i].end)
			return mercury_problem(problem, EINVAL, "give START below END",
					       "the range %#llx-%#llx is empty",
					       (unsigned long long)options->only[i].start,
					       (unsigned long long)options->only[i].end);
	return 0;
}

static int begin(struct snapshot *s)
{
	struct mercury_snapshot_start start = {
		.pool_bytes = s->options->pool_bytes,
		.on_full = s->options->stall ? MERCURY_SNAPSHOT_STALL : MERCURY_SNAPSHOT_ABORT,
		.stall_ms = 1000,
	};

	hull(s->options, &start);
	return ioctl(s->device, MERCURY_SNAPSHOT_START, &start) ? failed(s, "the snapshot") : 0;
}

static int take(struct snapshot *s, int fd, struct mercury_snapshot_report *report)
{
	double start;

	s->device = open(MERCURY_SNAPSHOT_DEVICE, O_RDONLY | O_CLOEXEC);
	if (s->device < 0)
		return failed(s, MERCURY_SNAPSHOT_DEVICE);
	if (get_dma(s) || begin(s))
		return -1;
	start = seconds();
	if (get_ranges(s) || choose_ranges(s) || get_cpus(s) || get_vmcoreinfo(s))
		return -1;
	get_kernel(s);
	s->core.read = read_memory;
	s->core.progress = s->options->progress;
	s->core.data = s;
	s->core.progress_data = s->options->data;
	if (vmcore_write(&s->core, fd, s->problem) || report_on(s, report))
		return -1;
	report->duration_s = seconds() - start;
	return 0;
}

static void release(struct snapshot *s)
{
	if (s->device >= 0)
		close(s->device);
	free(s->all);
	free(s->ranges);
	free(s->cpus);
	free(s->vmcoreinfo);
	free(s->dma);
}

int mercury_snapshot(const struct mercury_snapshot_options *options, int fd,
		     struct mercury_snapshot_report *report, struct mercury_problem *problem)
{
	struct snapshot s = { .device = -1, .options = options, .problem = problem };
	struct mercury_status status;
	bool has_ept;
	int result;

	*report = (struct mercury_snapshot_report){ .bytes = 0 };
	if (look_at_ranges(options, problem) || mercury_status_read(&status, problem))
		return -1;
	report->went_virtual = status.state != MERCURY_STATE_VIRTUAL;
	has_ept = strcmp(status.backend, "ring1");
	mercury_status_free(&status);
	/* Known before the machine goes virtual for it; what ept=off means the module says then. */
	if (!has_ept) {
		errno = EOPNOTSUPP;
		return failed(&s, MERCURY_SNAPSHOT_DEVICE);
	}
	if (report->went_virtual && mercury_set_virtual(true, problem))
		return -1;
	result = take(&s, fd, report);
	release(&s);
	return report->went_virtual ? mercury_bring_back(false, result, problem) : result;
}
