// SPDX-License-Identifier: GPL-2.0-only
/* Exceptions of arithmetic and of alignment, and what they leave. */
#define SUBJECT "exception"
#include "conform.h"

CODE(divide_by_0, "xor %ecx, %ecx\n xor %edx, %edx\n mov $1, %eax\n div %ecx");
CODE(divide_overflow, "mov $1, %ecx\n mov $1, %edx\n div %ecx");
CODE(idiv_overflow, "mov $1, %rax\n shl $63, %rax\n cqo\n mov $-1, %rcx\n idiv %rcx");
CODE32(divide_32, "xor %ecx, %ecx\n div %ecx");

#define CONTROL "fninit\n movw $0x340, (%rdi)\n fldcw (%rdi)\n"
CODE(x87_divide, CONTROL "fld1\n fldz\n fdivrp\n fwait");
CODE(x87_divide_wait_later, CONTROL "fld1\n fldz\n fdivrp\n nop\n fld1\n fninit");
CODE(x87_invalid, CONTROL "fldz\n fldz\n fdivrp\n fwait");
CODE(x87_stack, CONTROL "fstp %st(0)\n fwait");
CODE(x87_no_wait, CONTROL "fld1\n fldz\n fdivrp\n fnstsw %ax\n fninit");
CODE(x87_precision,
     "fninit\n movw $0x35f, (%rdi)\n fldcw (%rdi)\n fld1\n movl $3, 4(%rdi)\n fildl 4(%rdi)\n"
     "fdivrp\n fwait");
CODE(x87_mmx_wait, CONTROL "fld1\n fldz\n fdivrp\n movd %eax, %mm0");

#define MXCSR(value) "movl $" value ", (%rdi)\n ldmxcsr (%rdi)\n"
CODE(sse_divide,
     MXCSR("0x1d80") "mov $1, %eax\n cvtsi2sd %eax, %xmm0\n xorps %xmm1, %xmm1\n divsd %xmm1, %xmm0");
CODE(sse_invalid, MXCSR("0x1f00") "xorps %xmm0, %xmm0\n xorps %xmm1, %xmm1\n divsd %xmm1, %xmm0");
CODE(sse_precision,
     MXCSR("0x0f80") "mov $1, %eax\n cvtsi2sd %eax, %xmm0\n mov $3, %eax\n cvtsi2sd %eax, %xmm1\n"
		     "divsd %xmm1, %xmm0");
CODE(sse_masked,
     MXCSR("0x1f80") "xorps %xmm0, %xmm0\n xorps %xmm1, %xmm1\n divsd %xmm1, %xmm0\n stmxcsr (%rdi)\n"
		     "mov (%rdi), %eax");
CODE(sse_bad_mxcsr, MXCSR("0xffffffff"));
CODE(sse_misaligned, "movaps 1(%rdi), %xmm0");
CODE(sse_misaligned_unmapped, "mov $1, %eax\n movaps (%rax), %xmm0");

#define AC_ON "push $0x40202\n popf\n"
#define AC_OFF "\n push $0x202\n popf"
CODE(ac_aligned, AC_ON "mov (%rdi), %eax\n xor %eax, %eax" AC_OFF);
CODE(ac_read, AC_ON "mov 1(%rdi), %eax");
CODE(ac_write, AC_ON "mov %ax, 1(%rdi)");
CODE(ac_push, AC_ON "sub $1, %rsp\n push %rax");
CODE(ac_bytes, AC_ON "mov 1(%rdi), %al\n xor %al, %al" AC_OFF);
CODE(ac_syscall, AC_ON "mov $24, %eax\n syscall\n mov 1(%rdi), %eax");
CODE(ac_int80, AC_ON "mov $158, %eax\n int $0x80\n mov 1(%rdi), %eax");
CODE(ac_over_kernel_copy,
     AC_ON "mov $63, %eax\n lea 1(%rdi), %rdi\n syscall\n xor %ecx, %ecx" AC_OFF);
CODE(ac_unmapped, AC_ON "mov $1, %eax\n mov (%rax), %ebx");
CODE32(ac_read_32, "push $0x40202\n popf\n mov 1(%edi), %eax");

CODE(cmpxchg16b_misaligned, "cmpxchg16b 8(%rdi)");
CODE(lock_straddles, "lock addq $0, 60(%rdi)");
CODE(xrstor_bad, "xor %edx, %edx\n mov $7, %eax\n movq $-1, 512(%rdi)\n xrstor (%rdi)");
CODE(xrstor_misaligned, "xor %edx, %edx\n mov $7, %eax\n xrstor 8(%rdi)");
CODE(fxrstor_bad_mxcsr, "movl $-1, 24(%rdi)\n fxrstor (%rdi)");
CODE(xgetbv, "xor %ecx, %ecx\n xgetbv");
CODE(xgetbv_unknown, "mov $99, %ecx\n xgetbv");
CODE(rdpkru, "xor %ecx, %ecx\n rdpkru");
CODE(wrpkru_bad, "mov $1, %ecx\n wrpkru");
