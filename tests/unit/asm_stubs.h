/* SPDX-License-Identifier: GPL-2.0-only */
/* What a patched Linux asks of its stubs, and how that is to end. */
#ifndef TESTS_ASM_STUBS_H
#define TESTS_ASM_STUBS_H

#include "patched_linux.h"

static uint16_t flush_word(void)
{
	uint16_t word;

	memcpy(&word, linux_at(FLUSH), sizeof(word));
	return word;
}

static bool user_tlb_is_flushed(void)
{
	return !fake.tlb[0].valid;
}

/* --- What the stubs are asked --------------------------------------------------------------------- */

/* How it ends, whatever happens on the way; registers by number, those of `any` may hold anything. */
static struct {
	struct ring1_iret at;
	uint64_t regs[16], cr3, gs, kernel_gs;
	uint32_t any;
	bool by_sysret, fault;
} expected;

#define REG(n) X86_BIT32(n)
#define RAX 0
#define RCX 1
#define RDX 2
#define RSP 4
#define RDI 7
#define R8 8
#define R9 9
#define R11 11

static void set_register(unsigned int number, uint64_t value)
{
	walk_registers[walk_greg[number]] = (greg_t)value;
	expected.regs[number] = value;
}

static void set_registers(uint64_t rsp)
{
	unsigned int i;

	memset(&expected, 0, sizeof(expected));
	for (i = 0; i < 16; i++)
		set_register(i, UINT64_C(0x123456789abcdef1) * (i + 1));
	set_register(RSP, rsp);
	expected.any = REG(RSP);
	walk_registers[REG_EFL] = RFLAGS_FIXED1;
	walk_registers[REG_RIP] =
		(greg_t)cpu_slot(cpu(), MERCURY_CPU_RING1_STUB) +
		((given.machine->user_cr3 ? ring1_stub_apart : ring1_stub_shared) - ring1_stubs);
}

static void system_call(void)
{
	const uint64_t rflags = RFLAGS_FIXED1 | RFLAGS_IF | RFLAGS_CF;

	set_registers(USER_RSP);
	set_register(RCX, USER_RIP);
	set_register(R11, rflags | RING1_IOPL);
	expected.regs[R11] = rflags;
	in_user_space();
	expected.at = (struct ring1_iret){ SYSCALL_ENTRY, LINUX_CS, RFLAGS_FIXED1, 0, LINUX_SS };
	expected.cr3 = KERNEL_CR3;
	expected.gs = KERNEL_GS;
	expected.kernel_gs = USER_GS;
}

static void ask(uint32_t what, uint64_t rsp)
{
	const uint64_t rflags = RFLAGS_FIXED1 | RFLAGS_CF | (what ? RFLAGS_IF : 0);

	set_registers(rsp);
	set_register(RAX, what);
	set_register(RCX, ASKS + 2);
	set_register(R11, rflags | RING1_IOPL);
	expected.any |= REG(RCX) | REG(R11);
	in_kernel();
	expected.at = (struct ring1_iret){ ASKS + 2, LINUX_CS, rflags, rsp, LINUX_SS };
	expected.cr3 = KERNEL_CR3;
	expected.gs = KERNEL_GS;
	expected.kernel_gs = USER_GS;
}

static struct mercury_ring1_saved *saved(void)
{
	return linux_at(LINUX_STACK - 0x200);
}

static uint64_t saved_value(unsigned int number)
{
	return UINT64_C(0x0edcba9876543211) * (number + 3);
}

