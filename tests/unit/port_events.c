// SPDX-License-Identifier: GPL-2.0-only
/* NMIs and machine checks that hit the VMM: planned, waited for, given back; none is ever lost. */
#include "unit.h"

#include "fake.h"
#include "trap.h"
#include "vmx/event.h"
#include "x86/cr.h"
#include "x86/msr.h"
#include "x86/vector.h"
#include "x86/vmx.h"

#define NMI_EVENT vmx_event(VMX_EVENT_NMI, VECTOR_NMI)
#define INTERRUPT_EVENT vmx_event(VMX_EVENT_EXTERNAL_INTERRUPT, 32)
#define MC_EVENT vmx_event(VMX_EVENT_HARDWARE_EXCEPTION, VECTOR_MC)

static const struct fake_options plain_options;

/* Up to the vote. */
static void ready(void)
{
	fake_machine(&plain_options);
	fake_boot();
	assert_int_equal(fake_gate(MERCURY_CALL_AUDIT, 0, 0), FAKE_RETURNED);
	assert_int_equal(fake.error, MERCURY_E_OK);
}

static int virtual_linux(void **unused)
{
	(void)unused;
	ready();
	assert_int_equal(fake_gate(MERCURY_CALL_ENTER, 0, 0), FAKE_VIRTUAL);
	return 0;
}

/*
 * "If the guest's interruptibility or an event already being injected forbids injection: NMI
 * exiting + virtual NMIs + NMI window for one entry, or the interrupt window; by table". SDM vol. 3,
 * 27.3.1.5: with an NMI injected, blocking by MOV SS must be 0, by STI may have to be 0, by NMI must
 * be 0 with virtual NMIs. 26.2: the NMI window may open in spite of blocking by STI, and exits
 * without end would follow; the interrupt window does not.
 */
static void plan_over_all_interruptibilities(void **unused)
{
	const uint32_t waits = VMX_BLOCKING_MOV_SS | VMX_BLOCKING_NMI;
	uint32_t blocking;

	(void)unused;
	for (blocking = 0; blocking < 32; blocking++) {
		bool sti = blocking & VMX_BLOCKING_STI;
		enum event_plan idle = sti              ? EVENT_INTERRUPT_WINDOW :
				       blocking & waits ? EVENT_NMI_WINDOW :
							  EVENT_INJECT;

		assert_int_equal(event_plan(blocking, 0), idle);
		assert_int_equal(event_plan(blocking, NMI_EVENT & ~VMX_EVENT_VALID), idle);
		assert_int_equal(event_plan(blocking, INTERRUPT_EVENT),
				 sti ? EVENT_INTERRUPT_WINDOW : EVENT_NMI_WINDOW);
	}
}

/* An NMI arrives while the VMM answers an exit. */
static void exit_with_nmi(void)
{
	fake.event_at = (int)fake.ops + 1;
	assert_int_equal(fake_exit(VMX_REASON_RDMSR, 0, 2), FAKE_VIRTUAL);
}

static bool window_is_on(void)
{
	bool on = fake_field(VMCS_PRIMARY_PROC_CONTROLS) & VMX_PRIMARY_NMI_WINDOW_EXITING;
	uint64_t pin = fake_field(VMCS_PIN_BASED_CONTROLS);

	/* "The NMI window without NMI exiting is illegal": all three together or none. */
	assert_int_equal(!!(pin & VMX_PIN_NMI_EXITING), on);
	assert_int_equal(!!(pin & VMX_PIN_VIRTUAL_NMIS), on);
	return on;
}

/* "NMI in root: the handler marks it", and Linux gets it with the VM entry. */
static void nmi_in_root_is_injected(void **unused)
{
	(void)unused;
	fake.cpu.gpr.rcx = 0x10a;
	fake_set_msr(0x10a, 0);
	exit_with_nmi();
	assert_int_equal(fake.injected, NMI_EVENT);
	assert_false(window_is_on());
	assert_int_equal(fake_vmm_cpu()->pending, 0);
}

/* While Linux itself handles an NMI, the next waits until it is done. */
static void nmi_waits_for_the_window(void **unused)
{
	(void)unused;
	fake.cpu.gpr.rcx = 0x10a;
	fake_set_msr(0x10a, 0);
	fake.cpu.interruptibility = VMX_BLOCKING_NMI;
	exit_with_nmi();
	assert_int_equal(fake.injected, 0);
	assert_true(window_is_on());
	/* Another one meanwhile is one with it, whether it hit the VMM or the guest. */
	exit_with_nmi();
	assert_int_equal(fake_exit(VMX_REASON_EXCEPTION_OR_NMI, 0, 0), FAKE_VIRTUAL);
	assert_int_equal(fake.injected, 0);
	assert_true(window_is_on());
	/* IRET. */
	fake.cpu.interruptibility = 0;
	assert_int_equal(fake_exit(VMX_REASON_NMI_WINDOW, 0, 0), FAKE_VIRTUAL);
	assert_int_equal(fake.injected, NMI_EVENT);
	assert_false(window_is_on());
	assert_int_equal(fake_vmm_cpu()->waiting, 0);
	assert_int_equal(fake_exit(VMX_REASON_XSETBV, 0, 3), FAKE_VIRTUAL);
	assert_int_not_equal(fake.injected, NMI_EVENT);
}

