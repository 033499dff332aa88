/* SPDX-License-Identifier: GPL-2.0-only */
/* Which hypervisor, if any, CPUID tells of on the CPU that asks, and the ring of its kernel. */
#ifndef GUEST_HYPERVISOR_H
#define GUEST_HYPERVISOR_H

#include <sched.h>
#include <stdbool.h>

#define HYPERVISOR_SIGNATURE_SIZE 12
#define MERCURY_SIGNATURE "MercuryVMMv1"

struct hypervisor {
	bool present;                                  /* CPUID.1:ECX[31] */
	bool mercury;                                  /* one of those there are says so */
	char signature[HYPERVISOR_SIGNATURE_SIZE + 1]; /* EBX, ECX, EDX of its first leaf */
	bool ring1;                                    /* the kernel runs at CPL 1 */
};

/* Asks the CPU this thread runs on. */
struct hypervisor hypervisor_of_this_cpu(void);

/* Is it Mercury: a hypervisor that says so, with all the leaves it has, or a kernel in ring 1? */
bool hypervisor_is_mercury(const struct hypervisor *hypervisor);

/* A set of all CPUs this process may run on, and its size in bytes; NULL with errno. */
cpu_set_t *usable_cpus(size_t *size);

/* Moves this thread to @cpu; false with errno if that failed. */
bool move_to_cpu(int cpu, size_t size);

#endif
