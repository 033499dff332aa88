// SPDX-License-Identifier: GPL-2.0-only
/*
 * A CPU that goes native in user space or in the middle of an event's delivery: Linux stands at the
 * handler, as if the CPU had delivered it. SDM vol. 3, 6.14, Exception and Interrupt Handling in 64-bit
 * Mode.
 */
#include "unit.h"

#include "call.h"
#include "fake.h"
#include "native/deliver.h"
#include "x86/cr.h"
#include "x86/paging.h"
#include "x86/vector.h"
#include "x86/vmx.h"

#define KERNEL_CS 0x10
#define KERNEL_SS 0x18
#define USER_CS 0x33
#define USER_SS 0x2b
#define USER_SS_AR 0xc0f3
#define USER_RSP UINT64_C(0x7ffc12345678)
#define USER_RIP UINT64_C(0x401000)
#define INTERRUPT 0xec

static uint64_t rip, rsp;

static int virtual_linux(void **unused)
{
	const struct fake_options options = { 0 };

	(void)unused;
	fake_machine(&options);
	fake_boot();
	assert_int_equal(fake_enter(), FAKE_VIRTUAL);
	fake.cpu.rflags |= RFLAGS_IF | RFLAGS_TF | RFLAGS_NT;
	/* Not where the gate left it, and not aligned. */
	fake.cpu.gpr.rsp -= 0x98;
	rip = fake.cpu.rip;
	rsp = fake.cpu.gpr.rsp;
	return 0;
}

static void to_user(void)
{
	fake.cpu.cs.selector = USER_CS;
	fake.cpu.ss.selector = USER_SS;
	fake.cpu.ss.ar = USER_SS_AR;
	fake.cpu.gpr.rsp = rsp = USER_RSP;
	fake.cpu.rip = rip = USER_RIP;
}

static struct idt_gate *gate(uint8_t vector)
{
	return (struct idt_gate *)linux_at(LINUX_IDT) + vector;
}

/* An exit without an answer comes while the CPU delivers `info`. */
static enum fake_outcome interrupted(uint32_t info)
{
	fake_set_field(VMCS_IDT_VECTORING_INFO, info);
	fake_set_field(VMCS_IDT_VECTORING_ERROR_CODE, 0x7);
	return fake_exit(VMX_REASON_IO_INSTRUCTION, 0, 2);
}

/* Linux is native at the handler of `vector` and finds the frame at the end of `stack`. */
static void assert_taken(uint8_t vector, uint64_t stack, bool has_error_code, bool user)
{
	const uint64_t *frame = (const uint64_t *)fake.cpu.gpr.rsp;

	assert_int_equal(fake.cpu.mode, FAKE_OFF);
	assert_int_equal(fake.cpu.rip, (uint64_t)linux_at(LINUX_HANDLERS + 8 * vector));
	assert_int_equal(fake.cpu.gpr.rsp, (stack & ~UINT64_C(15)) - (has_error_code ? 48 : 40));
	if (has_error_code)
		assert_int_equal(*frame++, 0x7);
	assert_int_equal(frame[0], rip);
	assert_int_equal(frame[1], user ? USER_CS : KERNEL_CS);
	assert_int_equal(frame[2], RFLAGS_FIXED1 | RFLAGS_ZF | RFLAGS_IF | RFLAGS_TF | RFLAGS_NT);
	assert_int_equal(frame[3], rsp);
	assert_int_equal(frame[4], user ? USER_SS : KERNEL_SS);
	assert_int_equal(fake.cpu.rflags, RFLAGS_FIXED1 | RFLAGS_ZF);
	assert_int_equal(fake.cpu.ss.selector, user ? 0 : KERNEL_SS);
	/* The registers are those of what was interrupted. */
	assert_int_equal(fake.cpu.gpr.rbx, 0xb0);
	assert_int_equal(fake.cpu.gpr.r15, 15);
}

