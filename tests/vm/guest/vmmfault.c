// SPDX-License-Identifier: GPL-2.0-only
/*
 * vmmfault: has the VMM fail, where it was built with tests/vm/request: by a CPUID of user space or of the
 * kernel's cpuid driver. Tells whether what executed it goes on as it was.
 */
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "hypervisor.h"

#define FAULT_LEAF 0x26415543u

static const char *const actions[] = {
	"invalid-opcode", "general-protection", "page-fault",    "stack-overflow",
	"resume-fails",   "entry-fails",        "misconfigured", "next-vote",
	"next-leave",     "every-vmread",       "rdtsc-exits",
};
#define ACTIONS (sizeof(actions) / sizeof(actions[0]))

static const char usage[] =
	"usage: vmmfault CPU user|kernel ACTION\n"
	"  Executes on CPU a CPUID that has the VMM do ACTION:\n"
	"  invalid-opcode general-protection page-fault stack-overflow resume-fails entry-fails\n"
	"  misconfigured next-vote next-leave every-vmread rdtsc-exits\n"
	"  Exit status: 0 if it came back with all its registers, 1 if not, 2: bad arguments.\n";

static void __attribute__((noreturn)) fail_usage(void)
{
	fputs(usage, stderr);
	exit(2);
}

static uint32_t action_number(const char *name)
{
	for (uint32_t i = 0; i < ACTIONS; i++)
		if (!strcmp(name, actions[i]))
			return i;
	fail_usage();
}

/* CPUID with known values in all other registers that it does not write; are they still there? */
static bool by_user(uint32_t action)
{
	register uint64_t r8 asm("r8") = 8, r9 asm("r9") = 9, r10 asm("r10") = 10;
	register uint64_t r12 asm("r12") = 12, r13 asm("r13") = 13, r15 asm("r15") = 15;
	uint64_t rax = FAULT_LEAF, rbx, rcx = action, rdx, rsi = 51, rdi = 52;

	asm volatile("cpuid"
		     : "+a"(rax), "=b"(rbx), "+c"(rcx), "=d"(rdx), "+S"(rsi), "+D"(rdi), "+r"(r8),
		       "+r"(r9), "+r"(r10), "+r"(r12), "+r"(r13), "+r"(r15)
		     :
		     : "memory");
	return r8 == 8 && r9 == 9 && r10 == 10 && r12 == 12 && r13 == 13 && r15 == 15 &&
	       rsi == 51 && rdi == 52;
}

static bool by_kernel(unsigned int cpu, uint32_t action)
{
	uint32_t registers[4];
	char file[64];
	int fd;
	bool ok;

	snprintf(file, sizeof(file), "/dev/cpu/%u/cpuid", cpu);
	fd = open(file, O_RDONLY);
	if (fd < 0) {
		perror(file);
		exit(2);
	}
	ok = pread(fd, registers, sizeof(registers),
		   (off_t)(FAULT_LEAF | (uint64_t)action << 32)) == sizeof(registers);
	close(fd);
	return ok;
}

int main(int argc, char **argv)
{
	uint32_t action;
	size_t size;
	int cpu;
	bool ok;

	if (argc != 4 || (strcmp(argv[2], "user") && strcmp(argv[2], "kernel")))
		fail_usage();
	cpu = atoi(argv[1]);
	action = action_number(argv[3]);
	if (!usable_cpus(&size) || !move_to_cpu(cpu, size)) {
		fprintf(stderr, "vmmfault: cannot run on cpu%d\n", cpu);
		return 2;
	}
	ok = strcmp(argv[2], "user") ? by_kernel((unsigned int)cpu, action) : by_user(action);
	printf("vmmfault: %s, %s, cpu%d: %s\n", argv[3], argv[2], cpu,
	       ok ? "went on as it was" : "registers are lost");
	return !ok;
}
