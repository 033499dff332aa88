// SPDX-License-Identifier: GPL-2.0-only
/* Which hypervisor, if any, CPUID tells of on the CPU that asks, and the ring of its kernel. */
#include <cpuid.h>
#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>

#include "hypervisor.h"

#define MAX_CPUS 8192
#define FEATURE_HYPERVISOR (1u << 31)
#define LEAF_HYPERVISOR 0x40000000u
#define MERCURY_HIGHEST_LEAF 0x40000001u

#define IOPL 0x3000
#define PAGE_SIZE 4096

/*
 * A page fault ends with IRET, which at CPL 0 gives us the IOPL of our own flags, 0, and at CPL 1
 * leaves the kernel's in place, with which it may do CLI and STI there.
 */
static bool kernel_is_in_ring_1(void)
{
	char *page =
		mmap(NULL, PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	uint64_t flags;

	if (page == MAP_FAILED)
		return false;
	asm volatile("movb $1, (%1)\n pushf\n pop %0" : "=r"(flags) : "r"(page) : "memory");
	munmap(page, PAGE_SIZE);
	return flags & IOPL;
}

struct hypervisor hypervisor_of_this_cpu(void)
{
	struct hypervisor found = { .ring1 = kernel_is_in_ring_1() };
	unsigned int eax, ebx, ecx, edx;

	__cpuid(1, eax, ebx, ecx, edx);
	if (!(ecx & FEATURE_HYPERVISOR))
		return found;
	found.present = true;
	__cpuid(LEAF_HYPERVISOR, eax, ebx, ecx, edx);
	found.highest_leaf = eax;
	memcpy(found.signature, &ebx, 4);
	memcpy(found.signature + 4, &ecx, 4);
	memcpy(found.signature + 8, &edx, 4);
	return found;
}

bool hypervisor_is_mercury(const struct hypervisor *hypervisor)
{
	if (hypervisor->ring1)
		return true;
	return hypervisor->present && hypervisor->highest_leaf >= MERCURY_HIGHEST_LEAF &&
	       memcmp(hypervisor->signature, MERCURY_SIGNATURE, HYPERVISOR_SIGNATURE_SIZE) == 0;
}

cpu_set_t *usable_cpus(size_t *size)
{
	cpu_set_t *set = CPU_ALLOC(MAX_CPUS);

	*size = CPU_ALLOC_SIZE(MAX_CPUS);
	if (!set || sched_getaffinity(0, *size, set) == 0)
		return set;
	CPU_FREE(set);
	return NULL;
}

bool move_to_cpu(int cpu, size_t size)
{
	cpu_set_t *one = CPU_ALLOC(MAX_CPUS);
	bool moved;

	if (!one)
		return false;
	CPU_ZERO_S(size, one);
	CPU_SET_S(cpu, size, one);
	moved = sched_setaffinity(0, size, one) == 0;
	CPU_FREE(one);
	if (moved && sched_getcpu() != cpu) {
		errno = EAGAIN;
		return false;
	}
	return moved;
}
