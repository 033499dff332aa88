/* SPDX-License-Identifier: GPL-2.0-only */
/* The VMCS fields: one table of names and encodings, and what an encoding says about its field. */
#ifndef X86_VMCS_H
#define X86_VMCS_H

#include <stdbool.h>
#include <stdint.h>

/*
 * SDM vol. 3, appendix B, Field Encoding in VMCS. One sub-table per width and type, in the order of
 * the appendix, so that the encoding scheme can be asserted for each. A 64-bit field's upper half
 * has the encoding + 1; outside 64-bit mode only, hence not listed.
 * The FRED fields: FRED Specification, VMX Interactions with FRED Transitions.
 */

/* B.1.1, 16-Bit Control Fields */
#define VMCS_FIELDS_CONTROL_16(F)					\
	F(VPID,					0x0000)			\
	F(POSTED_INTERRUPT_NOTIFICATION_VECTOR,	0x0002)			\
	F(EPTP_INDEX,				0x0004)			\
	F(HLAT_PREFIX_SIZE,			0x0006)			\
	F(LAST_PID_POINTER_INDEX,		0x0008)

/* B.1.2, 16-Bit Guest-State Fields */
#define VMCS_FIELDS_GUEST_16(F)						\
	F(GUEST_ES_SELECTOR,			0x0800)			\
	F(GUEST_CS_SELECTOR,			0x0802)			\
	F(GUEST_SS_SELECTOR,			0x0804)			\
	F(GUEST_DS_SELECTOR,			0x0806)			\
	F(GUEST_FS_SELECTOR,			0x0808)			\
	F(GUEST_GS_SELECTOR,			0x080a)			\
	F(GUEST_LDTR_SELECTOR,			0x080c)			\
	F(GUEST_TR_SELECTOR,			0x080e)			\
	F(GUEST_INTERRUPT_STATUS,		0x0810)			\
	F(PML_INDEX,				0x0812)			\
	F(GUEST_UINV,				0x0814)

/* B.1.3, 16-Bit Host-State Fields */
#define VMCS_FIELDS_HOST_16(F)						\
	F(HOST_ES_SELECTOR,			0x0c00)			\
	F(HOST_CS_SELECTOR,			0x0c02)			\
	F(HOST_SS_SELECTOR,			0x0c04)			\
	F(HOST_DS_SELECTOR,			0x0c06)			\
	F(HOST_FS_SELECTOR,			0x0c08)			\
	F(HOST_GS_SELECTOR,			0x0c0a)			\
	F(HOST_TR_SELECTOR,			0x0c0c)