/* No interrupt is lost: its APIC waits for the end of it. */
static void interrupt_in_delivery_is_taken(void **unused)
{
	(void)unused;
	assert_int_equal(interrupted(vmx_event(VMX_EVENT_EXTERNAL_INTERRUPT, INTERRUPT)),
			 FAKE_NATIVE);
	assert_taken(INTERRUPT, rsp, false, false);
	assert_int_equal(fake.owed, 0);
	assert_int_equal(cpu_shared(fake_vmm_cpu())->asks_leave, 0);
}

static void exception_in_delivery_is_taken(void **unused)
{
	(void)unused;
	assert_int_equal(interrupted(vmx_event(VMX_EVENT_HARDWARE_EXCEPTION, VECTOR_PF) |
				     VMX_EVENT_ERROR_CODE),
			 FAKE_NATIVE);
	assert_taken(VECTOR_PF, rsp, true, false);
}

/* "IST: the new stack pointer is loaded from the TSS, whatever the privilege level". */
static void vector_with_a_stack_of_its_own(void **unused)
{
	(void)unused;
	assert_int_equal(interrupted(vmx_event(VMX_EVENT_HARDWARE_EXCEPTION, VECTOR_DF) |
				     VMX_EVENT_ERROR_CODE),
			 FAKE_NATIVE);
	assert_taken(VECTOR_DF, (uint64_t)linux_at(LINUX_IST), true, false);
}

static void interrupt_from_user_space(void **unused)
{
	(void)unused;
	to_user();
	assert_int_equal(interrupted(vmx_event(VMX_EVENT_EXTERNAL_INTERRUPT, INTERRUPT)),
			 FAKE_NATIVE);
	assert_taken(INTERRUPT, (uint64_t)linux_at(LINUX_ENTRY_STACK), false, true);
}

/*
 * In user space with nothing to take, and with an instruction that raises its exception again: by an
 * NMI, which the module knows as the VMM's.
 */
static void user_space_is_left_by_an_nmi(void **unused)
{
	const uint32_t infos[] = { 0, vmx_event(VMX_EVENT_SOFTWARE_INTERRUPT, 0x80),
				   vmx_event(VMX_EVENT_SOFTWARE_EXCEPTION, VECTOR_BP),
				   vmx_event(VMX_EVENT_NMI, VECTOR_NMI) };
	unsigned int i;

	(void)unused;
	for (i = 0; i < sizeof(infos) / sizeof(infos[0]); i++) {
		virtual_linux(NULL);
		to_user();
		assert_int_equal(interrupted(infos[i]), FAKE_NATIVE);
		assert_taken(VECTOR_NMI, (uint64_t)linux_at(LINUX_ENTRY_STACK), false, true);
		assert_int_equal(cpu_shared(fake_vmm_cpu())->asks_leave, 1);
		assert_int_equal(fake.linux_nmis, 1);
		assert_int_equal(fake.owed, 0);
	}
}

/* A machine check that hit the VMM is owed all the same. */
static void machine_check_is_owed_too(void **unused)
{
	(void)unused;
	to_user();
	fake_vmm_cpu()->pending = PENDING_MC | PENDING_NMI;
	assert_int_equal(interrupted(0), FAKE_NATIVE);
	assert_taken(VECTOR_NMI, (uint64_t)linux_at(LINUX_ENTRY_STACK), false, true);
	assert_int_equal(fake.owed, PENDING_MC);
}

/* At CPL 0 "the tail itself raises an NMI", at the instruction that was to be executed. */
static void nmi_in_delivery_at_cpl_0_is_owed(void **unused)
{
	(void)unused;
	assert_int_equal(interrupted(vmx_event(VMX_EVENT_NMI, VECTOR_NMI)), FAKE_NATIVE);
	assert_int_equal(fake.cpu.rip, rip);
	assert_int_equal(fake.cpu.gpr.rsp, rsp);
	assert_int_equal(fake.owed, PENDING_NMI);
	assert_int_equal(cpu_shared(fake_vmm_cpu())->asks_leave, 0);
}