/* Behind STI the interrupt window, without NMI exiting. */
static void nmi_waits_behind_sti(void **unused)
{
	const uint64_t bit = VMX_PRIMARY_INTERRUPT_WINDOW_EXITING;

	(void)unused;
	fake.cpu.gpr.rcx = 0x10a;
	fake_set_msr(0x10a, 0);
	fake.cpu.interruptibility = VMX_BLOCKING_STI;
	fake.cpu.rflags |= RFLAGS_IF;
	/* The exiting instruction is the one behind STI; it faults, so that the blocking stays. */
	fake.event_at = (int)fake.ops + 1;
	assert_int_equal(fake_exit(VMX_REASON_EPT_VIOLATION, 0, 0), FAKE_VIRTUAL);
	assert_int_equal(fake.injected, 0);
	assert_false(window_is_on());
	assert_true(fake_field(VMCS_PRIMARY_PROC_CONTROLS) & bit);
	fake.cpu.interruptibility = 0;
	assert_int_equal(fake_exit(VMX_REASON_INTERRUPT_WINDOW, 0, 0), FAKE_VIRTUAL);
	assert_int_equal(fake.injected, NMI_EVENT);
	assert_false(fake_field(VMCS_PRIMARY_PROC_CONTROLS) & bit);
}

/* So does the trap behind an instruction that is single-stepped, which an injection would drop. */
static void nmi_waits_for_a_single_step(void **unused)
{
	(void)unused;
	fake.cpu.gpr.rcx = 0x10a;
	fake_set_msr(0x10a, 0);
	fake_set_msr(MSR_IA32_DEBUGCTL, 0);
	fake.cpu.rflags |= RFLAGS_TF;
	fake.cpu.dr7 |= DR7_GD;
	exit_with_nmi();
	assert_int_equal(fake.injected, vmx_event(VMX_EVENT_HARDWARE_EXCEPTION, VECTOR_DB));
	assert_int_equal(fake.dr6, DR6_BS);
	assert_int_equal(fake.cpu.dr7 & DR7_GD, 0);
	assert_int_equal(fake.cpu.pending_debug, 0);
	assert_true(window_is_on());
	/* Its handler has been reached. */
	fake.cpu.rflags &= ~(uint64_t)RFLAGS_TF;
	assert_int_equal(fake_exit(VMX_REASON_NMI_WINDOW, 0, 0), FAKE_VIRTUAL);
	assert_int_equal(fake.injected, NMI_EVENT);
}

/* An exception that the exit injects goes first. */
static void nmi_waits_for_an_exception(void **unused)
{
	(void)unused;
	fake.event_at = (int)fake.ops + 1;
	assert_int_equal(fake_exit(VMX_REASON_VMREAD, 0, 3), FAKE_VIRTUAL);
	assert_int_equal(VMX_EVENT_VECTOR(fake.injected), VECTOR_UD);
	assert_true(window_is_on());
	assert_int_equal(fake_exit(VMX_REASON_NMI_WINDOW, 0, 0), FAKE_VIRTUAL);
	assert_int_equal(fake.injected, NMI_EVENT);
}

/* What comes before the window opens waits with the first one, for NMI blocking is virtual until then. */
static void all_wait_for_one_window(void **unused)
{
	(void)unused;
	fake.cpu.gpr.rcx = 0x10a;
	fake_set_msr(0x10a, 0);
	fake.event_at = (int)fake.ops + 1;
	assert_int_equal(fake_exit(VMX_REASON_VMREAD, 0, 3), FAKE_VIRTUAL);
	assert_true(window_is_on());
	exit_with_nmi();
	assert_int_equal(fake.injected, 0);
	fake_vmm_cpu()->pending = PENDING_MC;
	assert_int_equal(fake_exit(VMX_REASON_RDMSR, 0, 2), FAKE_VIRTUAL);
	assert_int_equal(fake.injected, 0);
	assert_int_equal(fake_vmm_cpu()->waiting, PENDING_MC | PENDING_NMI);
	assert_true(window_is_on());
	assert_int_equal(fake_exit(VMX_REASON_NMI_WINDOW, 0, 0), FAKE_VIRTUAL);
	assert_int_equal(fake.injected, MC_EVENT);
	assert_int_equal(fake_exit(VMX_REASON_NMI_WINDOW, 0, 0), FAKE_VIRTUAL);
	assert_int_equal(fake.injected, NMI_EVENT);
	assert_false(window_is_on());
}

/* "#MC in root goes on to Linux", before an NMI. */
static void machine_check_goes_first(void **unused)
{
	(void)unused;
	fake.cpu.gpr.rcx = 0x10a;
	fake_set_msr(0x10a, 0);
	fake_vmm_cpu()->pending = PENDING_MC | PENDING_NMI;
	assert_int_equal(fake_exit(VMX_REASON_RDMSR, 0, 2), FAKE_VIRTUAL);
	assert_int_equal(fake.injected, MC_EVENT);
	assert_true(window_is_on());
	assert_int_equal(fake_exit(VMX_REASON_NMI_WINDOW, 0, 0), FAKE_VIRTUAL);
	assert_int_equal(fake.injected, NMI_EVENT);
	assert_false(window_is_on());
}

