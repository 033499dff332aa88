// SPDX-License-Identifier: GPL-2.0-only
/* The order of operations of enter and leave, and what is mapped at each boundary between them. */
#include "unit.h"

#include "fake.h"
#include "trap.h"
#include "x86/cr.h"
#include "x86/msr.h"
#include "x86/vmx.h"

#define NOT_FOUND (-1)

static int start; /* of the part of the log that a test looks at                                  */

static int first_of(enum fake_op_kind kind)
{
	unsigned int i;

	for (i = (unsigned int)start; i < fake.ops; i++)
		if (fake.log[i].kind == kind)
			return (int)i;
	return NOT_FOUND;
}

static int last_of(enum fake_op_kind kind)
{
	int i;

	for (i = (int)fake.ops - 1; i >= start; i--)
		if (fake.log[i].kind == kind)
			return i;
	return NOT_FOUND;
}

/* Is every `a` before every `b`, and is there at least one of each? */
#define ASSERT_BEFORE(a, b)                                                                        \
	do {                                                                                       \
		assert_int_not_equal(first_of(a), NOT_FOUND);                                      \
		assert_int_not_equal(first_of(b), NOT_FOUND);                                      \
		assert_in_range(last_of(a), 0, first_of(b) - 1);                                   \
	} while (0)

static void machine(bool pcide, bool no_ept)
{
	const struct fake_options options = { .pcide = pcide, .no_ept = no_ept };

	fake_machine(&options);
	fake_boot();
	assert_int_equal(fake_gate(MERCURY_CALL_AUDIT, 0, 0), FAKE_RETURNED);
	assert_int_equal(fake.error, MERCURY_E_OK);
	start = (int)fake.ops;
}

static int fresh(void **unused)
{
	(void)unused;
	machine(false, false);
	return 0;
}

static void enter(void)
{
	start = (int)fake.ops;
	assert_int_equal(fake_gate(MERCURY_CALL_ENTER, 0, 0), FAKE_VIRTUAL);
	assert_int_equal(fake.error, MERCURY_E_OK);
}

static void leave(void)
{
	start = (int)fake.ops;
	assert_int_equal(fake_vmcall(MERCURY_CALL_LEAVE, 0, 0), FAKE_NATIVE);
	assert_int_equal(fake.error, MERCURY_E_OK);
}

/* "enter: transition CR3 -> VMM's IDT -> guest state written -> VMLAUNCH" */
static void enter_in_order(void **unused)
{
	int cr3, idt;

	(void)unused;
	enter();
	cr3 = first_of(OP_CR3);
	idt = first_of(OP_LIDT);
	assert_int_equal(fake.log[cr3].a, (uint64_t)cpu_slot(fake_vmm_cpu(), MERCURY_CPU_ROOT));
	assert_int_equal(fake.log[idt].a, idt_register.base);
	assert_true(cr3 < idt);
	assert_int_equal(last_of(OP_CR3), cr3);
	assert_int_equal(last_of(OP_LIDT), idt);
	assert_true(idt < first_of(OP_SGDT) && idt < first_of(OP_RDMSR) &&
		    idt < first_of(OP_READ_CR) && idt < first_of(OP_READ_SEGMENT));
	ASSERT_BEFORE(OP_SGDT, OP_VMXON);
	ASSERT_BEFORE(OP_CR4, OP_VMXON);
	ASSERT_BEFORE(OP_VMXON, OP_VMPTRLD);
	ASSERT_BEFORE(OP_VMPTRLD, OP_VMWRITE);
	ASSERT_BEFORE(OP_VMWRITE, OP_INVEPT);
	ASSERT_BEFORE(OP_VMWRITE, OP_INVVPID);
	ASSERT_BEFORE(OP_INVEPT, OP_VMLAUNCH);
	ASSERT_BEFORE(OP_INVVPID, OP_VMLAUNCH);
}

/* "Warm VMCS": the switch writes run-time state only; what is constant was written at load. */
static void enter_writes_no_constants(void **unused)
{
	int i;

	(void)unused;
	enter();
	for (i = start; i < (int)fake.ops; i++) {
		if (fake.log[i].kind != OP_VMWRITE)
			continue;
		assert_int_not_equal(fake.log[i].a, VMCS_HOST_RIP);
		assert_int_not_equal(fake.log[i].a, VMCS_EPT_POINTER);
		assert_int_not_equal(fake.log[i].a, VMCS_EXIT_CONTROLS);
	}
	assert_int_equal(first_of(OP_VMCLEAR), NOT_FOUND);
}

/*
 * "leave: (exit: host CR3) VMREAD everything -> VMCLEAR -> VMXOFF -> VMXE off -> transition CR3 ->
 * LGDT, LTR, LLDT, selectors, FS/GS base, MSRs -> LIDT last -> Linux's CR3, DR7, DEBUGCTL". VMXE
 * may go later than the transition CR3: it stands in the same write as the flush.
 */
