// SPDX-License-Identifier: GPL-2.0-only
/* The hardware port: VMX instructions. */
#include "unit.h"

#include "fake.h"
#include "vmx/event.h"
#include "vmx/vmx.h"
#include "x86/cr.h"
#include "x86/msr.h"
#include "x86/vector.h"
#include "x86/vmx.h"

/* The test has this one fail. */
static bool made_to_fail(void)
{
	return fake.fallible++ == fake.fail_at;
}

static bool has_revision(uint64_t pa)
{
	return *(const uint32_t *)pa == VMX_BASIC_REVISION(fake_get_msr(MSR_IA32_VMX_BASIC));
}

bool insn_vmxon(uint64_t region_pa)
{
	bool ok = !made_to_fail();

	if (fake.cpu.mode != FAKE_OFF || !(fake.cpu.cr4 & CR4_VMXE))
		fail_msg("VMXON in VMX operation, or #UD without CR4.VMXE");
	ok = ok && has_revision(region_pa);
	if (ok) {
		fake.cpu.mode = FAKE_ROOT;
		fake.cpu.current_vmcs = FAKE_NO_VMCS;
	}
	fake_log(OP_VMXON, region_pa, 0, ok);
	return ok;
}

static void need_root(const char *what)
{
	if (fake.cpu.mode != FAKE_ROOT)
		fail_msg("#UD: %s outside VMX root operation", what);
}

void insn_vmxoff(void)
{
	need_root("VMXOFF");
	fake.cpu.mode = FAKE_OFF;
	fake_log(OP_VMXOFF, 0, 0, true);
}

bool insn_vmxoff_safe(void)
{
	bool ok = fake.cpu.mode == FAKE_ROOT;

	if (ok) {
		if (fake.cpu.current_vmcs != FAKE_NO_VMCS)
			fail_msg("VMXOFF leaves a VMCS active");
		fake.cpu.mode = FAKE_OFF;
	}
	fake_log(OP_VMXOFF, 0, 0, ok);
	return ok;
}

/* A VMCS that is active when another becomes current would stay in the CPU: there is only one. */
bool insn_vmclear(uint64_t vmcs_pa)
{
	bool ok = !made_to_fail();

	need_root("VMCLEAR");
	if (ok) {
		fake.vmcs.pa = vmcs_pa;
		fake.vmcs.launched = false;
		if (fake.cpu.current_vmcs == vmcs_pa)
			fake.cpu.current_vmcs = FAKE_NO_VMCS;
	}
	fake_log(OP_VMCLEAR, vmcs_pa, 0, ok);
	return ok;
}

bool insn_vmclear_safe(uint64_t vmcs_pa)
{
	if (fake.cpu.mode == FAKE_ROOT)
		return insn_vmclear(vmcs_pa);
	fake_log(OP_VMCLEAR, vmcs_pa, 0, false);
	return false;
}

bool insn_vmptrld(uint64_t vmcs_pa)
{
	bool ok = !made_to_fail();

	need_root("VMPTRLD");
	if (vmcs_pa != fake.vmcs.pa)
		fail_msg("VMPTRLD of a VMCS that was never cleared");
	ok = ok && has_revision(vmcs_pa);
	if (ok)
		fake.cpu.current_vmcs = vmcs_pa;
	fake_log(OP_VMPTRLD, vmcs_pa, 0, ok);
	return ok;
}

static bool is_field(uint32_t field)
{
#define F(name, encoding) case encoding:
	switch (field) {
		VMCS_FIELDS(F)
		return true;
	}
#undef F
	return false;
}

static uint64_t truncate(uint32_t field, uint64_t value)
{
	unsigned int bits = 8 * vmcs_width_bytes(field);

	return bits == 64 ? value : value & ((UINT64_C(1) << bits) - 1);
}

bool insn_vmwrite(enum vmcs_field field, uint64_t value)
{
	bool ok = !made_to_fail() && fake.cpu.current_vmcs != FAKE_NO_VMCS && is_field(field) &&
		  vmcs_type(field) != VMCS_TYPE_READ_ONLY;

	need_root("VMWRITE");
	if (ok)
		fake_set_field(field, truncate(field, value));
	fake_log(OP_VMWRITE, field, value, ok);
	return ok;
}

uint64_t insn_vmread(enum vmcs_field field)
{
	bool ok = fake.cpu.current_vmcs != FAKE_NO_VMCS;
	uint64_t value = ok ? fake_field(field) : 0;

	need_root("VMREAD");
	fake_log(OP_VMREAD, field, value, ok);
	return value;
}

uint64_t insn_vmcall(uint64_t number, uint64_t a0, uint64_t a1, uint64_t a2, uint64_t a3)
{
	if (!fake.options.kvm)
		fail_msg("VMCALL in VMX root operation, and nobody outside takes it");
	fake_log(OP_VMCALL, number, a0 + a1 + a2 + a3, true);
	return number + a0 + a1 + a2 + a3;
}

