/* SPDX-License-Identifier: GPL-2.0-only */
/* What VMX the CPU has: the capability MSRs, the feature-control lock, INVEPT and INVVPID. */
#ifndef X86_VMX_CAP_H
#define X86_VMX_CAP_H

#include <stdint.h>

#include "x86/bits.h"

/* IA32_FEATURE_CONTROL. SDM vol. 3, 24.7, Enabling and Entering VMX Operation */
#define FEATURE_CONTROL_LOCK			X86_BIT64(0)
#define FEATURE_CONTROL_VMX_IN_SMX		X86_BIT64(1)
#define FEATURE_CONTROL_VMX_OUTSIDE_SMX		X86_BIT64(2)
#define FEATURE_CONTROL_SENTER_LOCAL		X86_MASK64(14, 8)
#define FEATURE_CONTROL_SENTER_GLOBAL		X86_BIT64(15)
#define FEATURE_CONTROL_SGX_LAUNCH		X86_BIT64(17)
#define FEATURE_CONTROL_SGX			X86_BIT64(18)
#define FEATURE_CONTROL_LMCE			X86_BIT64(20)

/* IA32_VMX_BASIC. SDM vol. 3, A.1, Basic VMX Information */
#define VMX_BASIC_REVISION(basic)		((uint32_t)x86_field(basic, 30, 0))
#define VMX_BASIC_REGION_BYTES(basic)		((uint32_t)x86_field(basic, 44, 32))
#define VMX_BASIC_32BIT_ADDRESSES		X86_BIT64(48)
#define VMX_BASIC_DUAL_MONITOR			X86_BIT64(49)
#define VMX_BASIC_MEMORY_TYPE(basic)		((unsigned int)x86_field(basic, 53, 50))
#define VMX_BASIC_INS_OUTS_INFO			X86_BIT64(54)
#define VMX_BASIC_TRUE_CONTROLS			X86_BIT64(55)
#define VMX_BASIC_ANY_ERROR_CODE		X86_BIT64(56)
#define VMX_BASIC_NESTED_EXCEPTION		X86_BIT64(58)	/* comes with FRED */

/*
 * The 32-bit control capability MSRs: a bit set in the low half must be 1, a bit clear in the high
 * half must be 0. IA32_VMX_PROCBASED_CTLS3 and _EXIT_CTLS2 hold 64 bits that may be 1.
 * SDM vol. 3, A.3, VM-Execution Controls; A.4, VM-Exit Controls; A.5, VM-Entry Controls
 */
#define VMX_CONTROL_ALLOWED0(capability)	((uint32_t)(capability))
#define VMX_CONTROL_ALLOWED1(capability)	((uint32_t)((uint64_t)(capability) >> 32))

/* IA32_VMX_MISC. SDM vol. 3, A.6, Miscellaneous Data */
#define VMX_MISC_PREEMPTION_TIMER_SHIFT(misc)	((unsigned int)x86_field(misc, 4, 0))
#define VMX_MISC_EXIT_STORES_LMA		X86_BIT64(5)
#define VMX_MISC_ACTIVITY_HLT			X86_BIT64(6)
#define VMX_MISC_ACTIVITY_SHUTDOWN		X86_BIT64(7)
#define VMX_MISC_ACTIVITY_WAIT_FOR_SIPI		X86_BIT64(8)
#define VMX_MISC_PT_IN_VMX			X86_BIT64(14)
#define VMX_MISC_SMBASE_MSR			X86_BIT64(15)
#define VMX_MISC_CR3_TARGETS(misc)		((unsigned int)x86_field(misc, 24, 16))
#define VMX_MISC_MSR_LIST_MAX(misc)		(512 * ((unsigned int)x86_field(misc, 27, 25) + 1))
#define VMX_MISC_SMM_MONITOR_CTL_2		X86_BIT64(28)
#define VMX_MISC_VMWRITE_ANY			X86_BIT64(29)
#define VMX_MISC_ZERO_LENGTH_INJECTION		X86_BIT64(30)
#define VMX_MISC_MSEG_REVISION(misc)		((uint32_t)x86_field(misc, 63, 32))