static void leave_in_order(void **unused)
{
	int cr3, i;

	(void)unused;
	enter();
	leave();
	ASSERT_BEFORE(OP_VMREAD, OP_VMCLEAR);
	ASSERT_BEFORE(OP_VMCLEAR, OP_VMXOFF);
	ASSERT_BEFORE(OP_VMXOFF, OP_CR3);
	ASSERT_BEFORE(OP_VMXOFF, OP_CR4);
	cr3 = first_of(OP_CR3);
	assert_int_equal(fake.log[cr3].a, (uint64_t)cpu_slot(fake_vmm_cpu(), MERCURY_CPU_ROOT));
	assert_true(cr3 < first_of(OP_LGDT));
	ASSERT_BEFORE(OP_CR4, OP_LGDT);
	assert_true(first_of(OP_LGDT) < first_of(OP_LTR) && last_of(OP_LGDT) > last_of(OP_LTR));
	ASSERT_BEFORE(OP_LGDT, OP_LLDT);
	ASSERT_BEFORE(OP_LLDT, OP_LOAD_SEGMENT);
	for (i = start; i < (int)fake.ops; i++)
		if (fake.log[i].kind == OP_WRMSR &&
		    (fake.log[i].a == MSR_IA32_FS_BASE || fake.log[i].a == MSR_IA32_GS_BASE))
			assert_true(i > last_of(OP_LOAD_SEGMENT));
	ASSERT_BEFORE(OP_LOAD_SEGMENT, OP_LIDT);
	ASSERT_BEFORE(OP_LIDT, OP_TAIL);
	assert_int_equal(fake.log[last_of(OP_LIDT)].a, fake.cpu.idtr.base);
	assert_true(last_of(OP_TAIL) < last_of(OP_CR3) && last_of(OP_CR3) < last_of(OP_DR7));
	assert_true(last_of(OP_DR7) < last_of(OP_WRMSR) && last_of(OP_WRMSR) < last_of(OP_RETURN));
	assert_int_equal(fake.log[last_of(OP_WRMSR)].a, MSR_IA32_DEBUGCTL);
}

/* "HOST_CR4 keeps Linux's PCIDE ... and MCE": and VMX operation needs VMXE. */
static void host_cr4_follows_linux(void **unused)
{
	(void)unused;
	machine(true, false);
	enter();
	assert_int_equal(fake_field(VMCS_HOST_CR4), (fake.cpu.cr4 | CR4_VMXE));
	assert_true(fake_field(VMCS_HOST_CR4) & CR4_MCE && fake_field(VMCS_HOST_CR4) & CR4_PCIDE);
}

static void assert_mapped_throughout(void)
{
	unsigned int i;

	for (i = 0; i < fake.ops; i++)
		if (fake.log[i].unmapped)
			fail_msg("operation %u (kind %d): %s is not mapped by CR3 %#lx", i,
				 fake.log[i].kind, fake.log[i].unmapped, fake.log[i].after.cr3);
}

/*
 * "At every instruction boundary the loaded IDT, GDT, TSS and IST stacks are mapped by the loaded
 * CR3"
 */
static void mapped_at_every_boundary(void **unused)
{
	int i;

	(void)unused;
	for (i = 0; i < 2; i++) {
		machine(i, false);
		enter();
		assert_int_equal(fake_exit(VMX_REASON_CPUID, 0, 2), FAKE_VIRTUAL);
		leave();
		assert_mapped_throughout();
	}
}

/* The roots of the fake tell the regions apart: else the test above could not fail. */
static void roots_map_what_they_should(void **unused)
{
	const uint64_t vmm = (uint64_t)linux_at(VMM_ROOT), native = (uint64_t)linux_at(LINUX_ROOT);
	const uint64_t both = (uint64_t)cpu_slot(fake_vmm_cpu(), MERCURY_CPU_ROOT);

	(void)unused;
	assert_true(fake_mapped(native, FAKE_LINUX) && !fake_mapped(native, FAKE_WINDOW));
	assert_true(!fake_mapped(vmm, FAKE_LINUX) && fake_mapped(vmm, FAKE_WINDOW));
	assert_true(fake_mapped(both, FAKE_LINUX) && fake_mapped(both, FAKE_WINDOW));
	assert_true(!fake_mapped(native, idt_register.base) && fake_mapped(vmm, idt_register.base));
}

/* "holds Linux's kernel half, copied from the CR3 in force, plus slot 509" */
static void transition_root_follows_linux(void **unused)
{
	uint64_t *native = linux_at(LINUX_ROOT);
	uint64_t *root = cpu_slot(fake_vmm_cpu(), MERCURY_CPU_ROOT);
	unsigned int i;

	(void)unused;
	root[MERCURY_WINDOW_PML4_SLOT] = 0x509003;
	enter();
	for (i = 256; i < 512; i++)
		native[i] = 0x1000 * i;
	native[255] = 0xbad;
	leave();
	for (i = 256; i < 512; i++)
		assert_int_equal(root[i], i == MERCURY_WINDOW_PML4_SLOT ? 0x509003 : 0x1000 * i);
	assert_int_equal(root[255], 0);
}

