// SPDX-License-Identifier: GPL-2.0-only
/* Down to ring 1 and up again on the fake port: state, order, what is mapped at each boundary. */
#include "unit.h"

#include "call.h"
#include "fake.h"
#include "ring1/ring1.h"
#include "ring1/stubs.h"
#include "ring1_port.h"
#include "x86/cr.h"
#include "x86/msr.h"

static struct cpu *cpu(void)
{
	return fake_vmm_cpu();
}

static struct ring1_frame *frame(void)
{
	return ring1_frame(cpu());
}

static int fresh(void **unused)
{
	(void)unused;
	fake_ring1_machine();
	return 0;
}

static void linux_goes_on_at_cpl_1(void **unused)
{
	uint64_t rsp;

	(void)unused;
	rsp = fake.cpu.gpr.rsp;
	fake_boot();
	fake_ring1_enter();
	assert_int_equal(frame()->rip, (uint64_t)linux_at(LINUX_RETURN));
	assert_int_equal(frame()->rsp, rsp);
	assert_int_equal(frame()->cs, 0x81);
	assert_int_equal(frame()->ss, 0x89);
	assert_int_equal(frame()->rflags & RFLAGS_IOPL, 0x1000);
	assert_int_equal(frame()->regs.rax, MERCURY_E_OK);
	assert_int_equal(frame()->regs.r15, 15);
	assert_int_equal(cpu_shared(cpu())->is_virtual, 1);
	assert_int_equal(fake.cpu.cr3 & CR3_ADDRESS, (uint64_t)linux_at(LINUX_ROOT));
}

static void tables_and_entries_are_the_vmms(void **unused)
{
	const uint64_t *gdt;

	(void)unused;
	fake_boot();
	fake_ring1_enter();
	gdt = (const uint64_t *)fake.cpu.gdtr.base;
	assert_int_equal(fake.cpu.gdtr.base, (uint64_t)linux_at(LINUX_GDT));
	assert_int_equal(fake.cpu.gdtr.limit, 0x9f);
	assert_int_equal(gdt[16], UINT64_C(0x00afbb000000ffff));
	assert_int_equal(gdt[17], UINT64_C(0x00cfb3000000ffff));
	assert_int_equal(fake.cpu.tr.selector, 0x90);
	assert_int_equal(fake.cpu.tr.base, (uint64_t)&ring1_cpu(cpu())->tss);
	assert_int_equal(fake.cpu.idtr.limit, 0xfff);
	assert_int_equal(fake_get_msr(MSR_IA32_LSTAR),
			 (uint64_t)cpu_slot(cpu(), MERCURY_CPU_RING1_STUB));
	assert_int_equal(fake_get_msr(MSR_IA32_CSTAR),
			 (uint64_t)cpu_slot(cpu(), MERCURY_CPU_RING1_STUB) +
				 (ring1_stub_compat - ring1_stubs));
	assert_int_equal(fake_get_msr(MSR_IA32_SYSENTER_EIP),
			 (uint64_t)cpu_slot(cpu(), MERCURY_CPU_RING1_STUB) +
				 (ring1_stub_sysenter - ring1_stubs));
	assert_int_equal(ring1_cpu(cpu())->syscall.rip, UINT64_C(0xffffffff81a00040));
	assert_int_equal(ring1_cpu(cpu())->sysenter.rsp, UINT64_C(0xfffffe0000003000));
}

static void and_back_bit_for_bit(void **unused)
{
	struct fake_cpu before;
	uint64_t gdt[512];

	(void)unused;
	fake_boot();
	before = fake.cpu;
	memcpy(gdt, linux_at(LINUX_GDT), sizeof(gdt));
	assert_int_equal(fake_enter(), FAKE_VIRTUAL);
	assert_int_equal(fake_ring1_call(MERCURY_CALL_LEAVE), FAKE_NATIVE);
	assert_int_equal(fake.cpu.gdtr.base, before.gdtr.base);
	assert_int_equal(fake.cpu.gdtr.limit, before.gdtr.limit);
	assert_int_equal(fake.cpu.idtr.base, before.idtr.base);
	assert_int_equal(fake.cpu.idtr.limit, before.idtr.limit);
	assert_memory_equal(&fake.cpu.tr, &before.tr, sizeof(before.tr));
	assert_memory_equal(&fake.cpu.ss, &before.ss, sizeof(before.ss));
	assert_int_equal(fake.cpu.cr3, before.cr3);
	assert_int_equal(fake.cpu.cr4, before.cr4);
	assert_int_equal(fake.cpu.rflags & RFLAGS_IOPL, 0);
	assert_memory_equal(linux_at(LINUX_GDT), gdt, sizeof(gdt));
	assert_int_equal(fake_get_msr(MSR_IA32_LSTAR), UINT64_C(0xffffffff81a00040));
	assert_int_equal(fake_get_msr(MSR_IA32_CSTAR), UINT64_C(0xffffffff81a00080));
	assert_int_equal(fake_get_msr(MSR_IA32_SYSENTER_ESP), UINT64_C(0xfffffe0000003000));
	assert_int_equal(fake_get_msr(MSR_IA32_SYSENTER_EIP), UINT64_C(0xffffffff81a01000));
	assert_int_equal(cpu_shared(cpu())->is_virtual, 0);
	/* Behind the WRMSR, with its result. */
	assert_int_equal(fake.cpu.rip, (uint64_t)linux_at(LINUX_RETURN) + 2);
	assert_int_equal(fake.cpu.gpr.rax, MERCURY_E_OK);
}

