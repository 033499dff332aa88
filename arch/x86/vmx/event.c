// SPDX-License-Identifier: GPL-2.0-only
/* Event injection. NMIs are normally not intercepted; only one that hit the VMM itself comes here. */
#include "event.h"
#include "insn.h"
#include "x86/cr.h"
#include "x86/vector.h"
#include "x86/vmx.h"

/*
 * The image of RFLAGS that a fault pushes has RF set; an entry pushes what the guest has, and the exit came
 * before the fault. SDM vol. 3, 18.3.1.1, Instruction-Breakpoint Exception Condition.
 */
void event_inject_exception(uint8_t vector, bool has_error_code, uint32_t error_code)
{
	uint32_t info = vmx_event(VMX_EVENT_HARDWARE_EXCEPTION, vector);

	if (vector != VECTOR_DB)
		insn_vmwrite(VMCS_GUEST_RFLAGS, insn_vmread(VMCS_GUEST_RFLAGS) | RFLAGS_RF);
	if (has_error_code) {
		info |= VMX_EVENT_ERROR_CODE;
		insn_vmwrite(VMCS_ENTRY_EXCEPTION_ERROR_CODE, error_code);
	}
	insn_vmwrite(VMCS_ENTRY_INTERRUPTION_INFO, info);
}

void event_reinject(void)
{
	uint32_t info = insn_vmread(VMCS_IDT_VECTORING_INFO);

	if (!(info & VMX_EVENT_VALID))
		return;
	if (info & VMX_EVENT_ERROR_CODE)
		insn_vmwrite(VMCS_ENTRY_EXCEPTION_ERROR_CODE,
			     insn_vmread(VMCS_IDT_VECTORING_ERROR_CODE));
	if (VMX_EVENT_TYPE(info) >= VMX_EVENT_SOFTWARE_INTERRUPT)
		insn_vmwrite(VMCS_ENTRY_INSTRUCTION_LENGTH,
			     insn_vmread(VMCS_EXIT_INSTRUCTION_LENGTH));
	/* Delivery of an NMI had blocked NMIs; its second delivery must find them unblocked. */
	if (VMX_EVENT_TYPE(info) == VMX_EVENT_NMI) {
		uint64_t blocking = insn_vmread(VMCS_GUEST_INTERRUPTIBILITY);

		insn_vmwrite(VMCS_GUEST_INTERRUPTIBILITY, blocking & ~(uint64_t)VMX_BLOCKING_NMI);
	}
	insn_vmwrite(VMCS_ENTRY_INTERRUPTION_INFO, info & ~VMX_EVENT_ENTRY_RESERVED);
}

enum event_plan event_plan(uint32_t interruptibility, uint32_t entry_info)
{
	if (interruptibility & VMX_BLOCKING_STI)
		return EVENT_INTERRUPT_WINDOW;
	if (entry_info & VMX_EVENT_VALID ||
	    interruptibility & (VMX_BLOCKING_NMI | VMX_BLOCKING_MOV_SS))
		return EVENT_NMI_WINDOW;
	return EVENT_INJECT;
}

/* EVENT_INJECT: no window at all. */
static void set_window(struct cpu *cpu, enum event_plan plan)
{
	const uint32_t pin = VMX_PIN_NMI_EXITING | VMX_PIN_VIRTUAL_NMIS;

	cpu->pin_controls &= ~pin;
	cpu->primary_controls &=
		~(VMX_PRIMARY_NMI_WINDOW_EXITING | VMX_PRIMARY_INTERRUPT_WINDOW_EXITING);
	if (plan == EVENT_NMI_WINDOW) {
		cpu->pin_controls |= pin;
		cpu->primary_controls |= VMX_PRIMARY_NMI_WINDOW_EXITING;
	} else if (plan == EVENT_INTERRUPT_WINDOW) {
		cpu->primary_controls |= VMX_PRIMARY_INTERRUPT_WINDOW_EXITING;
	}
	insn_vmwrite(VMCS_PIN_BASED_CONTROLS, cpu->pin_controls);
	insn_vmwrite(VMCS_PRIMARY_PROC_CONTROLS, cpu->primary_controls);
}

static void inject_or_wait(struct cpu *cpu, uint32_t event, uint32_t info)
{
	enum event_plan plan = event_plan(insn_vmread(VMCS_GUEST_INTERRUPTIBILITY),
					  insn_vmread(VMCS_ENTRY_INTERRUPTION_INFO));

	if (plan == EVENT_INJECT) {
		insn_vmwrite(VMCS_ENTRY_INTERRUPTION_INFO, info);
		return;
	}
	/* Exit as soon as the guest can take it, and see then. */
	if (!cpu->waiting)
		set_window(cpu, plan);
	cpu->waiting |= event;
}

