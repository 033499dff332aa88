/* SPDX-License-Identifier: GPL-2.0-only */
/* CPUID: the features that a late-launch hypervisor must know of, and where each is reported. */
#ifndef X86_CPUID_H
#define X86_CPUID_H

#include <stdint.h>

#include "x86/bits.h"

/* SDM vol. 2, 3.3, Instructions (A-L), CPUID, table Information Returned by CPUID Instruction */
#define CPUID_LEAF_BASIC		UINT32_C(0x00000000)	/* EAX: highest basic leaf */
#define CPUID_LEAF_FEATURES		UINT32_C(0x00000001)
#define CPUID_LEAF_EXTENDED_FEATURES	UINT32_C(0x00000007)
#define CPUID_LEAF_XSTATE		UINT32_C(0x0000000d)
#define CPUID_LEAF_PT			UINT32_C(0x00000014)
#define CPUID_LEAF_PCONFIG		UINT32_C(0x0000001b)
#define CPUID_LEAF_TDX			UINT32_C(0x00000021)	/* "IntelTDX    " inside a TD */
#define CPUID_LEAF_HYPERVISOR		UINT32_C(0x40000000)	/* range left to hypervisors */
#define CPUID_LEAF_HYPERVISOR_LAST	UINT32_C(0x4fffffff)
#define CPUID_LEAF_EXTENDED		UINT32_C(0x80000000)	/* EAX: highest extended leaf */
#define CPUID_LEAF_EXTENDED_1		UINT32_C(0x80000001)
#define CPUID_LEAF_ADDRESS_SIZES	UINT32_C(0x80000008)

enum cpuid_register {
	CPUID_EAX,
	CPUID_EBX,
	CPUID_ECX,
	CPUID_EDX,
};

/* A feature bit: F(NAME, leaf, subleaf, register, bit) */
#define CPUID_FEATURES_LEAF_1(F)					\
	F(MONITOR,		1, 0, ECX, 3)				\
	F(VMX,			1, 0, ECX, 5)				\
	F(SMX,			1, 0, ECX, 6)				\
	F(PDCM,			1, 0, ECX, 15)				\
	F(PCID,			1, 0, ECX, 17)				\
	F(X2APIC,		1, 0, ECX, 21)				\
	F(TSC_DEADLINE,		1, 0, ECX, 24)				\
	F(XSAVE,		1, 0, ECX, 26)				\
	F(OSXSAVE,		1, 0, ECX, 27)				\
	F(RDRAND,		1, 0, ECX, 30)				\
	F(HYPERVISOR,		1, 0, ECX, 31)				\
	F(TSC,			1, 0, EDX, 4)				\
	F(MSR,			1, 0, EDX, 5)				\
	F(MCE,			1, 0, EDX, 7)				\
	F(APIC,			1, 0, EDX, 9)				\
	F(SEP,			1, 0, EDX, 11)				\
	F(MTRR,			1, 0, EDX, 12)				\
	F(MCA,			1, 0, EDX, 14)				\
	F(PAT,			1, 0, EDX, 16)				\
	F(DS,			1, 0, EDX, 21)

