// SPDX-License-Identifier: GPL-2.0-only
/*
 * The way to native on page tables that are not Linux's own: relocate_kernel of a crashed Linux clears
 * CR4.VMXE there, its GDT and IDT given up.
 */
#include "unit.h"

#include "call.h"
#include "fake.h"
#include "native/identity.h"
#include "trap.h"
#include "x86/cr.h"
#include "x86/msr.h"
#include "x86/paging.h"
#include "x86/vmx.h"

#define NEW_CR4 CR4_PAE
#define DS 0x18

static uint64_t *identity; /* relocate_kernel's PML4: as the fake has it, all memory where it lies */
static uint64_t rip;
static int start;

static uint64_t *transition(void)
{
	return cpu_slot(fake_vmm_cpu(), MERCURY_CPU_ROOT);
}

/*
 * Linux is virtual, its CR4 without some bits, and in relocate_kernel, in front of its write to CR4;
 * R13 has the new value.
 */
static void relocate_kernel(bool pcide, uint64_t without)
{
	const struct fake_options options = { .pcide = pcide };
	struct segment *const data[] = { &fake.cpu.es, &fake.cpu.ds, &fake.cpu.fs, &fake.cpu.gs };
	unsigned int i;

	fake_machine(&options);
	identity = linux_at(LINUX_IDENTITY);
	memcpy(identity, transition(), MERCURY_PAGE_SIZE);
	/* What of Linux's kernel half it keeps: nothing that the tail would lie in. */
	identity[511] = 0x511003;
	fake.cpu.cr4 &= ~without;
	fake_boot();
	assert_int_equal(fake_enter(), FAKE_VIRTUAL);
	fake_set_field(VMCS_CR4_READ_SHADOW, fake_field(VMCS_CR4_READ_SHADOW) | CR4_VMXE);
	mercury_boot.gate_tail = UINT64_C(0x400000000000);
	for (i = 0; i < 4; i++)
		fake_load_segment(data[i], DS);
	fake.cpu.gdtr = (struct descriptor_table_register){ 0 };
	fake.cpu.idtr = (struct descriptor_table_register){ 0 };
	fake.cpu.dr7 = DR7_INIT;
	fake.cpu.cr3 = (uint64_t)identity;
	fake.cpu.gpr.r13 = NEW_CR4;
	rip = fake.cpu.rip;
	start = (int)fake.ops;
}

static int in_relocate_kernel(void **unused)
{
	(void)unused;
	relocate_kernel(true, 0);
	return 0;
}

static enum fake_outcome write_cr4(void)
{
	return fake_exit(VMX_REASON_CR_ACCESS, 13 << 8 | 4, 4);
}

static int first_of(enum fake_op_kind kind)
{
	int i;

	for (i = start; i < (int)fake.ops; i++)
		if (fake.log[i].kind == kind)
			return i;
	fail_msg("operation %d is missing", kind);
	return -1;
}

static int last_of(enum fake_op_kind kind)
{
	int i;

	for (i = (int)fake.ops - 1; i >= start; i--)
		if (fake.log[i].kind == kind)
			return i;
	fail_msg("operation %d is missing", kind);
	return -1;
}

/* Every register is Linux's, CR4 what it wrote; TR and the task's LDT are nobody's from here on. */
static void goes_native_with_linux_state(void **unused)
{
	int pcide;

	(void)unused;
	for (pcide = 0; pcide < 2; pcide++) {
		struct fake_cpu before;

		relocate_kernel(pcide, 0);
		before = fake.cpu;
		assert_int_equal(write_cr4(), FAKE_NATIVE);
		assert_int_equal(fake.cpu.mode, FAKE_OFF);
		assert_int_equal(fake.cpu.cr4, NEW_CR4);
		assert_int_equal(fake.cpu.cr3, before.cr3);
		assert_int_equal(fake.cpu.cr0, before.cr0);
		assert_int_equal(fake.cpu.rip, rip + 4);
		assert_int_equal(fake.cpu.rflags, before.rflags);
		assert_memory_equal(&fake.cpu.gpr, &before.gpr, sizeof(before.gpr));
		assert_memory_equal(&fake.cpu.es, &before.es, sizeof(before.es));
		assert_memory_equal(&fake.cpu.ds, &before.ds, sizeof(before.ds));
		assert_memory_equal(&fake.cpu.ss, &before.ss, sizeof(before.ss));
		assert_memory_equal(&fake.cpu.fs, &before.fs, sizeof(before.fs));
		assert_memory_equal(&fake.cpu.gs, &before.gs, sizeof(before.gs));
		assert_int_equal(fake.cpu.gdtr.limit, 0);
		assert_int_equal(fake.cpu.idtr.limit, 0);
		assert_int_equal(fake.cpu.dr7, before.dr7);
		assert_int_equal(fake_get_msr(MSR_IA32_DEBUGCTL), 2);
		assert_int_equal(cpu_shared(fake_vmm_cpu())->is_virtual, 0);
		assert_int_equal(fake_vmm_cpu()->mode, MODE_PREPARED);
	}
}