/* May debug exceptions that are pending be delivered now? And is this entry's event not another one? */
static bool debug_trap_is_next(void)
{
	const uint64_t waits = VMX_BLOCKING_STI | VMX_BLOCKING_MOV_SS;

	return insn_vmread(VMCS_GUEST_PENDING_DEBUG_EXCEPTIONS) &&
	       !(insn_vmread(VMCS_GUEST_INTERRUPTIBILITY) & waits) &&
	       !(insn_vmread(VMCS_ENTRY_INTERRUPTION_INFO) & VMX_EVENT_VALID);
}

/*
 * As the processor does it, before an NMI: an entry that injects one drops what is pending. SDM vol. 3,
 * 27.7.3, Delivery of Pending Debug Exceptions after VM Entry; 18.2.3, Debug Status Register (DR6).
 */
static void inject_debug_trap(void)
{
	const uint64_t causes = VMX_PENDING_DEBUG_BS | X86_MASK64(3, 0);
	uint64_t pending = insn_vmread(VMCS_GUEST_PENDING_DEBUG_EXCEPTIONS);

	insn_write_dr6(insn_read_dr6() | (pending & causes));
	insn_vmwrite(VMCS_GUEST_DR7, insn_vmread(VMCS_GUEST_DR7) & ~(uint64_t)DR7_GD);
	insn_vmwrite(VMCS_GUEST_DEBUGCTL,
		     insn_vmread(VMCS_GUEST_DEBUGCTL) & ~(uint64_t)(DEBUGCTL_LBR | DEBUGCTL_BTF));
	insn_vmwrite(VMCS_GUEST_PENDING_DEBUG_EXCEPTIONS, 0);
	event_inject_exception(VECTOR_DB, false, 0);
}

void vmx_inject_pending(struct cpu *cpu)
{
	uint32_t pending = __atomic_exchange_n(&cpu->pending, 0, __ATOMIC_RELAXED);

	/* While the window is awaited nothing is injected: the guest's NMI blocking is virtual. */
	if (cpu->waiting) {
		cpu->waiting |= pending;
		return;
	}
	if (debug_trap_is_next())
		inject_debug_trap();
	if (pending & PENDING_MC)
		inject_or_wait(cpu, PENDING_MC, vmx_event(VMX_EVENT_HARDWARE_EXCEPTION, VECTOR_MC));
	if (pending & PENDING_NMI)
		inject_or_wait(cpu, PENDING_NMI, vmx_event(VMX_EVENT_NMI, VECTOR_NMI));
}

void event_window_open(struct cpu *cpu)
{
	set_window(cpu, EVENT_INJECT);
	__atomic_or_fetch(&cpu->pending, cpu->waiting, __ATOMIC_RELAXED);
	cpu->waiting = 0;
}

bool event_in_delivery(struct cpu *cpu, struct event *event)
{
	uint32_t info = insn_vmread(VMCS_IDT_VECTORING_INFO);

	(void)cpu;
	if (!(info & VMX_EVENT_VALID) || VMX_EVENT_TYPE(info) >= VMX_EVENT_SOFTWARE_INTERRUPT)
		return false;
	*event = (struct event){ .vector = VMX_EVENT_VECTOR(info),
				 .has_error_code = info & VMX_EVENT_ERROR_CODE };
	if (event->has_error_code)
		event->error_code = insn_vmread(VMCS_IDT_VECTORING_ERROR_CODE);
	return true;
}

void event_take_back(struct cpu *cpu)
{
	uint32_t info = insn_vmread(VMCS_ENTRY_INTERRUPTION_INFO);

	if (cpu->waiting)
		event_window_open(cpu);
	if (!(info & VMX_EVENT_VALID))
		return;
	if (VMX_EVENT_TYPE(info) == VMX_EVENT_NMI)
		__atomic_or_fetch(&cpu->pending, PENDING_NMI, __ATOMIC_RELAXED);
	else if (VMX_EVENT_VECTOR(info) == VECTOR_MC)
		__atomic_or_fetch(&cpu->pending, PENDING_MC, __ATOMIC_RELAXED);
	insn_vmwrite(VMCS_ENTRY_INTERRUPTION_INFO, 0);
}