/* --- The TLB ---------------------------------------------------------------------------------- */

/* Left over from an earlier virtual episode. */
static void seed_for_enter(bool no_ept)
{
	const uint64_t eptp = no_ept ? 0 : fake_field(VMCS_EPT_POINTER);

	tlb_cache((struct fake_translation){ .kind = MAP_GUEST_PHYSICAL, .eptp = eptp });
	tlb_cache((struct fake_translation){ .kind = MAP_COMBINED, .vpid = 1, .eptp = eptp });
	tlb_cache((struct fake_translation){ .kind = MAP_LINEAR, .vpid = 1 });
	tlb_cache((struct fake_translation){
		.kind = MAP_LINEAR, .vpid = 1, .pcid = 5, .global = true });
}

/* Left over from before the virtual episode: Linux's flushes since then reached its VPID only. */
static void seed_for_leave(void)
{
	tlb_cache((struct fake_translation){ .kind = MAP_LINEAR, .pcid = 3 });
	tlb_cache((struct fake_translation){ .kind = MAP_LINEAR, .pcid = 0, .global = true });
	tlb_cache((struct fake_translation){ .kind = MAP_LINEAR, .pcid = MERCURY_PCID_TRANSITION });
}

/* "INVVPID + INVEPT all on the way in": nothing of an earlier episode can be used. */
static void enter_leaves_nothing_stale(void **unused)
{
	int no_ept;

	(void)unused;
	for (no_ept = 0; no_ept < 2; no_ept++) {
		machine(true, no_ept);
		seed_for_enter(no_ept);
		enter();
		assert_null(tlb_usable());
	}
}

/* "everything flushed on the way out" */
static void leave_leaves_nothing_stale(void **unused)
{
	(void)unused;
	machine(true, false);
	enter();
	seed_for_leave();
	leave();
	assert_null(tlb_usable());
}

/*
 * "MOV CR3 to T without bit 63": what was cached under the transition root's PCID by an earlier call
 * is dropped by loading it.
 */
static void loading_the_transition_root_flushes(void **unused)
{
	const uint64_t root = (uint64_t)cpu_slot(fake_vmm_cpu(), MERCURY_CPU_ROOT);

	(void)unused;
	machine(true, false);
	enter();
	leave();
	assert_int_equal(fake.log[first_of(OP_CR3)].a, root | MERCURY_PCID_TRANSITION);
}

/* "each provable by a unit test that deletes the flush and fails": INVEPT. */
static void without_invept_stale_entries_survive(void **unused)
{
	(void)unused;
	machine(true, false);
	seed_for_enter(false);
	fake.drop_flush = fake.flushes;
	enter();
	assert_int_equal(fake.flushes, fake.drop_flush + 2);
	assert_non_null(tlb_usable());
}

/* The same, INVVPID, which is the only flush when there is no EPT. */
static void without_invvpid_stale_entries_survive(void **unused)
{
	(void)unused;
	machine(true, true);
	seed_for_enter(true);
	fake.drop_flush = fake.flushes;
	enter();
	assert_int_equal(fake.flushes, fake.drop_flush + 1);
	assert_non_null(tlb_usable());
}

/*
 * The same, the way out: one of the two writes of CR4 is enough, so both go. Both are there because
 * only a change of PGE flushes.
 */
static void without_pge_toggle_stale_entries_survive(void **unused)
{
	(void)unused;
	machine(true, false);
	enter();
	seed_for_leave();
	fake.drop_flush = fake.flushes;
	fake.drop_flushes = 2;
	leave();
	assert_int_equal(fake.flushes, fake.drop_flush + 2);
	assert_non_null(tlb_usable());
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test_setup(enter_in_order, fresh),
	cmocka_unit_test_setup(enter_writes_no_constants, fresh),
	cmocka_unit_test_setup(leave_in_order, fresh),
	cmocka_unit_test_setup(host_cr4_follows_linux, fresh),
	cmocka_unit_test_setup(mapped_at_every_boundary, fresh),
	cmocka_unit_test_setup(roots_map_what_they_should, fresh),
	cmocka_unit_test_setup(transition_root_follows_linux, fresh),
	cmocka_unit_test(enter_leaves_nothing_stale),
	cmocka_unit_test(leave_leaves_nothing_stale),
	cmocka_unit_test(loading_the_transition_root_flushes),
	cmocka_unit_test(without_invept_stale_entries_survive),
	cmocka_unit_test(without_invvpid_stale_entries_survive),
	cmocka_unit_test(without_pge_toggle_stale_entries_survive),
};

UNIT_MAIN(tests)
