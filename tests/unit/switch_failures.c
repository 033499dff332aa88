// SPDX-License-Identifier: GPL-2.0-only
/*
 * Each operation of prepare and enter failing in turn. Rule: load() "Returns only on failure, with
 * nothing of this way left in force, so that the caller can load the same state another way."
 */
#include "unit.h"

#include "call.h"
#include "fake.h"
#include "mercury/pool.h"
#include "x86/cr.h"
#include "x86/msr.h"
#include "x86/mtrr.h"
#include "x86/vmx.h"

static const struct fake_options plain_options;

/* Up to the vote or, with `prepare` false, up to PREPARE. */
static void machine(bool vote)
{
	fake_machine(&plain_options);
	fake_boot();
	if (!vote)
		return;
	assert_int_equal(fake_gate(MERCURY_CALL_AUDIT, 0, 0), FAKE_RETURNED);
	assert_int_equal(fake.error, MERCURY_E_OK);
}

static bool is_expected(uint64_t error)
{
	return error == MERCURY_E_VMXON || error == MERCURY_E_VMCLEAR ||
	       error == MERCURY_E_VMPTRLD || error == MERCURY_E_VMWRITE ||
	       error == MERCURY_E_VMLAUNCH;
}

static void assert_native(const struct fake_cpu *before, enum mode mode)
{
	assert_int_equal(fake.cpu.mode, FAKE_OFF);
	assert_int_equal(fake.cpu.cr0, before->cr0);
	assert_int_equal(fake.cpu.cr3, before->cr3);
	assert_int_equal(fake.cpu.cr4, before->cr4);
	assert_int_equal(fake.cpu.dr7, before->dr7);
	assert_int_equal(fake.cpu.idtr.base, before->idtr.base);
	assert_int_equal(fake.cpu.gdtr.base, before->gdtr.base);
	assert_int_equal(fake.cpu.tr.limit, before->tr.limit);
	assert_int_equal(fake.cpu.gpr.rsp, before->gpr.rsp);
	assert_int_equal(fake.cpu.gpr.rbx, before->gpr.rbx);
	assert_int_equal(fake.cpu.fs.base, before->fs.base);
	assert_int_equal(fake.cpu.gs.base, before->gs.base);
	assert_int_equal(cpu_shared(fake_vmm_cpu())->is_virtual, 0);
	assert_int_equal(fake_vmm_cpu()->mode, mode);
	assert_true(cpu_shared(fake_vmm_cpu())->text[0]);
}

/* What failed once does not stand in the way of the next attempt. */
static void assert_next_succeeds(void)
{
	uint64_t cs = fake_get_msr(MSR_IA32_SYSENTER_CS), esp = fake_get_msr(MSR_IA32_SYSENTER_ESP),
		 eip = fake_get_msr(MSR_IA32_SYSENTER_EIP);

	fake.fail_at = FAKE_NEVER;
	fake.entry_fails = false;
	assert_int_equal(fake_enter(), FAKE_VIRTUAL);
	assert_int_equal(fake.error, MERCURY_E_OK);
	assert_int_equal(fake_vmcall(MERCURY_CALL_LEAVE, 0, 0), FAKE_NATIVE);
	assert_int_equal(fake.error, MERCURY_E_OK);
	assert_int_equal(fake_get_msr(MSR_IA32_SYSENTER_CS), cs);
	assert_int_equal(fake_get_msr(MSR_IA32_SYSENTER_ESP), esp);
	assert_int_equal(fake_get_msr(MSR_IA32_SYSENTER_EIP), eip);
}

/* "Everything before the vote is reversible": prepare with operation i failing, for all i. */
static void prepare_fails_at_each_operation(void **unused)
{
	int i, total, tried = 0;

	(void)unused;
	machine(false);
	fake.fallible = 0;
	assert_int_equal(fake_gate(MERCURY_CALL_PREPARE, 0, 0), FAKE_RETURNED);
	total = fake.fallible;
	for (i = 0; i < total; i++, tried++) {
		struct fake_cpu before;

		machine(false);
		before = fake.cpu;
		fake.fallible = 0;
		fake.fail_at = i;
		assert_int_equal(fake_gate(MERCURY_CALL_PREPARE, 0, 0), FAKE_RETURNED);
		assert_true(is_expected(fake.error));
		assert_native(&before, MODE_NATIVE);
		assert_int_equal(cpu_shared(fake_vmm_cpu())->is_warm, 0);
		fake.fail_at = FAKE_NEVER;
		assert_int_equal(fake_gate(MERCURY_CALL_PREPARE, 0, 0), FAKE_RETURNED);
		assert_int_equal(fake.error, MERCURY_E_OK);
		assert_next_succeeds();
	}
	/* VMXON, VMCLEAR, VMPTRLD, over 30 VMWRITEs, VMCLEAR. */
	assert_true(tried > 30);
}

