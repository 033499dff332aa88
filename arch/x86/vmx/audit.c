// SPDX-License-Identifier: GPL-2.0-only
/* VM entry's checks on guest state, rule by rule in the manual's order. */
#include <stddef.h>

#include "audit.h"
#include "cpu.h"
#include "x86/cr.h"
#include "x86/paging.h"
#include "x86/vmx.h"

#define LINEAR_BITS 48
#define DEBUGCTL_BIT(name, bit) | X86_BIT64(bit)
#define DEBUGCTL_KNOWN (0 DEBUGCTL_BITS(DEBUGCTL_BIT))
#define SYSENTER_CS_MAX UINT64_C(0xffffffff)

static bool canonical(uint64_t address)
{
	return paging_canonical(address, LINEAR_BITS);
}

static bool usable(const struct segment *s)
{
	return !(s->ar & SEGMENT_AR_UNUSABLE);
}

static uint32_t type(const struct segment *s)
{
	return s->ar & SEGMENT_AR_TYPE;
}

static uint32_t dpl(const struct segment *s)
{
	return (s->ar & SEGMENT_AR_DPL) >> SEGMENT_AR_DPL_SHIFT;
}

/* 27.3.1.1, Checks on Guest Control Registers, Debug Registers, and MSRs */
static const char *audit_control(const struct state *s, const struct vmx_capability *c,
				 uint32_t maxphyaddr)
{
	if (!vmx_fixed_ok(s->cr0, c->cr0_fixed0, c->cr0_fixed1))
		return "CR0 has a value that VMX operation does not allow";
	if (!vmx_fixed_ok(s->cr4 | CR4_VMXE, c->cr4_fixed0, c->cr4_fixed1))
		return "CR4 has a value that VMX operation does not allow";
	if (!(s->cr0 & CR0_PG) || !(s->cr0 & CR0_PE) || !(s->cr4 & CR4_PAE))
		return "CR0.PE, CR0.PG and CR4.PAE must be 1 in IA-32e mode";
	/* Linear-address masking for user pointers is part of CR3 where the CPU has it. */
	if (s->cr3 & ~((X86_BIT64(maxphyaddr) - 1) | CR3_LAM_U48 | CR3_LAM_U57))
		return "CR3 has bits beyond the physical-address width";
	if (s->dr7 >> 32)
		return "DR7 bits 63:32 must be 0";
	if (s->debugctl & ~(uint64_t)DEBUGCTL_KNOWN)
		return "IA32_DEBUGCTL has a reserved bit set";
	if (!canonical(s->sysenter_esp) || !canonical(s->sysenter_eip))
		return "IA32_SYSENTER_ESP and EIP must be canonical";
	if (s->sysenter_cs > SYSENTER_CS_MAX)
		return "IA32_SYSENTER_CS has 32 bits in the VMCS";
	return NULL;
}

static bool limit_matches_granularity(const struct segment *s)
{
	if ((s->limit & 0xfff) != 0xfff && s->ar & SEGMENT_AR_G)
		return false;
	return !(s->limit & 0xfff00000) || s->ar & SEGMENT_AR_G;
}

/* 27.3.1.2, Checks on Guest Segment Registers: what holds for each that is usable */
static const char *audit_usable(const struct segment *s)
{
	if (!(s->ar & SEGMENT_AR_S) || !(s->ar & SEGMENT_AR_P))
		return "a usable segment must be present and code or data";
	if (s->ar & SEGMENT_AR_RESERVED)
		return "a segment's access rights have a reserved bit set";
	if (!limit_matches_granularity(s))
		return "a segment's limit does not fit its granularity";
	return NULL;
}

static const char *audit_cs(const struct segment *cs)
{
	const char *problem;

	if (!usable(cs) || (cs->selector & SELECTOR_RPL))
		return "CS must be usable, with RPL 0: the switch is for CPL 0";
	problem = audit_usable(cs);
	if (problem)
		return problem;
	if (type(cs) != 9 && type(cs) != 11)
		return "CS must be accessed, non-conforming code";
	if (cs->base >> 32)
		return "CS base bits 63:32 must be 0";
	if (!(cs->ar & SEGMENT_AR_L) || cs->ar & SEGMENT_AR_DB || dpl(cs))
		return "CS must be 64-bit code of DPL 0";
	return NULL;
}

static const char *audit_ss(const struct segment *ss)
{
	if (ss->selector & SELECTOR_RPL)
		return "SS.RPL must equal CS.RPL";
	if (dpl(ss))
		return "SS.DPL must be 0 even if SS is unusable: it is the CPL";
	if (!usable(ss))
		return NULL;
	if (type(ss) != 3 && type(ss) != 7)
		return "SS must be accessed, writable data";
	if (ss->base >> 32)
		return "SS base bits 63:32 must be 0";
	return audit_usable(ss);
}

/* DS, ES, FS, GS */
static const char *audit_data(const struct segment *s, bool is_fs_or_gs)
{
	if (is_fs_or_gs ? !canonical(s->base) : usable(s) && s->base >> 32)
		return "the base of DS and ES has 32 bits, that of FS and GS is canonical";
	if (!usable(s))
		return NULL;
	if (!(s->ar & SEGMENT_TYPE_ACCESSED))
		return "DS, ES, FS and GS must be accessed";
	if (s->ar & SEGMENT_TYPE_CODE && !(s->ar & SEGMENT_TYPE_READABLE))
		return "DS, ES, FS and GS must be readable";
	if (type(s) <= 11 && dpl(s) < (s->selector & SELECTOR_RPL))
		return "the DPL of DS, ES, FS and GS must not be less than the RPL";
	return audit_usable(s);
}