#define CPUID_FEATURES_LEAF_7(F)					\
	F(FSGSBASE,		7, 0, EBX, 0)				\
	F(TSC_ADJUST,		7, 0, EBX, 1)				\
	F(SGX,			7, 0, EBX, 2)				\
	F(SMEP,			7, 0, EBX, 7)				\
	F(INVPCID,		7, 0, EBX, 10)				\
	F(RTM,			7, 0, EBX, 11)				\
	F(MPX,			7, 0, EBX, 14)				\
	F(RDSEED,		7, 0, EBX, 18)				\
	F(SMAP,			7, 0, EBX, 20)				\
	F(PT,			7, 0, EBX, 25)				\
	F(UMIP,			7, 0, ECX, 2)				\
	F(PKU,			7, 0, ECX, 3)				\
	F(OSPKE,		7, 0, ECX, 4)				\
	F(WAITPKG,		7, 0, ECX, 5)				\
	F(CET_SS,		7, 0, ECX, 7)				\
	F(TME,			7, 0, ECX, 13)				\
	F(LA57,			7, 0, ECX, 16)				\
	F(RDPID,		7, 0, ECX, 22)				\
	F(KL,			7, 0, ECX, 23)				\
	F(BUS_LOCK_DETECT,	7, 0, ECX, 24)				\
	F(ENQCMD,		7, 0, ECX, 29)				\
	F(SGX_LC,		7, 0, ECX, 30)				\
	F(PKS,			7, 0, ECX, 31)				\
	F(UINTR,		7, 0, EDX, 5)				\
	F(PCONFIG,		7, 0, EDX, 18)				\
	F(ARCH_LBR,		7, 0, EDX, 19)				\
	F(CET_IBT,		7, 0, EDX, 20)				\
	F(AMX_BF16,		7, 0, EDX, 22)				\
	F(AMX_TILE,		7, 0, EDX, 24)				\
	F(AMX_INT8,		7, 0, EDX, 25)				\
	F(SPEC_CTRL,		7, 0, EDX, 26)				\
	F(STIBP,		7, 0, EDX, 27)				\
	F(FLUSH_CMD,		7, 0, EDX, 28)				\
	F(ARCH_CAPABILITIES,	7, 0, EDX, 29)				\
	F(CORE_CAPABILITIES,	7, 0, EDX, 30)				\
	F(SSBD,			7, 0, EDX, 31)				\
	F(LASS,			7, 1, EAX, 6)				\
	F(FRED,			7, 1, EAX, 17)				\
	F(LKGS,			7, 1, EAX, 18)				\
	F(WRMSRNS,		7, 1, EAX, 19)				\
	F(HRESET,		7, 1, EAX, 22)				\
	F(LAM,			7, 1, EAX, 26)				\
	F(MSRLIST,		7, 1, EAX, 27)				\
	F(CET_SSS,		7, 1, EDX, 18)

#define CPUID_FEATURES_LATER(F)						\
	F(XSAVEOPT,		0x0d, 1, EAX, 0)			\
	F(XSAVEC,		0x0d, 1, EAX, 1)			\
	F(XGETBV_1,		0x0d, 1, EAX, 2)			\
	F(XSAVES,		0x0d, 1, EAX, 3)			\
	F(XFD,			0x0d, 1, EAX, 4)			\
	F(PT_CR3_FILTERING,	0x14, 0, EBX, 0)			\
	F(SYSCALL,		0x80000001, 0, EDX, 11)			\
	F(NX,			0x80000001, 0, EDX, 20)			\
	F(PAGE_1G,		0x80000001, 0, EDX, 26)			\
	F(RDTSCP,		0x80000001, 0, EDX, 27)			\
	F(LM,			0x80000001, 0, EDX, 29)			\
	F(WBNOINVD,		0x80000008, 0, EBX, 9)

#define CPUID_FEATURES(F)						\
	CPUID_FEATURES_LEAF_1(F)					\
	CPUID_FEATURES_LEAF_7(F)					\
	CPUID_FEATURES_LATER(F)

/* A feature by number: the index into a table expanded from CPUID_FEATURES. */
#define CPUID_FEATURE_ENUM(name, leaf, subleaf, reg, bit)	CPUID_FEATURE_##name,
enum cpuid_feature {
	CPUID_FEATURES(CPUID_FEATURE_ENUM)
	CPUID_FEATURE_COUNT
};
#undef CPUID_FEATURE_ENUM

/* The mask in the feature's register. */
#define CPUID_MASK_ENUM(name, leaf, subleaf, reg, bit)	CPUID_##name = X86_BIT32(bit),
__extension__ enum cpuid_mask { CPUID_FEATURES(CPUID_MASK_ENUM) };
#undef CPUID_MASK_ENUM

/* Leaf 80000008h, EAX: widths of addresses in bits */
#define CPUID_MAXPHYADDR(eax)		((unsigned int)x86_field(eax, 7, 0))
#define CPUID_LINEAR_ADDRESS_BITS(eax)	((unsigned int)x86_field(eax, 15, 8))

#endif
