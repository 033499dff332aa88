/* SPDX-License-Identifier: GPL-2.0-only */
/* Between the emulator's files: operands, and the instructions that are not in emulate.c. */
#ifndef ARCH_X86_RING1_EMULATE_H
#define ARCH_X86_RING1_EMULATE_H

#include "decode.h"
#include "ring1.h"

/* What became of an instruction. */
enum answer {
	DONE,     /* carried out: go on behind it                                                 */
	GONE,     /* carried out, and Linux goes on where the frame says                          */
	FAULT,    /* it faulted, ring1_cpu()->fault: Linux takes that                             */
	RAISE_GP, /* it would have                                                                */
	NOT_OURS, /* Linux takes the fault that brought us here                                   */
};

/* Register `number` of Linux's; writing less than 4 bytes keeps the others. */
uint64_t emulate_get(const struct ring1_frame *f, unsigned int number);
void emulate_set(struct ring1_frame *f, unsigned int number, uint64_t value, unsigned int size);

/* The linear address of the memory operand. */
uint64_t emulate_address(const struct ring1_frame *f, const struct insn *i);

/* Behind the instruction, with the single-step trap that comes there. */
void emulate_step_over(struct cpu *cpu, struct ring1_frame *f, const struct insn *i);

/* The fault of an instruction in the VMM's hands, ring1_cpu()->fault, is Linux's. */
void emulate_raise_fault(struct cpu *cpu, struct ring1_frame *f);

/*
 * The bare machine from this very instruction on, which writes to `what`; if that cannot be, the fault stays a
 * fault.
 */
enum answer emulate_natively(struct cpu *cpu, const char *what);

/* tables.c: descriptor tables, selectors, the machine status word */
enum answer emulate_sgdt(struct cpu *cpu, struct ring1_frame *f, const struct insn *i);
enum answer emulate_sidt(struct cpu *cpu, struct ring1_frame *f, const struct insn *i);
enum answer emulate_lgdt(struct cpu *cpu, struct ring1_frame *f, const struct insn *i);
enum answer emulate_lidt(struct cpu *cpu, struct ring1_frame *f, const struct insn *i);
enum answer emulate_sldt(struct cpu *cpu, struct ring1_frame *f, const struct insn *i);
enum answer emulate_str(struct cpu *cpu, struct ring1_frame *f, const struct insn *i);
enum answer emulate_lldt(struct cpu *cpu, struct ring1_frame *f, const struct insn *i);
enum answer emulate_ltr(struct cpu *cpu, struct ring1_frame *f, const struct insn *i);
enum answer emulate_mov_sreg(struct cpu *cpu, struct ring1_frame *f, const struct insn *i);
enum answer emulate_smsw(struct cpu *cpu, struct ring1_frame *f, const struct insn *i);
enum answer emulate_lmsw(struct cpu *cpu, struct ring1_frame *f, const struct insn *i);

#endif
