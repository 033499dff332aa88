// SPDX-License-Identifier: GPL-2.0-only
/* CPUID: every leaf but those of a hypervisor. Of leaf 1, the bits for VMX and for a hypervisor are left out. */
#define SUBJECT "cpuid"
#include <cpuid.h>

#include "conform.h"

#define SUBLEAVES 8
#define HIDDEN (UINT32_C(1) << 5 | UINT32_C(1) << 31)

static void leaf(uint32_t number)
{
	uint32_t a, b, c, d;

	for (uint32_t sub = 0; sub < SUBLEAVES; sub++) {
		__cpuid_count(number, sub, a, b, c, d);
		if (number == 1)
			c &= ~HIDDEN;
		out("%x.%x: %08x %08x %08x %08x\n", number, sub, a, b, c, d);
	}
}

static void leaves(const void *unused)
{
	uint32_t a, b, c, d;

	(void)unused;
	__cpuid(0, a, b, c, d);
	for (uint32_t i = 0; i <= a + 1; i++)
		leaf(i);
	__cpuid(0x80000000, a, b, c, d);
	for (uint32_t i = 0x80000000; i <= a + 1; i++)
		leaf(i);
}

GROUP(leaves)
{
	in_child(SUBJECT "/leaves", leaves, NULL);
}

CODE(upper_halves,
     "mov $0xffffffff00000000, %rax\n mov %rax, %rcx\n mov %rax, %rbx\n mov %rax, %rdx\n cpuid");
/* Intel's CPUs tell of SYSCALL in 64-bit code only. */
CODE32(leaf_extended_32, "mov $0x80000001, %eax\n xor %ecx, %ecx\n cpuid");
CODE32(leaf_7_32, "mov $7, %eax\n xor %ecx, %ecx\n cpuid");