/* Enter with `i` failing; the result is the error that Linux finds natively. */
static uint64_t enter_failing_at(int i, bool sysenter_changed)
{
	struct fake_cpu before;

	machine(true);
	if (sysenter_changed) {
		fake_set_msr(MSR_IA32_SYSENTER_CS, 0x23);
		fake_set_msr(MSR_IA32_SYSENTER_ESP, 0x4000);
		fake_set_msr(MSR_IA32_SYSENTER_EIP, 0x5000);
	}
	before = fake.cpu;
	fake.fallible = 0;
	fake.fail_at = i;
	assert_int_equal(fake_gate(MERCURY_CALL_ENTER, 0, 0), FAKE_NATIVE);
	assert_native(&before, MODE_PREPARED);
	return fake.error;
}

static int operations_of_enter(void)
{
	machine(true);
	fake.fallible = 0;
	assert_int_equal(fake_gate(MERCURY_CALL_ENTER, 0, 0), FAKE_VIRTUAL);
	return fake.fallible;
}

/* The errors that operations 0 to `total` - 1 of enter end in. */
static uint64_t expected_error(int i, int total)
{
	if (i == 0)
		return MERCURY_E_VMXON;
	if (i == 1)
		return MERCURY_E_VMPTRLD;
	if (i == total - 1)
		return MERCURY_E_VMLAUNCH;
	return i >= total - 3 ? MERCURY_E_FLUSH : MERCURY_E_VMWRITE;
}

/* Each in turn, VMXON to VMLAUNCH: Linux is native again, with the error as the result. */
static void enter_fails_at_each_operation(void **unused)
{
	int i, total = operations_of_enter();

	(void)unused;
	assert_true(total > 50);
	for (i = 0; i < total; i++) {
		assert_int_equal(enter_failing_at(i, false), expected_error(i, total));
		assert_next_succeeds();
	}
}

/*
 * The same with SYSENTER MSRs that the host state must take over: a failed VMWRITE is not a done
 * one.
 */
static void enter_fails_while_sysenter_changes(void **unused)
{
	int i, total = operations_of_enter() + 3;

	(void)unused;
	for (i = 0; i < total; i++) {
		enter_failing_at(i, true);
		assert_next_succeeds();
	}
}

/* A failed VM entry arrives as an exit with bit 31 of the reason: "Linux is native again". */
static void failed_vm_entry(void **unused)
{
	struct fake_cpu before;

	(void)unused;
	machine(true);
	before = fake.cpu;
	fake.entry_fails = true;
	assert_int_equal(fake_gate(MERCURY_CALL_ENTER, 0, 0), FAKE_NATIVE);
	assert_int_equal(fake.error, MERCURY_E_ENTRY);
	assert_native(&before, MODE_PREPARED);
	assert_next_succeeds();
}

/* "leave: cannot fail": not even if VMCLEAR does. The VMCS, still launched, is written anew. */
static void leave_with_vmclear_failing(void **unused)
{
	struct fake_cpu before;

	(void)unused;
	machine(true);
	before = fake.cpu;
	assert_int_equal(fake_gate(MERCURY_CALL_ENTER, 0, 0), FAKE_VIRTUAL);
	/* Before it comes the VMWRITE that steps over VMCALL. */
	fake.fallible = 0;
	fake.fail_at = 1;
	assert_int_equal(fake_vmcall(MERCURY_CALL_LEAVE, 0, 0), FAKE_NATIVE);
	assert_int_equal(fake.error, MERCURY_E_OK);
	assert_int_equal(fake.cpu.cr4, before.cr4);
	assert_int_equal(fake.cpu.mode, FAKE_OFF);
	assert_true(fake.vmcs.launched);
	assert_int_equal(cpu_shared(fake_vmm_cpu())->error, MERCURY_E_VMCLEAR);
	assert_int_equal(cpu_shared(fake_vmm_cpu())->is_warm, 0);
	assert_next_succeeds();
}

static void assert_unsupported(const char *word)
{
	struct fake_cpu before = fake.cpu;

	assert_int_equal(fake_gate(MERCURY_CALL_PREPARE, 0, 0), FAKE_RETURNED);
	assert_int_equal(fake.error, MERCURY_E_UNSUPPORTED);
	assert_non_null(strstr(cpu_shared(fake_vmm_cpu())->text, word));
	assert_native(&before, MODE_NATIVE);
}

