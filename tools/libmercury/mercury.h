/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * libmercury: what the mercury command does, for programs. Needs nothing but the module's files; no
 * function prints, each says why it failed in the caller's `struct mercury_problem`.
 *
 * Units are in the names or beside the fields: cycles are the TSC's, KiB are 1024 bytes, ranges are
 * physical bytes, their end not included. Functions may be called from any thread; two that change the
 * mode wait for each other in the module. Structures grow at their end only, with a new symbol version.
 *
 *	cc program.c $(pkg-config --cflags --libs libmercury)
 */
#ifndef LIBMERCURY_H
#define LIBMERCURY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The library's own version, as in "1.2.3"; never freed. */
const char *mercury_version(void);

/* Why a call failed. */
struct mercury_problem {
	int number;     /* errno                                                                  */
	char what[400]; /* the sentence: what and why                                             */
	char next[200]; /* what to do about it; may be empty                                      */
};

enum mercury_state {
	MERCURY_STATE_ABSENT, /* the module is not loaded                                        */
	MERCURY_STATE_UNABLE, /* it is loaded, but this machine has no backend                   */
	MERCURY_STATE_NATIVE,
	MERCURY_STATE_VIRTUAL,
};

/* How often something happened since the module was loaded. */
struct mercury_count {
	char name[32]; /* a VM exit's reason ("CPUID"), or in ring 1 a trap's kind               */
	uint64_t count;
};

/* One CPU's line: costs in TSC cycles with interrupts off, 0 before the first switch. */
struct mercury_cpu_status {
	unsigned int cpu;
	bool is_virtual;
	uint64_t enter_last, enter_max, leave_last, leave_max;
	uint64_t exits; /* of all reasons, in ring 1 traps of all kinds                           */
	struct mercury_count *reasons;
	size_t nr_reasons;
	/* Events in the VMM, and going native without a command: counts since the load. */
	uint64_t nmis_in_root, machine_checks, dropped_writes, forced;
};

/* How far the snapshot is that is being taken, by whomever. */
struct mercury_snapshot_progress {
	bool is_taken, is_over; /* over: the pool is full, or it was ended                        */
	uint64_t read, pages;   /* of memory, by its reader                                       */
	uint64_t kept, pool_pages; /* pages whose old content is kept, of those set aside for it  */
	uint64_t faults; /* writes that found a page protected                             */
};

/* The snapshots since the module was loaded, by whomever; not the one that is being taken. */
struct mercury_snapshot_history {
	/* By how they ended: as they were to the end, by a full pool, by a switch, or never begun. */
	uint64_t good, full, cancelled, failed;
	char last[16];         /* how the last one did, by these words; or "none"                 */
	uint64_t read, faults; /* pages; writes that found one protected                          */
	/* For how long the CPU stood still that did for longest. */
	uint64_t stopped_last_ns, stopped_max_ns;
};

struct mercury_status {
	enum mercury_state state;
	char backend[16];     /* "vmx", "ring1", "none", or empty if absent                   */
	char sentence[320];   /* mercury.status as the module puts it                         */
	char last_error[320]; /* of the last command since the load that was refused, or "none" */
	uint64_t to_virtual, to_native;
	uint64_t memory_used, memory_allocated; /* KiB                                            */
	size_t nr_cpus;
	struct mercury_cpu_status *cpus; /* by number; freed by mercury_status_free()             */
	char state_check[320]; /* what comparing Linux's state has found, or that it is off       */
	struct mercury_snapshot_progress snapshot;
	struct mercury_snapshot_history snapshots;
};

/*
 * Read everything. 0, also where the module is absent; -1 with `problem`: ENOMEM, or what reading the
 * module's files gave.
 */
int mercury_status_read(struct mercury_status *status, struct mercury_problem *problem);
void mercury_status_free(struct mercury_status *status);

/*
 * Bring the machine to virtual or native mode; what it is already is success. -1 with `problem`:
 * ENOENT the module is not loaded; EACCES the file may not be written, EPERM that takes CAP_SYS_ADMIN;
 * ENODEV no backend, or the machine has what is refused; EBUSY VMX is owned by another, or the machine must
 * stay native; ETIMEDOUT a CPU did not answer; EIO a CPU failed; EINTR a signal came first; ENOMEM.
 */
int mercury_set_virtual(bool is_virtual, struct mercury_problem *problem);

/*
 * Wait until the machine is in that mode; without polling, the module tells. 0; -1 with `problem`: ENOENT
 * the module is not loaded, ENODEV no backend to go virtual by, EINTR a signal came. The module cannot be
 * unloaded meanwhile.
 */
int mercury_wait(bool is_virtual, struct mercury_problem *problem);

/* One item of Linux's state on one CPU: a register, as it is now. */
struct mercury_item {
	unsigned int cpu;
	bool is_machine; /* else it is the running task's                                         */
	char name[32];
	uint64_t value;
};

