// SPDX-License-Identifier: GPL-2.0-only
/*
 * The constants of C that assembly needs, as NASM equates on stdout. A program of the build, run on
 * the machine that builds; not part of the image.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "abi/mercury.h"
#include "cpu.h"
#include "insn.h"
#include "mercury/p2m.h"
#include "ring1/port.h"
#include "ring1/ring1.h"
#include "x86/cpuid.h"
#include "x86/cr.h"
#include "x86/msr.h"
#include "x86/msr_bits.h"
#include "x86/vector.h"
#include "x86/vmcs.h"
#include "x86/vmx.h"

/* clang-format off */
#define EMIT(name, value)		printf("%s equ %#llx\n", name, (unsigned long long)(value));
#define EMIT_OFFSET(name, type, member)	EMIT(name, offsetof(type, member))
#define EMIT_ABI(name)			EMIT(#name, name)

#define EMIT_VMCS(name, encoding)			EMIT("VMCS_" #name, VMCS_##name)
#define EMIT_MSR(name, number)				EMIT("MSR_" #name, MSR_##name)
#define EMIT_CR0(name, bit)				EMIT("CR0_" #name, CR0_##name)
#define EMIT_CR4(name, bit)				EMIT("CR4_" #name, CR4_##name)
#define EMIT_RFLAGS(name, bit)				EMIT("RFLAGS_" #name, RFLAGS_##name)
#define EMIT_EFER(name, bit)				EMIT("EFER_" #name, EFER_##name)
#define EMIT_BLOCKING(name, bit)			EMIT("VMX_BLOCKING_" #name, VMX_BLOCKING_##name)
#define EMIT_REASON(name, number, sentence)		EMIT("VMX_REASON_" #name, VMX_REASON_##name)
#define EMIT_VECTOR(name, vector, error, class)		EMIT("VECTOR_" #name, VECTOR_##name)
/* clang-format on */

static void emit_ring1(void)
{
	EMIT("RING1_IOPL", RING1_IOPL)
	EMIT("RING1_CS", RING1_CS)
	EMIT("RFLAGS_IOPL", RFLAGS_IOPL)
	EMIT("RING1_FRAME_SIZE", sizeof(struct ring1_frame))
	EMIT_OFFSET("RING1_FRAME_VECTOR", struct ring1_frame, vector)
	EMIT_OFFSET("RING1_FRAME_ERROR_CODE", struct ring1_frame, error_code)
	EMIT_OFFSET("RING1_FRAME_RIP", struct ring1_frame, rip)
	EMIT_OFFSET("RING1_FRAME_CS", struct ring1_frame, cs)
	EMIT_OFFSET("RING1_IRET_RSP", struct ring1_iret, rsp)
	EMIT_OFFSET("RING1_SYSCALL", struct ring1_cpu, syscall)
	EMIT_OFFSET("RING1_PATCHED", struct ring1_cpu, patched)
	EMIT_OFFSET("RING1_USER_CR3", struct ring1_cpu, user_cr3)
	EMIT_OFFSET("RING1_ROOTS_SEEN", struct ring1_cpu, roots)
	EMIT_OFFSET("RING1_NMI_LATCHED", struct ring1_cpu, nmi_latched)
	EMIT_OFFSET("RING1_FRAME_RFLAGS", struct ring1_frame, rflags)
	EMIT_OFFSET("RING1_FRAME_RSP", struct ring1_frame, rsp)
	EMIT_OFFSET("RING1_FRAME_SS", struct ring1_frame, ss)
	EMIT("RING1_ROOTS", RING1_ROOTS)
	EMIT("LINUX_CS", LINUX_CS)
	EMIT("LINUX_SS", LINUX_SS)
	EMIT("LINUX_USER_CS", LINUX_USER_CS)
	EMIT("LINUX_USER_SS", LINUX_USER_SS)
	EMIT("CR3_PCID", CR3_PCID)
	EMIT("CR3_ADDRESS", CR3_ADDRESS)
	EMIT("RING1_SS", RING1_SS)
	EMIT_ABI(MERCURY_CPU_RING1_STUB)
	EMIT_OFFSET("RING1_COMPAT", struct ring1_cpu, compat)
	EMIT_OFFSET("RING1_NMI_BLOCKED", struct ring1_cpu, nmi_blocked)
	EMIT_OFFSET("RING1_ENTER", struct ring1_cpu, enter)
	EMIT("RING1_DELIVERED", RING1_DELIVERED)
	EMIT_OFFSET("RING1_IDTR_LIMIT", struct ring1_cpu, idtr.limit)
	EMIT_OFFSET("RING1_IDTR_BASE", struct ring1_cpu, idtr.base)
	EMIT_OFFSET("RING1_TSS_LINUX", struct ring1_cpu, tss_linux)
	EMIT_OFFSET("RING1_PAGE_FAULT_GATE", struct ring1_cpu, page_fault.gate)
	EMIT_OFFSET("RING1_PAGE_FAULT_HANDLER", struct ring1_cpu, page_fault.handler)
	EMIT("IDT_GATE_SIZE", sizeof(struct idt_gate))
	EMIT_OFFSET("TSS64_RSP0", struct tss64, rsp)
	EMIT_OFFSET("SHARED_CR2", struct mercury_cpu_shared, cr2)
	EMIT_OFFSET("SHARED_PAGE_FAULTS", struct mercury_cpu_shared,
		    exits[MERCURY_RING1_PAGE_FAULT])
}

