/* SPDX-License-Identifier: GPL-2.0-only */
/* Which memory type the MTRRs give to a physical range: what the EPT must say in their place. */
#ifndef ARCH_X86_MTRR_H
#define ARCH_X86_MTRR_H

#include <stdbool.h>
#include <stdint.h>

#define MTRR_FIXED_REGISTERS 11
#define MTRR_MAX_VARIABLE 32

struct mtrr_state {
	uint64_t def_type; /* IA32_MTRR_DEF_TYPE                                                  */
	bool has_fixed;    /* IA32_MTRRCAP.FIX                                                    */
	uint32_t variable; /* registers in use of the two arrays                                  */
	uint64_t fixed[MTRR_FIXED_REGISTERS]; /* 64K_00000, 16K_80000 .., 4K_C0000 .. 4K_F8000    */
	uint64_t base[MTRR_MAX_VARIABLE];
	uint64_t mask[MTRR_MAX_VARIABLE];
	uint32_t maxphyaddr; /* bits                                                              */
};

/* Is it the number of an MTRR, or of IA32_MTRR_DEF_TYPE, on this CPU? */
bool mtrr_is_msr(uint32_t msr);

/* Read them. Without MTRRs (CPUID) everything is UC, as with IA32_MTRR_DEF_TYPE.E = 0. */
void mtrr_read(struct mtrr_state *mtrr);

/*
 * Is [start, start + size) of one memory type, and of which? The first page's type is given in any
 * case. Above 2 MiB the answer may be "no" for a range that registers divide into equal parts.
 * Physical bytes; 4 KiB, 2 MiB or 1 GiB, aligned. Pure.
 * Source: SDM vol. 3, 12.11.4, Range Size and Alignment Requirement, and 12.11.4.1, MTRR Precedences.
 */
bool mtrr_type(const struct mtrr_state *mtrr, uint64_t start, uint64_t size, uint32_t *type);

#endif