static void to_user(uint64_t rip, uint64_t rcx, uint64_t rflags, uint64_t r11)
{
	struct mercury_ring1_saved *s = saved();
	unsigned int i;

	ask(MERCURY_RING1_TO_USER, (uint64_t)s);
	*s = (struct mercury_ring1_saved){ .rax = saved_value(0),
					   .rcx = rcx,
					   .rdx = saved_value(2),
					   .rbx = saved_value(3),
					   .rbp = saved_value(5),
					   .rsi = saved_value(6),
					   .rdi = saved_value(7),
					   .r8 = saved_value(8),
					   .r9 = saved_value(9),
					   .r10 = saved_value(10),
					   .r11 = r11,
					   .r12 = saved_value(12),
					   .r13 = saved_value(13),
					   .r14 = saved_value(14),
					   .r15 = saved_value(15),
					   .orig_rax = 39,
					   .rip = rip,
					   .cs = USER_CS,
					   .rflags = rflags,
					   .rsp = USER_RSP,
					   .ss = USER_SS };
	for (i = 0; i < 16; i++)
		expected.regs[i] = saved_value(i);
	expected.regs[RCX] = rcx;
	expected.regs[R11] = r11;
	expected.any = REG(RSP);
	expected.at = (struct ring1_iret){ rip, USER_CS, rflags, USER_RSP, USER_SS };
	expected.cr3 = USER_CR3;
	expected.gs = USER_GS;
	expected.kernel_gs = KERNEL_GS;
}

#define USER_RFLAGS (RFLAGS_FIXED1 | RFLAGS_IF | RFLAGS_CF)

static void to_user_by_sysret(void)
{
	to_user(USER_RIP, USER_RIP, USER_RFLAGS, USER_RFLAGS);
	expected.by_sysret = true;
}

static void to_user_by_iret(void)
{
	to_user(USER_RIP, OTHER_RIP, USER_RFLAGS, 0x1234);
}

/* As Linux's own IRETQ would have faulted: on the stack of entries, where its frame is. */
static void to_user_by_bad_iret(void)
{
	to_user(USER_RIP, OTHER_RIP, USER_RFLAGS, 0x1234);
	ring1_walk.iret_fails = true;
	expected.fault = true;
	expected.at = (struct ring1_iret){ IRET, LINUX_CS, RFLAGS_FIXED1,
					   (uint64_t)linux_at(SP0) - sizeof(struct ring1_iret),
					   LINUX_SS };
}

#define ROOT ((uint64_t)roots[2])

static void write_cr3(uint64_t seen)
{
	const uint64_t cr3 = ROOT | given.pcid;

	ask(MERCURY_RING1_CR3, (uint64_t)linux_at(LINUX_STACK) - 0x108);
	set_register(RDI, cr3 | given.machine->noflush);
	memset(own()->roots, 0, sizeof(own()->roots));
	own()->roots[RING1_ROOT_SLOT(ROOT / 4096)] = seen;
	expected.any |= REG(RDX) | REG(R8) | REG(R9);
	expected.regs[RAX] = seen == ROOT;
	expected.cr3 = seen == ROOT ? cr3 : KERNEL_CR3;
}

static void write_known_cr3(void)
{
	write_cr3(ROOT);
}

static void write_unknown_cr3(void)
{
	write_cr3(ROOT + RING1_ROOTS * UINT64_C(4096));
}

static void read_gs(void)
{
	ask(MERCURY_RING1_READ_GS, (uint64_t)linux_at(LINUX_STACK) - 0x108);
	expected.regs[RAX] = USER_GS;
}

static void write_gs(void)
{
	ask(MERCURY_RING1_WRITE_GS, (uint64_t)linux_at(LINUX_STACK) - 0x108);
	expected.any |= REG(RAX);
	expected.kernel_gs = expected.regs[RDI];
}

static const struct way {
	const char *name;
	void (*begin)(void);
	bool from_user, to_user;
} ways[] = {
	{ "a system call", system_call, true, false },
	{ "SYSRET to user space", to_user_by_sysret, false, true },
	{ "IRETQ to user space", to_user_by_iret, false, true },
	{ "an IRETQ to user space that faults", to_user_by_bad_iret, false, true },
	{ "a known CR3", write_known_cr3, false, false },
	{ "an unknown CR3", write_unknown_cr3, false, false },
	{ "a read of the GS base", read_gs, false, false },
	{ "a write of the GS base", write_gs, false, false },
};

#define WAYS (sizeof(ways) / sizeof(ways[0]))

#endif
