// SPDX-License-Identifier: GPL-2.0-only
/* The system registers that user space may read, if UMIP is off; with UMIP Linux shows made-up ones. */
#define SUBJECT "tables"
#include "conform.h"

#define CLEAR "movq $0, (%rdi)\n movq $0, 8(%rdi)\n"

CODE(sgdt_base, CLEAR "sgdt (%rdi)\n mov 2(%rdi), %rax");
CODE(sgdt_limit, CLEAR "sgdt (%rdi)\n movzwl (%rdi), %eax");
CODE(sidt_base, CLEAR "sidt (%rdi)\n mov 2(%rdi), %rax");
CODE(sidt_limit, CLEAR "sidt (%rdi)\n movzwl (%rdi), %eax");
CODE(sldt, "sldt %rax");
CODE(sldt_memory, CLEAR "sldt (%rdi)\n mov (%rdi), %rax");
CODE_AFTER(make_ldt, sldt_used, "sldt %rax");
CODE(str, "str %rax");
CODE(str_memory, CLEAR "str (%rdi)\n mov (%rdi), %rax");
CODE(smsw, "smsw %eax\n and $0xffff, %eax");
CODE(smsw_64, "smsw %rax");
CODE(smsw_memory, CLEAR "smsw (%rdi)\n mov (%rdi), %rax");
CODE(sgdt_unmapped, "xor %eax, %eax\n sgdt (%rax)");
CODE(sidt_kernel, "mov $-4096, %rax\n sidt (%rax)");
CODE(sgdt_window, "mov $0xfffffe8000000000, %rax\n sgdt (%rax)");
CODE32(sgdt_32, "movl $0, (%edi)\n sgdt (%edi)\n movzwl (%edi), %eax");
CODE32(sidt_32, "movl $0, 2(%edi)\n sidt (%edi)\n mov 2(%edi), %eax");
CODE32(str_32, "str %eax");
CODE32(sldt_32, "sldt %eax");
CODE32(smsw_32, "smsw %eax\n and $0xffff, %eax");
