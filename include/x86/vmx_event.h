/* SPDX-License-Identifier: GPL-2.0-only */
/* VMX events: injection and vectoring, what blocks them, and how a VMX instruction fails. */
#ifndef X86_VMX_EVENT_H
#define X86_VMX_EVENT_H

#include <stdint.h>

#include "x86/bits.h"

/*
 * Interruption information: entry injection, exit information and IDT vectoring share one format.
 * SDM vol. 3, 25.8.3, VM-Entry Controls for Event Injection; 25.9.2, Information for VM Exits Due
 * to Vectored Events; 25.9.3, Information for VM Exits That Occur During Event Delivery.
 * NESTED: FRED Specification, VMX Interactions with FRED Transitions.
 */
#define VMX_EVENT_VECTOR(info)		((uint8_t)((info) & 0xff))
#define VMX_EVENT_TYPE(info)		(((info) >> 8) & 7)
#define VMX_EVENT_ERROR_CODE		X86_BIT32(11)	/* an error code is delivered */
#define VMX_EVENT_NMI_UNBLOCKING	X86_BIT32(12)	/* exits only, due to IRET */
#define VMX_EVENT_NESTED		X86_BIT32(13)
#define VMX_EVENT_VALID			X86_BIT32(31)

/* The bits that must be 0 in the VM-entry field. SDM vol. 3, 27.2.1.3, VM-Entry Control Fields */
#define VMX_EVENT_ENTRY_RESERVED	UINT32_C(0x7ffff000)

enum vmx_event_type {
	VMX_EVENT_EXTERNAL_INTERRUPT			= 0,
	VMX_EVENT_NMI					= 2,
	VMX_EVENT_HARDWARE_EXCEPTION			= 3,
	VMX_EVENT_SOFTWARE_INTERRUPT			= 4,
	VMX_EVENT_PRIVILEGED_SOFTWARE_EXCEPTION		= 5,	/* INT1 */
	VMX_EVENT_SOFTWARE_EXCEPTION			= 6,	/* INT3, INTO */
	VMX_EVENT_OTHER					= 7,	/* vector 0: pending MTF exit */
};

/* vmx_event - A valid interruption-information value; OR VMX_EVENT_ERROR_CODE in if it has one. */
static inline uint32_t vmx_event(enum vmx_event_type type, uint8_t vector)
{
	return VMX_EVENT_VALID | (uint32_t)type << 8 | vector;
}

/* Interruptibility state. SDM vol. 3, 25.4.2, Guest Non-Register State */
#define VMX_BLOCKING_BITS(F)						\
	F(STI,		0)						\
	F(MOV_SS,	1)						\
	F(SMI,		2)						\
	F(NMI,		3)						\
	F(ENCLAVE,	4)	/* the exit interrupted an enclave */

#define VMX_BLOCKING_ENUM(name, bit)	VMX_BLOCKING_##name = X86_BIT32(bit),
enum vmx_blocking { VMX_BLOCKING_BITS(VMX_BLOCKING_ENUM) };
#undef VMX_BLOCKING_ENUM

/* Activity state. The same section */
enum vmx_activity {
	VMX_ACTIVITY_ACTIVE		= 0,
	VMX_ACTIVITY_HLT		= 1,
	VMX_ACTIVITY_SHUTDOWN		= 2,
	VMX_ACTIVITY_WAIT_FOR_SIPI	= 3,
};

/* Pending debug exceptions; in the exit qualification of a #DB too, with BD. The same section */
#define VMX_PENDING_DEBUG_B0			X86_BIT64(0)
#define VMX_PENDING_DEBUG_B1			X86_BIT64(1)
#define VMX_PENDING_DEBUG_B2			X86_BIT64(2)
#define VMX_PENDING_DEBUG_B3			X86_BIT64(3)
#define VMX_PENDING_DEBUG_BLD			X86_BIT64(11)
#define VMX_PENDING_DEBUG_ENABLED_BREAKPOINT	X86_BIT64(12)
#define VMX_PENDING_DEBUG_BS			X86_BIT64(14)
#define VMX_PENDING_DEBUG_RTM			X86_BIT64(16)

/* SDM vol. 3, 28.2.1, Basic VM-Exit Information: debug-register access, qualification only */
#define VMX_QUAL_DEBUG_BD			X86_BIT64(13)

/* SDM vol. 3, 31.4, VM Instruction Error Numbers: F(NAME, number, "sentence") */
#define VMX_INSTRUCTION_ERRORS(F)							\
	F(VMCALL_IN_ROOT,		1,  "VMCALL executed in VMX root operation")	\
	F(VMCLEAR_ADDRESS,		2,  "VMCLEAR with an invalid physical address")	\
	F(VMCLEAR_VMXON_POINTER,	3,  "VMCLEAR with the VMXON pointer")		\
	F(VMLAUNCH_NOT_CLEAR,		4,  "VMLAUNCH with a VMCS that is not clear")	\
	F(VMRESUME_NOT_LAUNCHED,	5,  "VMRESUME with a VMCS that is not launched")	\
	F(VMRESUME_AFTER_VMXOFF,	6,  "VMRESUME after VMXOFF")			\
	F(ENTRY_CONTROL_FIELDS,		7,  "VM entry with invalid control fields")	\
	F(ENTRY_HOST_STATE,		8,  "VM entry with invalid host-state fields")	\
	F(VMPTRLD_ADDRESS,		9,  "VMPTRLD with an invalid physical address")	\
	F(VMPTRLD_VMXON_POINTER,	10, "VMPTRLD with the VMXON pointer")		\
	F(VMPTRLD_REVISION,		11, "VMPTRLD with an incorrect VMCS revision identifier") \
	F(UNSUPPORTED_COMPONENT,	12, "VMREAD or VMWRITE of a field that this CPU lacks")	\
	F(READ_ONLY_COMPONENT,		13, "VMWRITE to a read-only field")		\
	F(VMXON_IN_ROOT,		15, "VMXON executed in VMX root operation")	\
	F(ENTRY_EXECUTIVE_POINTER,	16, "VM entry with an invalid executive-VMCS pointer")	\
	F(ENTRY_EXECUTIVE_NOT_LAUNCHED, 17, "VM entry with an executive VMCS not launched")	\
	F(ENTRY_EXECUTIVE_NOT_VMXON,	18, "VM entry: executive-VMCS pointer is not VMXON's") \
	F(VMCALL_NOT_CLEAR,		19, "VMCALL to the SMM monitor with a VMCS not clear")	\
	F(VMCALL_EXIT_CONTROLS,		20, "VMCALL to the SMM monitor, invalid exit controls")	\
	F(VMCALL_MSEG_REVISION,		22, "VMCALL with an incorrect MSEG revision identifier") \
	F(VMXOFF_DUAL_MONITOR,		23, "VMXOFF under dual-monitor treatment of SMIs and SMM") \
	F(VMCALL_SMM_FEATURES,		24, "VMCALL with invalid SMM-monitor features")	\
	F(ENTRY_EXECUTIVE_CONTROLS,	25, "VM entry: bad execution controls, executive VMCS") \
	F(ENTRY_BLOCKED_BY_MOV_SS,	26, "VM entry with events blocked by MOV SS")	\
	F(INVALIDATION_OPERAND,		28, "invalid operand to INVEPT or INVVPID")

#define VMX_ERROR_ENUM(name, number, sentence)	VMX_ERROR_##name = (number),
enum vmx_instruction_error { VMX_INSTRUCTION_ERRORS(VMX_ERROR_ENUM) };
#undef VMX_ERROR_ENUM

#endif