/* B.2.1, 64-Bit Control Fields */
#define VMCS_FIELDS_CONTROL_64(F)					\
	F(IO_BITMAP_A,				0x2000)			\
	F(IO_BITMAP_B,				0x2002)			\
	F(MSR_BITMAP,				0x2004)			\
	F(EXIT_MSR_STORE_ADDRESS,		0x2006)			\
	F(EXIT_MSR_LOAD_ADDRESS,		0x2008)			\
	F(ENTRY_MSR_LOAD_ADDRESS,		0x200a)			\
	F(EXECUTIVE_VMCS_POINTER,		0x200c)			\
	F(PML_ADDRESS,				0x200e)			\
	F(TSC_OFFSET,				0x2010)			\
	F(VIRTUAL_APIC_ADDRESS,			0x2012)			\
	F(APIC_ACCESS_ADDRESS,			0x2014)			\
	F(POSTED_INTERRUPT_DESCRIPTOR_ADDRESS,	0x2016)			\
	F(VM_FUNCTION_CONTROLS,			0x2018)			\
	F(EPT_POINTER,				0x201a)			\
	F(EOI_EXIT_BITMAP_0,			0x201c)			\
	F(EOI_EXIT_BITMAP_1,			0x201e)			\
	F(EOI_EXIT_BITMAP_2,			0x2020)			\
	F(EOI_EXIT_BITMAP_3,			0x2022)			\
	F(EPTP_LIST_ADDRESS,			0x2024)			\
	F(VMREAD_BITMAP,			0x2026)			\
	F(VMWRITE_BITMAP,			0x2028)			\
	F(VE_INFORMATION_ADDRESS,		0x202a)			\
	F(XSS_EXITING_BITMAP,			0x202c)			\
	F(ENCLS_EXITING_BITMAP,			0x202e)			\
	F(SPP_TABLE_POINTER,			0x2030)			\
	F(TSC_MULTIPLIER,			0x2032)			\
	F(TERTIARY_PROC_CONTROLS,		0x2034)			\
	F(ENCLV_EXITING_BITMAP,			0x2036)			\
	F(LOW_PASID_DIRECTORY_ADDRESS,		0x2038)			\
	F(HIGH_PASID_DIRECTORY_ADDRESS,		0x203a)			\
	F(SHARED_EPT_POINTER,			0x203c)			\
	F(PCONFIG_EXITING_BITMAP,		0x203e)			\
	F(HLAT_POINTER,				0x2040)			\
	F(PID_POINTER_TABLE_ADDRESS,		0x2042)			\
	F(SECONDARY_EXIT_CONTROLS,		0x2044)			\
	F(SPEC_CTRL_MASK,			0x204a)			\
	F(SPEC_CTRL_SHADOW,			0x204c)			\
	F(INJECTED_EVENT_DATA,			0x2052)

/* B.2.2, 64-Bit Read-Only Data Fields */
#define VMCS_FIELDS_READ_ONLY_64(F)					\
	F(GUEST_PHYSICAL_ADDRESS,		0x2400)			\
	F(ORIGINAL_EVENT_DATA,			0x2404)

/* B.2.3, 64-Bit Guest-State Fields */
#define VMCS_FIELDS_GUEST_64(F)						\
	F(VMCS_LINK_POINTER,			0x2800)			\
	F(GUEST_DEBUGCTL,			0x2802)			\
	F(GUEST_PAT,				0x2804)			\
	F(GUEST_EFER,				0x2806)			\
	F(GUEST_PERF_GLOBAL_CTRL,		0x2808)			\
	F(GUEST_PDPTE0,				0x280a)			\
	F(GUEST_PDPTE1,				0x280c)			\
	F(GUEST_PDPTE2,				0x280e)			\
	F(GUEST_PDPTE3,				0x2810)			\
	F(GUEST_BNDCFGS,			0x2812)			\
	F(GUEST_RTIT_CTL,			0x2814)			\
	F(GUEST_LBR_CTL,			0x2816)			\
	F(GUEST_PKRS,				0x2818)			\
	F(GUEST_FRED_CONFIG,			0x281a)			\
	F(GUEST_FRED_RSP1,			0x281c)			\
	F(GUEST_FRED_RSP2,			0x281e)			\
	F(GUEST_FRED_RSP3,			0x2820)			\
	F(GUEST_FRED_STKLVLS,			0x2822)			\
	F(GUEST_FRED_SSP1,			0x2824)			\
	F(GUEST_FRED_SSP2,			0x2826)			\
	F(GUEST_FRED_SSP3,			0x2828)

/* B.2.4, 64-Bit Host-State Fields */
#define VMCS_FIELDS_HOST_64(F)						\
	F(HOST_PAT,				0x2c00)			\
	F(HOST_EFER,				0x2c02)			\
	F(HOST_PERF_GLOBAL_CTRL,		0x2c04)			\
	F(HOST_PKRS,				0x2c06)			\
	F(HOST_FRED_CONFIG,			0x2c08)			\
	F(HOST_FRED_RSP1,			0x2c0a)			\
	F(HOST_FRED_RSP2,			0x2c0c)			\
	F(HOST_FRED_RSP3,			0x2c0e)			\
	F(HOST_FRED_STKLVLS,			0x2c10)			\
	F(HOST_FRED_SSP1,			0x2c12)			\
	F(HOST_FRED_SSP2,			0x2c14)			\
	F(HOST_FRED_SSP3,			0x2c16)