/*
 * All items that a switch must leave as they were, of every CPU, in order. -1 with `problem`: ENOENT the
 * module is not loaded; ENXIO debugfs is not there; ENODEV no backend; EACCES it takes root; ENOMEM.
 */
int mercury_state_read(void (*tell)(const struct mercury_item *item, void *data), void *data,
		       struct mercury_problem *problem);

/* What one event of a switch costs, in TSC cycles: the 5th, 50th and 95th percentile. */
struct mercury_cost {
	char event[32]; /* an instruction's name, "vmread"                                         */
	double low, middle, high;
};

/*
 * Have the module measure each event that takes CPL 0, on a CPU that has interrupts off meanwhile; the
 * machine must be native. -1 with `problem`: as mercury_state_read(); EBUSY VMX is owned by another, or
 * the machine is virtual; ENODEV also no VT-x; EIO a VMX instruction failed.
 */
int mercury_costs_read(void (*tell)(const struct mercury_cost *cost, void *data), void *data,
		       struct mercury_problem *problem);

/* A line of the kernel log that is Mercury's. */
struct mercury_log_line {
	unsigned int level;    /* 0 (emergency) to 7 (debug)                                      */
	uint64_t microseconds; /* since the kernel's boot                                         */
	char text[1000];       /* "mercury: ...": the VMM's own begins with "mercury: vmm: "      */
};

/*
 * Every such line that the kernel still has, the oldest first; with `follow` those to come too, until
 * a signal comes (which is success). -1 with `problem`: EPERM, EACCES it takes root.
 */
int mercury_log_read(bool follow, void (*tell)(const struct mercury_log_line *line, void *data),
		     void *data, struct mercury_problem *problem);

/* One thing that was looked at by mercury_check(). */
struct mercury_finding {
	const char *name; /* short and stable: "kernel", "vt-x", "ring-1", "kvm" ...            */
	enum { MERCURY_GOOD, MERCURY_UNKNOWN, MERCURY_BAD } verdict;
	char sentence[400]; /* what is                                                           */
	char next[200];     /* what to do about it; empty where it is good                       */
};

/*
 * Can this machine go virtual? Looks at every CPU with the very code by which the VMM decides, and at the
 * kernel. Calls `tell` for each finding, in a fixed order: "vt-x", and "ring-1" if that is the way, which
 * it is where VT-x cannot be, or where the module says so. Returns the worst verdict; that of "vt-x" does not
 * count beside "ring-1". What needs rights that the caller has not got is MERCURY_UNKNOWN. Changes nothing.
 */
int mercury_check(void (*tell)(const struct mercury_finding *finding, void *data), void *data);

/* --- A snapshot of memory ------------------------------------------------------------------------- */

struct mercury_range {
	uint64_t start, end; /* physical bytes                                                    */
};

struct mercury_snapshot_options {
	/* Of RAM only what lies in these, which may overlap; NULL: all of it. */
	const struct mercury_range *only;
	size_t nr_only;
	uint64_t pool_bytes; /* for old contents; 0: the module decides                           */
	bool stall;          /* the pool full: writers wait for the reader; else it is over       */
	/*
	 * So many bytes of so many are written, or a signal has interrupted writing them; anything but 0 ends
	 * it. May be NULL.
	 */
	int (*progress)(void *data, uint64_t done, uint64_t total);
	void *data;
};

/* What a snapshot cost. */
struct mercury_snapshot_report {
	double stop_median_us, stop_max_us; /* how long a CPU was stopped                         */
	double skew_us;                     /* between the first CPU that stopped and the last    */
	double duration_s;                  /* from the instant to the last byte                  */
	uint64_t bytes;                     /* of memory in the image                             */
	uint64_t faults, copied;            /* first writes, pages kept                           */
	uint64_t pool_pages, pool_peak, table_pages, table_peak, stalled;
	unsigned int cpus, retries;
	bool went_virtual; /* and back: the machine was native before                             */
};

/*
 * Write the memory of the running machine, as it is at one instant during the call, to `fd` as an ELF
 * core file. The machine is virtual meanwhile, and afterwards what it was before, or `what` says that it is
 * not. -1 with `problem`: as mercury_set_virtual(), EPERM also under lockdown's confidentiality; EBUSY another
 * snapshot is being taken; EOPNOTSUPP no EPT, as in ring 1; EINVAL no RAM lies in the ranges, one of them is
 * empty, or a CPU went native before the instant; E2BIG there are too many ranges; EAGAIN the CPUs could not
 * be stopped in time; ENOSPC the pool, or the disk, is full; EIO the VMM failed meanwhile; ECANCELED
 * progress() said so, or the mode changed; or what write() gave, as EPIPE: a caller whose `fd` may be a pipe
 * ignores SIGPIPE, or blocks it, for a process that ends here leaves the machine virtual. Either way the
 * system goes on unharmed and nothing stays protected.
 */
int mercury_snapshot(const struct mercury_snapshot_options *options, int fd,
		     struct mercury_snapshot_report *report, struct mercury_problem *problem);

#ifdef __cplusplus
}
#endif

#endif
