// SPDX-License-Identifier: GPL-2.0-only
/* System calls by every instruction, from 64- and 32-bit code: all registers before and after. */
#define SUBJECT "call"
#include "conform.h"

CODE(syscall_64, "mov $24, %eax\n syscall");
CODE(syscall_64_unknown, "mov $9999, %eax\n syscall");
CODE(syscall_64_minus_1, "mov $-1, %rax\n syscall");
CODE(syscall_64_upper_rax, "mov $0x100000018, %rax\n syscall");
CODE(syscall_x32, "mov $0x40000018, %eax\n syscall");
CODE(int80_64, "mov $158, %eax\n int $0x80");
CODE(int80_64_unknown, "mov $9999, %eax\n int $0x80");
CODE(int80_64_upper_rax, "mov $0x10000009e, %rax\n int $0x80");
CODE(sysenter_64, "mov $158, %eax\n mov %rsp, %rbp\n sysenter");
CODE(syscall_cf, "stc\n mov $24, %eax\n syscall");
CODE(syscall_rsp_0, "mov %rsp, %rbx\n xor %esp, %esp\n mov $24, %eax\n syscall\n mov %rbx, %rsp");
CODE(syscall_rsp_kernel,
     "mov %rsp, %rbx\n mov $-4096, %rsp\n mov $24, %eax\n syscall\n mov %rbx, %rsp");
CODE(syscall_rsp_window,
     "mov %rsp, %rbx\n mov $0xfffffe8000000800, %rsp\n mov $24, %eax\n syscall\n mov %rbx, %rsp");
CODE(syscall_rsp_not_canonical,
     "mov %rsp, %rbx\n mov $1, %rsp\n shl $63, %rsp\n mov $24, %eax\n syscall\n mov %rbx, %rsp");
CODE(syscall_prefixed, "mov $24, %eax\n .byte 0x66, 0x48\n syscall");
CODE(syscall_efault, "xor %edi, %edi\n mov $-1, %rsi\n mov $1, %edx\n mov $1, %eax\n syscall");
CODE(syscall_pointer_to_kernel,
     "mov $1, %edi\n mov $0xffffffff81000000, %rsi\n mov $1, %edx\n mov $1, %eax\n syscall");
CODE(syscall_pointer_to_window,
     "mov $1, %edi\n mov $0xfffffe8000000000, %rsi\n mov $1, %edx\n mov $1, %eax\n syscall");
CODE(syscall_read_to_window,
     "xor %edi, %edi\n mov $0xfffffe8000000000, %rdi\n mov $63, %eax\n syscall");
CODE(syscall_pointer_not_canonical, "mov $1, %rdi\n shl $63, %rdi\n mov $63, %eax\n syscall");
CODE(syscall_arguments,
     "mov $-100, %rdi\n xor %esi, %esi\n mov $2, %edx\n mov $3, %r10d\n mov $257, %eax\n"
     "syscall");

CODE32(int80_32, "mov $158, %eax\n int $0x80");
CODE32(int80_32_unknown, "mov $9999, %eax\n int $0x80");
CODE32(int80_32_efault, "mov $4, %eax\n mov $1, %ebx\n mov $-1, %ecx\n mov $1, %edx\n int $0x80");
CODE32(int80_32_six,
       "mov $192, %eax\n xor %ebx, %ebx\n xor %ecx, %ecx\n xor %edx, %edx\n xor %ebp, %ebp\n"
       "int $0x80\n mov %esp, %ebp");
/* The kernel goes back to its own vDSO's landing, which a 64-bit process has not got. */
CODE32(sysenter_32, "mov $158, %eax\n mov %esp, %ebp\n sysenter");
CODE32(syscall_32, "mov $158, %eax\n mov %esp, %ebp\n syscall");
CODE32(sysenter_32_tf,
       "pushf\n orl $0x100, (%esp)\n mov $158, %eax\n mov %esp, %ebp\n popf\n sysenter");
CODE32(sysenter_32_nt, "push $0x4202\n popf\n mov $158, %eax\n mov %esp, %ebp\n sysenter");
CODE32(sysenter_32_bad_stack, "mov $158, %eax\n xor %ebp, %ebp\n sysenter");

/*
 * The last two bytes of the user's half: the address behind them is the first that is not the user's. The
 * page was the main stack's, so it is made here.
 */
#define AT_THE_END(bytes)                                                                          \
	"mov $0x7fffffffe000, %rdi\n mov $4096, %esi\n mov $7, %edx\n mov $0x32, %r10d\n"          \
	"mov $-1, %r8\n xor %r9d, %r9d\n mov $9, %eax\n syscall\n"                                 \
	"movw $" bytes ", 0xffe(%rdi)\n lea 0xffe(%rdi), %rbx\n mov $102, %eax\n jmp *%rbx"
CODE(syscall_at_the_end, AT_THE_END("0x050f"));
CODE(int80_at_the_end, AT_THE_END("0x80cd"));
CODE(int3_at_the_end, AT_THE_END("0xcc90"));
CODE(nop_at_the_end, AT_THE_END("0x9090"));
CODE(hlt_at_the_end, AT_THE_END("0xf490"));
CODE(half_at_the_end, AT_THE_END("0x0f90"));
