// SPDX-License-Identifier: GPL-2.0-only
/*
 * Every selector of the GDT and of an LDT by every instruction that takes one: LAR, LSL, VERR, VERW, loads,
 * far jumps, calls and returns, IRET. The GDT is walked beyond its limit.
 */
#define SUBJECT "segment"
#include <asm/prctl.h>
#include <string.h>
#include <sys/syscall.h>

#include "conform.h"

#define GDT_WALK 0x18 /* entries; Linux has 0x10 */

static uint64_t fs_base;

/* Where far transfers go: an instruction of the same bytes in 64- and 32-bit code. */
extern const unsigned char segment_target[];
asm(".pushsection .text\n segment_target: int3\n ud2\n .popsection\n");

static void for_each_selector(void (*run)(unsigned int selector))
{
	for (unsigned int i = 0; i < GDT_WALK; i++)
		for (unsigned int rpl = 0; rpl < 4; rpl++)
			run(i << 3 | rpl);
	for (unsigned int i = 0; i < LDT_NR + 1; i++)
		for (unsigned int rpl = 0; rpl < 4; rpl++)
			run(i << 3 | 4 | rpl);
}

static void prepare(void)
{
	make_ldt();
	catch_signals();
	system_call(SYS_arch_prctl, ARCH_GET_FS, (long)&fs_base, 0);
}

/* --- What can be asked --------------------------------------------------------------------------- */

static void ask(unsigned int selector)
{
	uint64_t lar = 0, lsl = 0;
	bool has_lar, has_lsl, verr, verw;

	asm volatile("lar %2, %0" : "+r"(lar), "=@ccz"(has_lar) : "r"((uint64_t)selector));
	asm volatile("lsl %2, %0" : "+r"(lsl), "=@ccz"(has_lsl) : "r"((uint64_t)selector));
	asm volatile("verr %w1" : "=@ccz"(verr) : "r"(selector));
	asm volatile("verw %w1" : "=@ccz"(verw) : "r"(selector));
	if (has_lar || has_lsl || verr || verw)
		out("%#x: lar %d %lx lsl %d %lx verr %d verw %d\n", selector, has_lar, lar, has_lsl,
		    lsl, verr, verw);
}

static void ask_all(const void *unused)
{
	(void)unused;
	prepare();
	for_each_selector(ask);
}

/* --- Loads ---------------------------------------------------------------------------------------- */