/*
 * VMXOFF first; segments by the VMM's GDT, before Linux's empty one; the IDT last; then the tail,
 * where it lies, and in it Linux's CR3 before DR7.
 */
static void in_order(void **unused)
{
	(void)unused;
	assert_int_equal(write_cr4(), FAKE_NATIVE);
	assert_true(last_of(OP_VMREAD) < first_of(OP_VMCLEAR));
	assert_true(first_of(OP_VMCLEAR) < first_of(OP_VMXOFF));
	assert_true(first_of(OP_VMXOFF) < first_of(OP_CR3));
	assert_int_equal(fake.log[first_of(OP_CR3)].a & CR3_ADDRESS, (uint64_t)transition());
	assert_true(first_of(OP_CR3) < first_of(OP_CR4));
	assert_true(last_of(OP_CR4) < first_of(OP_LOAD_SEGMENT));
	assert_true(last_of(OP_LOAD_SEGMENT) < first_of(OP_LGDT));
	assert_true(last_of(OP_LGDT) < first_of(OP_LIDT));
	assert_true(last_of(OP_LIDT) < first_of(OP_TAIL));
	assert_int_equal(fake.log[first_of(OP_TAIL)].a, (uint64_t)insn_identity_tail);
	assert_true(first_of(OP_TAIL) < last_of(OP_CR3));
	assert_true(last_of(OP_CR3) < first_of(OP_DR7));
	assert_true(first_of(OP_DR7) < first_of(OP_RETURN));
}

/* "At every instruction boundary the loaded IDT, GDT, TSS ... are mapped", until Linux's are loaded. */
static void mapped_until_linux_has_none(void **unused)
{
	int i;

	(void)unused;
	assert_int_equal(write_cr4(), FAKE_NATIVE);
	for (i = first_of(OP_VMEXIT); i < first_of(OP_LGDT); i++)
		if (fake.log[i].unmapped)
			fail_msg("operation %d (kind %d): %s is not mapped by CR3 %#lx", i,
				 fake.log[i].kind, fake.log[i].unmapped, fake.log[i].after.cr3);
	assert_non_null(fake.log[first_of(OP_LIDT)].unmapped);
}

/* Nothing that the TLB held of VPID 0 is left, also if PGE was off all the time. */
static void nothing_stale(void **unused)
{
	(void)unused;
	relocate_kernel(false, CR4_PGE);
	tlb_cache((struct fake_translation){ .kind = MAP_LINEAR, .pcid = 0, .global = true });
	tlb_cache((struct fake_translation){ .kind = MAP_LINEAR, .pcid = 0 });
	assert_int_equal(write_cr4(), FAKE_NATIVE);
	assert_null(tlb_usable());
}

/* "an NMI that came before is raised by the gate": not here, there is no IDT for it. */
static void an_nmi_is_dropped(void **unused)
{
	(void)unused;
	fake.event_at = start + 5;
	assert_int_equal(write_cr4(), FAKE_NATIVE);
	assert_true(fake.event_at < first_of(OP_VMXOFF));
	assert_int_equal(fake.owed, 0);
	assert_int_equal(fake.linux_nmis, 0);
}

/*
 * A selector of a descriptor that the VMM's GDT does not have becomes null; a VM exit sets the limit
 * to FFFFh, so what lies behind the GDT would be taken for one.
 */
static void unknown_selectors_become_null(void **unused)
{
	struct cpu *cpu = fake_vmm_cpu();

	(void)unused;
	assert_ptr_equal(&cpu->gdt[VMM_GDT_ENTRIES], &cpu->tss);
	memcpy(&cpu->tss, &cpu->gdt[VMM_DS / 8], sizeof(cpu->gdt[0]));
	fake.cpu.gs.selector = 8 * VMM_GDT_ENTRIES;
	fake.cpu.gs.base = 0x12345000;
	assert_int_equal(write_cr4(), FAKE_NATIVE);
	assert_int_equal(fake.cpu.gs.selector, 0);
	assert_int_equal(fake.cpu.gs.base, 0x12345000);
	assert_int_equal(fake.cpu.fs.selector, DS);
}

/* Before that, still on page tables of its own but without a GDT that holds a TSS: by the gate. */
static void the_gate_without_a_gdt(void **unused)
{
	(void)unused;
	mercury_boot.gate_tail = (uint64_t)linux_at(LINUX_TAIL);
	assert_int_equal(write_cr4(), FAKE_NATIVE);
	assert_int_equal(fake.log[first_of(OP_TAIL)].a, (uint64_t)linux_at(LINUX_TAIL));
	assert_int_equal(fake.cpu.gdtr.limit, 0);
}

