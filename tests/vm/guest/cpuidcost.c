// SPDX-License-Identifier: GPL-2.0-only
/*
 * cpuidcost: what a CPUID costs here, leaf by leaf, in cycles of the TSC for ROUNDS of them, loop
 * included: the least of several tries, that is one without an interrupt. In an emulator whose TSC
 * counts instructions the difference between virtual and native is what the VMM executed.
 */
#include <stdint.h>
#include <stdio.h>
#include <x86intrin.h>

#define ROUNDS 100
#define TRIES 100

static uint64_t cycles_of(unsigned int leaf)
{
	uint64_t start = __rdtsc();

	for (unsigned int i = 0; i < ROUNDS; i++) {
		unsigned int eax = leaf, ecx = 0;

		asm volatile("cpuid" : "+a"(eax), "+c"(ecx) : : "rbx", "rdx", "memory");
	}
	return __rdtsc() - start;
}

int main(void)
{
	static const unsigned int leaves[] = { 0, 2, 4, 0x80000000, 1, 7, 0x80000001, 0x40000000 };

	for (size_t i = 0; i < sizeof(leaves) / sizeof(leaves[0]); i++) {
		uint64_t least = UINT64_MAX;

		for (unsigned int try = 0; try < TRIES; try++) {
			uint64_t cycles = cycles_of(leaves[i]);

			least = cycles < least ? cycles : least;
		}
		printf("%08x %llu\n", leaves[i], (unsigned long long)least);
	}
	return 0;
}