/* IA32_VMX_VMCS_ENUM: the highest index, bits 9:1. SDM vol. 3, A.9, VMCS Enumeration */
#define VMX_VMCS_ENUM_MAX_INDEX(value)		((unsigned int)x86_field(value, 9, 1))

/* IA32_VMX_EPT_VPID_CAP. SDM vol. 3, A.10, VPID and EPT Capabilities: F(NAME, bit) */
#define VMX_EPT_VPID_CAPS(F)						\
	F(EPT_EXECUTE_ONLY,		0)				\
	F(EPT_WALK_4,			6)				\
	F(EPT_WALK_5,			7)				\
	F(EPT_UC,			8)				\
	F(EPT_WB,			14)				\
	F(EPT_2M,			16)				\
	F(EPT_1G,			17)				\
	F(INVEPT,			20)				\
	F(EPT_ACCESSED_DIRTY,		21)				\
	F(EPT_ADVANCED_EXIT_INFO,	22)				\
	F(EPT_SHADOW_STACK,		23)				\
	F(INVEPT_SINGLE,		25)				\
	F(INVEPT_ALL,			26)				\
	F(INVVPID,			32)				\
	F(INVVPID_ADDRESS,		40)				\
	F(INVVPID_SINGLE,		41)				\
	F(INVVPID_ALL,			42)				\
	F(INVVPID_SINGLE_GLOBALS,	43)

#define VMX_CAP_ENUM(name, bit)	VMX_CAP_##name = X86_BIT64(bit),
__extension__ enum vmx_ept_vpid_cap { VMX_EPT_VPID_CAPS(VMX_CAP_ENUM) };
#undef VMX_CAP_ENUM

#define VMX_CAP_HLAT_PREFIX_MAX(cap)		((unsigned int)x86_field(cap, 53, 48))

/* IA32_VMX_VMFUNC. SDM vol. 3, A.11, VM Functions */
#define VMX_VMFUNC_EPTP_SWITCHING		X86_BIT64(0)

/* Types and operands. SDM vol. 3, 31.3, VMX Instructions: INVEPT, INVVPID */
enum invept_type {
	INVEPT_SINGLE		= 1,
	INVEPT_ALL		= 2,
};

enum invvpid_type {
	INVVPID_ADDRESS		= 0,
	INVVPID_SINGLE		= 1,
	INVVPID_ALL		= 2,
	INVVPID_SINGLE_GLOBALS	= 3,	/* retains global translations */
};

struct invept_descriptor {
	uint64_t eptp;
	uint64_t reserved;
};

struct invvpid_descriptor {
	uint16_t vpid;
	uint16_t reserved[3];
	uint64_t linear;
};

_Static_assert(sizeof(struct invept_descriptor) == 16, "INVEPT descriptor is 128 bits");
_Static_assert(sizeof(struct invvpid_descriptor) == 16, "INVVPID descriptor is 128 bits");

/* One row of an MSR-load or MSR-store area. SDM vol. 3, 25.7.2, VM-Exit Controls for MSRs */
struct vmx_msr_entry {
	uint32_t index;
	uint32_t reserved;
	uint64_t value;
};

_Static_assert(sizeof(struct vmx_msr_entry) == 16, "an MSR area row is 128 bits");

/*
 * The MSR bitmaps: one page, four parts of 1 KiB; a bit set makes the access exit.
 * SDM vol. 3, 25.6.9, MSR-Bitmap Address
 */
#define VMX_MSR_BITMAP_READ_LOW			0x000	/* 00000000h to 00001fffh */
#define VMX_MSR_BITMAP_READ_HIGH		0x400	/* c0000000h to c0001fffh */
#define VMX_MSR_BITMAP_WRITE_LOW		0x800
#define VMX_MSR_BITMAP_WRITE_HIGH		0xc00

#endif
