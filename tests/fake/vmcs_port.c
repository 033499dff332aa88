// SPDX-License-Identifier: GPL-2.0-only
/* The VMCS: its fields, VM entry with the checks that matter here, VM exit. */
#include "unit.h"

#include "fake.h"
#include "x86/cr.h"
#include "x86/msr.h"
#include "x86/vector.h"
#include "x86/vmx.h"

/* What memory holds before it is written: a field that the VMM forgets shows. */
uint64_t fake_field(enum vmcs_field field)
{
	if (!fake.vmcs.written[field] && vmcs_type(field) != VMCS_TYPE_READ_ONLY)
		fail_msg("VMCS field %#x is used but was never written", field);
	return fake.vmcs.value[field];
}

void fake_set_field(enum vmcs_field field, uint64_t value)
{
	fake.vmcs.value[field] = value;
	fake.vmcs.written[field] = true;
}

#define SEGMENTS(F)                                                                                \
	F(ES, es) F(CS, cs) F(SS, ss) F(DS, ds) F(FS, fs) F(GS, gs) F(LDTR, ldtr) F(TR, tr)

/* SDM vol. 3, 27.2.1.1, VM-Execution Control Fields; 27.2.2 and 27.2.3, Checks on Host ... */
static int check_controls_and_host(void)
{
	uint32_t pin = (uint32_t)fake_field(VMCS_PIN_BASED_CONTROLS);
	uint32_t primary = (uint32_t)fake_field(VMCS_PRIMARY_PROC_CONTROLS);

	if (pin & VMX_PIN_VIRTUAL_NMIS && !(pin & VMX_PIN_NMI_EXITING))
		return VMX_ERROR_ENTRY_CONTROL_FIELDS;
	if (primary & VMX_PRIMARY_NMI_WINDOW_EXITING && !(pin & VMX_PIN_VIRTUAL_NMIS))
		return VMX_ERROR_ENTRY_CONTROL_FIELDS;
	if (!(fake_field(VMCS_EXIT_CONTROLS) & VMX_EXIT_CTL_HOST_ADDRESS_SPACE_SIZE))
		return VMX_ERROR_ENTRY_HOST_STATE;
	if (!(fake_field(VMCS_HOST_CR4) & CR4_VMXE) || !fake_field(VMCS_HOST_CS_SELECTOR) ||
	    !fake_field(VMCS_HOST_TR_SELECTOR) || fake_field(VMCS_HOST_CS_SELECTOR) & 7 ||
	    fake_field(VMCS_HOST_TR_SELECTOR) & 7)
		return VMX_ERROR_ENTRY_HOST_STATE;
	return 0;
}

/* SDM vol. 3, 27.3.1, Checks on the Guest State Area: those that events and segments can break. */
static int check_guest(void)
{
	uint64_t blocking = fake_field(VMCS_GUEST_INTERRUPTIBILITY);
	uint32_t event = (uint32_t)fake_field(VMCS_ENTRY_INTERRUPTION_INFO);
	bool virtual_nmis = fake_field(VMCS_PIN_BASED_CONTROLS) & VMX_PIN_VIRTUAL_NMIS;
	bool is_nmi = event & VMX_EVENT_VALID && VMX_EVENT_TYPE(event) == VMX_EVENT_NMI;

	if (fake_field(VMCS_VMCS_LINK_POINTER) != UINT64_MAX)
		return -1;
	if (!(fake_field(VMCS_GUEST_CR4) & CR4_VMXE) ||
	    !(fake_field(VMCS_GUEST_RFLAGS) & RFLAGS_FIXED1))
		return -1;
	/* 27.3.1.4: with CS.L = 0 bits 63:32 of RIP must be 0. */
	if (!(fake_field(VMCS_GUEST_CS_ACCESS_RIGHTS) & SEGMENT_AR_L) &&
	    fake_field(VMCS_GUEST_RIP) >> 32)
		return -1;
	if ((fake_field(VMCS_GUEST_TR_ACCESS_RIGHTS) & SEGMENT_AR_TYPE) != SEGMENT_TYPE_TSS_BUSY)
		return -1;
	if (blocking & VMX_BLOCKING_STI && blocking & VMX_BLOCKING_MOV_SS)
		return -1;
	/* "Bit 0 may have to be 0" too: "some processors" refuse an NMI behind STI. */
	if (is_nmi && blocking & (VMX_BLOCKING_STI | VMX_BLOCKING_MOV_SS))
		return -1;
	if (is_nmi && virtual_nmis && blocking & VMX_BLOCKING_NMI)
		return -1;
	return 0;
}

