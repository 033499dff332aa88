/* SPDX-License-Identifier: GPL-2.0-only */
/* MSR numbers. The layouts are in msr_bits.h, mtrr.h and vmx_cap.h. */
#ifndef X86_MSR_H
#define X86_MSR_H

#include <stdint.h>

/* Tables: F(NAME, number), ascending. SDM vol. 4, 2.1, Architectural MSRs */

/* Time, APIC, features, speculation, machine check */
#define MSRS_LOW(F)							\
	F(IA32_TIME_STAMP_COUNTER,		0x010)			\
	F(IA32_APIC_BASE,			0x01b)			\
	F(IA32_FEATURE_CONTROL,			0x03a)			\
	F(IA32_TSC_ADJUST,			0x03b)			\
	F(IA32_SPEC_CTRL,			0x048)			\
	F(IA32_PRED_CMD,			0x049)			\
	F(IA32_BIOS_UPDT_TRIG,			0x079)			\
	F(IA32_BIOS_SIGN_ID,			0x08b)			\
	F(IA32_SMM_MONITOR_CTL,			0x09b)			\
	F(IA32_SMBASE,				0x09e)			\
	F(IA32_PMC0,				0x0c1)			\
	F(IA32_CORE_CAPABILITIES,		0x0cf)			\
	F(IA32_UMWAIT_CONTROL,			0x0e1)			\
	F(IA32_MPERF,				0x0e7)			\
	F(IA32_APERF,				0x0e8)			\
	F(IA32_MTRRCAP,				0x0fe)			\
	F(IA32_ARCH_CAPABILITIES,		0x10a)			\
	F(IA32_FLUSH_CMD,			0x10b)			\
	F(IA32_TSX_CTRL,			0x122)			\
	F(IA32_MCU_OPT_CTRL,			0x123)			\
	F(IA32_SYSENTER_CS,			0x174)			\
	F(IA32_SYSENTER_ESP,			0x175)			\
	F(IA32_SYSENTER_EIP,			0x176)			\
	F(IA32_MCG_CAP,				0x179)			\
	F(IA32_MCG_STATUS,			0x17a)			\
	F(IA32_MCG_CTL,				0x17b)			\
	F(IA32_PERFEVTSEL0,			0x186)			\
	F(IA32_MISC_ENABLE,			0x1a0)			\
	F(IA32_XFD,				0x1c4)			\
	F(IA32_XFD_ERR,				0x1c5)

/* FRED Specification, Enumeration, Enabling, and Configuration; SSP0 is IA32_PL0_SSP */
#define MSRS_FRED(F)							\
	F(IA32_FRED_RSP0,			0x1cc)			\
	F(IA32_FRED_RSP1,			0x1cd)			\
	F(IA32_FRED_RSP2,			0x1ce)			\
	F(IA32_FRED_RSP3,			0x1cf)			\
	F(IA32_FRED_STKLVLS,			0x1d0)			\
	F(IA32_FRED_SSP1,			0x1d1)			\
	F(IA32_FRED_SSP2,			0x1d2)			\
	F(IA32_FRED_SSP3,			0x1d3)			\
	F(IA32_FRED_CONFIG,			0x1d4)

/* Debugging, memory types; SDM vol. 3, 12.11, Memory Type Range Registers (MTRRs) */
#define MSRS_MEMORY(F)							\
	F(IA32_DEBUGCTL,			0x1d9)			\
	F(IA32_SMRR_PHYSBASE,			0x1f2)			\
	F(IA32_SMRR_PHYSMASK,			0x1f3)			\
	F(IA32_MTRR_PHYSBASE0,			0x200)			\
	F(IA32_MTRR_PHYSMASK0,			0x201)			\
	F(IA32_MTRR_FIX64K_00000,		0x250)			\
	F(IA32_MTRR_FIX16K_80000,		0x258)			\
	F(IA32_MTRR_FIX16K_A0000,		0x259)			\
	F(IA32_MTRR_FIX4K_C0000,		0x268)			\
	F(IA32_MTRR_FIX4K_C8000,		0x269)			\
	F(IA32_MTRR_FIX4K_D0000,		0x26a)			\
	F(IA32_MTRR_FIX4K_D8000,		0x26b)			\
	F(IA32_MTRR_FIX4K_E0000,		0x26c)			\
	F(IA32_MTRR_FIX4K_E8000,		0x26d)			\
	F(IA32_MTRR_FIX4K_F0000,		0x26e)			\
	F(IA32_MTRR_FIX4K_F8000,		0x26f)			\
	F(IA32_PAT,				0x277)			\
	F(IA32_MTRR_DEF_TYPE,			0x2ff)			\
	F(IA32_PERF_CAPABILITIES,		0x345)			\
	F(IA32_FIXED_CTR_CTRL,			0x38d)			\
	F(IA32_PERF_GLOBAL_STATUS,		0x38e)			\
	F(IA32_PERF_GLOBAL_CTRL,		0x38f)			\
	F(IA32_PEBS_ENABLE,			0x3f1)			\
	F(IA32_MC0_CTL,				0x400)			\
	F(IA32_MC0_STATUS,			0x401)			\
	F(IA32_MC0_ADDR,			0x402)			\
	F(IA32_MC0_MISC,			0x403)