static void everything_is_mapped_at_every_boundary(void **unused)
{
	unsigned int i;

	(void)unused;
	/* The window hangs in Linux's root. */
	((uint64_t *)linux_at(LINUX_ROOT))[FAKE_WINDOW >> 39 & 511] =
		((uint64_t *)cpu_slot(cpu(), MERCURY_CPU_ROOT))[FAKE_WINDOW >> 39 & 511];
	((uint64_t *)linux_at(LINUX_ROOT))[(uint64_t)&mercury_boot >> 39 & 511] = ((
		uint64_t *)cpu_slot(cpu(), MERCURY_CPU_ROOT))[(uint64_t)&mercury_boot >> 39 & 511];
	fake_boot();
	fake.ops = 0;
	assert_int_equal(fake_enter(), FAKE_VIRTUAL);
	assert_int_equal(fake_ring1_call(MERCURY_CALL_LEAVE), FAKE_NATIVE);
	for (i = 0; i < fake.ops; i++)
		if (fake.log[i].unmapped)
			fail_msg("after operation %u (kind %d) %s is not mapped", i,
				 fake.log[i].kind, fake.log[i].unmapped);
}

static void refuses(const char *pattern)
{
	assert_int_equal(fake_gate(MERCURY_CALL_AUDIT, 0, 0), FAKE_RETURNED);
	assert_int_not_equal(fake.error, MERCURY_E_OK);
	if (!strstr(cpu_shared(cpu())->text, pattern))
		fail_msg("the reason is \"%s\"", cpu_shared(cpu())->text);
}

static void page_tables_without_the_window_are_refused(void **unused)
{
	(void)unused;
	fake_boot();
	((uint64_t *)linux_at(LINUX_ROOT))[MERCURY_WINDOW_PML4_SLOT] = 0x1003;
	refuses("lack the window");
}

static void something_behind_the_gdt_is_refused(void **unused)
{
	(void)unused;
	fake_boot();
	linux_set_descriptor(19, 1);
	refuses("behind the GDT");
}

static void another_gdt_is_refused(void **unused)
{
	(void)unused;
	fake_boot();
	fake.cpu.gdtr.limit = 0xff;
	refuses("limit");
}

static void an_nmi_during_the_way_down_is_linuxs(void **unused)
{
	(void)unused;
	fake_boot();
	assert_int_equal(fake_gate(MERCURY_CALL_AUDIT, 0, 0), FAKE_RETURNED);
	cpu()->pending = PENDING_NMI;
	fake.armed = true;
	assert_int_equal(fake_gate(MERCURY_CALL_ENTER, 0, 0), FAKE_VIRTUAL);
	assert_int_equal(cpu()->pending, PENDING_NMI);
}

static void a_latched_nmi_goes_along_to_native(void **unused)
{
	(void)unused;
	fake_boot();
	fake_ring1_enter();
	ring1_cpu(cpu())->nmi_blocked = 1;
	ring1_cpu(cpu())->nmi_latched = 1;
	assert_int_equal(fake_ring1_call(MERCURY_CALL_LEAVE), FAKE_NATIVE);
	assert_int_equal(fake.owed, PENDING_NMI);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test_setup(linux_goes_on_at_cpl_1, fresh),
	cmocka_unit_test_setup(tables_and_entries_are_the_vmms, fresh),
	cmocka_unit_test_setup(and_back_bit_for_bit, fresh),
	cmocka_unit_test_setup(everything_is_mapped_at_every_boundary, fresh),
	cmocka_unit_test_setup(page_tables_without_the_window_are_refused, fresh),
	cmocka_unit_test_setup(something_behind_the_gdt_is_refused, fresh),
	cmocka_unit_test_setup(another_gdt_is_refused, fresh),
	cmocka_unit_test_setup(an_nmi_during_the_way_down_is_linuxs, fresh),
	cmocka_unit_test_setup(a_latched_nmi_goes_along_to_native, fresh),
};

UNIT_MAIN(tests)