static void load_guest(void)
{
	struct fake_cpu *c = &fake.cpu;

	c->cr0 = fake_field(VMCS_GUEST_CR0);
	c->cr3 = fake_field(VMCS_GUEST_CR3);
	c->cr4 = fake_field(VMCS_GUEST_CR4);
	c->dr7 = fake_field(VMCS_GUEST_DR7);
	fake_set_msr(MSR_IA32_DEBUGCTL, fake_field(VMCS_GUEST_DEBUGCTL));
	fake_set_msr(MSR_IA32_SYSENTER_CS, fake_field(VMCS_GUEST_SYSENTER_CS));
	fake_set_msr(MSR_IA32_SYSENTER_ESP, fake_field(VMCS_GUEST_SYSENTER_ESP));
	fake_set_msr(MSR_IA32_SYSENTER_EIP, fake_field(VMCS_GUEST_SYSENTER_EIP));
#define LOAD(name, member)                                                                         \
	c->member = (struct segment){ (uint16_t)fake_field(VMCS_GUEST_##name##_SELECTOR),          \
				      (uint32_t)fake_field(VMCS_GUEST_##name##_ACCESS_RIGHTS),     \
				      (uint32_t)fake_field(VMCS_GUEST_##name##_LIMIT),             \
				      fake_field(VMCS_GUEST_##name##_BASE) };
	SEGMENTS(LOAD)
#undef LOAD
	c->gdtr.base = fake_field(VMCS_GUEST_GDTR_BASE);
	c->gdtr.limit = (uint16_t)fake_field(VMCS_GUEST_GDTR_LIMIT);
	c->idtr.base = fake_field(VMCS_GUEST_IDTR_BASE);
	c->idtr.limit = (uint16_t)fake_field(VMCS_GUEST_IDTR_LIMIT);
	c->gpr.rsp = fake_field(VMCS_GUEST_RSP);
	c->rip = fake_field(VMCS_GUEST_RIP);
	c->rflags = fake_field(VMCS_GUEST_RFLAGS);
	c->interruptibility = (uint32_t)fake_field(VMCS_GUEST_INTERRUPTIBILITY);
	c->activity = (uint32_t)fake_field(VMCS_GUEST_ACTIVITY_STATE);
	c->pending_debug = fake_field(VMCS_GUEST_PENDING_DEBUG_EXCEPTIONS);
}

/* The event goes to the guest; an NMI blocks further ones. */
static void deliver(void)
{
	uint32_t info = (uint32_t)fake_field(VMCS_ENTRY_INTERRUPTION_INFO);

	fake.injected = info & VMX_EVENT_VALID ? info : 0;
	if (!fake.injected)
		return;
	if (info & VMX_EVENT_ERROR_CODE)
		fake.injected_error = (uint32_t)fake_field(VMCS_ENTRY_EXCEPTION_ERROR_CODE);
	if (VMX_EVENT_TYPE(info) >= VMX_EVENT_SOFTWARE_INTERRUPT)
		fake.injected_length = (uint32_t)fake_field(VMCS_ENTRY_INSTRUCTION_LENGTH);
	fake.cpu.interruptibility &= ~(uint32_t)(VMX_BLOCKING_STI | VMX_BLOCKING_MOV_SS);
	if (VMX_EVENT_TYPE(info) == VMX_EVENT_NMI) {
		fake.cpu.interruptibility |= VMX_BLOCKING_NMI;
		fake_linux_takes(PENDING_NMI);
	} else if (VMX_EVENT_VECTOR(info) == VECTOR_MC) {
		fake_linux_takes(PENDING_MC);
	}
}

int fake_vm_entry(bool resume)
{
	int error;

	if (fake.vmcs.launched != resume)
		return resume ? VMX_ERROR_VMRESUME_NOT_LAUNCHED : VMX_ERROR_VMLAUNCH_NOT_CLEAR;
	error = check_controls_and_host();
	if (!error)
		error = check_guest();
	if (error)
		return error;
	load_guest();
	fake.cpu.mode = FAKE_GUEST;
	fake.vmcs.launched = true;
	deliver();
	return 0;
}

/* SDM vol. 3, 28.3, Saving Guest State */
void fake_save_guest(void)
{
	const struct fake_cpu *c = &fake.cpu;

	fake_set_field(VMCS_GUEST_CR0, c->cr0);
	fake_set_field(VMCS_GUEST_CR3, c->cr3);
	fake_set_field(VMCS_GUEST_CR4, c->cr4);
	fake_set_field(VMCS_GUEST_DR7, c->dr7);
	fake_set_field(VMCS_GUEST_DEBUGCTL, fake_get_msr(MSR_IA32_DEBUGCTL));
	fake_set_field(VMCS_GUEST_SYSENTER_CS, fake_get_msr(MSR_IA32_SYSENTER_CS));
	fake_set_field(VMCS_GUEST_SYSENTER_ESP, fake_get_msr(MSR_IA32_SYSENTER_ESP));
	fake_set_field(VMCS_GUEST_SYSENTER_EIP, fake_get_msr(MSR_IA32_SYSENTER_EIP));
#define SAVE(name, member)                                                                         \
	fake_set_field(VMCS_GUEST_##name##_SELECTOR, c->member.selector);                          \
	fake_set_field(VMCS_GUEST_##name##_ACCESS_RIGHTS, c->member.ar);                           \
	fake_set_field(VMCS_GUEST_##name##_LIMIT, c->member.limit);                                \
	fake_set_field(VMCS_GUEST_##name##_BASE, c->member.base);
	SEGMENTS(SAVE)
#undef SAVE
	fake_set_field(VMCS_GUEST_GDTR_BASE, c->gdtr.base);
	fake_set_field(VMCS_GUEST_GDTR_LIMIT, c->gdtr.limit);
	fake_set_field(VMCS_GUEST_IDTR_BASE, c->idtr.base);
	fake_set_field(VMCS_GUEST_IDTR_LIMIT, c->idtr.limit);
	fake_set_field(VMCS_GUEST_RSP, c->gpr.rsp);
	fake_set_field(VMCS_GUEST_RIP, c->rip);
	fake_set_field(VMCS_GUEST_RFLAGS, c->rflags);
	fake_set_field(VMCS_GUEST_INTERRUPTIBILITY, c->interruptibility);
	fake_set_field(VMCS_GUEST_ACTIVITY_STATE, c->activity);
	fake_set_field(VMCS_GUEST_PENDING_DEBUG_EXCEPTIONS, c->pending_debug);
	/*
	 * 25.8.3, VM-Entry Controls for Event Injection: "The valid bit ... is cleared on every VM
	 * exit."
	 */
	fake_set_field(VMCS_ENTRY_INTERRUPTION_INFO,
		       fake_field(VMCS_ENTRY_INTERRUPTION_INFO) & ~(uint64_t)VMX_EVENT_VALID);
}

static struct segment host_data(uint16_t selector, uint64_t base)
{
	return (struct segment){ selector, selector ? 0xc093 : SEGMENT_AR_UNUSABLE, UINT32_MAX,
				 base };
}

/* SDM vol. 3, 28.5, Loading Host State */
void fake_load_host(void)
{
	struct fake_cpu *c = &fake.cpu;

	c->mode = FAKE_ROOT;
	c->cr0 = fake_field(VMCS_HOST_CR0);
	c->cr3 = fake_field(VMCS_HOST_CR3);
	c->cr4 = fake_field(VMCS_HOST_CR4);
	c->dr7 = DR7_INIT;
	c->rflags = RFLAGS_FIXED1;
	fake_set_msr(MSR_IA32_DEBUGCTL, 0);
	fake_set_msr(MSR_IA32_SYSENTER_CS, fake_field(VMCS_HOST_SYSENTER_CS));
	fake_set_msr(MSR_IA32_SYSENTER_ESP, fake_field(VMCS_HOST_SYSENTER_ESP));
	fake_set_msr(MSR_IA32_SYSENTER_EIP, fake_field(VMCS_HOST_SYSENTER_EIP));
	c->cs = (struct segment){ (uint16_t)fake_field(VMCS_HOST_CS_SELECTOR), 0xa09b, UINT32_MAX,
				  0 };
	c->ss = host_data((uint16_t)fake_field(VMCS_HOST_SS_SELECTOR), 0);
	c->ds = host_data((uint16_t)fake_field(VMCS_HOST_DS_SELECTOR), 0);
	c->es = host_data((uint16_t)fake_field(VMCS_HOST_ES_SELECTOR), 0);
	c->fs = host_data((uint16_t)fake_field(VMCS_HOST_FS_SELECTOR),
			  fake_field(VMCS_HOST_FS_BASE));
	c->gs = host_data((uint16_t)fake_field(VMCS_HOST_GS_SELECTOR),
			  fake_field(VMCS_HOST_GS_BASE));
	c->ldtr = (struct segment){ 0, SEGMENT_AR_UNUSABLE, 0, 0 };
	c->tr = (struct segment){ (uint16_t)fake_field(VMCS_HOST_TR_SELECTOR), 0x8b, TSS64_LIMIT,
				  fake_field(VMCS_HOST_TR_BASE) };
	c->gdtr = (struct descriptor_table_register){ 0xffff, fake_field(VMCS_HOST_GDTR_BASE) };
	c->idtr = (struct descriptor_table_register){ 0xffff, fake_field(VMCS_HOST_IDTR_BASE) };
	c->interruptibility = 0;
	c->pending_debug = 0;
}
