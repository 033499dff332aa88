// SPDX-License-Identifier: GPL-2.0-only
/* RFLAGS: what POPF and IRET change, what PUSHF and system calls tell, and single steps over all of them. */
#define SUBJECT "flags"
#include "conform.h"

#define STEPPED "pushf\n orl $0x100, (%rsp)\n popf\n"

/* IOPL of PUSHF has cases of its own; 0xffffcfff leaves it out elsewhere. */
#define SHOW "pushf\n pop %rax\n and $0xffffffffffffcfff, %rax\n"
#define ONLY_IOPL "pushf\n pop %rax\n and $0x3000, %eax\n"

CODE(popf_all, "push $-1\n andq $~0x100, (%rsp)\n popf\n" SHOW "push $0x202\n popf");
CODE(popf_none, "push $0\n popf\n" SHOW);
CODE(popf_if, "push $0x2\n popf\n" SHOW);
CODE(popf_iopl, "push $0x3202\n popf\n" SHOW);
CODE(popf_nt, "push $0x4202\n popf\n" SHOW "push $0x202\n popf");
CODE(popf_nt_stays, "push $0x4202\n popf");
CODE(popf_vm_rf, "push $0x30202\n popf\n" SHOW);
CODE(popf_ac, "push $0x40202\n popf\n" SHOW "push $0x202\n popf");
CODE(popf_id, "push $0x200202\n popf\n" SHOW);
CODE(popf_vif, "push $0x180202\n popf\n" SHOW);
CODE(popfw, "pushw $-1\n andw $~0x100, (%rsp)\n popfw\n" SHOW "push $0x202\n popf");
CODE32(popf_all_32,
       "push $-1\n andl $~0x40100, (%esp)\n popf\n pushf\n pop %eax\n and $0xffffcfff, %eax\n"
       "push $0x202\n popf");

CODE(iopl_after_syscall, "mov $102, %eax\n syscall\n" ONLY_IOPL);
CODE(iopl_after_int80, "mov $24, %eax\n int $0x80\n" ONLY_IOPL);
CODE(iopl_in_r11, "mov $102, %eax\n syscall\n xor %eax, %eax");
CODE(nt_over_syscall, "push $0x4202\n popf\n mov $102, %eax\n syscall\n" SHOW);
CODE(nt_over_int80, "push $0x4202\n popf\n mov $24, %eax\n int $0x80\n" SHOW);
CODE(df_over_syscall, "std\n mov $102, %eax\n syscall\n" SHOW);
CODE(df_over_int80, "std\n mov $24, %eax\n int $0x80\n" SHOW);
CODE(ac_over_syscall, "push $0x40202\n popf\n mov $102, %eax\n syscall\n" SHOW);
CODE(id_over_syscall, "push $0x200202\n popf\n mov $102, %eax\n syscall\n" SHOW);
CODE(all_over_syscall, "push $0x244ed7\n popf\n mov $102, %eax\n syscall\n" SHOW);
CODE(all_over_int80, "push $0x244ed7\n popf\n mov $24, %eax\n int $0x80\n" SHOW);
CODE(all_in_fault, "push $0x204ed7\n popf\n hlt");

#define IRET(flags)                                                                                \
	"mov %rsp, %rax\n push $0x2b\n push %rax\n push $" flags "\n push $0x33\n"                 \
	"lea 1f(%rip), %rax\n push %rax\n iretq\n 1: "
CODE(iret_plain, IRET("0x202") SHOW);
CODE(iret_all, IRET("0x244ed7") SHOW);
CODE(iret_iopl, IRET("0x3202") SHOW);
CODE(iret_vm, IRET("0x20202") SHOW);
CODE(iret_rf, IRET("0x10202") SHOW);
CODE(iret_no_if, IRET("0x2") SHOW);
CODE(iret_vif, IRET("0x180202") SHOW);
CODE(iret_reserved, IRET("-1 & ~0x60100") SHOW);
CODE(iret_nt, "push $0x4202\n popf\n" IRET("0x202") SHOW);
CODE(iret_tf, IRET("0x302") "nop\n nop\n nop");