static bool is_system(const struct segment *s)
{
	return s->ar & SEGMENT_AR_P && !(s->ar & (SEGMENT_AR_S | SEGMENT_AR_RESERVED));
}

static const char *audit_system(const struct state *s)
{
	if (!usable(&s->tr) || s->tr.selector & SELECTOR_TI)
		return "TR must be usable and its selector in the GDT";
	if (type(&s->tr) != SEGMENT_TYPE_TSS_BUSY || !is_system(&s->tr))
		return "TR must be a present, busy 64-bit TSS";
	if (!canonical(s->tr.base) || !limit_matches_granularity(&s->tr))
		return "TR base must be canonical and its limit fit its granularity";
	if (!usable(&s->ldtr))
		return NULL;
	if (s->ldtr.selector & SELECTOR_TI || type(&s->ldtr) != SEGMENT_TYPE_LDT ||
	    !is_system(&s->ldtr))
		return "LDTR must be a present LDT in the GDT";
	if (!canonical(s->ldtr.base) || !limit_matches_granularity(&s->ldtr))
		return "LDTR base must be canonical and its limit fit its granularity";
	return NULL;
}

static const char *audit_segments(const struct state *s)
{
	const struct {
		const struct segment *segment;
		bool is_fs_or_gs;
	} data[] = { { &s->ds, false }, { &s->es, false }, { &s->fs, true }, { &s->gs, true } };
	const char *problem = audit_cs(&s->cs);
	size_t i;

	if (!problem)
		problem = audit_ss(&s->ss);
	for (i = 0; i < 4 && !problem; i++)
		problem = audit_data(data[i].segment, data[i].is_fs_or_gs);
	return problem ? problem : audit_system(s);
}

/* 27.3.1.3, Checks on Guest Descriptor-Table Registers; 27.3.1.4, Checks on Guest RIP, RFLAGS */
static const char *audit_tables_and_flags(const struct state *s)
{
	const uint64_t reserved =
		~(UINT64_C(0x3fffff)) | X86_BIT64(15) | X86_BIT64(5) | X86_BIT64(3);

	if (!canonical(s->gdtr.base) || !canonical(s->idtr.base))
		return "GDTR and IDTR base must be canonical";
	if (!canonical(s->rip))
		return "RIP must be canonical";
	if (s->rflags & reserved || !(s->rflags & RFLAGS_FIXED1))
		return "RFLAGS has a reserved bit wrong";
	if (s->rflags & RFLAGS_VM)
		return "RFLAGS.VM must be 0 in IA-32e mode";
	return NULL;
}

static bool single_steps(const struct state *s)
{
	return s->rflags & RFLAGS_TF && !(s->debugctl & DEBUGCTL_BTF);
}

/* 27.3.1.5, Checks on Guest Non-Register State */
static const char *audit_non_register(const struct state *s)
{
	if (s->activity != VMX_ACTIVITY_ACTIVE)
		return "the CPU is running, so its activity state must be active";
	if (s->interruptibility &
	    ~(uint32_t)(VMX_BLOCKING_STI | VMX_BLOCKING_MOV_SS | VMX_BLOCKING_NMI))
		return "the interruptibility state has a reserved bit set";
	if (s->interruptibility & VMX_BLOCKING_STI && s->interruptibility & VMX_BLOCKING_MOV_SS)
		return "blocking by STI and by MOV SS exclude each other";
	if (s->interruptibility & VMX_BLOCKING_STI && !(s->rflags & RFLAGS_IF))
		return "blocking by STI needs RFLAGS.IF";
	if (s->pending_debug & ~(X86_MASK64(3, 0) | VMX_PENDING_DEBUG_BLD |
				 VMX_PENDING_DEBUG_ENABLED_BREAKPOINT | VMX_PENDING_DEBUG_BS))
		return "the pending debug exceptions have a reserved bit set";
	if (s->interruptibility & (VMX_BLOCKING_STI | VMX_BLOCKING_MOV_SS) &&
	    !(s->pending_debug & VMX_PENDING_DEBUG_BS) != !single_steps(s))
		return "behind STI or MOV SS a pending debug exception must be that of single-stepping";
	return NULL;
}

/* Not a rule of VM entry but of the way back: the VMM's CS and SS must be Linux's. */
static const char *audit_return(const struct state *s)
{
	if (s->cs.selector != VMM_CS)
		return "Linux's kernel code selector is not the one that the VMM uses";
	if (s->ss.selector && s->ss.selector != VMM_DS)
		return "Linux's kernel stack selector is not the one that the VMM uses";
	return NULL;
}

const char *vmx_audit(const struct state *s, const struct vmx_capability *c, uint32_t maxphyaddr)
{
	const char *problem = audit_control(s, c, maxphyaddr);

	if (!problem)
		problem = audit_segments(s);
	if (!problem)
		problem = audit_tables_and_flags(s);
	if (!problem)
		problem = audit_non_register(s);
	return problem ? problem : audit_return(s);
}
