/* SPDX-License-Identifier: GPL-2.0-only */
/* Memory types and the registers that give them to physical memory: MTRRs and PAT. */
#ifndef X86_MTRR_H
#define X86_MTRR_H

#include <stdint.h>

#include "x86/bits.h"

/*
 * SDM vol. 3, 12.11, Memory Type Range Registers (MTRRs); 12.12.2, IA32_PAT MSR. The encodings are
 * those of MTRRs, PAT entries, EPT entries, EPTP and IA32_VMX_BASIC; UC- is for PAT entries only.
 */
#define MEMORY_TYPES(F)							\
	F(UC,		0)						\
	F(WC,		1)						\
	F(WT,		4)						\
	F(WP,		5)						\
	F(WB,		6)						\
	F(UC_MINUS,	7)

#define MEMORY_TYPE_ENUM(name, number)	MEMORY_TYPE_##name = (number),
enum memory_type { MEMORY_TYPES(MEMORY_TYPE_ENUM) };
#undef MEMORY_TYPE_ENUM

/* IA32_MTRRCAP. SDM vol. 3, 12.11.1, MTRR Feature Identification */
#define MTRRCAP_VCNT(cap)		((unsigned int)x86_field(cap, 7, 0))
#define MTRRCAP_FIX			X86_BIT64(8)
#define MTRRCAP_WC			X86_BIT64(10)
#define MTRRCAP_SMRR			X86_BIT64(11)
#define MTRRCAP_PRMRR			X86_BIT64(12)

/* SDM vol. 3, 12.11.2.1, IA32_MTRR_DEF_TYPE MSR. E off: all memory is UC. */
#define MTRR_DEF_TYPE_TYPE(value)	((unsigned int)x86_field(value, 7, 0))
#define MTRR_DEF_TYPE_FE		X86_BIT64(10)
#define MTRR_DEF_TYPE_E			X86_BIT64(11)

/* SDM vol. 3, 12.11.2.2, Fixed Range MTRRs: 8 types of a byte each per register */
#define MTRR_FIX64K_BYTES		UINT64_C(0x10000)
#define MTRR_FIX16K_BYTES		UINT64_C(0x4000)
#define MTRR_FIX4K_BYTES		UINT64_C(0x1000)
#define MTRR_FIXED_END			UINT64_C(0x100000)

/* SDM vol. 3, 12.11.2.3, Variable Range MTRRs. Address bits beyond MAXPHYADDR read as 0. */
#define MTRR_PHYSBASE_TYPE(value)	((unsigned int)x86_field(value, 7, 0))
#define MTRR_PHYSMASK_VALID		X86_BIT64(11)
#define MTRR_ADDRESS			X86_MASK64(51, 12)

/* PAT entry n, 0 to 7. SDM vol. 3, 12.12.2, IA32_PAT MSR */
#define PAT_ENTRY(pat, n)		((unsigned int)((pat) >> (8 * (n))) & 7)

#endif
