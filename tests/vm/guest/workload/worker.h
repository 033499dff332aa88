/* SPDX-License-Identifier: GPL-2.0-only */
/* What a worker is, and what it may call to count, check and digest what it did. */
#ifndef WORKLOAD_WORKER_H
#define WORKLOAD_WORKER_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ARRAY_SIZE(array) (sizeof(array) / sizeof((array)[0]))

/* How long a single wait may last before it counts as a lost wake-up. */
#define LOST_WAKEUP_SECONDS 30

/* One kind of work. A process of its own repeats round() until told to stop. */
struct worker {
	const char *name;
	/* Only runs if --only names it. */
	bool on_request;
	/* NULL, or what this machine lacks to run it at all. Called once, before any round. */
	const char *(*missing)(void);
	/*
	 * Does every operation of the kind at least once. Returns a digest of all results that
	 * must not depend on time, scheduling or the number of CPUs: every round, native or
	 * virtual, has to return the same.
	 */
	uint64_t (*round)(void);
};

/* What a worker has done so far; in memory shared by all processes of the program. */
struct report {
	_Atomic uint64_t operations;
	_Atomic uint64_t errors;
	_Atomic uint64_t rounds;
	uint64_t digest;
	char first_error[224];
};

extern const struct worker cpuid_worker, exec_worker;
extern const struct worker ia32_worker, sysenter_worker, file_worker;
extern const struct worker x87_worker, sse2_worker, avx_worker;
extern const struct worker timer_worker, itimer_worker, clock_worker, tsc_worker;
extern const struct worker signal_worker, fault_worker, remap_worker;
extern const struct worker pipe_worker, socket_worker, mutex_worker, futex_worker;
extern const struct worker step_worker, movss_worker, watchpoint_worker, breakpoint_worker;
extern const struct worker segment_worker, base_worker;

/* The report the calling process and all its children count into. */
extern struct report *report;
/* Threads a threaded worker starts; at least 2. */
extern unsigned int thread_count;

/* Counts @operations verified operations. */
void done(uint64_t operations);

/* Counts an error unless @ok, and keeps the text of the worker's first one. Returns @ok. */
bool expect(bool ok, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Same, for a system call: appends the meaning of errno. */
bool expect_sys(bool ok, const char *what);

/* FNV-1a of @size bytes at @data, continued from @digest; start with DIGEST_START. */
#define DIGEST_START UINT64_C(0xcbf29ce484222325)
uint64_t digest_bytes(uint64_t digest, const void *data, size_t size);
uint64_t digest_u64(uint64_t digest, uint64_t value);

/* The next number of a fixed pseudo-random sequence. */
uint32_t next_random(uint32_t *state);

/* CLOCK_MONOTONIC in nanoseconds. */
uint64_t now_ns(void);

/* Pins the calling thread to the @index-th CPU it may use, counted modulo their number. */
void pin_to_cpu(unsigned int index);
/* Undoes pin_to_cpu(). */
void unpin(void);

/* Waits for @child and expects it to exit with @status; @what names it in the error. */
void expect_exit(int child, int status, const char *what);

/* What `workload --exec-child SEED FD` does instead of working; returns the exit status. */
int exec_child(const char *seed, const char *fd);

#endif
