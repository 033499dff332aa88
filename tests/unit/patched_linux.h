/* SPDX-License-Identifier: GPL-2.0-only */
/* A Linux whose code is patched, on machines with one CR3 and with two, for the walks through assembly. */
#ifndef TESTS_PATCHED_LINUX_H
#define TESTS_PATCHED_LINUX_H

#include <string.h>

#include "ring1_linux.h"
#include "ring1_walk.h"
#include "x86/msr.h"

#define PCID 5
#define KERNEL_CR3 ((uint64_t)roots[0] | given.pcid)
#define USER_CR3 (KERNEL_CR3 | given.machine->user_cr3)
#define KERNEL_GS UINT64_C(0xffff888007a00000)
#define USER_GS UINT64_C(0x7f0000001000)

#define USER_RSP UINT64_C(0x7ffd00001238)
#define OTHER_RIP UINT64_C(0x402000)
#define SYSCALL_ENTRY UINT64_C(0xffffffff81700100)
#define USER_RETURN UINT64_C(0xffffffff81700200)
#define IRET UINT64_C(0xffffffff81700300)
#define ASKS                                                                                       \
	UINT64_C(0xffffffff81700400) /* a SYSCALL of Linux's                                  */
#define FLUSH 0x10f00
#define SCRATCH 0x10f10
#define OTHER_MARKS 0x0042

/* --- The machine and its Linux -------------------------------------------------------------------- */

static const struct machine {
	const char *name;
	uint64_t user_cr3, noflush, pcid;
} machines[] = {
	{ "one CR3", 0, 0, 0 },
	{ "two CR3", X86_BIT64(12), 0, 0 },
	{ "two CR3 with PCIDs", X86_BIT64(12) | X86_BIT64(11), CR3_NOFLUSH, PCID },
};

#define MACHINES (sizeof(machines) / sizeof(machines[0]))

static struct {
	const struct machine *machine;
	uint64_t pcid;
	bool mark;             /* user space's PCID wants a flush                                 */
	bool blocked, latched; /* NMIs                                                            */
} given;

/* Linux's, user space's, and another one of Linux's. */
static uint64_t roots[3][512] __attribute__((aligned(0x2000)));

static inline void set_machine(const struct machine *machine)
{
	const uint64_t user = machine->user_cr3;
	size_t i;

	for (i = 0; i < 3; i++)
		memcpy(roots[i], linux_at(LINUX_ROOT), sizeof(roots[i]));
	given.machine = machine;
	given.pcid = machine->pcid;
	cpu_shared(cpu())->patch = (struct mercury_ring1_patch){
		.is_on = 1,
		.syscall_entry = SYSCALL_ENTRY,
		.scratch = (uint64_t)linux_at(SCRATCH) + 8,
		.user_return = USER_RETURN,
		.iret = IRET,
		.user_cr3 = user,
		.kernel_cr3 = ~user,
		.noflush = machine->noflush,
		.pcid_flush = machine->noflush ? (uint64_t)linux_at(FLUSH) : 0,
	};
	own()->patched.rip = SYSCALL_ENTRY;
	own()->patched.cs = RING1_CS;
	own()->patched.rflags = RFLAGS_FIXED1 | RING1_IOPL;
	own()->patched.ss = RING1_SS;
	fake.cpu.cr4 = machine->noflush ? fake.cpu.cr4 | CR4_PCIDE : fake.cpu.cr4 & ~CR4_PCIDE;
}

static inline void in_kernel(void)
{
	fake.cpu.cr3 = KERNEL_CR3;
	fake.cpu.gs.base = KERNEL_GS;
	fake_set_msr(MSR_IA32_KERNEL_GS_BASE, USER_GS);
}

static inline void in_user_space(void)
{
	fake.cpu.cr3 = USER_CR3;
	fake.cpu.gs.base = USER_GS;
	fake_set_msr(MSR_IA32_KERNEL_GS_BASE, KERNEL_GS);
}

#endif