/* "can this CPU do it? Names what is missing": the requirements, the first CPU's words, a control. */
static void cpus_that_cannot_are_refused(void **unused)
{
	uint64_t locked;

	(void)unused;
	machine(false);
	locked = fake_get_msr(MSR_IA32_FEATURE_CONTROL);
	fake_set_msr(MSR_IA32_FEATURE_CONTROL, 0);
	assert_unsupported("not locked");
	fake_set_msr(MSR_IA32_FEATURE_CONTROL, locked);
	fake_set_msr(MSR_IA32_VMX_MISC, 1);
	assert_unsupported("differ from the first CPU's");

	fake_machine(&plain_options);
	fake_set_msr(MSR_IA32_VMX_TRUE_EXIT_CTLS, UINT64_C(0x007fffff) << 32 | 0x007fffff);
	fake_init();
	assert_unsupported("VT-x exit controls: the CPU insists on");
	fake_set_msr(MSR_IA32_VMX_TRUE_EXIT_CTLS, UINT64_C(0x00036dfb) << 32 | 0x00036dfb);
	assert_unsupported("VT-x exit controls: the CPU lacks");
}

/* "if VMX is owned then ... status says cold; warming happens at the first switch that can" */
static void owned_vmx_stays_cold_until_the_vote(void **unused)
{
	(void)unused;
	machine(false);
	fake.cpu.cr4 |= CR4_VMXE;
	assert_int_equal(fake_gate(MERCURY_CALL_PREPARE, 0, 0), FAKE_RETURNED);
	assert_int_equal(fake.error, MERCURY_E_OK);
	assert_int_equal(cpu_shared(fake_vmm_cpu())->is_warm, 0);
	assert_int_equal(fake_gate(MERCURY_CALL_AUDIT, 0, 0), FAKE_RETURNED);
	assert_int_equal(fake.error, MERCURY_E_OWNED);
	fake.cpu.cr4 &= ~CR4_VMXE;
	assert_int_equal(fake_enter(), FAKE_VIRTUAL);
	assert_int_equal(cpu_shared(fake_vmm_cpu())->is_warm, 1);
}

/* MTRRs that changed while Linux was native: the vote makes the P2M follow. */
static void changed_mtrrs_are_followed(void **unused)
{
	struct p2m_page page;

	(void)unused;
	machine(false);
	assert_true(p2m_lookup(&machine_p2m, 0x100, &page));
	assert_int_equal(page.type, MEMORY_TYPE_WB);
	fake_set_msr(MSR_IA32_MTRR_DEF_TYPE, 1 << 11);
	assert_int_equal(fake_enter(), FAKE_VIRTUAL);
	assert_true(p2m_lookup(&machine_p2m, 0x100, &page));
	assert_int_equal(page.type, MEMORY_TYPE_UC);
}

/* No page left to follow them: refused at the vote, nothing changed. */
static void changed_mtrrs_without_memory_are_refused(void **unused)
{
	struct fake_cpu before;

	(void)unused;
	machine(false);
	while (pool_alloc())
		;
	fake_set_msr(MSR_IA32_MTRR_PHYSBASE(0), 0x100000);
	fake_set_msr(MSR_IA32_MTRR_PHYSMASK(0), 0xffffff800);
	before = fake.cpu;
	assert_int_equal(fake_enter(), FAKE_RETURNED);
	assert_int_equal(fake.error, MERCURY_E_NO_MEMORY);
	assert_native(&before, MODE_PREPARED);
}

/* "audit: ... pure, the SDM's entry checks in software": the vote refuses what would not enter. */
static void state_that_would_not_enter_is_refused(void **unused)
{
	struct fake_cpu before;

	(void)unused;
	machine(false);
	fake_set_msr(MSR_IA32_SYSENTER_ESP, UINT64_C(1) << 63);
	before = fake.cpu;
	assert_int_equal(fake_enter(), FAKE_RETURNED);
	assert_int_equal(fake.error, MERCURY_E_AUDIT);
	assert_native(&before, MODE_PREPARED);
}

/* "Would the way back work? It needs all of this mapped": a transition root without Linux. */
static void transition_root_without_linux_is_refused(void **unused)
{
	uint64_t *root;

	(void)unused;
	machine(false);
	root = cpu_slot(fake_vmm_cpu(), MERCURY_CPU_ROOT);
	/* Linux read only: no stack, no alias of the GDT. */
	((uint64_t *)(linux_at(FAKE_PDPTS)))[0] &= ~UINT64_C(2);
	assert_true(root[FAKE_LINUX >> 39]);
	assert_int_equal(fake_enter(), FAKE_RETURNED);
	assert_int_equal(fake.error, MERCURY_E_AUDIT);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(prepare_fails_at_each_operation),
	cmocka_unit_test(enter_fails_at_each_operation),
	cmocka_unit_test(enter_fails_while_sysenter_changes),
	cmocka_unit_test(failed_vm_entry),
	cmocka_unit_test(leave_with_vmclear_failing),
	cmocka_unit_test(cpus_that_cannot_are_refused),
	cmocka_unit_test(owned_vmx_stays_cold_until_the_vote),
	cmocka_unit_test(changed_mtrrs_are_followed),
	cmocka_unit_test(changed_mtrrs_without_memory_are_refused),
	cmocka_unit_test(state_that_would_not_enter_is_refused),
	cmocka_unit_test(transition_root_without_linux_is_refused),
};

UNIT_MAIN(tests)
