/* SPDX-License-Identifier: GPL-2.0-only */
/* The layouts of MSRs that have no header of their own. */
#ifndef X86_MSR_BITS_H
#define X86_MSR_BITS_H

#include <stdint.h>

#include "x86/bits.h"

/* IA32_EFER. SDM vol. 3, 2.2.1, Extended Feature Enable Register: F(NAME, bit) */
#define EFER_BITS(F)							\
	F(SCE,		0)						\
	F(LME,		8)						\
	F(LMA,		10)						\
	F(NXE,		11)						\
	F(SVME,		12) /* AMD64 APM vol. 2, 3.1.7, Extended Feature Enable Register */

#define EFER_ENUM(name, bit)	EFER_##name = X86_BIT64(bit),
__extension__ enum efer { EFER_BITS(EFER_ENUM) };
#undef EFER_ENUM

/* IA32_APIC_BASE. SDM vol. 3, 11.12.1, Detecting and Enabling x2APIC Mode */
#define APIC_BASE_BSP			X86_BIT64(8)
#define APIC_BASE_EXTD			X86_BIT64(10)
#define APIC_BASE_EN			X86_BIT64(11)
#define APIC_BASE_ADDRESS		X86_MASK64(51, 12)

/* IA32_MISC_ENABLE. SDM vol. 4, 2.1, Architectural MSRs */
#define MISC_ENABLE_FAST_STRINGS	X86_BIT64(0)
#define MISC_ENABLE_MONITOR		X86_BIT64(18)
#define MISC_ENABLE_LIMIT_CPUID		X86_BIT64(22)
#define MISC_ENABLE_XD_DISABLE		X86_BIT64(34)

/* IA32_SPEC_CTRL. SDM vol. 4, 2.1, Architectural MSRs */
#define SPEC_CTRL_IBRS			X86_BIT64(0)
#define SPEC_CTRL_STIBP			X86_BIT64(1)
#define SPEC_CTRL_SSBD			X86_BIT64(2)
#define SPEC_CTRL_IPRED_DIS_U		X86_BIT64(3)
#define SPEC_CTRL_IPRED_DIS_S		X86_BIT64(4)
#define SPEC_CTRL_RRSBA_DIS_U		X86_BIT64(5)
#define SPEC_CTRL_RRSBA_DIS_S		X86_BIT64(6)
#define SPEC_CTRL_PSFD			X86_BIT64(7)
#define SPEC_CTRL_DDPD_U		X86_BIT64(8)
#define SPEC_CTRL_BHI_DIS_S		X86_BIT64(10)

/* IA32_U_CET and IA32_S_CET. SDM vol. 4, 2.1, Architectural MSRs */
#define CET_SH_STK_EN			X86_BIT64(0)
#define CET_WR_SHSTK_EN			X86_BIT64(1)
#define CET_ENDBR_EN			X86_BIT64(2)
#define CET_LEG_IW_EN			X86_BIT64(3)
#define CET_NO_TRACK_EN			X86_BIT64(4)
#define CET_SUPPRESS_DIS		X86_BIT64(5)
#define CET_SUPPRESS			X86_BIT64(10)
#define CET_TRACKER			X86_BIT64(11)
#define CET_EB_LEG_BITMAP_BASE		X86_MASK64(63, 12)

/* IA32_RTIT_CTL. SDM vol. 3, 33.2.8.2, IA32_RTIT_CTL MSR */
#define RTIT_CTL_TRACE_EN		X86_BIT64(0)

/* IA32_MCG_STATUS. SDM vol. 3, 16.3.1.2, IA32_MCG_STATUS MSR */
#define MCG_STATUS_RIPV			X86_BIT64(0)
#define MCG_STATUS_EIPV			X86_BIT64(1)
#define MCG_STATUS_MCIP			X86_BIT64(2)
#define MCG_STATUS_LMCE_S		X86_BIT64(3)

#endif
