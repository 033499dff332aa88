// SPDX-License-Identifier: GPL-2.0-only
/* Writing and reading the VMCS: which field takes what, as tables. */
#include <stddef.h>

#include "insn.h"
#include "trap.h"
#include "vmcs.h"
#include "vmx.h"
#include "x86/cr.h"
#include "x86/msr.h"
#include "x86/vmx.h"

/* Fields of struct state that one VMCS field holds each: F(vmcs field, member). */
#define STATE_FIELDS(F)                                                                            \
	F(GUEST_CR3, cr3)                                                                          \
	F(GUEST_RSP, regs.rsp)                                                                     \
	F(GUEST_RIP, rip)                                                                          \
	F(GUEST_RFLAGS, rflags)                                                                    \
	F(GUEST_INTERRUPTIBILITY, interruptibility)                                                \
	F(GUEST_ACTIVITY_STATE, activity)                                                          \
	F(GUEST_PENDING_DEBUG_EXCEPTIONS, pending_debug)

/* The same, of those that are hardly ever other than at the last leave. */
#define STATE_STEADY_FIELDS(F)                                                                     \
	F(GUEST_DR7, dr7)                                                                          \
	F(GUEST_DEBUGCTL, debugctl)                                                                \
	F(GUEST_SYSENTER_CS, sysenter_cs)                                                          \
	F(GUEST_SYSENTER_ESP, sysenter_esp)                                                        \
	F(GUEST_SYSENTER_EIP, sysenter_eip)                                                        \
	F(GUEST_GDTR_BASE, gdtr.base)                                                              \
	F(GUEST_GDTR_LIMIT, gdtr.limit)                                                            \
	F(GUEST_IDTR_BASE, idtr.base)                                                              \
	F(GUEST_IDTR_LIMIT, idtr.limit)

/* Segment registers, four fields each: F(VMCS name, member). */
#define STATE_SEGMENTS(F)                                                                          \
	F(ES, es)                                                                                  \
	F(CS, cs)                                                                                  \
	F(SS, ss)                                                                                  \
	F(DS, ds)                                                                                  \
	F(FS, fs)                                                                                  \
	F(GS, gs)                                                                                  \
	F(LDTR, ldtr)                                                                              \
	F(TR, tr)

/* CR4 bits whose change must exit: VMXE is ours; the others are features not handled. */
#define CR4_OWNED (CR4_VMXE | VMX_CR4_REFUSED)
#define CR0_OWNED (CR0_PE | CR0_PG | CR0_NE)