/*
 * "One pending at leave is handed to the gate and raised again": also one that waits for a window.
 */
static void waiting_events_are_handed_to_the_gate(void **unused)
{
	(void)unused;
	fake.cpu.gpr.rcx = 0x10a;
	fake_set_msr(0x10a, 0);
	fake.cpu.interruptibility = VMX_BLOCKING_NMI;
	exit_with_nmi();
	assert_true(window_is_on());
	assert_int_equal(fake_vmcall(MERCURY_CALL_LEAVE, 0, 0), FAKE_NATIVE);
	assert_int_equal(fake.owed, PENDING_NMI);
	assert_int_equal(fake_vmm_cpu()->pending, 0);
	assert_int_equal(fake_enter(), FAKE_VIRTUAL);
	assert_false(window_is_on());
	assert_int_equal(fake.injected, 0);
}

/* Or it would keep all that come later from the CPU that comes back: no window of its is on. */
static void what_waits_goes_with_an_init(void **unused)
{
	struct fake_cpu native;

	(void)unused;
	fake_set_msr(MSR_IA32_APIC_BASE, 0);
	fake_set_msr(0x10a, 0);
	assert_int_equal(fake_vmcall(MERCURY_CALL_LEAVE, 0, 0), FAKE_NATIVE);
	native = fake.cpu;
	assert_int_equal(fake_enter(), FAKE_VIRTUAL);
	fake.cpu.gpr.rcx = 0x10a;
	fake.cpu.interruptibility = VMX_BLOCKING_NMI;
	exit_with_nmi();
	assert_true(window_is_on());
	assert_int_equal(fake_exit(VMX_REASON_INIT, 0, 0), FAKE_STOPPED);
	/* Linux starts it again. */
	fake.cpu = native;
	assert_int_equal(fake_gate(MERCURY_CALL_PREPARE, 0, 0), FAKE_RETURNED);
	assert_int_equal(fake_enter(), FAKE_VIRTUAL);
	assert_false(window_is_on());
	fake.cpu.gpr.rcx = 0x10a;
	exit_with_nmi();
	assert_int_equal(fake.injected, NMI_EVENT);
}

/* What was put into the entry field is taken back, and not left there for the next episode. */
static void take_back_empties_the_entry_field(void **unused)
{
	struct cpu *cpu = fake_vmm_cpu();
	unsigned int i;
	const struct {
		uint32_t info, pending;
	} rows[] = {
		{ NMI_EVENT, PENDING_NMI },
		{ MC_EVENT, PENDING_MC },
		{ vmx_event(VMX_EVENT_HARDWARE_EXCEPTION, VECTOR_UD), 0 },
		{ NMI_EVENT & ~VMX_EVENT_VALID, 0 },
	};

	(void)unused;
	fake.cpu.mode = FAKE_ROOT;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		cpu->pending = 0;
		fake_set_field(VMCS_ENTRY_INTERRUPTION_INFO, rows[i].info);
		event_take_back(cpu);
		assert_int_equal(cpu->pending, rows[i].pending);
		assert_false(fake_field(VMCS_ENTRY_INTERRUPTION_INFO) & VMX_EVENT_VALID);
	}
}

/*
 * "A data breakpoint of Linux's on memory that we also touch"; an expected fault goes on elsewhere.
 */
static void expected_faults_go_on(void **unused)
{
	struct trap_frame frame = { .vector = VECTOR_DB, .rip = 0x1234 };

	(void)unused;
	trap_handle(&frame);
	assert_int_equal(frame.rip, 0x1234);
	frame = (struct trap_frame){ .vector = VECTOR_GP, .rip = 0xf00d1000 };
	trap_handle(&frame);
	assert_int_equal(frame.rip, 0xf00d2000);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(plan_over_all_interruptibilities),
	cmocka_unit_test_setup(nmi_in_root_is_injected, virtual_linux),
	cmocka_unit_test_setup(nmi_waits_for_the_window, virtual_linux),
	cmocka_unit_test_setup(nmi_waits_for_a_single_step, virtual_linux),
	cmocka_unit_test_setup(nmi_waits_for_an_exception, virtual_linux),
	cmocka_unit_test_setup(nmi_waits_behind_sti, virtual_linux),
	cmocka_unit_test_setup(all_wait_for_one_window, virtual_linux),
	cmocka_unit_test_setup(machine_check_goes_first, virtual_linux),
	cmocka_unit_test_setup(waiting_events_are_handed_to_the_gate, virtual_linux),
	cmocka_unit_test_setup(what_waits_goes_with_an_init, virtual_linux),
	cmocka_unit_test_setup(take_back_empties_the_entry_field, virtual_linux),
	cmocka_unit_test(expected_faults_go_on),
};

UNIT_MAIN(tests)
