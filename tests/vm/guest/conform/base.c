// SPDX-License-Identifier: GPL-2.0-only
/* FS and GS: their bases by arch_prctl and by FSGSBASE, and selector loads, which reset them. */
#define SUBJECT "base"
#include <asm/ldt.h>
#include <asm/prctl.h>
#include <elf.h>
#include <sched.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "conform.h"

#define HWCAP2_FSGSBASE 2

#define GS_BASE_RAX                                                                                \
	"mov %rax, %rsi\n mov $0x1001, %edi\n mov $158, %eax\n syscall\n xor %eax, %eax\n"

CODE(prctl_gs, "lea 64(%rdi), %rax\n" GS_BASE_RAX "mov %gs:0, %rbx\n mov %gs, %ecx");
CODE(prctl_gs_not_canonical, "mov $1, %rax\n shl $63, %rax\n mov %rax, %rsi\n mov $0x1001, %edi\n"
			     "mov $158, %eax\n syscall");
CODE(prctl_gs_kernel, "mov $-4096, %rsi\n mov $0x1001, %edi\n mov $158, %eax\n syscall");
CODE(prctl_gs_then_selector, "lea 64(%rdi), %rax\n" GS_BASE_RAX "mov $0x2b, %eax\n mov %eax, %gs");
CODE(prctl_gs_then_null, "lea 64(%rdi), %rax\n" GS_BASE_RAX "xor %eax, %eax\n mov %eax, %gs");
CODE(prctl_gs_then_one, "lea 64(%rdi), %rax\n" GS_BASE_RAX "mov $1, %eax\n mov %eax, %gs");
CODE(null_gs_kept, "mov $3, %eax\n mov %eax, %gs\n mov $102, %eax\n syscall\n mov %gs, %eax");
CODE(null_ds_kept, "mov $3, %eax\n mov %eax, %ds\n mov %eax, %es\n mov $102, %eax\n syscall\n"
		   "mov %ds, %eax\n mov %es, %ebx");
CODE(null_ds_over_int80,
     "mov $2, %eax\n mov %eax, %ds\n mov %eax, %es\n mov $24, %eax\n int $0x80\n"
     "mov %ds, %eax\n mov %es, %ebx");
CODE(null_gs_over_yield, "mov $1, %eax\n mov %eax, %gs\n mov $24, %eax\n syscall\n mov %gs, %eax");

CODE(rdfsbase, "rdfsbase %rax\n xor %eax, %eax");
CODE(rdgsbase, "rdgsbase %rax");
CODE(wrgsbase, "lea 64(%rdi), %rax\n wrgsbase %rax\n mov %gs:0, %rbx");
CODE(wrgsbase_32, "mov $-1, %rax\n wrgsbase %eax");
CODE(wrgsbase_not_canonical, "mov $1, %rax\n shl $63, %rax\n wrgsbase %rax");
CODE(wrgsbase_kernel, "mov $-4096, %rax\n wrgsbase %rax\n rdgsbase %rbx");
CODE(wrgsbase_kernel_fault, "mov $-4096, %rax\n wrgsbase %rax\n mov %gs:0, %rbx");
CODE(wrgsbase_window, "mov $0xfffffe8000000000, %rax\n wrgsbase %rax\n mov %gs:0, %rbx");
CODE(wrgsbase_over_syscall,
     "mov $-4096, %rax\n wrgsbase %rax\n mov $102, %eax\n syscall\n rdgsbase %rax");
CODE(wrgsbase_over_int80,
     "mov $-4096, %rax\n wrgsbase %rax\n mov $24, %eax\n int $0x80\n rdgsbase %rax");
CODE(wrgsbase_over_yield,
     "mov $-4096, %rax\n wrgsbase %rax\n mov $24, %eax\n syscall\n rdgsbase %rax");
CODE(wrgsbase_over_fault, "mov $-4096, %rax\n wrgsbase %rax\n ud2");
CODE(wrgsbase_then_selector,
     "lea 64(%rdi), %rax\n wrgsbase %rax\n mov $0x2b, %eax\n mov %eax, %gs\n rdgsbase %rbx");
CODE(wrgsbase_then_null,
     "lea 64(%rdi), %rax\n wrgsbase %rax\n xor %eax, %eax\n mov %eax, %gs\n rdgsbase %rbx");
CODE(wrgsbase_selector_kept,
     "mov $0x2b, %eax\n mov %eax, %gs\n lea 64(%rdi), %rax\n wrgsbase %rax\n"
     "mov $24, %eax\n syscall\n mov %gs, %eax\n rdgsbase %rbx");

/* Another process changes the register in between; each keeps its own. */
static void bases_over_switches(const void *unused)
{
	uint64_t gs = 0, fs = 0;
	bool kept = true;
	pid_t child;

	(void)unused;
	out("FSGSBASE %lu ", getauxval(AT_HWCAP2) & HWCAP2_FSGSBASE);
	child = fork();
	system_call(SYS_arch_prctl, ARCH_SET_GS, child ? 0x1234000 : 0x5678000, 0);
	for (unsigned int i = 0; i < 200; i++) {
		sched_yield();
		system_call(SYS_arch_prctl, ARCH_GET_GS, (long)&gs, 0);
		kept = kept && gs == (child ? 0x1234000u : 0x5678000u);
	}
	if (!child)
		_exit(!kept);
	system_call(SYS_arch_prctl, ARCH_GET_FS, (long)&fs, 0);
	out("kept %d fs %d", kept, fs != 0);
}

GROUP(switches)
{
	in_child(SUBJECT "/switches", bases_over_switches, NULL);
}

/* A thread-local segment of the GDT. */
static void thread_area(const void *unused)
{
	struct user_desc area = { .entry_number = (unsigned int)-1,
				  .base_addr = (unsigned int)(uintptr_t)conform_data,
				  .limit = 0xfff,
				  .seg_32bit = 1,
				  .useable = 1 };
	uint64_t value = 0, limit = 0;
	unsigned int selector;
	long result;

	(void)unused;
	memset(conform_data, 0x77, sizeof(conform_data));
	/* set_thread_area of the 32-bit table; the structure lies below 4 GiB */
	memcpy(conform_data, &area, sizeof(area));
	asm volatile("int $0x80"
		     : "=a"(result)
		     : "a"(243), "b"(conform_data)
		     : "memory", "r8", "r9", "r10", "r11");
	memcpy(&area, conform_data, sizeof(area));
	selector = area.entry_number << 3 | 3;
	out("set %ld entry %u ", result, area.entry_number);
	asm volatile("mov %0, %%gs" : : "r"(selector));
	sched_yield();
	asm volatile("mov %%gs:64, %0" : "=r"(value));
	asm volatile("lsl %1, %0" : "+r"(limit) : "r"((uint64_t)selector) : "cc");
	out("value %lx limit %lx", value, limit);
}

GROUP(thread_area)
{
	in_child(SUBJECT "/thread_area", thread_area, NULL);
}