/* B.3.1, 32-Bit Control Fields */
#define VMCS_FIELDS_CONTROL_32(F)					\
	F(PIN_BASED_CONTROLS,			0x4000)			\
	F(PRIMARY_PROC_CONTROLS,		0x4002)			\
	F(EXCEPTION_BITMAP,			0x4004)			\
	F(PAGE_FAULT_ERROR_CODE_MASK,		0x4006)			\
	F(PAGE_FAULT_ERROR_CODE_MATCH,		0x4008)			\
	F(CR3_TARGET_COUNT,			0x400a)			\
	F(EXIT_CONTROLS,			0x400c)			\
	F(EXIT_MSR_STORE_COUNT,			0x400e)			\
	F(EXIT_MSR_LOAD_COUNT,			0x4010)			\
	F(ENTRY_CONTROLS,			0x4012)			\
	F(ENTRY_MSR_LOAD_COUNT,			0x4014)			\
	F(ENTRY_INTERRUPTION_INFO,		0x4016)			\
	F(ENTRY_EXCEPTION_ERROR_CODE,		0x4018)			\
	F(ENTRY_INSTRUCTION_LENGTH,		0x401a)			\
	F(TPR_THRESHOLD,			0x401c)			\
	F(SECONDARY_PROC_CONTROLS,		0x401e)			\
	F(PLE_GAP,				0x4020)			\
	F(PLE_WINDOW,				0x4022)			\
	F(INSTRUCTION_TIMEOUT_CONTROL,		0x4024)

/* B.3.2, 32-Bit Read-Only Data Fields */
#define VMCS_FIELDS_READ_ONLY_32(F)					\
	F(VM_INSTRUCTION_ERROR,			0x4400)			\
	F(EXIT_REASON,				0x4402)			\
	F(EXIT_INTERRUPTION_INFO,		0x4404)			\
	F(EXIT_INTERRUPTION_ERROR_CODE,		0x4406)			\
	F(IDT_VECTORING_INFO,			0x4408)			\
	F(IDT_VECTORING_ERROR_CODE,		0x440a)			\
	F(EXIT_INSTRUCTION_LENGTH,		0x440c)			\
	F(EXIT_INSTRUCTION_INFO,		0x440e)

/* B.3.3, 32-Bit Guest-State Fields */
#define VMCS_FIELDS_GUEST_32(F)						\
	F(GUEST_ES_LIMIT,			0x4800)			\
	F(GUEST_CS_LIMIT,			0x4802)			\
	F(GUEST_SS_LIMIT,			0x4804)			\
	F(GUEST_DS_LIMIT,			0x4806)			\
	F(GUEST_FS_LIMIT,			0x4808)			\
	F(GUEST_GS_LIMIT,			0x480a)			\
	F(GUEST_LDTR_LIMIT,			0x480c)			\
	F(GUEST_TR_LIMIT,			0x480e)			\
	F(GUEST_GDTR_LIMIT,			0x4810)			\
	F(GUEST_IDTR_LIMIT,			0x4812)			\
	F(GUEST_ES_ACCESS_RIGHTS,		0x4814)			\
	F(GUEST_CS_ACCESS_RIGHTS,		0x4816)			\
	F(GUEST_SS_ACCESS_RIGHTS,		0x4818)			\
	F(GUEST_DS_ACCESS_RIGHTS,		0x481a)			\
	F(GUEST_FS_ACCESS_RIGHTS,		0x481c)			\
	F(GUEST_GS_ACCESS_RIGHTS,		0x481e)			\
	F(GUEST_LDTR_ACCESS_RIGHTS,		0x4820)			\
	F(GUEST_TR_ACCESS_RIGHTS,		0x4822)			\
	F(GUEST_INTERRUPTIBILITY,		0x4824)			\
	F(GUEST_ACTIVITY_STATE,			0x4826)			\
	F(GUEST_SMBASE,				0x4828)			\
	F(GUEST_SYSENTER_CS,			0x482a)			\
	F(PREEMPTION_TIMER_VALUE,		0x482e)

