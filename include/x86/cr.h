/* SPDX-License-Identifier: GPL-2.0-only */
/* Control, extended-control, flags and debug registers, bit by bit. */
#ifndef X86_CR_H
#define X86_CR_H

#include <stdint.h>

#include "x86/bits.h"

/* Each table: F(NAME, bit). Bits not listed are reserved. */

/* SDM vol. 3, 2.5, Control Registers */
#define CR0_BITS(F)							\
	F(PE,		0)						\
	F(MP,		1)						\
	F(EM,		2)						\
	F(TS,		3)						\
	F(ET,		4)						\
	F(NE,		5)						\
	F(WP,		16)						\
	F(AM,		18)						\
	F(NW,		29)						\
	F(CD,		30)						\
	F(PG,		31)

/* The same section; FRED: FRED Specification, Enumeration, Enabling, and Configuration */
#define CR4_BITS(F)							\
	F(VME,		0)						\
	F(PVI,		1)						\
	F(TSD,		2)						\
	F(DE,		3)						\
	F(PSE,		4)						\
	F(PAE,		5)						\
	F(MCE,		6)						\
	F(PGE,		7)						\
	F(PCE,		8)						\
	F(OSFXSR,	9)						\
	F(OSXMMEXCPT,	10)						\
	F(UMIP,		11)						\
	F(LA57,		12)						\
	F(VMXE,		13)						\
	F(SMXE,		14)						\
	F(FSGSBASE,	16)						\
	F(PCIDE,	17)						\
	F(OSXSAVE,	18)						\
	F(KL,		19)						\
	F(SMEP,		20)						\
	F(SMAP,		21)						\
	F(PKE,		22)						\
	F(CET,		23)						\
	F(PKS,		24)						\
	F(UINTR,	25)						\
	F(LASS,		27)						\
	F(LAM_SUP,	28)						\
	F(FRED,		32)

/* SDM vol. 3, 2.3, System Flags and Fields in the EFLAGS Register */
#define RFLAGS_BITS(F)							\
	F(CF,		0)						\
	F(FIXED1,	1)	/* always 1 */				\
	F(PF,		2)						\
	F(AF,		4)						\
	F(ZF,		6)						\
	F(SF,		7)						\
	F(TF,		8)						\
	F(IF,		9)						\
	F(DF,		10)						\
	F(OF,		11)						\
	F(NT,		14)						\
	F(RF,		16)						\
	F(VM,		17)						\
	F(AC,		18)						\
	F(VIF,		19)						\
	F(VIP,		20)						\
	F(ID,		21)

/*
 * SDM vol. 1, 13.1, XSAVE-Supported Features and State-Component Bitmaps. XCR0 enables the user
 * components, IA32_XSS the supervisor ones (PT, PASID, CET_U, CET_S, HDC, UINTR, LBR, HWP).
 */
#define XSTATE_BITS(F)							\
	F(X87,		0)						\
	F(SSE,		1)						\
	F(AVX,		2)						\
	F(BNDREGS,	3)						\
	F(BNDCSR,	4)						\
	F(OPMASK,	5)						\
	F(ZMM_HI256,	6)						\
	F(HI16_ZMM,	7)						\
	F(PT,		8)						\
	F(PKRU,		9)						\
	F(PASID,	10)						\
	F(CET_U,	11)						\
	F(CET_S,	12)						\
	F(HDC,		13)						\
	F(UINTR,	14)						\
	F(LBR,		15)						\
	F(HWP,		16)						\
	F(TILECFG,	17)						\
	F(TILEDATA,	18)

/* SDM vol. 3, 18.2.3, Debug Status Register (DR6). BLD and RTM are 0 when they apply. */
#define DR6_BITS(F)							\
	F(B0,		0)						\
	F(B1,		1)						\
	F(B2,		2)						\
	F(B3,		3)						\
	F(BLD,		11)						\
	F(BD,		13)						\
	F(BS,		14)						\
	F(BT,		15)						\
	F(RTM,		16)

/* SDM vol. 3, 18.2.4, Debug Control Register (DR7) */
#define DR7_BITS(F)							\
	F(L0,		0)						\
	F(G0,		1)						\
	F(L1,		2)						\
	F(G1,		3)						\
	F(L2,		4)						\
	F(G2,		5)						\
	F(L3,		6)						\
	F(G3,		7)						\
	F(LE,		8)						\
	F(GE,		9)						\
	F(FIXED1,	10)	/* always 1 */				\
	F(RTM,		11)						\
	F(GD,		13)

