// SPDX-License-Identifier: GPL-2.0-only
/* The virtual object "vmx": probe, warm VMCS, audit, VMXON to VMLAUNCH, and the way out. */
#include <stddef.h>

#include "audit.h"
#include "call.h"
#include "cpu.h"
#include "ept.h"
#include "ept_fault.h"
#include "event.h"
#include "fatal.h"
#include "feature.h"
#include "insn.h"
#include "mtrr.h"
#include "outer.h"
#include "paravirt.h"
#include "require.h"
#include "vmcs.h"
#include "vmx.h"
#include "window.h"
#include "x86/cr.h"
#include "x86/msr.h"
#include "x86/vmx.h"

/* The machine's: all CPUs are alike, or are refused. */
static struct {
	bool known;
	struct vmx_capability capability;
	struct vmx_features features;
	struct vmx_controls controls;
	struct outer outer;
	struct mtrr_state mtrr[2]; /* the P2M's types: one in use, the other for the next       */
	unsigned int mtrr_used;
	uint32_t mtrr_lock;
} machine;

static uint8_t msr_bitmap[MERCURY_PAGE_SIZE] __attribute__((aligned(MERCURY_PAGE_SIZE)));
static uint8_t zero_page[MERCURY_PAGE_SIZE] __attribute__((aligned(MERCURY_PAGE_SIZE)));
static uint8_t sink_page[MERCURY_PAGE_SIZE] __attribute__((aligned(MERCURY_PAGE_SIZE)));

/* --- Probe -------------------------------------------------------------------------------------- */

static enum mercury_error check_requirements(struct cpu *cpu)
{
	struct vmx_facts facts;
	const char *sentence;

	vmx_facts_read(&facts);
	sentence = vmx_unmet(&facts);
	return sentence ? cpu_refuse(cpu, MERCURY_E_UNSUPPORTED, 0, "%s", sentence) : MERCURY_E_OK;
}

static enum mercury_error learn_machine(struct cpu *cpu)
{
	struct mercury_shared *shared = window_at(MERCURY_WINDOW_SHARED);
	struct vmx_capability capability;
	struct vmx_obstacle obstacle;

	vmx_capability_read(&capability);
	if (machine.known) {
		if (!__builtin_memcmp(&capability, &machine.capability, sizeof(capability)))
			return MERCURY_E_OK;
		return cpu_refuse(
			cpu, MERCURY_E_UNSUPPORTED, 0,
			"this CPU's VT-x capabilities differ from the first CPU's: update firmware and microcode");
	}
	vmx_features_read(&machine.features);
	outer_read(&machine.outer);
	if (!vmx_controls_negotiate(&capability, &machine.features, machine_p2m.root,
				    &machine.controls, &obstacle))
		return cpu_refuse(
			cpu, MERCURY_E_UNSUPPORTED, 0,
			"VT-x %s: the CPU %s %s, which Mercury does not handle; use backend=ring1",
			obstacle.word, obstacle.forced ? "insists on" : "lacks", obstacle.name);
	machine.capability = capability;
	machine.known = true;
	shared->uses_vpid = !!(machine.controls.secondary & VMX_SECONDARY_ENABLE_VPID);
	return MERCURY_E_OK;
}

static enum mercury_error vmx_probe(struct cpu *cpu)
{
	enum mercury_error error = check_requirements(cpu);

	return error ? error : learn_machine(cpu);
}

const struct outer *vmx_outer(void)
{
	return &machine.outer;
}

/* --- The P2M ------------------------------------------------------------------------------------ */

enum mercury_error vmx_p2m_init(struct cpu *cpu, struct p2m *p2m)
{
	struct mercury_shared *shared = window_at(MERCURY_WINDOW_SHARED);
	enum mercury_error error = check_requirements(cpu);
	struct vmx_capability capability;

	if (error)
		return error;
	vmx_capability_read(&capability);
	if (!vmx_has_ept(&capability))
		return MERCURY_E_UNSUPPORTED;
	mtrr_read(&machine.mtrr[0]);
	shared->uses_ept = 1;
	return p2m_init(p2m, ept_format(capability.ept_vpid & VMX_CAP_EPT_1G), &machine.mtrr[0],
			window_pa(zero_page), window_pa(sink_page));
}