/* B.3.4, 32-Bit Host-State Field */
#define VMCS_FIELDS_HOST_32(F)						\
	F(HOST_SYSENTER_CS,			0x4c00)

/* B.4.1, Natural-Width Control Fields */
#define VMCS_FIELDS_CONTROL_NATURAL(F)					\
	F(CR0_GUEST_HOST_MASK,			0x6000)			\
	F(CR4_GUEST_HOST_MASK,			0x6002)			\
	F(CR0_READ_SHADOW,			0x6004)			\
	F(CR4_READ_SHADOW,			0x6006)			\
	F(CR3_TARGET_VALUE_0,			0x6008)			\
	F(CR3_TARGET_VALUE_1,			0x600a)			\
	F(CR3_TARGET_VALUE_2,			0x600c)			\
	F(CR3_TARGET_VALUE_3,			0x600e)

/* B.4.2, Natural-Width Read-Only Data Fields */
#define VMCS_FIELDS_READ_ONLY_NATURAL(F)				\
	F(EXIT_QUALIFICATION,			0x6400)			\
	F(IO_RCX,				0x6402)			\
	F(IO_RSI,				0x6404)			\
	F(IO_RDI,				0x6406)			\
	F(IO_RIP,				0x6408)			\
	F(GUEST_LINEAR_ADDRESS,			0x640a)

/* B.4.3, Natural-Width Guest-State Fields */
#define VMCS_FIELDS_GUEST_NATURAL(F)					\
	F(GUEST_CR0,				0x6800)			\
	F(GUEST_CR3,				0x6802)			\
	F(GUEST_CR4,				0x6804)			\
	F(GUEST_ES_BASE,			0x6806)			\
	F(GUEST_CS_BASE,			0x6808)			\
	F(GUEST_SS_BASE,			0x680a)			\
	F(GUEST_DS_BASE,			0x680c)			\
	F(GUEST_FS_BASE,			0x680e)			\
	F(GUEST_GS_BASE,			0x6810)			\
	F(GUEST_LDTR_BASE,			0x6812)			\
	F(GUEST_TR_BASE,			0x6814)			\
	F(GUEST_GDTR_BASE,			0x6816)			\
	F(GUEST_IDTR_BASE,			0x6818)			\
	F(GUEST_DR7,				0x681a)			\
	F(GUEST_RSP,				0x681c)			\
	F(GUEST_RIP,				0x681e)			\
	F(GUEST_RFLAGS,				0x6820)			\
	F(GUEST_PENDING_DEBUG_EXCEPTIONS,	0x6822)			\
	F(GUEST_SYSENTER_ESP,			0x6824)			\
	F(GUEST_SYSENTER_EIP,			0x6826)			\
	F(GUEST_S_CET,				0x6828)			\
	F(GUEST_SSP,				0x682a)			\
	F(GUEST_INTERRUPT_SSP_TABLE_ADDR,	0x682c)

/* B.4.4, Natural-Width Host-State Fields */
#define VMCS_FIELDS_HOST_NATURAL(F)					\
	F(HOST_CR0,				0x6c00)			\
	F(HOST_CR3,				0x6c02)			\
	F(HOST_CR4,				0x6c04)			\
	F(HOST_FS_BASE,				0x6c06)			\
	F(HOST_GS_BASE,				0x6c08)			\
	F(HOST_TR_BASE,				0x6c0a)			\
	F(HOST_GDTR_BASE,			0x6c0c)			\
	F(HOST_IDTR_BASE,			0x6c0e)			\
	F(HOST_SYSENTER_ESP,			0x6c10)			\
	F(HOST_SYSENTER_EIP,			0x6c12)			\
	F(HOST_RSP,				0x6c14)			\
	F(HOST_RIP,				0x6c16)			\
	F(HOST_S_CET,				0x6c18)			\
	F(HOST_SSP,				0x6c1a)			\
	F(HOST_INTERRUPT_SSP_TABLE_ADDR,	0x6c1c)