bool vmcs_write_constants(struct cpu *cpu, const struct vmcs_constants *c)
{
	const struct {
		enum vmcs_field field;
		uint64_t value;
		bool skip;
	} rows[] = {
		{ VMCS_PIN_BASED_CONTROLS, c->controls.pin, false },
		{ VMCS_PRIMARY_PROC_CONTROLS, c->controls.primary, false },
		{ VMCS_SECONDARY_PROC_CONTROLS, c->controls.secondary, !c->controls.secondary },
		{ VMCS_EXIT_CONTROLS, c->controls.exit, false },
		{ VMCS_ENTRY_CONTROLS, c->controls.entry, false },
		{ VMCS_MSR_BITMAP, c->msr_bitmap_pa, false },
		{ VMCS_EPT_POINTER, c->eptp, !c->eptp },
		{ VMCS_VPID, VMX_LINUX_VPID, !(c->controls.secondary & VMX_SECONDARY_ENABLE_VPID) },
		/* XSAVES needs it, and no component of IA32_XSS is ours. */
		{ VMCS_XSS_EXITING_BITMAP, 0,
		  !(c->controls.secondary & VMX_SECONDARY_ENABLE_XSAVES_XRSTORS) },
		{ VMCS_PCONFIG_EXITING_BITMAP, 0,
		  !(c->controls.secondary & VMX_SECONDARY_ENABLE_PCONFIG) },
		{ VMCS_EXCEPTION_BITMAP, 0, false },
		{ VMCS_PAGE_FAULT_ERROR_CODE_MASK, 0, false },
		{ VMCS_PAGE_FAULT_ERROR_CODE_MATCH, 0, false },
		{ VMCS_CR3_TARGET_COUNT, 0, false },
		{ VMCS_EXIT_MSR_STORE_COUNT, 0, false },
		{ VMCS_EXIT_MSR_LOAD_COUNT, 0, false },
		{ VMCS_ENTRY_MSR_LOAD_COUNT, 0, false },
		{ VMCS_ENTRY_INTERRUPTION_INFO, 0, false },
		{ VMCS_VMCS_LINK_POINTER, UINT64_MAX, false },
		{ VMCS_CR0_GUEST_HOST_MASK, CR0_OWNED, false },
		{ VMCS_CR4_GUEST_HOST_MASK, CR4_OWNED, false },
		{ VMCS_HOST_CR3, c->host_cr3, false },
		{ VMCS_HOST_CS_SELECTOR, VMM_CS, false },
		{ VMCS_HOST_SS_SELECTOR, VMM_DS, false },
		{ VMCS_HOST_DS_SELECTOR, 0, false },
		{ VMCS_HOST_ES_SELECTOR, 0, false },
		{ VMCS_HOST_FS_SELECTOR, 0, false },
		{ VMCS_HOST_GS_SELECTOR, 0, false },
		{ VMCS_HOST_TR_SELECTOR, VMM_TR, false },
		{ VMCS_HOST_FS_BASE, 0, false },
		{ VMCS_HOST_GS_BASE, 0, false },
		{ VMCS_HOST_TR_BASE, (uint64_t)&cpu->tss, false },
		{ VMCS_HOST_GDTR_BASE, (uint64_t)cpu->gdt, false },
		{ VMCS_HOST_IDTR_BASE, idt_register.base, false },
		{ VMCS_HOST_RSP, (uint64_t)cpu, false },
		{ VMCS_HOST_RIP, (uint64_t)insn_vmexit_entry, false },
		{ VMCS_HOST_SYSENTER_CS, cpu->host_sysenter_cs, false },
		{ VMCS_HOST_SYSENTER_ESP, cpu->host_sysenter_esp, false },
		{ VMCS_HOST_SYSENTER_EIP, cpu->host_sysenter_eip, false },
	};
	size_t i;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (!rows[i].skip && !insn_vmwrite(rows[i].field, rows[i].value))
			return false;
	cpu->pin_controls = c->controls.pin;
	cpu->primary_controls = c->controls.primary;
	/* By these no window is awaited; what waited for one when an INIT came went with it. */
	cpu->waiting = 0;
	return true;
}

/* The host keeps Linux's SYSENTER MSRs, so that a leave need not write them; they hardly change. */
static bool write_host_sysenter(struct cpu *cpu, const struct state *s)
{
	if (s->sysenter_cs == cpu->host_sysenter_cs && s->sysenter_esp == cpu->host_sysenter_esp &&
	    s->sysenter_eip == cpu->host_sysenter_eip)
		return true;
	if (!insn_vmwrite(VMCS_HOST_SYSENTER_CS, s->sysenter_cs) ||
	    !insn_vmwrite(VMCS_HOST_SYSENTER_ESP, s->sysenter_esp) ||
	    !insn_vmwrite(VMCS_HOST_SYSENTER_EIP, s->sysenter_eip))
		return false;
	cpu->host_sysenter_cs = s->sysenter_cs;
	cpu->host_sysenter_esp = s->sysenter_esp;
	cpu->host_sysenter_eip = s->sysenter_eip;
	return true;
}

/* CR0 and CR4: Linux sees what it had; VMX operation and the VMM run with CR4.VMXE. */
static bool write_control_registers(const struct state *s)
{
	bool ok = insn_vmwrite(VMCS_GUEST_CR0, s->cr0);

	ok &= insn_vmwrite(VMCS_CR0_READ_SHADOW, s->cr0);
	ok &= insn_vmwrite(VMCS_HOST_CR0, s->cr0);
	ok &= insn_vmwrite(VMCS_GUEST_CR4, s->cr4 | CR4_VMXE);
	ok &= insn_vmwrite(VMCS_CR4_READ_SHADOW, s->cr4);
	ok &= insn_vmwrite(VMCS_HOST_CR4, s->cr4 | CR4_VMXE);
	return ok;
}