#define EMIT_SAVED(name, member) EMIT_OFFSET("SAVED_" name, struct mercury_ring1_saved, member)

/* For the stubs of patched code. */
static void emit_patched(void)
{
	EMIT_ABI(MERCURY_RING1_READ_GS)
	EMIT_OFFSET("PATCH_SCRATCH", struct mercury_cpu_shared, patch.scratch)
	EMIT_OFFSET("PATCH_USER_CR3", struct mercury_cpu_shared, patch.user_cr3)
	EMIT_OFFSET("PATCH_KERNEL_CR3", struct mercury_cpu_shared, patch.kernel_cr3)
	EMIT_OFFSET("PATCH_NOFLUSH", struct mercury_cpu_shared, patch.noflush)
	EMIT_OFFSET("PATCH_SWAPPED", struct mercury_cpu_shared, patch.swapped)
	EMIT_ABI(MERCURY_RING1_SWAPPED_BIT)
	EMIT_OFFSET("PATCH_PCID_FLUSH", struct mercury_cpu_shared, patch.pcid_flush)
	EMIT_SAVED("R15", r15)
	EMIT_SAVED("R14", r14)
	EMIT_SAVED("R13", r13)
	EMIT_SAVED("R12", r12)
	EMIT_SAVED("RBP", rbp)
	EMIT_SAVED("RBX", rbx)
	EMIT_SAVED("R11", r11)
	EMIT_SAVED("R10", r10)
	EMIT_SAVED("R9", r9)
	EMIT_SAVED("R8", r8)
	EMIT_SAVED("RAX", rax)
	EMIT_SAVED("RCX", rcx)
	EMIT_SAVED("RDX", rdx)
	EMIT_SAVED("RSI", rsi)
	EMIT_SAVED("RDI", rdi)
	EMIT_SAVED("RIP", rip)
	EMIT_SAVED("CS", cs)
	EMIT_SAVED("RFLAGS", rflags)
	EMIT_SAVED("RSP", rsp)
	EMIT_SAVED("SS", ss)
}

