/* SPDX-License-Identifier: GPL-2.0-only */
/* The VMM's own exceptions. */
#ifndef ARCH_X86_TRAP_H
#define ARCH_X86_TRAP_H

#include "cpu.h"

/* What trap_common in trap.asm leaves on the stack. */
struct trap_frame {
	uint64_t rax, rcx, rdx, rbx, rbp, rsi, rdi, r8, r9, r10, r11, r12, r13, r14, r15;
	uint64_t vector, error_code;
	uint64_t rip, cs, rflags, rsp, ss; /* pushed by the CPU                                   */
};

/* Build the IDT that every CPU shares; insn_lidt(&idt_register) loads it. */
void trap_init(void);
extern struct descriptor_table_register idt_register;

/* Was it an instruction whose fault is an expected answer? Then go on where *rip says. */
bool trap_fixup(uint64_t *rip);

/* An exception that is not Linux's: changes frame->rip to go on elsewhere, or does not return. */
void trap_handle(struct trap_frame *frame);

#endif
