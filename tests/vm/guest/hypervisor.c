// SPDX-License-Identifier: GPL-2.0-only
/* Which hypervisor, if any, CPUID tells of on the CPU that asks, and the ring of its kernel. */
#include <cpuid.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "hypervisor.h"

#define MAX_CPUS 8192
#define FEATURE_HYPERVISOR (1u << 31)
#define LEAF_HYPERVISOR 0x40000000u
#define LEAVES 0x100u /* of each hypervisor, where there is one in another                        */
#define LAST_LEAF 0x40010000u

#define PAGE_SIZE 4096

/* As /proc/mercury has it for ring 1 on this CPU: page faults that came to the VMM first; 0 if there is none. */
static unsigned long long page_faults_in_vmm(int cpu)
{
	static const char label[] = "page faults ";
	unsigned long long count = 0;
	char line[1024], start[32];
	FILE *status = fopen("/proc/mercury", "r");
	const char *found;

	if (!status)
		return 0;
	snprintf(start, sizeof(start), "traps cpu%d:", cpu);
	while (fgets(line, sizeof(line), status)) {
		if (strncmp(line, start, strlen(start)) != 0)
			continue;
		found = strstr(line, label);
		if (found)
			count = strtoull(found + strlen(label), NULL, 10);
	}
	fclose(status);
	return count;
}

/*
 * There is nothing that user space could tell it by where the kernel's code is patched: a page fault of ours
 * has to come to the VMM.
 */
static bool kernel_is_in_ring_1(void)
{
	unsigned long long before = page_faults_in_vmm(sched_getcpu());
	char *page =
		mmap(NULL, PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (page == MAP_FAILED)
		return false;
	asm volatile("movb $1, (%0)" : : "r"(page) : "memory");
	munmap(page, PAGE_SIZE);
	return page_faults_in_vmm(sched_getcpu()) > before;
}

/* Mercury's leaves, or else the outermost hypervisor's. */
static void read_leaves(struct hypervisor *found)
{
	unsigned int leaf, eax, ebx, ecx, edx;
	char signature[HYPERVISOR_SIGNATURE_SIZE];

	for (leaf = LEAF_HYPERVISOR; leaf < LAST_LEAF; leaf += LEAVES) {
		__cpuid(leaf, eax, ebx, ecx, edx);
		memcpy(signature, &ebx, 4);
		memcpy(signature + 4, &ecx, 4);
		memcpy(signature + 8, &edx, 4);
		if (leaf == LEAF_HYPERVISOR)
			memcpy(found->signature, signature, sizeof(signature));
		if (eax <= leaf || eax >= leaf + LEAVES)
			return;
		if (memcmp(signature, MERCURY_SIGNATURE, sizeof(signature)) == 0) {
			memcpy(found->signature, signature, sizeof(signature));
			found->mercury = true;
			return;
		}
	}
}

struct hypervisor hypervisor_of_this_cpu(void)
{
	struct hypervisor found = { .ring1 = kernel_is_in_ring_1() };
	unsigned int eax, ebx, ecx, edx;

	__cpuid(1, eax, ebx, ecx, edx);
	if (!(ecx & FEATURE_HYPERVISOR))
		return found;
	found.present = true;
	read_leaves(&found);
	return found;
}

bool hypervisor_is_mercury(const struct hypervisor *hypervisor)
{
	return hypervisor->ring1 || hypervisor->mercury;
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
