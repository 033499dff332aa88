/* SPDX-License-Identifier: GPL-2.0-only */
/* The instructions that fault in ring 1 though Linux means them, told from their bytes. Pure. */
#ifndef ARCH_X86_RING1_DECODE_H
#define ARCH_X86_RING1_DECODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* SDM vol. 2, 2.1: no instruction is longer. */
#define INSN_MAX 15

/* What the emulator knows, by name; the instruction's own, but where several are one to it. */
/* clang-format off */
#define RING1_INSNS(I)                                                                             \
	I(UNKNOWN)                                                                                 \
	I(SWAPGS) I(IRET) I(SYSRET) I(RDMSR) I(WRMSR)                                              \
	I(READ_CR) I(WRITE_CR) I(READ_DR) I(WRITE_DR) I(CLTS) I(SMSW) I(LMSW)                      \
	I(INVLPG) I(INVPCID) I(INVLPGB) I(TLBSYNC) I(INVD) I(WBINVD) I(HLT) I(CLAC) I(STAC) I(MONITOR) I(MWAIT)          \
	I(SGDT) I(SIDT) I(LGDT) I(LIDT) I(SLDT) I(STR) I(LLDT) I(LTR) I(MOV_SREG)                  \
	I(XSAVES) I(XRSTORS) I(XSETBV) I(RDTSC) I(RDTSCP) I(RDPMC) I(TPAUSE) I(CPUID)              \
	I(INT) I(UD2) I(IN) I(OUT) I(INS) I(OUTS)
/* clang-format on */

#define I(name) INSN_##name,
enum ring1_insn { RING1_INSNS(I) INSN_NR };
#undef I

#define INSN_NO_REG 16

/* A memory operand: segment base + base + index * scale + displacement. */
struct insn_memory {
	uint8_t base, index; /* register numbers, or INSN_NO_REG                                  */
	uint8_t scale;
	bool rip_relative; /* the base is the address of the next instruction                   */
	bool gs, fs;       /* a segment whose base is not 0                                     */
	bool address_32;   /* the sum is cut to 32 bits                                         */
	int32_t displacement;
};

struct insn {
	enum ring1_insn op;
	uint8_t length;
	uint8_t size; /* bytes of the operand, where it has a choice: 1, 2, 4, 8                 */
	uint8_t reg;  /* number of the control, debug or segment register; INT: the vector       */
	uint8_t gpr;  /* number of the general-purpose register, or INSN_NO_REG: memory          */
	bool immediate; /* IN, OUT: the port is `port`, else in DX                                */
	bool repeated;  /* INS, OUTS: REP, in either spelling                                     */
	uint8_t port;
	struct insn_memory memory;
};

/*
 * Tell what instruction begins at `bytes`, of which `n` can be read; `long_mode`: 64-bit code, else
 * 32-bit code, of which only IN, OUT, INS and OUTS are told. False: none of ours, or cut off.
 */
bool insn_decode(const uint8_t *bytes, size_t n, bool long_mode, struct insn *insn);

#endif