enum mercury_error vmx_follow_mtrrs(void)
{
	enum mercury_error error = MERCURY_E_OK;
	struct mtrr_state *next;

	while (__atomic_exchange_n(&machine.mtrr_lock, 1, __ATOMIC_ACQUIRE)) {
		if (vmm_is_broken())
			return MERCURY_E_BROKEN;
		insn_pause();
	}
	next = &machine.mtrr[!machine.mtrr_used];
	mtrr_read(next);
	if (__builtin_memcmp(next, &machine.mtrr[machine.mtrr_used], sizeof(*next))) {
		error = p2m_retype(&machine_p2m, next);
		/* Half done is not done: the next caller tries again. */
		if (!error)
			machine.mtrr_used = !machine.mtrr_used;
	}
	__atomic_store_n(&machine.mtrr_lock, 0, __ATOMIC_RELEASE);
	return error;
}

void vmx_wipe_sink(void)
{
	__builtin_memset(sink_page, 0, sizeof(sink_page));
}

bool vmx_flush(void)
{
	bool ok = true;

	if (machine.controls.secondary & VMX_SECONDARY_ENABLE_EPT)
		ok &= insn_invept(INVEPT_ALL, 0);
	if (machine.controls.secondary & VMX_SECONDARY_ENABLE_VPID)
		ok &= insn_invvpid(INVVPID_ALL, 0, 0);
	return ok;
}

/* --- VMX operation ------------------------------------------------------------------------------ */

static void write_revision(struct cpu *cpu, uint64_t slot_offset)
{
	*(uint32_t *)cpu_slot(cpu, slot_offset) = VMX_BASIC_REVISION(machine.capability.basic);
}

static enum mercury_error vmx_instruction_failed(struct cpu *cpu, enum mercury_error error,
						 const char *what, bool has_vmcs)
{
	uint64_t number = has_vmcs ? insn_vmread(VMCS_VM_INSTRUCTION_ERROR) : 0;

	return cpu_refuse(cpu, error, number,
			  "%s failed, VM-instruction error %lu; try again, then report it", what,
			  number);
}

/* VMXON with CR4.VMXE = 1, and make the VMCS current; on failure VMX operation is left again. */
static enum mercury_error vmx_on(struct cpu *cpu)
{
	write_revision(cpu, MERCURY_CPU_VMXON);
	if (!insn_vmxon(cpu->vmxon_pa))
		return vmx_instruction_failed(cpu, MERCURY_E_VMXON, "VMXON", false);
	if (!insn_vmptrld(cpu->vmcs_pa)) {
		insn_vmxoff();
		return vmx_instruction_failed(cpu, MERCURY_E_VMPTRLD, "VMPTRLD", false);
	}
	return MERCURY_E_OK;
}

static void set_warm(struct cpu *cpu, bool warm)
{
	cpu->warm = warm;
	cpu->holds_leaving = false;
	cpu_shared(cpu)->is_warm = warm;
}

/*
 * The VMCS's data go to memory and its launch state becomes clear. Should that fail, nothing is known
 * of the VMCS any more: the next vote writes it anew.
 */
static enum mercury_error vmx_off(struct cpu *cpu)
{
	bool ok = insn_vmclear(cpu->vmcs_pa);

	insn_vmxoff();
	if (ok)
		return MERCURY_E_OK;
	set_warm(cpu, false);
	return vmx_instruction_failed(cpu, MERCURY_E_VMCLEAR, "VMCLEAR", false);
}

/* --- Prepare: the warm VMCS --------------------------------------------------------------------- */

static void intercept_write(uint32_t msr)
{
	msr_bitmap[VMX_MSR_BITMAP_WRITE_LOW + msr / 8] |= 1 << msr % 8;
}

