// SPDX-License-Identifier: GPL-2.0-only
/*
 * The vote's look at the transition root. Rule: "At every instruction boundary the loaded IDT, GDT,
 * TSS and IST stacks are mapped by the loaded CR3" - and all else that the way back touches.
 */
#include <sys/mman.h>

#include "unit.h"

#include "call.h"
#include "fake.h"
#include "native/mapped.h"
#include "native/native.h"
#include "x86/paging.h"
#include "x86/segment.h"
#include "x86/vector.h"

#define NOWHERE UINT64_C(0x400000000000)
#define MAPPED_END UINT64_C(0x308000000000) /* of Linux's root                                    */

static struct state state;

static int captured(void **unused)
{
	const struct fake_options options = { 0 };

	(void)unused;
	fake_machine(&options);
	fake_boot();
	assert_int_equal(fake_gate(MERCURY_CALL_AUDIT, 0, 0), FAKE_RETURNED);
	assert_int_equal(fake.error, MERCURY_E_OK);
	state = fake_vmm_cpu()->entering;
	return 0;
}

static void all_is_there(void **unused)
{
	uint64_t where;

	(void)unused;
	assert_null(native_unmapped(fake_vmm_cpu(), &state, &where));
}

/* Each address in turn points where nothing is mapped: named, with the address. */
static void each_need_is_named(void **unused)
{
	struct cpu *cpu = fake_vmm_cpu();
	const struct {
		uint64_t *address;
		const char *name;
		int64_t offset; /* of what is looked at */
	} rows[] = {
		{ &cpu->gdt_rw, "the GDT's writable alias", state.tr.selector },
		{ &state.tr.base, "the TSS", 0 },
		{ &state.regs.rsp, "Linux's stack", -8 },
		{ (uint64_t *)&mercury_boot.gate_tail, "the gate's tail", 0 },
		{ &state.rip, "the place to go on at", 0 },
	};
	unsigned int i;

	(void)unused;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		uint64_t saved = *rows[i].address, where;
		const char *name;

		*rows[i].address = NOWHERE;
		name = native_unmapped(cpu, &state, &where);
		*rows[i].address = saved;
		assert_non_null(name);
		assert_string_equal(name, rows[i].name);
		assert_int_equal(where, NOWHERE + (uint64_t)rows[i].offset);
	}
}

/* The registers of the tables are packed: not by pointer. Also a table that ends in nothing. */
static void tables_are_named(void **unused)
{
	struct cpu *cpu = fake_vmm_cpu();
	struct state s = state;
	uint64_t where;

	(void)unused;
	s.gdtr.base = NOWHERE;
	assert_string_equal(native_unmapped(cpu, &s, &where), "the GDT");
	s = state;
	s.idtr.base = NOWHERE;
	assert_string_equal(native_unmapped(cpu, &s, &where), "the IDT");
	s = state;
	s.idtr.base = MAPPED_END - 0x10;
	assert_string_equal(native_unmapped(cpu, &s, &where), "the end of the IDT");
}

/* VM exits set the limit to 0xffff, and KVM leaves it so: what lies behind the last gate is not asked. */
static void idt_limit_of_a_vm_exit(void **unused)
{
	void *idt = mmap((void *)(MAPPED_END - PAGE_4K), PAGE_4K, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
	struct state s = state;
	uint64_t where;

	(void)unused;
	assert_ptr_equal(idt, (void *)(MAPPED_END - PAGE_4K));
	s.idtr.base = MAPPED_END - PAGE_4K;
	s.idtr.limit = 0xffff;
	assert_null(native_unmapped(fake_vmm_cpu(), &s, &where));
	assert_int_equal(munmap(idt, PAGE_4K), 0);
}

/* Only events that come at any instruction need their stacks. */
static void ist_stacks_by_vector(void **unused)
{
	struct idt_gate *idt = linux_at(LINUX_IDT);
	struct tss64 *tss = linux_at(LINUX_TSS);
	uint64_t where;
	static const uint8_t anytime[] = { VECTOR_DB, VECTOR_NMI, VECTOR_DF, VECTOR_MC };
	unsigned int i;

	(void)unused;
	tss->ist[4] = NOWHERE;
	idt[VECTOR_PF].ist = 5;
	assert_null(native_unmapped(fake_vmm_cpu(), &state, &where));
	for (i = 0; i < sizeof(anytime); i++) {
		uint8_t saved = idt[anytime[i]].ist;

		idt[anytime[i]].ist = 5;
		assert_string_equal(native_unmapped(fake_vmm_cpu(), &state, &where),
				    "an IST stack");
		assert_int_equal(where, NOWHERE - 8);
		idt[anytime[i]].ist = saved;
	}
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test_setup(all_is_there, captured),
	cmocka_unit_test_setup(each_need_is_named, captured),
	cmocka_unit_test_setup(tables_are_named, captured),
	cmocka_unit_test_setup(idt_limit_of_a_vm_exit, captured),
	cmocka_unit_test_setup(ist_stacks_by_vector, captured),
};

UNIT_MAIN(tests)