/* Every field, F(NAME, encoding), ascending. */
#define VMCS_FIELDS(F)							\
	VMCS_FIELDS_CONTROL_16(F)					\
	VMCS_FIELDS_GUEST_16(F)						\
	VMCS_FIELDS_HOST_16(F)						\
	VMCS_FIELDS_CONTROL_64(F)					\
	VMCS_FIELDS_READ_ONLY_64(F)					\
	VMCS_FIELDS_GUEST_64(F)						\
	VMCS_FIELDS_HOST_64(F)						\
	VMCS_FIELDS_CONTROL_32(F)					\
	VMCS_FIELDS_READ_ONLY_32(F)					\
	VMCS_FIELDS_GUEST_32(F)						\
	VMCS_FIELDS_HOST_32(F)						\
	VMCS_FIELDS_CONTROL_NATURAL(F)					\
	VMCS_FIELDS_READ_ONLY_NATURAL(F)				\
	VMCS_FIELDS_GUEST_NATURAL(F)					\
	VMCS_FIELDS_HOST_NATURAL(F)

#define VMCS_FIELD_ENUM(name, encoding)	VMCS_##name = (encoding),
enum vmcs_field {
	VMCS_FIELDS(VMCS_FIELD_ENUM)
};
#undef VMCS_FIELD_ENUM

/* SDM vol. 3, 25.11.2, VMREAD, VMWRITE, and Encodings of VMCS Fields */
enum vmcs_width {
	VMCS_WIDTH_16		= 0,
	VMCS_WIDTH_64		= 1,
	VMCS_WIDTH_32		= 2,
	VMCS_WIDTH_NATURAL	= 3,
};

enum vmcs_type {
	VMCS_TYPE_CONTROL	= 0,
	VMCS_TYPE_READ_ONLY	= 1,
	VMCS_TYPE_GUEST		= 2,
	VMCS_TYPE_HOST		= 3,
};

/* The parts of an encoding, as constant expressions: bit 0, bits 9:1, 11:10 and 14:13. */
#define VMCS_ENCODING_HIGH(encoding)	((encoding) & 1)
#define VMCS_ENCODING_INDEX(encoding)	(((encoding) >> 1) & 0x1ff)
#define VMCS_ENCODING_TYPE(encoding)	(((encoding) >> 10) & 3)
#define VMCS_ENCODING_WIDTH(encoding)	(((encoding) >> 13) & 3)
#define VMCS_ENCODING_RESERVED		(~UINT32_C(0x6fff))

/* vmcs_width - How many bits the field has, as the encoding says. */
static inline enum vmcs_width vmcs_width(uint32_t encoding)
{
	return (enum vmcs_width)VMCS_ENCODING_WIDTH(encoding);
}

/* vmcs_type - Control, read-only data, guest state or host state. */
static inline enum vmcs_type vmcs_type(uint32_t encoding)
{
	return (enum vmcs_type)VMCS_ENCODING_TYPE(encoding);
}

/* vmcs_width_bytes - Bytes the field has when read in 64-bit mode: 2, 4 or 8. */
static inline unsigned int vmcs_width_bytes(uint32_t encoding)
{
	switch (vmcs_width(encoding)) {
	case VMCS_WIDTH_16:
		return 2;
	case VMCS_WIDTH_32:
		return 4;
	default:
		return 8;
	}
}

/*
 * vmcs_is_encoding - Whether the value has the form of a full-access encoding, as all in the table
 * have: no reserved bit, not the upper half. It says nothing about the CPU having the field.
 */
