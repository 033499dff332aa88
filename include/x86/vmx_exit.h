/* SPDX-License-Identifier: GPL-2.0-only */
/* VM exits: the reasons, and how each kind of exit qualification is laid out. */
#ifndef X86_VMX_EXIT_H
#define X86_VMX_EXIT_H

#include <stdint.h>

#include "x86/bits.h"

/* SDM vol. 3, appendix C, VMX Basic Exit Reasons: F(NAME, number, "sentence") */
#define VMX_EXIT_REASONS(F)								\
	F(EXCEPTION_OR_NMI,	0,  "exception that the bitmap selects, or NMI")		\
	F(EXTERNAL_INTERRUPT,	1,  "external interrupt arrived")			\
	F(TRIPLE_FAULT,		2,  "fault while delivering a double fault")		\
	F(INIT,			3,  "INIT signal arrived")				\
	F(SIPI,			4,  "start-up IPI arrived while waiting for one")	\
	F(IO_SMI,		5,  "SMI arrived after an I/O instruction, to the SMM monitor") \
	F(OTHER_SMI,		6,  "SMI arrived, seen by the SMM monitor")		\
	F(INTERRUPT_WINDOW,	7,  "guest can take an interrupt now")			\
	F(NMI_WINDOW,		8,  "guest can take an NMI now")			\
	F(TASK_SWITCH,		9,  "guest attempted a task switch")			\
	F(CPUID,		10, "guest executed CPUID")				\
	F(GETSEC,		11, "guest executed GETSEC")				\
	F(HLT,			12, "guest executed HLT")				\
	F(INVD,			13, "guest executed INVD")				\
	F(INVLPG,		14, "guest executed INVLPG")				\
	F(RDPMC,		15, "guest executed RDPMC")				\
	F(RDTSC,		16, "guest executed RDTSC")				\
	F(RSM,			17, "guest executed RSM in SMM")			\
	F(VMCALL,		18, "guest executed VMCALL")				\
	F(VMCLEAR,		19, "guest executed VMCLEAR")				\
	F(VMLAUNCH,		20, "guest executed VMLAUNCH")				\
	F(VMPTRLD,		21, "guest executed VMPTRLD")				\
	F(VMPTRST,		22, "guest executed VMPTRST")				\
	F(VMREAD,		23, "guest executed VMREAD")				\
	F(VMRESUME,		24, "guest executed VMRESUME")				\
	F(VMWRITE,		25, "guest executed VMWRITE")				\
	F(VMXOFF,		26, "guest executed VMXOFF")				\
	F(VMXON,		27, "guest executed VMXON")				\
	F(CR_ACCESS,		28, "guest accessed a control register")		\
	F(MOV_DR,		29, "guest executed MOV to or from a debug register")	\
	F(IO_INSTRUCTION,	30, "guest executed an I/O instruction")		\
	F(RDMSR,		31, "guest executed RDMSR")				\
	F(WRMSR,		32, "guest executed WRMSR")				\
	F(ENTRY_INVALID_GUEST_STATE, 33, "VM entry failed: invalid guest state")	\
	F(ENTRY_MSR_LOADING,	34, "VM entry failed: an MSR could not be loaded")	\
	F(MWAIT,		36, "guest executed MWAIT")				\
	F(MONITOR_TRAP_FLAG,	37, "monitor trap flag: guest executed one instruction") \
	F(MONITOR,		39, "guest executed MONITOR")				\
	F(PAUSE,		40, "guest executed PAUSE, once or in a loop")		\
	F(ENTRY_MACHINE_CHECK,	41, "VM entry failed: machine check")			\
	F(TPR_BELOW_THRESHOLD,	43, "virtual TPR fell below the threshold")		\
	F(APIC_ACCESS,		44, "guest accessed the APIC-access page")		\
	F(VIRTUALIZED_EOI,	45, "virtual EOI of a vector in the EOI-exit bitmap")	\
	F(GDTR_IDTR_ACCESS,	46, "guest executed LGDT, LIDT, SGDT or SIDT")		\
	F(LDTR_TR_ACCESS,	47, "guest executed LLDT, LTR, SLDT or STR")		\
	F(EPT_VIOLATION,	48, "access not allowed by the EPT")			\
	F(EPT_MISCONFIGURATION,	49, "access met an ill-formed EPT entry")		\
	F(INVEPT,		50, "guest executed INVEPT")				\
	F(RDTSCP,		51, "guest executed RDTSCP")				\
	F(PREEMPTION_TIMER,	52, "VMX-preemption timer counted down to zero")	\
	F(INVVPID,		53, "guest executed INVVPID")				\
	F(WBINVD,		54, "guest executed WBINVD or WBNOINVD")		\
	F(XSETBV,		55, "guest executed XSETBV")				\
	F(APIC_WRITE,		56, "guest wrote the virtual-APIC page")		\
	F(RDRAND,		57, "guest executed RDRAND")				\
	F(INVPCID,		58, "guest executed INVPCID")				\
	F(VMFUNC,		59, "guest executed a VMFUNC that is off or failed")	\
	F(ENCLS,		60, "guest executed ENCLS")				\
	F(RDSEED,		61, "guest executed RDSEED")				\
	F(PML_FULL,		62, "page-modification log is full")			\
	F(XSAVES,		63, "guest executed XSAVES")				\
	F(XRSTORS,		64, "guest executed XRSTORS")				\
	F(PCONFIG,		65, "guest executed PCONFIG")				\
	F(SPP_EVENT,		66, "sub-page permission miss or misconfiguration")	\
	F(UMWAIT,		67, "guest executed UMWAIT")				\
	F(TPAUSE,		68, "guest executed TPAUSE")				\
	F(LOADIWKEY,		69, "guest executed LOADIWKEY")				\
	F(ENCLV,		70, "guest executed ENCLV")				\
	F(ENQCMD_PASID,		72, "ENQCMD met a PASID that could not be translated")	\
	F(ENQCMDS_PASID,	73, "ENQCMDS met a PASID that could not be translated")	\
	F(BUS_LOCK,		74, "guest took a bus lock")				\
	F(INSTRUCTION_TIMEOUT,	75, "no instruction boundary within the time allowed")	\
	F(SEAMCALL,		76, "guest executed SEAMCALL")				\
	F(TDCALL,		77, "guest executed TDCALL")				\
	F(RDMSRLIST,		78, "guest executed RDMSRLIST")				\
	F(WRMSRLIST,		79, "guest executed WRMSRLIST")

