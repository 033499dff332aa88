// SPDX-License-Identifier: GPL-2.0-only
/* The local descriptor table: what modify_ldt takes, and code and data in its segments. */
#define SUBJECT "ldt"
#include <asm/ldt.h>
#include <errno.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "conform.h"

static const struct user_desc segments[LDT_NR] = {
	[LDT_CODE] = { .limit = 0xfffff,
		       .seg_32bit = 1,
		       .contents = 2,
		       .limit_in_pages = 1,
		       .useable = 1 },
	[LDT_DATA] = { .limit = 0xfff, .seg_32bit = 1, .useable = 1 },
	[LDT_READ_ONLY] = { .limit = 0xfff, .seg_32bit = 1, .read_exec_only = 1, .useable = 1 },
	[LDT_EXPAND_DOWN] = { .limit = 0xff, .seg_32bit = 1, .contents = 1, .useable = 1 },
	[LDT_ABSENT_CODE] = { .limit = 0xfffff,
			      .seg_32bit = 1,
			      .contents = 2,
			      .limit_in_pages = 1,
			      .seg_not_present = 1,
			      .useable = 1 },
	[LDT_ABSENT_DATA] = { .limit = 0xfff, .seg_32bit = 1, .seg_not_present = 1, .useable = 1 },
	[LDT_CODE_16] = { .limit = 0xffff, .contents = 2, .useable = 1 },
	[LDT_DATA_16] = { .limit = 0xffff, .useable = 1 },
	[LDT_EXECUTE_ONLY] = { .limit = 0xfffff,
			       .seg_32bit = 1,
			       .contents = 2,
			       .read_exec_only = 1,
			       .limit_in_pages = 1,
			       .useable = 1 },
	[LDT_CONFORMING] = { .limit = 0xfffff,
			     .seg_32bit = 1,
			     .contents = 3,
			     .limit_in_pages = 1,
			     .seg_not_present = 1,
			     .useable = 1 },
	[LDT_SMALL] = { .limit = 0, .seg_32bit = 1, .useable = 1 },
};

static int write_ldt(unsigned int index)
{
	struct user_desc segment = segments[index];

	segment.entry_number = index;
	/* Data lie in conform_data; code is flat. */
	if (segment.contents < 2)
		segment.base_addr = (unsigned int)(uintptr_t)conform_data;
	return syscall(SYS_modify_ldt, 0x11, &segment, sizeof(segment)) ? errno : 0;
}

void make_ldt(void)
{
	for (unsigned int i = 0; i < LDT_NR; i++)
		write_ldt(i);
	memset(conform_data, 0x5a, sizeof(conform_data));
}

static void write_and_read(const void *unused)
{
	uint64_t table[LDT_NR + 2] = { 0 };
	long n;

	(void)unused;
	out_result("read empty", syscall(SYS_modify_ldt, 0, table, sizeof(table)));
	out_result("default", syscall(SYS_modify_ldt, 2, table, sizeof(table)));
	for (unsigned int i = 0; i < LDT_NR; i++)
		out("\nwrite %u: errno %d", i, write_ldt(i));
	n = syscall(SYS_modify_ldt, 0, table, sizeof(table));
	out("\nread %ld:", n);
	for (unsigned int i = 0; i < LDT_NR; i++)
		out(" %016lx", table[i]);
}

GROUP(write_and_read)
{
	in_child(SUBJECT "/write_and_read", write_and_read, NULL);
}

/* Selectors of the segments above, which assembly wants as numbers. */
#define CODE_SEL "0x07"
#define DATA_SEL "0x0f"
#define READ_ONLY_SEL "0x17"
#define EXPAND_DOWN_SEL "0x1f"
#define SMALL_SEL "0x57"

CODE_AFTER(make_ldt, gs_read, "mov $" DATA_SEL ", %eax\n mov %eax, %gs\n mov %gs:8, %rbx");
CODE_AFTER(make_ldt, gs_beyond_limit,
	   "mov $" DATA_SEL ", %eax\n mov %eax, %gs\n mov %gs:0x1000, %rbx");
CODE_AFTER(make_ldt, fs_small,
	   "mov $" SMALL_SEL ", %eax\n mov %eax, %fs\n mov %fs:8, %rbx\n xor %ebx, %ebx");
CODE_AFTER(make_ldt, gs_null_resets,
	   "mov $" DATA_SEL
	   ", %eax\n mov %eax, %gs\n xor %eax, %eax\n mov %eax, %gs\n mov %gs:8, %rbx");
CODE_AFTER(make_ldt, ds_is_flat_in_64,
	   "mov $" DATA_SEL ", %eax\n mov %eax, %ds\n mov (%rdi), %rbx");
CODE_AFTER(make_ldt, ss_is_flat_in_64,
	   "mov $" DATA_SEL ", %eax\n mov %eax, %ss\n push %rax\n pop %rbx");
CODE_AFTER(make_ldt, over_syscall,
	   "mov $" DATA_SEL
	   ", %eax\n mov %eax, %gs\n mov %eax, %ds\n mov %eax, %es\n mov $102, %eax\n syscall\n"
	   "mov %gs:8, %rax\n mov %ds, %ebx\n mov %es, %ecx\n mov %gs, %edx");
CODE_AFTER(make_ldt, ss_over_syscall,
	   "mov $" DATA_SEL ", %eax\n mov %eax, %ss\n mov $102, %eax\n syscall\n mov %ss, %eax");
CODE_AFTER(make_ldt, ss_over_int80,
	   "mov $" DATA_SEL ", %eax\n mov %eax, %ss\n mov $24, %eax\n int $0x80\n mov %ss, %eax");
