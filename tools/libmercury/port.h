/* SPDX-License-Identifier: GPL-2.0-only */
/* The hardware port of mercury_check(): the VMM's own questions, asked from user space. */
#ifndef LIBMERCURY_PORT_H
#define LIBMERCURY_PORT_H

#include <stdbool.h>
#include <stdint.h>

/*
 * Ask `cpu` from here on, with this thread bound to it; `cr4` is what is known of its CR4, which user
 * space cannot read. False with errno: no such CPU, or its MSRs cannot be read: /dev/cpu/N/msr comes
 * with the kernel's module msr, for root.
 */
bool port_open(unsigned int cpu, uint64_t cr4);
void port_close(void);

/* How many CPUs are online, whether this thread may run on them or not. */
long port_online(void);

/* CPUID alone, on whatever CPU this is: no rights are needed. */
void port_cpuid(uint32_t leaf, uint32_t subleaf, uint32_t out[4]);

#endif
