/* SPDX-License-Identifier: GPL-2.0-only */
/* VMX controls: what causes exits, what the CPU does for the guest, what entries and exits load. */
#ifndef X86_VMX_CONTROL_H
#define X86_VMX_CONTROL_H

#include <stdint.h>

#include "x86/bits.h"

/* Each table: F(NAME, bit). Bits not listed are reserved or fixed by the capability MSRs. */

/* SDM vol. 3, 25.6.1, Pin-Based VM-Execution Controls */
#define VMX_PIN_CONTROLS(F)						\
	F(EXTERNAL_INTERRUPT_EXITING,		0)			\
	F(NMI_EXITING,				3)			\
	F(VIRTUAL_NMIS,				5)			\
	F(ACTIVATE_PREEMPTION_TIMER,		6)			\
	F(PROCESS_POSTED_INTERRUPTS,		7)

/* SDM vol. 3, 25.6.2, Processor-Based VM-Execution Controls: primary */
#define VMX_PRIMARY_CONTROLS(F)						\
	F(INTERRUPT_WINDOW_EXITING,		2)			\
	F(USE_TSC_OFFSETTING,			3)			\
	F(HLT_EXITING,				7)			\
	F(INVLPG_EXITING,			9)			\
	F(MWAIT_EXITING,			10)			\
	F(RDPMC_EXITING,			11)			\
	F(RDTSC_EXITING,			12)			\
	F(CR3_LOAD_EXITING,			15)			\
	F(CR3_STORE_EXITING,			16)			\
	F(ACTIVATE_TERTIARY_CONTROLS,		17)			\
	F(CR8_LOAD_EXITING,			19)			\
	F(CR8_STORE_EXITING,			20)			\
	F(USE_TPR_SHADOW,			21)			\
	F(NMI_WINDOW_EXITING,			22)			\
	F(MOV_DR_EXITING,			23)			\
	F(UNCONDITIONAL_IO_EXITING,		24)			\
	F(USE_IO_BITMAPS,			25)			\
	F(MONITOR_TRAP_FLAG,			27)			\
	F(USE_MSR_BITMAPS,			28)			\
	F(MONITOR_EXITING,			29)			\
	F(PAUSE_EXITING,			30)			\
	F(ACTIVATE_SECONDARY_CONTROLS,		31)

/* The same section: secondary */
#define VMX_SECONDARY_CONTROLS(F)					\
	F(VIRTUALIZE_APIC_ACCESSES,		0)			\
	F(ENABLE_EPT,				1)			\
	F(DESCRIPTOR_TABLE_EXITING,		2)			\
	F(ENABLE_RDTSCP,			3)			\
	F(VIRTUALIZE_X2APIC_MODE,		4)			\
	F(ENABLE_VPID,				5)			\
	F(WBINVD_EXITING,			6)			\
	F(UNRESTRICTED_GUEST,			7)			\
	F(APIC_REGISTER_VIRTUALIZATION,		8)			\
	F(VIRTUAL_INTERRUPT_DELIVERY,		9)			\
	F(PAUSE_LOOP_EXITING,			10)			\
	F(RDRAND_EXITING,			11)			\
	F(ENABLE_INVPCID,			12)			\
	F(ENABLE_VM_FUNCTIONS,			13)			\
	F(VMCS_SHADOWING,			14)			\
	F(ENABLE_ENCLS_EXITING,			15)			\
	F(RDSEED_EXITING,			16)			\
	F(ENABLE_PML,				17)			\
	F(EPT_VIOLATION_VE,			18)			\
	F(CONCEAL_VMX_FROM_PT,			19)			\
	F(ENABLE_XSAVES_XRSTORS,		20)			\
	F(PASID_TRANSLATION,			21)			\
	F(MODE_BASED_EXECUTE_CONTROL,		22)			\
	F(SUB_PAGE_WRITE_PERMISSIONS,		23)			\
	F(PT_USES_GUEST_PHYSICAL_ADDRESSES,	24)			\
	F(USE_TSC_SCALING,			25)			\
	F(ENABLE_USER_WAIT_AND_PAUSE,		26)			\
	F(ENABLE_PCONFIG,			27)			\
	F(ENABLE_ENCLV_EXITING,			28)			\
	F(BUS_LOCK_DETECTION,			30)			\
	F(INSTRUCTION_TIMEOUT,			31)

/* The same section: tertiary, a 64-bit field */
#define VMX_TERTIARY_CONTROLS(F)					\
	F(LOADIWKEY_EXITING,			0)			\
	F(ENABLE_HLAT,				1)			\
	F(EPT_PAGING_WRITE_CONTROL,		2)			\
	F(GUEST_PAGING_VERIFICATION,		3)			\
	F(IPI_VIRTUALIZATION,			4)			\
	F(ENABLE_MSR_LIST_INSTRUCTIONS,		6)			\
	F(VIRTUALIZE_SPEC_CTRL,			7)