static void instruction_that_comes_again(void **unused)
{
	(void)unused;
	assert_int_equal(interrupted(vmx_event(VMX_EVENT_SOFTWARE_INTERRUPT, 0x80)), FAKE_NATIVE);
	assert_int_equal(fake.cpu.rip, rip);
	assert_int_equal(fake.cpu.gpr.rsp, rsp);
	assert_int_equal(fake.owed, 0);
}

/* Under PTI user space runs on its half; the handler's exit finds that again by itself. */
static void user_half_becomes_kernel_half(void **unused)
{
	const uint64_t half = PAGE_4K | 1 << 11, root = (uint64_t)linux_at(LINUX_ROOT);
	const struct fake_options options = { .pcide = true };

	(void)unused;
	fake_machine(&options);
	mercury_boot.user_cr3 = half;
	fake_boot();
	assert_int_equal(fake_enter(), FAKE_VIRTUAL);
	to_user();
	fake.cpu.cr3 |= half;
	assert_int_equal(interrupted(0), FAKE_NATIVE);
	assert_int_equal(fake.cpu.cr3, root | 5);
	/* The kernel's own page tables are used as they are, whatever their address. */
	assert_int_equal(fake_enter(), FAKE_VIRTUAL);
	assert_int_equal(interrupted(0), FAKE_NATIVE);
	assert_int_equal(fake.cpu.cr3, root | 5);
}

/* A trap gate leaves IF as it is. */
static void trap_gate(void **unused)
{
	(void)unused;
	gate(VECTOR_PF)->access = SEGMENT_AR_P | SEGMENT_TYPE_TRAP_GATE;
	assert_int_equal(interrupted(vmx_event(VMX_EVENT_HARDWARE_EXCEPTION, VECTOR_PF) |
				     VMX_EVENT_ERROR_CODE),
			 FAKE_NATIVE);
	assert_int_equal(fake.cpu.rflags, RFLAGS_FIXED1 | RFLAGS_ZF | RFLAGS_IF);
}

/* No handler, no table, no TSS: false, and nothing has changed. */
static void without_a_handler(void **unused)
{
	const struct event event = { .vector = INTERRUPT };
	struct cpu *cpu = fake_vmm_cpu();
	struct state s = cpu->entering, before;

	(void)unused;
	s.cs.selector = USER_CS;
	before = s;
	gate(INTERRUPT)->access &= ~SEGMENT_AR_P;
	assert_false(native_deliver(cpu, &s, &event));
	gate(INTERRUPT)->access |= SEGMENT_AR_P;
	s.idtr.limit = before.idtr.limit = 16 * (INTERRUPT + 1) - 2;
	assert_false(native_deliver(cpu, &s, &event));
	s.idtr.limit++;
	assert_true(native_deliver(cpu, &s, &event));
	s = before;
	s.idtr = before.idtr = (struct descriptor_table_register){ 0xfff, UINT64_C(1) << 46 };
	assert_false(native_deliver(cpu, &s, &event));
	s.idtr = before.idtr = cpu->entering.idtr;
	s.tr.base = before.tr.base = UINT64_C(1) << 46;
	assert_false(native_deliver(cpu, &s, &event));
	assert_memory_equal(&s, &before, sizeof(s));
}

#define T(name) cmocka_unit_test_setup(name, virtual_linux)
static const struct CMUnitTest tests[] = {
	T(interrupt_in_delivery_is_taken),
	T(exception_in_delivery_is_taken),
	T(vector_with_a_stack_of_its_own),
	T(interrupt_from_user_space),
	T(user_space_is_left_by_an_nmi),
	T(machine_check_is_owed_too),
	T(nmi_in_delivery_at_cpl_0_is_owed),
	T(instruction_that_comes_again),
	T(user_half_becomes_kernel_half),
	T(trap_gate),
	T(without_a_handler),
};

UNIT_MAIN(tests)