bool insn_invept(uint64_t type, uint64_t eptp)
{
	bool ok = !made_to_fail();

	need_root("INVEPT");
	assert_int_equal(type, INVEPT_ALL);
	if (ok)
		tlb_invept_all();
	fake_log(OP_INVEPT, type, eptp, ok);
	return ok;
}

bool insn_invvpid(uint64_t type, uint16_t vpid, uint64_t address)
{
	bool ok = !made_to_fail();

	need_root("INVVPID");
	assert_int_equal(type, INVVPID_ALL);
	assert_int_equal(address, 0);
	if (ok)
		tlb_invvpid_all();
	fake_log(OP_INVVPID, type, vpid, ok);
	return ok;
}

/* As in entry.asm: what is pending is planned for; then the registers; then VMLAUNCH. */
bool insn_vmlaunch(struct cpu *cpu)
{
	int result;

	while (cpu->pending)
		vmx_inject_pending(cpu);
	if (made_to_fail() || fake.launch_fails) {
		fake_set_field(VMCS_VM_INSTRUCTION_ERROR, VMX_ERROR_ENTRY_CONTROL_FIELDS);
		fake_log(OP_VMLAUNCH, 0, 0, false);
		return false;
	}
	need_root("VMLAUNCH");
	result = fake.entry_fails ? -1 : fake_vm_entry(false);
	if (result > 0) {
		fake_set_field(VMCS_VM_INSTRUCTION_ERROR, (uint64_t)result);
		fake_log(OP_VMLAUNCH, 0, 0, false);
		return false;
	}
	if (result < 0) {
		fake_set_field(VMCS_EXIT_REASON,
			       VMX_REASON_ENTRY_FAILURE | VMX_REASON_ENTRY_INVALID_GUEST_STATE);
		fake_load_host();
		fake_log(OP_VMLAUNCH, 0, 0, false);
		vmx_handle_exit(cpu);
		fail_msg("a failed VM entry was answered by resuming");
	}
	fake.cpu.gpr = cpu->regs;
	fake.cpu.gpr.rsp = fake_field(VMCS_GUEST_RSP);
	fake_log(OP_VMLAUNCH, 0, 0, true);
	fake_continue(FAKE_VIRTUAL);
}

/* The module's function is called on its stack; it finds Linux's per-CPU data and an IDT. */
static _Noreturn void lost(const struct leave_frame *frame)
{
	const struct fake_cpu *c = &fake.cpu;

	assert_int_equal(frame->rsp % 16, 8);
	assert_int_equal(frame->rsp, (uint64_t)linux_at(LINUX_LOST_STACK) - 8);
	assert_int_equal(c->mode, FAKE_OFF);
	assert_true(fake_mapped(c->cr3, frame->tail) && fake_mapped(c->cr3, frame->rsp));
	assert_int_equal(c->idtr.base, (uint64_t)linux_at(LINUX_IDT));
	assert_int_equal(c->gdtr.base, (uint64_t)linux_at(LINUX_GDT));
	assert_int_equal(c->tr.base, (uint64_t)linux_at(LINUX_TSS));
	assert_int_equal(c->gs.base, UINT64_C(0xffff888012340000));
	fake_log(OP_TAIL, frame->tail, 0, true);
	fake_continue(FAKE_LOST);
}

/* insn_leave() of entry.asm and the tail behind it, the gate's in Linux's text or the VMM's own. */
void insn_leave(const struct regs *regs, const struct leave_frame *frame)
{
	const uint64_t *stack = (const uint64_t *)frame->rsp;
	struct regs r = *regs;

	if (frame->tail == (uint64_t)linux_at(LINUX_LOST))
		lost(frame);
	assert_true(frame->tail == (uint64_t)linux_at(LINUX_TAIL) ||
		    frame->tail == (uint64_t)insn_identity_tail);
	fake_log(OP_TAIL, frame->tail, 0, true);
	insn_write_cr3(frame->cr3);
	fake.cpu.dr7 = frame->dr7;
	fake_log(OP_DR7, frame->dr7, 0, true);
	if ((uint32_t)frame->debugctl)
		insn_wrmsr(MSR_IA32_DEBUGCTL, (uint32_t)frame->debugctl);
	fake.owed = frame->owed;
	fake_linux_takes((uint32_t)fake.owed);
	r.rbx = stack[0];
	r.rdx = stack[1];
	r.rcx = stack[2];
	r.rax = stack[3];
	fake.cpu.rflags = stack[4];
	fake.cpu.rip = stack[5];
	r.rsp = frame->rsp + 48;
	fake.cpu.gpr = r;
	fake.error = r.rax;
	if (fake.cpu.rip == (uint64_t)linux_at(LINUX_HANDLERS + 8 * VECTOR_NMI))
		fake_linux_takes(PENDING_NMI);
	fake_log(OP_RETURN, 0, 0, true);
	fake_continue(FAKE_NATIVE);
}
