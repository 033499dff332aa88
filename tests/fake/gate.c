// SPDX-License-Identifier: GPL-2.0-only
/* Ways into the VMM: the gate with vmm_call of entry.asm behind it, and the VM exit. */
#include "unit.h"

#include "call.h"
#include "fatal.h"
#include "fake.h"
#include "trap.h"
#include "vmx/event.h"
#include "vmx/vmx.h"
#include "window.h"
#include "x86/cr.h"
#include "x86/paging.h"
#include "x86/vmx.h"

/* vmm_call: the VMM's IDT, the call, Linux's IDT. */
static void vmm_call(struct cpu *cpu, enum mercury_call call, uint64_t arg0, uint64_t arg1,
		     uint64_t linux_cr3)
{
	struct regs *r = &fake.cpu.gpr;

	cpu->regs.rbx = r->rbx;
	cpu->regs.rbp = r->rbp;
	cpu->regs.r12 = r->r12;
	cpu->regs.r13 = r->r13;
	cpu->regs.r14 = r->r14;
	cpu->regs.r15 = r->r15;
	cpu->linux_rsp = r->rsp;
	cpu->linux_cr3 = linux_cr3;
	cpu->task = TASK_CALL;
	cpu->owns_vmx = false;
	insn_sidt(&cpu->linux_idt);
	if (call != MERCURY_CALL_INIT)
		insn_lidt(&idt_register);
	r->rax = vmm_dispatch(cpu, call, arg0, arg1);
	insn_lidt(&cpu->linux_idt);
	r->rdx = __atomic_exchange_n(&cpu->pending, 0, __ATOMIC_RELAXED);
}

/* Behind the call. */
static void gate_returns(void)
{
	insn_write_cr3(fake_vmm_cpu()->linux_cr3 | (fake.cpu.cr4 & CR4_PCIDE ? CR3_NOFLUSH : 0));
	fake.cpu.gpr.rsp += 8;
	fake.error = fake.cpu.gpr.rax;
	fake.owed = fake.cpu.gpr.rdx;
	fake_linux_takes((uint32_t)fake.owed);
}

/*
 * The module's half: Linux's stack holds the return address; the transition root around the call.
 */
static void gate(enum mercury_call call, uint64_t arg0, uint64_t arg1)
{
	struct cpu *cpu = fake_vmm_cpu();
	uint64_t linux_cr3 = fake.cpu.cr3;
	bool pcide = fake.cpu.cr4 & CR4_PCIDE;

	fake.cpu.gpr.rsp -= 8;
	*(uint64_t *)fake.cpu.gpr.rsp = (uint64_t)linux_at(LINUX_RETURN);
	insn_write_cr3((uint64_t)cpu_slot(cpu, MERCURY_CPU_ROOT) |
		       (pcide ? MERCURY_PCID_TRANSITION : 0));
	vmm_call(cpu, call, arg0, arg1, linux_cr3);
	gate_returns();
}

/* As if the call had returned that; what it was about to do is forgotten. */
void insn_abort_call(struct cpu *cpu, uint64_t error)
{
	struct regs *r = &fake.cpu.gpr;

	assert_int_equal(fake.cpu.mode, FAKE_OFF);
	assert_int_equal(r->rbx, cpu->regs.rbx);
	assert_int_equal(r->r15, cpu->regs.r15);
	r->rax = error;
	insn_lidt(&cpu->linux_idt);
	r->rdx = __atomic_exchange_n(&cpu->pending, 0, __ATOMIC_RELAXED);
	fake_continue(FAKE_ABORTED);
}

enum fake_outcome fake_gate(enum mercury_call call, uint64_t arg0, uint64_t arg1)
{
	int outcome;

	assert_int_equal(fake.cpu.mode, FAKE_OFF);
	fake.armed = true;
	outcome = setjmp(fake.jump);
	if (!outcome) {
		gate(call, arg0, arg1);
		outcome = FAKE_RETURNED;
	} else if (outcome == FAKE_ABORTED) {
		gate_returns();
		outcome = FAKE_RETURNED;
	}
	fake.armed = false;
	if (outcome == FAKE_VIRTUAL)
		fake.error = fake.cpu.gpr.rax;
	return (enum fake_outcome)outcome;
}

#define POOL_PAGES 256

static void call_ok(enum mercury_call call, uint64_t arg0, uint64_t arg1)
{
	assert_int_equal(fake_gate(call, arg0, arg1), FAKE_RETURNED);
	if (fake.error)
		fail_msg("call %d: %s", call, cpu_shared(fake_vmm_cpu())->text);
}