#define VMX_REASON_ENUM(name, number, sentence)	VMX_REASON_##name = (number),
enum vmx_exit_reason {
	VMX_EXIT_REASONS(VMX_REASON_ENUM)
	VMX_REASON_COUNT	/* one more than the highest: the size of a table by reason */
};
#undef VMX_REASON_ENUM

/* The exit-reason field. SDM vol. 3, 25.9.1, Basic VM-Exit Information */
#define VMX_REASON_BASIC(field)			((uint32_t)(field) & 0xffff)
#define VMX_REASON_PREMATURELY_BUSY_SHADOW_STACK X86_BIT32(25)
#define VMX_REASON_BUS_LOCK_ASSERTED		X86_BIT32(26)
#define VMX_REASON_ENCLAVE_MODE			X86_BIT32(27)
#define VMX_REASON_PENDING_MTF			X86_BIT32(28)
#define VMX_REASON_FROM_VMX_ROOT		X86_BIT32(29)
#define VMX_REASON_ENTRY_FAILURE		X86_BIT32(31)

/*
 * Exit qualifications. SDM vol. 3, 28.2.1, Basic VM-Exit Information: one table there per exit
 * reason, named in each comment.
 */

/* Exit Qualification for EPT Violations: what was tried, what the EPT allowed, how it got there */
#define VMX_QUAL_EPT_READ			X86_BIT64(0)
#define VMX_QUAL_EPT_WRITE			X86_BIT64(1)
#define VMX_QUAL_EPT_FETCH			X86_BIT64(2)
#define VMX_QUAL_EPT_READABLE			X86_BIT64(3)
#define VMX_QUAL_EPT_WRITABLE			X86_BIT64(4)
#define VMX_QUAL_EPT_EXECUTABLE			X86_BIT64(5)
#define VMX_QUAL_EPT_USER_EXECUTABLE		X86_BIT64(6)
#define VMX_QUAL_EPT_LINEAR_VALID		X86_BIT64(7)
#define VMX_QUAL_EPT_LINEAR_TRANSLATED		X86_BIT64(8)	/* 0: during the page walk */
#define VMX_QUAL_EPT_LINEAR_USER		X86_BIT64(9)	/* 9..11: advanced information */
#define VMX_QUAL_EPT_LINEAR_WRITABLE		X86_BIT64(10)
#define VMX_QUAL_EPT_LINEAR_XD			X86_BIT64(11)
#define VMX_QUAL_EPT_NMI_UNBLOCKING		X86_BIT64(12)	/* due to IRET */
#define VMX_QUAL_EPT_SHADOW_STACK_ACCESS	X86_BIT64(13)
#define VMX_QUAL_EPT_SHADOW_STACK_PAGE		X86_BIT64(14)
#define VMX_QUAL_EPT_PAGING_VERIFICATION	X86_BIT64(15)
#define VMX_QUAL_EPT_ASYNCHRONOUS		X86_BIT64(16)