CODE_AFTER(make_ldt, fs_over_int80,
	   "mov $" DATA_SEL ", %eax\n mov %eax, %fs\n mov $24, %eax\n int $0x80\n"
	   "mov %fs:8, %rax\n mov %fs, %edx");
CODE_AFTER(make_ldt, sleep_keeps_gs,
	   "mov $" DATA_SEL ", %eax\n mov %eax, %gs\n mov $24, %eax\n syscall\n mov %gs:8, %rax\n"
	   "mov %gs, %edx");
CODE_AFTER(
	make_ldt, ldt_replaced,
	"mov $" DATA_SEL
	", %eax\n mov %eax, %gs\n movl $1, (%rdi)\n movl $0, 4(%rdi)\n movl $0, 8(%rdi)\n"
	"movl $0x28, 12(%rdi)\n mov %rdi, %rsi\n mov $0x11, %edi\n mov $16, %edx\n mov $154, %eax\n syscall\n"
	"mov %gs, %edx\n mov %gs:8, %rbx");

/* To code of the LDT and back, or not. */
#define GO_32(sel) "push $" sel "\n lea 1f(%rip), %rax\n push %rax\n lretq\n .code32\n 1: "
#define GO_64 "\n ljmp $0x33, $2f\n .code64\n 2: xor %eax, %eax"
CODE_AFTER(make_ldt, code, GO_32(CODE_SEL) "mov %cs, %ebx\n" GO_64);
CODE_AFTER(make_ldt, code_int80,
	   GO_32(CODE_SEL) "mov $24, %eax\n int $0x80\n mov %cs, %ebx\n" GO_64);
CODE_AFTER(make_ldt, code_fault, GO_32(CODE_SEL) "hlt\n .code64");
CODE_AFTER(make_ldt, code_page_fault, GO_32(CODE_SEL) "mov 0x10, %eax\n .code64");
CODE_AFTER(make_ldt, code_step,
	   GO_32(CODE_SEL) "pushf\n orl $0x100, (%esp)\n popf\n nop\n nop\n" GO_64);
CODE_AFTER(make_ldt, code_execute_only_read, GO_32("0x47") "mov %cs:(%edi), %ebx\n" GO_64);
CODE_AFTER(make_ldt, data_32,
	   "mov $" DATA_SEL
	   ", %eax\n mov %eax, %ds\n" GO_32("0x23") "mov 8, %ebx\n mov %ds, %ecx\n" GO_64);
CODE_AFTER(make_ldt, data_32_beyond,
	   "mov $" DATA_SEL ", %eax\n mov %eax, %ds\n" GO_32("0x23") "mov 0x1000, %ebx\n" GO_64);
CODE_AFTER(make_ldt, data_32_straddle,
	   "mov $" DATA_SEL ", %eax\n mov %eax, %ds\n" GO_32("0x23") "mov 0xffd, %ebx\n" GO_64);
CODE_AFTER(make_ldt, read_only_32,
	   "mov $" READ_ONLY_SEL
	   ", %eax\n mov %eax, %ds\n" GO_32("0x23") "mov 8, %ebx\n mov %ebx, 8\n" GO_64);
CODE_AFTER(make_ldt, expand_down_32,
	   "mov $" EXPAND_DOWN_SEL
	   ", %eax\n mov %eax, %ds\n" GO_32("0x23") "mov 0x200, %ebx\n mov 0x80, %ecx\n" GO_64);
CODE_AFTER(make_ldt, null_ds_32,
	   "xor %eax, %eax\n mov %eax, %ds\n" GO_32("0x23") "mov (%edi), %ebx\n" GO_64);
CODE_AFTER(
	make_ldt, stack_32,
	"mov $" DATA_SEL ", %edx\n" GO_32(
		"0x23") "mov %esp, %ebx\n mov %edx, %ss\n mov $0x100, %esp\n push $0x77\n pop %ecx\n mov $0x2b, %eax\n"
			"mov %eax, %ss\n mov %ebx, %esp\n" GO_64);
CODE_AFTER(
	make_ldt, stack_32_int80,
	"mov $" DATA_SEL ", %edx\n" GO_32(
		"0x23") "mov %esp, %ebp\n mov %edx, %ss\n mov $0x100, %esp\n mov $24, %eax\n int $0x80\n mov %esp, %ecx\n"
			"mov $0x2b, %eax\n mov %eax, %ss\n mov %ebp, %esp\n" GO_64);
CODE_AFTER(make_ldt, stack_32_beyond,
	   "mov $" DATA_SEL
	   ", %edx\n" GO_32("0x23") "mov %edx, %ss\n mov $0x2000, %esp\n push %eax\n .code64");
CODE_AFTER(make_ldt, stack_32_fault,
	   "mov $" DATA_SEL
	   ", %edx\n" GO_32("0x23") "mov %edx, %ss\n mov $0x100, %esp\n hlt\n .code64");
CODE_AFTER(make_ldt, absent_far_jump, "movl $0, (%rdi)\n movw $0x27, 4(%rdi)\n ljmp *(%rdi)");
CODE_AFTER(make_ldt, absent_load, "mov $0x2f, %eax\n mov %eax, %gs");
CODE_AFTER(make_ldt, absent_ss, "mov $0x2f, %eax\n mov %eax, %ss");
CODE_AFTER(make_ldt, absent_iret,
	   "push $0x2b\n push %rsp\n push $0x202\n push $0x27\n push %rdi\n iretq");