void fake_init(void)
{
	struct cpu *cpu = fake_vmm_cpu();
	const struct mercury_cpu_boot boot = {
		.gdt_rw = (uint64_t)linux_at(LINUX_GDT_RW),
		.root_pa = (uint64_t)cpu_slot(cpu, MERCURY_CPU_ROOT),
		.vmcs_pa = (uint64_t)cpu_slot(cpu, MERCURY_CPU_VMCS),
		.vmxon_pa = (uint64_t)cpu_slot(cpu, MERCURY_CPU_VMXON),
	};
	uint64_t *ptes = window_ptes(MERCURY_WINDOW_POOL);
	unsigned int i;

	for (i = 0; i < POOL_PAGES; i++)
		ptes[i] = (FAKE_WINDOW + MERCURY_WINDOW_POOL + i * PAGE_4K) | PAGING_P;
	mercury_boot.vmm_root = (uint64_t)linux_at(VMM_ROOT);
	mercury_boot.gate_tail = (uint64_t)linux_at(LINUX_TAIL);
	mercury_boot.lost = (uint64_t)linux_at(LINUX_LOST);
	mercury_boot.lost_stack = (uint64_t)linux_at(LINUX_LOST_STACK);
	mercury_boot.pool_pages = POOL_PAGES;
	call_ok(MERCURY_CALL_INIT, 0, 0);
	call_ok(MERCURY_CALL_INIT_CPU, 0, (uint64_t)&boot);
	if (!fake.options.no_ept)
		call_ok(MERCURY_CALL_MAP, 0, UINT64_C(1) << 32);
}

void fake_boot(void)
{
	fake_init();
	call_ok(MERCURY_CALL_PREPARE, 0, 0);
}

enum fake_outcome fake_enter(void)
{
	enum fake_outcome outcome = fake_gate(MERCURY_CALL_AUDIT, 0, 0);

	if (outcome != FAKE_RETURNED || fake.error)
		return outcome;
	return fake_gate(MERCURY_CALL_ENTER, 0, 0);
}

/* insn_vmexit_entry of entry.asm, up to VMRESUME. */
static void exit_and_resume(struct cpu *cpu)
{
	uint64_t rsp = cpu->regs.rsp;
	int error;

	cpu->regs = fake.cpu.gpr;
	cpu->regs.rsp = rsp; /* not stored: it is in the VMCS */
	fake_save_guest();
	fake_load_host();
	fake_log(OP_VMEXIT, fake.vmcs.value[VMCS_EXIT_REASON], 0, true);
	vmx_handle_exit(cpu);
	while (cpu->pending)
		vmx_inject_pending(cpu);
	error = fake_vm_entry(true);
	fake_log(OP_VMRESUME, 0, 0, !error);
	if (error > 0) {
		fake_set_field(VMCS_VM_INSTRUCTION_ERROR, (uint64_t)error);
		vmx_resume_failed(cpu);
	}
	if (error < 0) {
		fake_set_field(VMCS_EXIT_REASON,
			       VMX_REASON_ENTRY_FAILURE | VMX_REASON_ENTRY_INVALID_GUEST_STATE);
		vmx_handle_exit(cpu);
	}
	rsp = fake.cpu.gpr.rsp;
	fake.cpu.gpr = cpu->regs;
	fake.cpu.gpr.rsp = rsp;
}

enum fake_outcome fake_exit(uint32_t reason, uint64_t qualification, uint32_t length)
{
	int outcome;

	assert_int_equal(fake.cpu.mode, FAKE_GUEST);
	fake_set_field(VMCS_EXIT_REASON, reason);
	fake_set_field(VMCS_EXIT_QUALIFICATION, qualification);
	fake_set_field(VMCS_EXIT_INSTRUCTION_LENGTH, length);
	fake.armed = true;
	outcome = setjmp(fake.jump);
	if (!outcome) {
		exit_and_resume(fake_vmm_cpu());
		outcome = FAKE_VIRTUAL;
	}
	fake.armed = false;
	/* One exit's information is not the next one's. */
	fake_set_field(VMCS_IDT_VECTORING_INFO, 0);
	return (enum fake_outcome)outcome;
}

enum fake_outcome fake_vmcall(uint64_t call, uint64_t arg0, uint64_t arg1)
{
	enum fake_outcome outcome;

	fake.cpu.gpr.rax = MERCURY_COOKIE;
	fake.cpu.gpr.rdi = call;
	fake.cpu.gpr.rsi = arg0;
	fake.cpu.gpr.rdx = arg1;
	outcome = fake_exit(VMX_REASON_VMCALL, 0, 3);
	fake.error = fake.cpu.gpr.rax;
	return outcome;
}