/* SDM vol. 3, appendix A, VMX Capability Reporting Facility */
#define MSRS_VMX(F)							\
	F(IA32_VMX_BASIC,			0x480)			\
	F(IA32_VMX_PINBASED_CTLS,		0x481)			\
	F(IA32_VMX_PROCBASED_CTLS,		0x482)			\
	F(IA32_VMX_EXIT_CTLS,			0x483)			\
	F(IA32_VMX_ENTRY_CTLS,			0x484)			\
	F(IA32_VMX_MISC,			0x485)			\
	F(IA32_VMX_CR0_FIXED0,			0x486)			\
	F(IA32_VMX_CR0_FIXED1,			0x487)			\
	F(IA32_VMX_CR4_FIXED0,			0x488)			\
	F(IA32_VMX_CR4_FIXED1,			0x489)			\
	F(IA32_VMX_VMCS_ENUM,			0x48a)			\
	F(IA32_VMX_PROCBASED_CTLS2,		0x48b)			\
	F(IA32_VMX_EPT_VPID_CAP,		0x48c)			\
	F(IA32_VMX_TRUE_PINBASED_CTLS,		0x48d)			\
	F(IA32_VMX_TRUE_PROCBASED_CTLS,		0x48e)			\
	F(IA32_VMX_TRUE_EXIT_CTLS,		0x48f)			\
	F(IA32_VMX_TRUE_ENTRY_CTLS,		0x490)			\
	F(IA32_VMX_VMFUNC,			0x491)			\
	F(IA32_VMX_PROCBASED_CTLS3,		0x492)			\
	F(IA32_VMX_EXIT_CTLS2,			0x493)

/* Tracing, CET, protection keys, user interrupts, key locker, later extensions */
#define MSRS_EXTENSIONS(F)						\
	F(IA32_RTIT_OUTPUT_BASE,		0x560)			\
	F(IA32_RTIT_OUTPUT_MASK_PTRS,		0x561)			\
	F(IA32_RTIT_CTL,			0x570)			\
	F(IA32_RTIT_STATUS,			0x571)			\
	F(IA32_RTIT_CR3_MATCH,			0x572)			\
	F(IA32_DS_AREA,				0x600)			\
	F(IA32_U_CET,				0x6a0)			\
	F(IA32_S_CET,				0x6a2)			\
	F(IA32_PL0_SSP,				0x6a4)			\
	F(IA32_PL1_SSP,				0x6a5)			\
	F(IA32_PL2_SSP,				0x6a6)			\
	F(IA32_PL3_SSP,				0x6a7)			\
	F(IA32_INTERRUPT_SSP_TABLE_ADDR,	0x6a8)			\
	F(IA32_TSC_DEADLINE,			0x6e0)			\
	F(IA32_PKRS,				0x6e1)			\
	F(IA32_X2APIC_APICID,			0x802)			\
	F(IA32_X2APIC_EOI,			0x80b)			\
	F(IA32_X2APIC_ICR,			0x830)			\
	F(IA32_X2APIC_SELF_IPI,			0x83f)			\
	F(IA32_TME_CAPABILITY,			0x981)			\
	F(IA32_TME_ACTIVATE,			0x982)			\
	F(IA32_UINTR_RR,			0x985)			\
	F(IA32_UINTR_HANDLER,			0x986)			\
	F(IA32_UINTR_STACKADJUST,		0x987)			\
	F(IA32_UINTR_MISC,			0x988)			\
	F(IA32_UINTR_PD,			0x989)			\
	F(IA32_UINTR_TT,			0x98a)			\
	F(IA32_COPY_STATUS,			0x990)			\
	F(IA32_IWKEYBACKUP_STATUS,		0x991)			\
	F(IA32_BNDCFGS,				0xd90)			\
	F(IA32_PASID,				0xd93)			\
	F(IA32_XSS,				0xda0)			\
	F(IA32_LBR_CTL,				0x14ce)			\
	F(IA32_LBR_DEPTH,			0x14cf)

/* 64-bit mode */
#define MSRS_HIGH(F)							\
	F(IA32_EFER,				0xc0000080)		\
	F(IA32_STAR,				0xc0000081)		\
	F(IA32_LSTAR,				0xc0000082)		\
	F(IA32_CSTAR,				0xc0000083)		\
	F(IA32_FMASK,				0xc0000084)		\
	F(IA32_FS_BASE,				0xc0000100)		\
	F(IA32_GS_BASE,				0xc0000101)		\
	F(IA32_KERNEL_GS_BASE,			0xc0000102)		\
	F(IA32_TSC_AUX,				0xc0000103)

#define MSRS(F)								\
	MSRS_LOW(F)							\
	MSRS_FRED(F)							\
	MSRS_MEMORY(F)							\
	MSRS_VMX(F)							\
	MSRS_EXTENSIONS(F)						\
	MSRS_HIGH(F)

#define MSR_ENUM(name, number)	MSR_##name = (number),
__extension__ enum msr {
	MSRS(MSR_ENUM)
};
#undef MSR_ENUM

/* Registers that come in rows. */
#define MSR_IA32_MTRR_PHYSBASE(n)	(UINT32_C(0x200) + 2 * (n))
#define MSR_IA32_MTRR_PHYSMASK(n)	(UINT32_C(0x201) + 2 * (n))
#define MSR_IA32_RTIT_ADDR_A(n)		(UINT32_C(0x580) + 2 * (n))
#define MSR_IA32_RTIT_ADDR_B(n)		(UINT32_C(0x581) + 2 * (n))

/* SDM vol. 3, 11.12.1.2, x2APIC Register Address Space */
#define MSR_X2APIC_FIRST		UINT32_C(0x800)
#define MSR_X2APIC_LAST			UINT32_C(0x8ff)

/*
 * What the MSR bitmaps cover; any other access exits when bitmaps are in use.
 * SDM vol. 3, 25.6.9, MSR-Bitmap Address
 */
#define MSR_BITMAP_LOW_LAST		UINT32_C(0x00001fff)
#define MSR_BITMAP_HIGH_FIRST		UINT32_C(0xc0000000)
#define MSR_BITMAP_HIGH_LAST		UINT32_C(0xc0001fff)

#endif