/* Writes to the MTRRs and microcode updates exit; nothing else does. */
static void fill_msr_bitmap(void)
{
	uint32_t msr;

	intercept_write(MSR_IA32_BIOS_UPDT_TRIG);
	for (msr = MSR_IA32_MTRR_PHYSBASE0; msr <= MSR_IA32_MTRR_DEF_TYPE; msr++)
		if (mtrr_is_msr(msr))
			intercept_write(msr);
}

static bool write_constants(struct cpu *cpu)
{
	const struct vmcs_constants constants = {
		.controls = machine.controls,
		.host_cr3 = mercury_boot.vmm_root |
			    (insn_read_cr4() & CR4_PCIDE ? MERCURY_PCID_VMM : 0),
		.msr_bitmap_pa = window_pa(msr_bitmap),
		.eptp = machine.controls.secondary & VMX_SECONDARY_ENABLE_EPT ?
				ept_pointer(window_pa(machine_p2m.root)) :
				0,
	};

	cpu->fast_exit = machine.outer.kind == OUTER_KVM ? CPU_NO_FAST_EXIT : VMX_REASON_CPUID;
	cpu->host_sysenter_cs = insn_rdmsr(MSR_IA32_SYSENTER_CS);
	cpu->host_sysenter_esp = insn_rdmsr(MSR_IA32_SYSENTER_ESP);
	cpu->host_sysenter_eip = insn_rdmsr(MSR_IA32_SYSENTER_EIP);
	return vmcs_write_constants(cpu, &constants);
}

/* In VMX operation, VMCS not current: VMCLEAR it, then write it. */
static enum mercury_error write_warm(struct cpu *cpu)
{
	__builtin_memset(cpu_slot(cpu, MERCURY_CPU_VMCS), 0, MERCURY_PAGE_SIZE);
	write_revision(cpu, MERCURY_CPU_VMCS);
	if (!insn_vmclear(cpu->vmcs_pa))
		return vmx_instruction_failed(cpu, MERCURY_E_VMCLEAR, "VMCLEAR", false);
	if (!insn_vmptrld(cpu->vmcs_pa))
		return vmx_instruction_failed(cpu, MERCURY_E_VMPTRLD, "VMPTRLD", false);
	if (!write_constants(cpu))
		return vmx_instruction_failed(cpu, MERCURY_E_VMWRITE, "VMWRITE", true);
	return MERCURY_E_OK;
}

static void set_vmxe(struct cpu *cpu, uint64_t cr4)
{
	cpu->owns_vmxe = true;
	insn_write_cr4(cr4 | CR4_VMXE);
}

static void take_back_vmxe(struct cpu *cpu)
{
	if (cpu->owns_vmxe)
		insn_write_cr4(insn_read_cr4() & ~(uint64_t)CR4_VMXE);
	cpu->owns_vmxe = false;
}

void vmx_stop(struct cpu *cpu)
{
	if (!cpu->owns_vmx)
		return;
	/* Nobody knows how far it got: outside VMX operation both are #UD. */
	insn_vmclear_safe(cpu->vmcs_pa);
	insn_vmxoff_safe();
	take_back_vmxe(cpu);
	paravirt_restore(cpu);
}

/* With CR4.VMXE = 1. */
static enum mercury_error warm_up(struct cpu *cpu)
{
	enum mercury_error error, off;

	write_revision(cpu, MERCURY_CPU_VMXON);
	if (!insn_vmxon(cpu->vmxon_pa))
		return vmx_instruction_failed(cpu, MERCURY_E_VMXON, "VMXON", false);
	error = write_warm(cpu);
	off = vmx_off(cpu);
	return error ? error : off;
}

static enum mercury_error vmx_prepare(struct cpu *cpu)
{
	uint64_t cr4 = insn_read_cr4();
	enum mercury_error error;

	fill_msr_bitmap();
	set_warm(cpu, false);
	/* Owned by another: stay cold. The vote refuses while that lasts; then we warm up there. */
	cpu_shared(cpu)->is_owned = !!(cr4 & CR4_VMXE);
	if (cr4 & CR4_VMXE)
		return MERCURY_E_OK;
	cpu->owns_vmx = true;
	set_vmxe(cpu, cr4);
	error = warm_up(cpu);
	take_back_vmxe(cpu);
	cpu->owns_vmx = false;
	set_warm(cpu, !error);
	return error;
}