bool vmcs_write_state(struct cpu *cpu, const struct state *s)
{
	bool ok = write_control_registers(s) & write_host_sysenter(cpu, s);
	const struct state *has = &cpu->leaving;
	bool all = !cpu->holds_leaving;

	/* What the first of these changes is not known until a leave reads it. */
	cpu->holds_leaving = false;
#define WRITE(field, member) ok &= insn_vmwrite(VMCS_##field, s->member);
#define WRITE_CHANGED(field, member)                                                               \
	if (all || s->member != has->member)                                                       \
		ok &= insn_vmwrite(VMCS_##field, s->member);
#define WRITE_SEGMENT(name, member)                                                                \
	WRITE_CHANGED(GUEST_##name##_SELECTOR, member.selector)                                    \
	ok &= insn_vmwrite(VMCS_GUEST_##name##_ACCESS_RIGHTS, s->member.ar);                       \
	ok &= insn_vmwrite(VMCS_GUEST_##name##_LIMIT, s->member.limit);                            \
	ok &= insn_vmwrite(VMCS_GUEST_##name##_BASE, s->member.base);
	STATE_FIELDS(WRITE)
	STATE_STEADY_FIELDS(WRITE_CHANGED)
	STATE_SEGMENTS(WRITE_SEGMENT)
#undef WRITE
#undef WRITE_CHANGED
#undef WRITE_SEGMENT
	return ok;
}

/* A register whose masked bits Linux sees in the read shadow. */
static uint64_t guest_view(enum vmcs_field reg, enum vmcs_field shadow, uint64_t mask)
{
	return (insn_vmread(reg) & ~mask) | (insn_vmread(shadow) & mask);
}

void vmcs_read_state(struct cpu *cpu, struct state *s)
{
	s->regs = cpu->regs;
#define READ(field, member) s->member = insn_vmread(VMCS_##field);
	STATE_FIELDS(READ)
	STATE_STEADY_FIELDS(READ)
#undef READ
	/* The hidden parts come back with the selectors; only these bases are Linux's MSRs. */
#define READ_SELECTOR(name, member) s->member.selector = insn_vmread(VMCS_GUEST_##name##_SELECTOR);
	STATE_SEGMENTS(READ_SELECTOR)
#undef READ_SELECTOR
	state_takes_none(s);
	s->fs.base = insn_vmread(VMCS_GUEST_FS_BASE);
	s->gs.base = insn_vmread(VMCS_GUEST_GS_BASE);
	s->cr0 = guest_view(VMCS_GUEST_CR0, VMCS_CR0_READ_SHADOW, CR0_OWNED);
	s->cr4 = guest_view(VMCS_GUEST_CR4, VMCS_CR4_READ_SHADOW, CR4_OWNED);
}

void vmx_read_hidden(struct cpu *cpu, struct mercury_cpu_shared *shared)
{
	struct mercury_segment *hidden = shared->hidden;

	(void)cpu;
#define READ_HIDDEN(name)                                                                          \
	*hidden++ = (struct mercury_segment){                                                      \
		.base = insn_vmread(VMCS_GUEST_##name##_BASE),                                     \
		.limit = (uint32_t)insn_vmread(VMCS_GUEST_##name##_LIMIT),                         \
		.access_rights = (uint32_t)insn_vmread(VMCS_GUEST_##name##_ACCESS_RIGHTS),         \
		.selector = (uint32_t)insn_vmread(VMCS_GUEST_##name##_SELECTOR),                   \
	};
	MERCURY_SEGMENTS(READ_HIDDEN)
#undef READ_HIDDEN
	shared->gdtr = (struct mercury_table){ insn_vmread(VMCS_GUEST_GDTR_BASE),
					       (uint32_t)insn_vmread(VMCS_GUEST_GDTR_LIMIT), 0 };
	shared->idtr = (struct mercury_table){ insn_vmread(VMCS_GUEST_IDTR_BASE),
					       (uint32_t)insn_vmread(VMCS_GUEST_IDTR_LIMIT), 0 };
}