/* SDM vol. 3, 18.4.1, IA32_DEBUGCTL MSR */
#define DEBUGCTL_BITS(F)						\
	F(LBR,				0)				\
	F(BTF,				1)				\
	F(BLD,				2)				\
	F(TR,				6)				\
	F(BTS,				7)				\
	F(BTINT,			8)				\
	F(BTS_OFF_OS,			9)				\
	F(BTS_OFF_USR,			10)				\
	F(FREEZE_LBRS_ON_PMI,		11)				\
	F(FREEZE_PERFMON_ON_PMI,	12)				\
	F(ENABLE_UNCORE_PMI,		13)				\
	F(FREEZE_WHILE_SMM,		14)				\
	F(RTM_DEBUG,			15)

#define CR0_ENUM(name, bit)		CR0_##name = X86_BIT64(bit),
#define CR4_ENUM(name, bit)		CR4_##name = X86_BIT64(bit),
#define RFLAGS_ENUM(name, bit)		RFLAGS_##name = X86_BIT64(bit),
#define XSTATE_ENUM(name, bit)		XSTATE_##name = X86_BIT64(bit),
#define DR6_ENUM(name, bit)		DR6_##name = X86_BIT64(bit),
#define DR7_ENUM(name, bit)		DR7_##name = X86_BIT64(bit),
#define DEBUGCTL_ENUM(name, bit)	DEBUGCTL_##name = X86_BIT64(bit),

/*
 * CR0_PG does not fit an int, so it takes the type of its enumeration: a 64-bit one, that ~CR0_PG
 * keeps the upper half of what it is ANDed with.
 */
__extension__ enum cr0 {
	CR0_BITS(CR0_ENUM)
	CR0_IS_64_BITS_WIDE = X86_BIT64(63)
};
__extension__ enum cr4		{ CR4_BITS(CR4_ENUM) };
__extension__ enum rflags	{ RFLAGS_BITS(RFLAGS_ENUM) };
__extension__ enum xstate	{ XSTATE_BITS(XSTATE_ENUM) };
__extension__ enum dr6		{ DR6_BITS(DR6_ENUM) };
__extension__ enum dr7		{ DR7_BITS(DR7_ENUM) };
__extension__ enum debugctl	{ DEBUGCTL_BITS(DEBUGCTL_ENUM) };

#undef CR0_ENUM
#undef CR4_ENUM
#undef RFLAGS_ENUM
#undef XSTATE_ENUM
#undef DR6_ENUM
#undef DR7_ENUM
#undef DEBUGCTL_ENUM

_Static_assert((UINT64_MAX & ~CR0_PG) == UINT64_C(0xffffffff7fffffff), "~CR0_PG clears one bit");
_Static_assert((UINT64_MAX & ~CR0_PE) == UINT64_C(0xfffffffffffffffe), "~CR0_PE clears one bit");
_Static_assert((UINT64_MAX & ~CR4_FRED) == ~(UINT64_C(1) << 32), "~CR4_FRED clears one bit");

/* SDM vol. 3, 2.5, Control Registers; 4.5, 4-Level Paging and 5-Level Paging */
#define CR3_PWT			X86_BIT64(3)	/* these two without PCIDs only */
#define CR3_PCD			X86_BIT64(4)
#define CR3_PCID		X86_MASK64(11, 0)
#define CR3_ADDRESS		X86_MASK64(51, 12)
#define CR3_LAM_U57		X86_BIT64(61)
#define CR3_LAM_U48		X86_BIT64(62)
/*
 * In the operand of MOV to CR3 only, never in the register. SDM vol. 3, 4.10.4.1, Operations that
 * Invalidate TLBs and Paging-Structure Caches
 */
#define CR3_NOFLUSH		X86_BIT64(63)

#define RFLAGS_IOPL		X86_MASK64(13, 12)

/* What INIT leaves. SDM vol. 3, 10.1.1, Processor State After Reset */
#define DR6_INIT		UINT64_C(0xffff0ff0)
#define DR7_INIT		UINT64_C(0x00000400)

/* Condition and length of breakpoint n, 0 to 3. SDM vol. 3, 18.2.4, Debug Control Register (DR7) */
#define DR7_RW_SHIFT(n)		(16 + 4 * (n))
#define DR7_LEN_SHIFT(n)	(18 + 4 * (n))

#endif
