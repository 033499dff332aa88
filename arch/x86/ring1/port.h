/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The part of the hardware port that only ring 1 needs (port.asm, and tests/fake in user space).
 * Functions returning bool return false where the instruction faulted; the fault is then in
 * ring1_cpu()->fault.
 */
#ifndef ARCH_X86_RING1_PORT_H
#define ARCH_X86_RING1_PORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cpu.h"

/* Copy between the VMM and Linux's addresses; the second reads pages of user space, past SMAP. */
bool insn_copy_safe(void *to, const void *from, size_t n);
bool insn_copy_user_safe(void *to, const void *from, size_t n);

uint64_t insn_read_cr8(void);
void insn_write_cr2(uint64_t value);
bool insn_write_cr0_safe(uint64_t value);
bool insn_write_cr3_safe(uint64_t value);
bool insn_write_cr4_safe(uint64_t value);
bool insn_write_cr8_safe(uint64_t value);
bool insn_read_dr_safe(unsigned int number, uint64_t *value);
bool insn_write_dr_safe(unsigned int number, uint64_t value);

void insn_clts(void);
void insn_swapgs(void);
bool insn_invpcid_safe(uint64_t type, const void *descriptor);
bool insn_invlpgb_safe(uint64_t rax, uint32_t ecx, uint32_t edx);
void insn_tlbsync(void);
bool insn_xsaves_safe(uint64_t address, uint64_t mask, bool wide);
bool insn_xrstors_safe(uint64_t address, uint64_t mask, bool wide);
bool insn_rdpmc_safe(uint32_t counter, uint64_t *value);
uint64_t insn_rdtscp(uint32_t *aux);
uint64_t insn_in(uint16_t port, unsigned int size);
void insn_out(uint16_t port, unsigned int size, uint32_t value);

/* What is left of an INS or OUTS of user space. */
struct insn_string {
	uint64_t address, count;
	uint64_t flags; /* RFLAGS.DF, or 0                                                        */
};

/* REP INS, REP OUTS past SMAP, as far as they come without a fault. */
bool insn_ins_user_safe(struct insn_string *string, uint16_t port, unsigned int size);
bool insn_outs_user_safe(struct insn_string *string, uint16_t port, unsigned int size);

/*
 * Wait for an interrupt, which ends in ring1_cpu()->woken, or for an NMI, which ends in cpu->pending:
 * with interrupts enabled, and without. A wake-up is never slept over.
 */
void insn_halt_enabled(struct cpu *cpu);
void insn_halt_disabled(struct cpu *cpu);

/* The same by MWAIT on `address`, hints as Linux gave them. */
bool insn_monitor_safe(uint64_t address, uint32_t extensions, uint32_t hints);
void insn_mwait_enabled(struct cpu *cpu, uint32_t hints, uint32_t extensions);
void insn_mwait_disabled(struct cpu *cpu, uint32_t hints, uint32_t extensions);

/* Linux at CPL 1 as ring1_cpu()->enter tells. */
_Noreturn void insn_ring1_enter(struct cpu *cpu);

#endif