#define LOAD(sreg)                                                                                 \
	static void load_##sreg(unsigned int selector)                                             \
	{                                                                                          \
		unsigned int now = 0;                                                              \
                                                                                                   \
		TRY("mov %1, %%" #sreg "\n mov %%" #sreg ", %0",                                   \
		    : "+r"(now)                                                                    \
		    : "r"(selector)                                                                \
		    : "r11", "memory");                                                            \
		if (#sreg[0] == 'f')                                                               \
			system_call(SYS_arch_prctl, ARCH_SET_FS, (long)fs_base, 0);                \
		else if (#sreg[0] != 's')                                                          \
			asm volatile("mov %0, %%" #sreg : : "r"(0));                               \
		out(#sreg " %#x: ", selector);                                                     \
		out_caught();                                                                      \
		out(" now %x\n", now);                                                             \
	}                                                                                          \
	static void load_all_##sreg(const void *unused)                                            \
	{                                                                                          \
		(void)unused;                                                                      \
		prepare();                                                                         \
		for_each_selector(load_##sreg);                                                    \
	}
LOAD(ds)
LOAD(es)
LOAD(fs)
LOAD(gs)
LOAD(ss)

/* --- Far transfers -------------------------------------------------------------------------------- */

static void out_far(const char *name, unsigned int selector)
{
	out("%s %#x: ", name, selector);
	out_caught();
	if (conform_caught.rip == (uint64_t)segment_target + 1)
		out(" arrived");
	out(" cs %lx ss %lx\n", conform_caught.cs, conform_caught.ss);
}

static struct far_pointer {
	uint32_t offset;
	uint16_t selector;
} __attribute__((packed)) far_pointer;

static void aim(unsigned int selector)
{
	far_pointer =
		(struct far_pointer){ (uint32_t)(uintptr_t)segment_target, (uint16_t)selector };
}

static void jump(unsigned int selector)
{
	aim(selector);
	TRY("ljmp *%0", : : "m"(far_pointer) : "r11", "memory", "cc");
	out_far("jump", selector);
}

static void call(unsigned int selector)
{
	aim(selector);
	TRY("lcall *%0", : : "m"(far_pointer) : "r11", "memory", "cc");
	out_far("call", selector);
}

static void far_return(unsigned int selector)
{
	TRY("push %0\n push %1\n lretq",
	    :
	    : "r"((uint64_t)selector), "r"(segment_target)
	    : "r11", "memory", "cc");
	out_far("return", selector);
}

static void iret_cs(unsigned int selector)
{
	TRY("mov %%rsp, %%rax\n push $0x2b\n push %%rax\n push $0x202\n push %0\n push %1\n iretq",
	    :
	    : "r"((uint64_t)selector), "r"(segment_target)
	    : "r11", "rax", "memory", "cc");
	out_far("iret_cs", selector);
}

static void iret_ss(unsigned int selector)
{
	TRY("mov %%rsp, %%rax\n push %0\n push %%rax\n push $0x202\n push $0x33\n push %1\n iretq",
	    :
	    : "r"((uint64_t)selector), "r"(segment_target)
	    : "r11", "rax", "memory", "cc");
	out_far("iret_ss", selector);
}

static void run_all(const void *run)
{
	prepare();
	for_each_selector(*(void (*const *)(unsigned int))run);
}

#define FAR(name)                                                                                  \
	GROUP(name)                                                                                \
	{                                                                                          \
		static void (*const run)(unsigned int) = name;                                     \
		in_child(SUBJECT "/" #name, run_all, &run);                                        \
	}
FAR(jump)
FAR(call)
FAR(far_return)
FAR(iret_cs)
FAR(iret_ss)

GROUP(ask)
{
	in_child(SUBJECT "/ask", ask_all, NULL);
}

GROUP(load)
{
	in_child(SUBJECT "/load_ds", load_all_ds, NULL);
	in_child(SUBJECT "/load_es", load_all_es, NULL);
	in_child(SUBJECT "/load_fs", load_all_fs, NULL);
	in_child(SUBJECT "/load_gs", load_all_gs, NULL);
	in_child(SUBJECT "/load_ss", load_all_ss, NULL);
}

/* --- Addresses that no far transfer reaches ---------------------------------------------------------- */

CODE(far_return_not_canonical, "push $0x33\n mov $1, %rax\n shl $63, %rax\n push %rax\n lretq");
CODE(far_return_32_upper, "push $0x23\n mov $0x100000000, %rax\n push %rax\n lretq");
CODE(far_jump_kernel,
     "movl $0xffffffff, (%rdi)\n movl $0xffffffff, 4(%rdi)\n movw $0x33, 8(%rdi)\n rex.w ljmp *(%rdi)");
CODE(far_jump_window,
     "mov $0xfffffe8000000000, %rax\n mov %rax, (%rdi)\n movw $0x33, 8(%rdi)\n rex.w ljmp *(%rdi)");
CODE(iret_not_canonical,
     "push $0x2b\n push %rsp\n push $0x202\n push $0x33\n mov $1, %rax\n shl $63, %rax\n"
     "push %rax\n iretq");
CODE(return_not_canonical, "mov $1, %rax\n shl $63, %rax\n push %rax\n ret");
CODE(jump_not_canonical, "mov $1, %rax\n shl $63, %rax\n jmp *%rax");
CODE(iretl,
     "lea 1f(%rip), %rax\n movl $0x2b, -4(%rsp)\n mov %esp, -8(%rsp)\n movl $0x202, -12(%rsp)\n"
     "movl $0x33, -16(%rsp)\n mov %eax, -20(%rsp)\n sub $20, %rsp\n iretl\n 1: xor %eax, %eax");