static void vmx_discard(struct cpu *cpu)
{
	set_warm(cpu, false);
}

/* --- Capture, audit, leave, load ---------------------------------------------------------------- */

static void vmx_capture(struct cpu *cpu, struct state *state)
{
	vmcs_read_state(cpu, state);
	cpu->holds_leaving = state == &cpu->leaving;
	event_take_back(cpu);
	state->returns_result = true;
}

static enum mercury_error vmx_audit_state(struct cpu *cpu, const struct state *state)
{
	enum mercury_error error = check_requirements(cpu);
	const char *problem;

	if (error)
		return error;
	if (state->cr4 & CR4_VMXE)
		return cpu_refuse(cpu, MERCURY_E_OWNED, 0,
				  "VMX is owned by another (CR4.VMXE is set), KVM for instance: end "
				  "its guests and unload kvm_intel");
	/* Owned by another when it was to be prepared, or it failed: that may be over. */
	if (!cpu->warm) {
		error = learn_machine(cpu);
		error = error ? error : vmx_prepare(cpu);
		if (error)
			return error;
	}
	problem = vmx_audit(state, &machine.capability, machine.features.maxphyaddr);
	if (problem)
		return cpu_refuse(cpu, MERCURY_E_AUDIT, 0, "VM entry would fail: %s; report it",
				  problem);
	/* They may have changed while native; what is cached of the old types goes when we enter. */
	if (machine_p2m.root && vmx_follow_mtrrs())
		return cpu_refuse(cpu, MERCURY_E_NO_MEMORY, 0,
				  "the MTRRs changed and the P2M's pool has no page left to follow: "
				  "load the module again");
	return MERCURY_E_OK;
}

static void vmx_leave(struct cpu *cpu)
{
	cpu->task = TASK_RETURN;
	ept_stop_stepping(cpu);
	if (machine.outer.kind == OUTER_KVM)
		paravirt_restore(cpu);
	vmx_off(cpu);
}

/* In VMX operation, with the VMCS current. Comes back with an error only. */
static enum mercury_error launch(struct cpu *cpu, const struct state *state)
{
	enum mercury_error error;

	if (!vmcs_write_state(cpu, state))
		return vmx_instruction_failed(cpu, MERCURY_E_VMWRITE, "VMWRITE", true);
	/* Nothing cached in an earlier virtual episode may serve this one. */
	if (!vmx_flush())
		return vmx_instruction_failed(cpu, MERCURY_E_FLUSH, "INVEPT or INVVPID", true);
	cpu->regs = state->regs;
	cpu->entered = false;
	cpu_shared(cpu)->is_virtual = 1;
	cpu->task = TASK_EXIT;
	insn_vmlaunch(cpu);
	cpu->task = TASK_CALL;
	cpu_shared(cpu)->is_virtual = 0;
	error = vmx_instruction_failed(cpu, MERCURY_E_VMLAUNCH, "VMLAUNCH", true);
	event_take_back(cpu);
	return error;
}

static enum mercury_error vmx_load(struct cpu *cpu, struct state *state)
{
	enum mercury_error error;

	cpu->owns_vmx = true;
	/* Linux has set CR4.VMXE by its own function where the kernel lets a module call it. */
	cpu->owns_vmxe = false;
	if (!(state->cr4 & CR4_VMXE))
		set_vmxe(cpu, state->cr4);
	error = vmx_on(cpu);
	if (error)
		return error;
	if (machine.outer.kind == OUTER_KVM)
		paravirt_put_off(cpu);
	error = launch(cpu, state);
	if (machine.outer.kind == OUTER_KVM)
		paravirt_restore(cpu);
	vmx_off(cpu);
	return error;
}

const struct vo vo_vmx = {
	.name = "vmx",
	.probe = vmx_probe,
	.prepare = vmx_prepare,
	.discard = vmx_discard,
	.capture = vmx_capture,
	.audit = vmx_audit_state,
	.leave = vmx_leave,
	.load = vmx_load,
};