/* Single steps. */
CODE(step_nop, STEPPED "nop\n nop\n nop");
CODE(step_cpuid, STEPPED "xor %eax, %eax\n cpuid\n xor %eax, %eax\n xor %ebx, %ebx\n"
			 "xor %ecx, %ecx\n xor %edx, %edx");
CODE(step_rdtsc, STEPPED "rdtsc\n xor %eax, %eax\n xor %edx, %edx");
CODE(step_rdtscp, STEPPED "rdtscp\n xor %eax, %eax\n xor %edx, %edx\n xor %ecx, %ecx");
CODE(step_int80, STEPPED "mov $24, %eax\n int $0x80\n xor %eax, %eax");
CODE(step_syscall, STEPPED "mov $102, %eax\n syscall\n xor %eax, %eax");
CODE(step_pushf, STEPPED "pushf\n pop %rax\n and $0xcfff, %eax");
CODE(step_popf, STEPPED "pushf\n popf\n nop\n push $0x202\n popf\n nop");
CODE(step_iret, STEPPED IRET("0x302") "nop\n nop");
CODE(step_iret_off, STEPPED IRET("0x202") "nop\n nop");
CODE(step_mov_ss, STEPPED "mov %ss, %eax\n mov %eax, %ss\n nop\n nop");
CODE(step_pop_ss_like,
     STEPPED "mov %ss, %eax\n mov %eax, %ss\n cpuid\n xor %eax, %eax\n xor %ebx, %ebx\n"
	     "xor %ecx, %ecx\n xor %edx, %edx");
CODE(step_mov_ss_syscall,
     "mov $102, %eax\n mov %ss, %ecx\n mov %ecx, %ss\n syscall\n xor %eax, %eax");
CODE(step_mov_ss_int80,
     STEPPED "mov $24, %eax\n mov %ss, %ecx\n mov %ecx, %ss\n int $0x80\n xor %eax, %eax");
CODE(step_mov_ss_int3, STEPPED "mov %ss, %ecx\n mov %ecx, %ss\n int3");
CODE(step_mov_ds, STEPPED "mov %ds, %eax\n mov %eax, %ds\n nop");
CODE(step_rep, STEPPED "mov $3, %ecx\n rep movsb\n nop");
CODE(step_branch, STEPPED "jmp 1f\n nop\n 1: call 2f\n nop\n 2: pop %rax\n xor %eax, %eax");
CODE(step_fault, STEPPED "nop\n mov 0, %eax");
CODE(step_ud2, STEPPED "nop\n ud2");
CODE(step_int3, STEPPED "nop\n int3");
CODE(step_xgetbv, STEPPED "xor %ecx, %ecx\n xgetbv\n nop");
CODE(step_fpu, STEPPED "fninit\n fld1\n fstp %st(0)\n nop");
CODE(step_wrfsbase, STEPPED "xor %eax, %eax\n wrgsbase %rax\n nop");
CODE(step_far_return, STEPPED "push $0x33\n lea 1f(%rip), %rax\n push %rax\n lretq\n 1: nop\n nop");
CODE(step_vsyscall,
     STEPPED "mov $0xffffffffff600400, %rax\n xor %edi, %edi\n call *%rax\n xor %eax, %eax");
CODE32(step_32,
       "pushf\n orl $0x100, (%esp)\n popf\n nop\n mov $24, %eax\n int $0x80\n xor %eax, %eax\n nop");
CODE32(step_into_32, "pushf\n orl $0x100, (%esp)\n popf\n nop\n into\n nop");
CODE32(step_sysenter_free_32, "pushf\n orl $0x100, (%esp)\n popf\n push %ss\n pop %ss\n nop\n nop");
