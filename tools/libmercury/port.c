// SPDX-License-Identifier: GPL-2.0-only
/* The hardware port of mercury_check(): CPUID by the instruction, MSRs by /dev/cpu/N/msr. */
#define _GNU_SOURCE
#include "port.h"

#include <cpuid.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <unistd.h>

#include "insn.h"
#include "x86/cr.h"

/* Of this thread, as its CPU is. */
static __thread int msr_file = -1;
static __thread uint64_t known_cr4;
static __thread cpu_set_t before;

bool port_open(unsigned int cpu, uint64_t cr4)
{
	char path[40];
	cpu_set_t one;

	CPU_ZERO(&one);
	CPU_SET(cpu, &one);
	if (sched_getaffinity(0, sizeof(before), &before) ||
	    sched_setaffinity(0, sizeof(one), &one))
		return false;
	snprintf(path, sizeof(path), "/dev/cpu/%u/msr", cpu);
	msr_file = open(path, O_RDONLY | O_CLOEXEC);
	known_cr4 = cr4;
	return msr_file >= 0;
}

void port_close(void)
{
	int error = errno;

	if (msr_file >= 0)
		close(msr_file);
	msr_file = -1;
	sched_setaffinity(0, sizeof(before), &before);
	errno = error;
}

long port_online(void)
{
	return sysconf(_SC_NPROCESSORS_ONLN);
}

void port_cpuid(uint32_t leaf, uint32_t subleaf, uint32_t out[4])
{
	__cpuid_count(leaf, subleaf, out[0], out[1], out[2], out[3]);
}

/* --- arch/x86/insn.h, as far as questions go ------------------------------------------------------ */

void insn_cpuid(uint32_t leaf, uint32_t subleaf, struct cpuid_regs *out)
{
	uint32_t r[4];

	port_cpuid(leaf, subleaf, r);
	*out = (struct cpuid_regs){ r[0], r[1], r[2], r[3] };
}

bool insn_rdmsr_safe(uint32_t msr, uint64_t *value)
{
	return pread(msr_file, value, sizeof(*value), msr) == sizeof(*value);
}

/* The VMM reads this way what it knows to be there. */
uint64_t insn_rdmsr(uint32_t msr)
{
	uint64_t value;

	return insn_rdmsr_safe(msr, &value) ? value : 0;
}

/* User space cannot read it; Linux sets WP when it boots, and leaves it. */
uint64_t insn_read_cr0(void)
{
	return CR0_PE | CR0_WP | CR0_PG;
}

uint64_t insn_read_cr4(void)
{
	return known_cr4;
}