/* Exit Qualification for Control-Register Accesses */
#define VMX_QUAL_CR_NUMBER(q)			((unsigned int)x86_field(q, 3, 0))
#define VMX_QUAL_CR_TYPE(q)			((unsigned int)x86_field(q, 5, 4))
#define VMX_QUAL_CR_LMSW_MEMORY			X86_BIT64(6)	/* 0: LMSW from a register */
#define VMX_QUAL_CR_GPR(q)			((unsigned int)x86_field(q, 11, 8))
#define VMX_QUAL_CR_LMSW_SOURCE(q)		((uint16_t)x86_field(q, 31, 16))

enum vmx_cr_access {
	VMX_CR_MOV_TO	= 0,
	VMX_CR_MOV_FROM	= 1,
	VMX_CR_CLTS	= 2,
	VMX_CR_LMSW	= 3,
};

/* Exit Qualification for MOV DR */
#define VMX_QUAL_DR_NUMBER(q)			((unsigned int)x86_field(q, 2, 0))
#define VMX_QUAL_DR_FROM			X86_BIT64(4)	/* 0: MOV to the debug register */
#define VMX_QUAL_DR_GPR(q)			((unsigned int)x86_field(q, 11, 8))

/* Exit Qualification for I/O Instructions */
#define VMX_QUAL_IO_BYTES(q)			((unsigned int)x86_field(q, 2, 0) + 1)
#define VMX_QUAL_IO_IN				X86_BIT64(3)
#define VMX_QUAL_IO_STRING			X86_BIT64(4)
#define VMX_QUAL_IO_REP				X86_BIT64(5)
#define VMX_QUAL_IO_IMMEDIATE			X86_BIT64(6)
#define VMX_QUAL_IO_PORT(q)			((uint16_t)x86_field(q, 31, 16))

/* Exit Qualification for Task Switches */
#define VMX_QUAL_TASK_SELECTOR(q)		((uint16_t)x86_field(q, 15, 0))
#define VMX_QUAL_TASK_SOURCE(q)			((unsigned int)x86_field(q, 31, 30))

enum vmx_task_source {
	VMX_TASK_CALL	= 0,
	VMX_TASK_IRET	= 1,
	VMX_TASK_JMP	= 2,
	VMX_TASK_GATE	= 3,	/* task gate in the IDT */
};

/*
 * The number of a general register in a qualification (CR_GPR, DR_GPR) and in the instruction
 * information field is the number in the instruction's own encoding: RAX 0, RCX 1, RDX 2, RBX 3,
 * RSP 4, RBP 5, RSI 6, RDI 7, R8 to R15.
 */
enum x86_gpr {
	X86_RAX, X86_RCX, X86_RDX, X86_RBX, X86_RSP, X86_RBP, X86_RSI, X86_RDI,
	X86_R8, X86_R9, X86_R10, X86_R11, X86_R12, X86_R13, X86_R14, X86_R15,
	X86_GPR_COUNT
};

#endif