int main(void)
{
	VMCS_FIELDS(EMIT_VMCS)
	MSRS(EMIT_MSR)
	CR0_BITS(EMIT_CR0)
	CR4_BITS(EMIT_CR4)
	RFLAGS_BITS(EMIT_RFLAGS)
	EFER_BITS(EMIT_EFER)
	VMX_BLOCKING_BITS(EMIT_BLOCKING)
	VMX_EXIT_REASONS(EMIT_REASON)
	EXCEPTION_VECTORS(EMIT_VECTOR)
	EMIT("VECTORS_WITH_ERROR_CODE", VECTORS_WITH_ERROR_CODE)

	EMIT_ABI(MERCURY_MAGIC)
	EMIT_ABI(MERCURY_ABI_VERSION)
	EMIT_ABI(MERCURY_WINDOW_BASE)
	EMIT_ABI(MERCURY_WINDOW_CPUS)
	EMIT_ABI(MERCURY_CPU_SLOT)
	EMIT_ABI(MERCURY_CPU_DATA)
	EMIT_ABI(MERCURY_CPU_SHARED)
	EMIT_ABI(MERCURY_CPU_RING1)
	EMIT_ABI(MERCURY_PAGE_SIZE)
	EMIT_ABI(MERCURY_CALL_INIT)
	EMIT("TSS64_SIZE", sizeof(struct tss64))
	EMIT_ABI(PENDING_NMI)
	EMIT_ABI(PENDING_MC)

	EMIT_ABI(CPUID_LEAF_FEATURES)
	EMIT_ABI(CPUID_LEAF_EXTENDED_FEATURES)
	EMIT_ABI(CPUID_LEAF_EXTENDED)

	/* Structures that assembly reaches into. Registers: of struct regs, and of struct cpu. */
	_Static_assert(offsetof(struct cpu, regs) == 0, "the same offsets");
#define EMIT_REG(name, member) EMIT_OFFSET("REGS_" name, struct cpu, regs.member)
	EMIT_REG("RAX", rax)
	EMIT_REG("RCX", rcx)
	EMIT_REG("RDX", rdx)
	EMIT_REG("RBX", rbx)
	EMIT_REG("RBP", rbp)
	EMIT_REG("RSI", rsi)
	EMIT_REG("RDI", rdi)
	EMIT_REG("R8", r8)
	EMIT_REG("R9", r9)
	EMIT_REG("R10", r10)
	EMIT_REG("R11", r11)
	EMIT_REG("R12", r12)
	EMIT_REG("R13", r13)
	EMIT_REG("R14", r14)
	EMIT_REG("R15", r15)
	EMIT_OFFSET("CPU_PENDING", struct cpu, pending)
	EMIT_OFFSET("CPU_ENTERED", struct cpu, entered)
	EMIT_OFFSET("CPU_FAST_EXIT", struct cpu, fast_exit)
	EMIT_OFFSET("CPU_TASK", struct cpu, task)
	EMIT("TASK_CALL", TASK_CALL)
	EMIT_OFFSET("CPU_OWNS_VMX", struct cpu, owns_vmx)
	EMIT_OFFSET("CPU_LINUX_RSP", struct cpu, linux_rsp)
	EMIT_OFFSET("CPU_LINUX_CR3", struct cpu, linux_cr3)
	EMIT_OFFSET("CPU_LINUX_IDT", struct cpu, linux_idt)
	EMIT_OFFSET("SHARED_CPUIDS", struct mercury_cpu_shared, exits[VMX_REASON_CPUID])
	EMIT_OFFSET("SHARED_NMIS", struct mercury_cpu_shared, nmis_in_root)
	EMIT_OFFSET("SHARED_MCS", struct mercury_cpu_shared, mcs_in_root)
	EMIT_OFFSET("P2M_ROOT", struct p2m, root)
	EMIT_OFFSET("LEAVE_TAIL", struct leave_frame, tail)
	EMIT_OFFSET("LEAVE_RSP", struct leave_frame, rsp)
	EMIT_OFFSET("LEAVE_CR3", struct leave_frame, cr3)
	EMIT_OFFSET("LEAVE_DR7", struct leave_frame, dr7)
	EMIT_OFFSET("LEAVE_DEBUGCTL", struct leave_frame, debugctl)
	EMIT_OFFSET("LEAVE_OWES", struct leave_frame, owed)

	emit_ring1();
	emit_patched();
	EMIT_OFFSET("INSN_STRING_ADDRESS", struct insn_string, address)
	EMIT_OFFSET("INSN_STRING_COUNT", struct insn_string, count)
	EMIT_OFFSET("INSN_STRING_FLAGS", struct insn_string, flags)
	return 0;
}