static inline bool vmcs_is_encoding(uint32_t value)
{
	return !(value & VMCS_ENCODING_RESERVED) && !VMCS_ENCODING_HIGH(value);
}

#define VMCS_ASSERT(encoding, width, type)				\
	_Static_assert(VMCS_ENCODING_WIDTH(encoding) == VMCS_WIDTH_##width &&	\
		       VMCS_ENCODING_TYPE(encoding) == VMCS_TYPE_##type &&	\
		       !((encoding) & (VMCS_ENCODING_RESERVED | 1)),	\
		       "VMCS field " #encoding " stands in the wrong sub-table");
#define VMCS_IS_CONTROL_16(name, encoding)		VMCS_ASSERT(encoding, 16, CONTROL)
#define VMCS_IS_GUEST_16(name, encoding)		VMCS_ASSERT(encoding, 16, GUEST)
#define VMCS_IS_HOST_16(name, encoding)			VMCS_ASSERT(encoding, 16, HOST)
#define VMCS_IS_CONTROL_64(name, encoding)		VMCS_ASSERT(encoding, 64, CONTROL)
#define VMCS_IS_READ_ONLY_64(name, encoding)		VMCS_ASSERT(encoding, 64, READ_ONLY)
#define VMCS_IS_GUEST_64(name, encoding)		VMCS_ASSERT(encoding, 64, GUEST)
#define VMCS_IS_HOST_64(name, encoding)			VMCS_ASSERT(encoding, 64, HOST)
#define VMCS_IS_CONTROL_32(name, encoding)		VMCS_ASSERT(encoding, 32, CONTROL)
#define VMCS_IS_READ_ONLY_32(name, encoding)		VMCS_ASSERT(encoding, 32, READ_ONLY)
#define VMCS_IS_GUEST_32(name, encoding)		VMCS_ASSERT(encoding, 32, GUEST)
#define VMCS_IS_HOST_32(name, encoding)			VMCS_ASSERT(encoding, 32, HOST)
#define VMCS_IS_CONTROL_NATURAL(name, encoding)		VMCS_ASSERT(encoding, NATURAL, CONTROL)
#define VMCS_IS_READ_ONLY_NATURAL(name, encoding)	VMCS_ASSERT(encoding, NATURAL, READ_ONLY)
#define VMCS_IS_GUEST_NATURAL(name, encoding)		VMCS_ASSERT(encoding, NATURAL, GUEST)
#define VMCS_IS_HOST_NATURAL(name, encoding)		VMCS_ASSERT(encoding, NATURAL, HOST)

VMCS_FIELDS_CONTROL_16(VMCS_IS_CONTROL_16)
VMCS_FIELDS_GUEST_16(VMCS_IS_GUEST_16)
VMCS_FIELDS_HOST_16(VMCS_IS_HOST_16)
VMCS_FIELDS_CONTROL_64(VMCS_IS_CONTROL_64)
VMCS_FIELDS_READ_ONLY_64(VMCS_IS_READ_ONLY_64)
VMCS_FIELDS_GUEST_64(VMCS_IS_GUEST_64)
VMCS_FIELDS_HOST_64(VMCS_IS_HOST_64)
VMCS_FIELDS_CONTROL_32(VMCS_IS_CONTROL_32)
VMCS_FIELDS_READ_ONLY_32(VMCS_IS_READ_ONLY_32)
VMCS_FIELDS_GUEST_32(VMCS_IS_GUEST_32)
VMCS_FIELDS_HOST_32(VMCS_IS_HOST_32)
VMCS_FIELDS_CONTROL_NATURAL(VMCS_IS_CONTROL_NATURAL)
VMCS_FIELDS_READ_ONLY_NATURAL(VMCS_IS_READ_ONLY_NATURAL)
VMCS_FIELDS_GUEST_NATURAL(VMCS_IS_GUEST_NATURAL)
VMCS_FIELDS_HOST_NATURAL(VMCS_IS_HOST_NATURAL)

#endif