/* A kexec that jumps, and is jumped back from: the next switch to native is one by the gate again. */
static void and_then_by_the_gate_again(void **unused)
{
	const struct fake_options options = { .pcide = true };
	struct fake_cpu native;
	uint64_t tail;

	(void)unused;
	fake_machine(&options);
	native = fake.cpu;
	relocate_kernel(true, 0);
	tail = (uint64_t)linux_at(LINUX_TAIL);
	assert_int_equal(write_cr4(), FAKE_NATIVE);
	fake.cpu = native;
	mercury_boot.gate_tail = tail;
	assert_int_equal(fake_enter(), FAKE_VIRTUAL);
	start = (int)fake.ops;
	assert_int_equal(fake_vmcall(MERCURY_CALL_LEAVE, 0, 0), FAKE_NATIVE);
	assert_int_equal(fake.log[first_of(OP_TAIL)].a, tail);
	assert_int_equal(fake.cpu.tr.base, (uint64_t)linux_at(LINUX_TSS));
}

/* --- Where it cannot ---------------------------------------------------------------------------- */

static void stays_virtual(void)
{
	const uint64_t half = PAGING_ENTRIES / 2;
	unsigned int i;

	assert_int_equal(write_cr4(), FAKE_VIRTUAL);
	assert_int_equal(fake.cpu.rip, rip + 4);
	assert_int_equal(fake_field(VMCS_CR4_READ_SHADOW), NEW_CR4);
	assert_int_equal(cpu_shared(fake_vmm_cpu())->is_virtual, 1);
	/* Of tables that were of no use nothing is kept. */
	for (i = 0; i < half; i++)
		assert_int_equal(transition()[i], 0);
}

/* A copy of the PDPT behind `slot`, to be changed, hung in its place. */
static uint64_t *own_pdpt(unsigned int slot)
{
	uint64_t *pdpt = linux_at(LINUX_IDENTITY + MERCURY_PAGE_SIZE);

	memcpy(pdpt, (const void *)(identity[slot] & PAGING_ADDRESS), MERCURY_PAGE_SIZE);
	identity[slot] = (uint64_t)pdpt | PAGING_P | PAGING_RW;
	return pdpt;
}

static uint64_t *tail_entry(void)
{
	const uint64_t tail = (uint64_t)insn_identity_tail;

	return &own_pdpt(paging_index(tail, 4))[paging_index(tail, 3)];
}

static void without_a_map_of_the_tail(void **unused)
{
	(void)unused;
	*tail_entry() = 0;
	stays_virtual();
}

/* Mapped, but to other memory: that is Linux's kernel half at an address like ours. */
static void with_something_else_there(void **unused)
{
	(void)unused;
	*tail_entry() += PAGE_1G;
	stays_virtual();
}

static void where_nothing_is_executed(void **unused)
{
	(void)unused;
	*tail_entry() |= PAGING_XD;
	stays_virtual();
}

static void without_a_stack(void **unused)
{
	(void)unused;
	own_pdpt(paging_index(FAKE_LINUX, 4))[paging_index(FAKE_LINUX, 3)] &= ~PAGING_RW;
	stays_virtual();
}

static void in_another_code_segment(void **unused)
{
	(void)unused;
	fake.cpu.cs.selector = 0x28;
	assert_int_equal(write_cr4(), FAKE_VIRTUAL);
	assert_int_equal(cpu_shared(fake_vmm_cpu())->is_virtual, 1);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(goes_native_with_linux_state),
	cmocka_unit_test_setup(in_order, in_relocate_kernel),
	cmocka_unit_test_setup(mapped_until_linux_has_none, in_relocate_kernel),
	cmocka_unit_test(nothing_stale),
	cmocka_unit_test_setup(an_nmi_is_dropped, in_relocate_kernel),
	cmocka_unit_test_setup(unknown_selectors_become_null, in_relocate_kernel),
	cmocka_unit_test_setup(the_gate_without_a_gdt, in_relocate_kernel),
	cmocka_unit_test(and_then_by_the_gate_again),
	cmocka_unit_test_setup(without_a_map_of_the_tail, in_relocate_kernel),
	cmocka_unit_test_setup(with_something_else_there, in_relocate_kernel),
	cmocka_unit_test_setup(where_nothing_is_executed, in_relocate_kernel),
	cmocka_unit_test_setup(without_a_stack, in_relocate_kernel),
	cmocka_unit_test_setup(in_another_code_segment, in_relocate_kernel),
};

UNIT_MAIN(tests)