/* SDM vol. 3, 25.7.1, VM-Exit Controls: primary */
#define VMX_EXIT_CONTROLS(F)						\
	F(SAVE_DEBUG_CONTROLS,			2)			\
	F(HOST_ADDRESS_SPACE_SIZE,		9)			\
	F(LOAD_PERF_GLOBAL_CTRL,		12)			\
	F(ACKNOWLEDGE_INTERRUPT_ON_EXIT,	15)			\
	F(SAVE_PAT,				18)			\
	F(LOAD_PAT,				19)			\
	F(SAVE_EFER,				20)			\
	F(LOAD_EFER,				21)			\
	F(SAVE_PREEMPTION_TIMER_VALUE,		22)			\
	F(CLEAR_BNDCFGS,			23)			\
	F(CONCEAL_VMX_FROM_PT,			24)			\
	F(CLEAR_RTIT_CTL,			25)			\
	F(CLEAR_LBR_CTL,			26)			\
	F(CLEAR_UINV,				27)			\
	F(LOAD_CET_STATE,			28)			\
	F(LOAD_PKRS,				29)			\
	F(SAVE_PERF_GLOBAL_CTRL,		30)			\
	F(ACTIVATE_SECONDARY_CONTROLS,		31)

/* The same section: secondary, a 64-bit field. FRED: see vmcs.h */
#define VMX_SECONDARY_EXIT_CONTROLS(F)					\
	F(SAVE_FRED,				0)			\
	F(LOAD_FRED,				1)			\
	F(PREMATURELY_BUSY_SHADOW_STACK,	3)

/* SDM vol. 3, 25.8.1, VM-Entry Controls; LOAD_FRED: see vmcs.h */
#define VMX_ENTRY_CONTROLS(F)						\
	F(LOAD_DEBUG_CONTROLS,			2)			\
	F(IA32E_MODE_GUEST,			9)			\
	F(ENTRY_TO_SMM,				10)			\
	F(DEACTIVATE_DUAL_MONITOR,		11)			\
	F(LOAD_PERF_GLOBAL_CTRL,		13)			\
	F(LOAD_PAT,				14)			\
	F(LOAD_EFER,				15)			\
	F(LOAD_BNDCFGS,				16)			\
	F(CONCEAL_VMX_FROM_PT,			17)			\
	F(LOAD_RTIT_CTL,			18)			\
	F(LOAD_UINV,				19)			\
	F(LOAD_CET_STATE,			20)			\
	F(LOAD_LBR_CTL,				21)			\
	F(LOAD_PKRS,				22)			\
	F(LOAD_FRED,				23)

#define VMX_PIN_ENUM(name, bit)			VMX_PIN_##name = X86_BIT32(bit),
#define VMX_PRIMARY_ENUM(name, bit)		VMX_PRIMARY_##name = X86_BIT32(bit),
#define VMX_SECONDARY_ENUM(name, bit)		VMX_SECONDARY_##name = X86_BIT32(bit),
#define VMX_TERTIARY_ENUM(name, bit)		VMX_TERTIARY_##name = X86_BIT64(bit),
#define VMX_EXIT_CTL_ENUM(name, bit)		VMX_EXIT_CTL_##name = X86_BIT32(bit),
#define VMX_SECONDARY_EXIT_CTL_ENUM(name, bit)	VMX_SECONDARY_EXIT_CTL_##name = X86_BIT64(bit),
#define VMX_ENTRY_CTL_ENUM(name, bit)		VMX_ENTRY_CTL_##name = X86_BIT32(bit),

__extension__ enum vmx_pin		{ VMX_PIN_CONTROLS(VMX_PIN_ENUM) };
__extension__ enum vmx_primary		{ VMX_PRIMARY_CONTROLS(VMX_PRIMARY_ENUM) };
__extension__ enum vmx_secondary	{ VMX_SECONDARY_CONTROLS(VMX_SECONDARY_ENUM) };
__extension__ enum vmx_tertiary		{ VMX_TERTIARY_CONTROLS(VMX_TERTIARY_ENUM) };
__extension__ enum vmx_exit_ctl		{ VMX_EXIT_CONTROLS(VMX_EXIT_CTL_ENUM) };
__extension__ enum vmx_secondary_exit_ctl {
	VMX_SECONDARY_EXIT_CONTROLS(VMX_SECONDARY_EXIT_CTL_ENUM)
};
__extension__ enum vmx_entry_ctl	{ VMX_ENTRY_CONTROLS(VMX_ENTRY_CTL_ENUM) };

#undef VMX_PIN_ENUM
#undef VMX_PRIMARY_ENUM
#undef VMX_SECONDARY_ENUM
#undef VMX_TERTIARY_ENUM
#undef VMX_EXIT_CTL_ENUM
#undef VMX_SECONDARY_EXIT_CTL_ENUM
#undef VMX_ENTRY_CTL_ENUM

/*
 * The "default1" bits, what the capability MSRs without TRUE in their name report as fixed to 1.
 * SDM vol. 3, A.2, Reserved Controls and Default Settings, and A.3.1, A.3.2, A.4, A.5.
 */
#define VMX_PIN_DEFAULT1		UINT32_C(0x00000016)
#define VMX_PRIMARY_DEFAULT1		UINT32_C(0x0401e172)
#define VMX_EXIT_CTL_DEFAULT1		UINT32_C(0x00036dff)
#define VMX_ENTRY_CTL_DEFAULT1		UINT32_C(0x000011ff)

#endif
