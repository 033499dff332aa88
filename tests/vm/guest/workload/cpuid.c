// SPDX-License-Identifier: GPL-2.0-only
/*
 * CPUID, the instruction every VMM has to emulate: it changes four registers and nothing else, and
 * says the same native and virtual, except for what a VMM is there to change.
 */
#include <cpuid.h>

#include "worker.h"

#define LOOPS 40
/* Arithmetic flags and DF: CF PF AF ZF SF DF OF, and bit 1. */
#define FLAGS UINT64_C(0xcd7)
#define KEPT 11

/* CPUID.1:ECX bits 5 (VMX) and 31 (hypervisor present) are what Mercury changes. */
#define CHANGED_ECX (1u << 5 | 1u << 31)
/* CPUID.1:EBX[31:24] is the APIC ID of the CPU that answers. */
#define APIC_ID_EBX 0xff000000u

/* Runs CPUID with known values in all other registers and stores them and RFLAGS to @out. */
static void cpuid_keeping(uint64_t out[KEPT + 1])
{
	const uint64_t pattern = UINT64_C(0x0123456789abcdef);
	uint64_t *address = out, first = pattern;

	asm volatile("push %%rbp\n push %%rax\n"
		     "mov %%rcx, %%rsi\n"
		     "lea 1(%%rsi), %%rdi\n lea 2(%%rsi), %%r8\n lea 3(%%rsi), %%r9\n"
		     "lea 4(%%rsi), %%r10\n lea 5(%%rsi), %%r11\n lea 6(%%rsi), %%r12\n"
		     "lea 7(%%rsi), %%r13\n lea 8(%%rsi), %%r14\n lea 9(%%rsi), %%r15\n"
		     "lea 10(%%rsi), %%rbp\n"
		     "xor %%eax, %%eax\n xor %%ecx, %%ecx\n"
		     "push %[flags]\n popf\n"
		     "cpuid\n"
		     "pushf\n pop %%rax\n cld\n"
		     "pop %%rbx\n"
		     "mov %%rsi, (%%rbx)\n mov %%rdi, 8(%%rbx)\n mov %%r8, 16(%%rbx)\n"
		     "mov %%r9, 24(%%rbx)\n mov %%r10, 32(%%rbx)\n mov %%r11, 40(%%rbx)\n"
		     "mov %%r12, 48(%%rbx)\n mov %%r13, 56(%%rbx)\n mov %%r14, 64(%%rbx)\n"
		     "mov %%r15, 72(%%rbx)\n mov %%rbp, 80(%%rbx)\n mov %%rax, 88(%%rbx)\n"
		     "pop %%rbp\n"
		     : "+a"(address), "+c"(first)
		     : [flags] "i"(FLAGS)
		     : "rbx", "rdx", "rsi", "rdi", "r8", "r9", "r10", "r11", "r12", "r13", "r14",
		       "r15", "cc", "memory");
	for (uint64_t i = 0; i < KEPT; i++)
		expect(out[i] == pattern + i, "CPUID changed register %llu to %llx",
		       (unsigned long long)i, (unsigned long long)out[i]);
	/* IF, bit 9, reads as 1 in user mode; IOPL is not ours to set, and 1 while Linux is in ring 1. */
	expect((out[KEPT] & ~UINT64_C(0x3200)) == FLAGS, "CPUID changed RFLAGS to %llx",
	       (unsigned long long)out[KEPT]);
}

static uint64_t digest_leaf(uint64_t digest, unsigned int leaf)
{
	unsigned int out[4];

	__cpuid_count(leaf, 0, out[0], out[1], out[2], out[3]);
	if (leaf == 1) {
		out[1] &= ~APIC_ID_EBX;
		out[2] &= ~CHANGED_ECX;
	}
	done(1);
	return digest_bytes(digest, out, sizeof(out));
}

static uint64_t cpuid_round(void)
{
	static const unsigned int leaves[] = {
		0,          1,          2,          4,          7,          0x80000000,
		0x80000001, 0x80000002, 0x80000003, 0x80000004, 0x80000007, 0x80000008,
	};
	uint64_t out[KEPT + 1], digest = DIGEST_START;

	for (int i = 0; i < LOOPS; i++)
		cpuid_keeping(out);
	done(LOOPS);
	for (size_t i = 0; i < ARRAY_SIZE(leaves); i++)
		digest = digest_leaf(digest, leaves[i]);
	return digest;
}

const struct worker cpuid_worker = { .name = "cpuid", .round = cpuid_round };
