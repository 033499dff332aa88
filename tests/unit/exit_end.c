// SPDX-License-Identifier: GPL-2.0-only
/* Exits behind which this CPU's Linux does not go on: INIT, and a triple fault. */
#include "unit.h"

#include "call.h"
#include "fake.h"
#include "x86/apic.h"
#include "x86/msr.h"
#include "x86/msr_bits.h"
#include "x86/vmx.h"

#define USER_SS 0xc0f3
#define APIC_PAGE LINUX_STACK /* any page of physical memory that nobody else uses                */

static int start;

static int virtual_linux(void **unused)
{
	const struct fake_options options = { 0 };

	(void)unused;
	fake_machine(&options);
	fake_boot();
	assert_int_equal(fake_enter(), FAKE_VIRTUAL);
	start = (int)fake.ops;
	return 0;
}

static int at(enum fake_op_kind kind, uint64_t operand)
{
	int i;

	for (i = start; i < (int)fake.ops; i++)
		if (fake.log[i].kind == kind && (!operand || fake.log[i].a == operand))
			return i;
	return -1;
}

static volatile uint32_t *apic_page(uint64_t flags)
{
	volatile uint32_t *apic = linux_at(APIC_PAGE - MERCURY_PAGE_SIZE);

	fake_set_msr(MSR_IA32_APIC_BASE, (uint64_t)apic | flags);
	apic[APIC_ID / 4] = UINT32_C(3) << 24;
	return apic;
}

/* SDM vol. 3, 26.2: INIT exits in VMX non-root operation, and is blocked in root operation. */
static void init_is_sent_again_outside_vmx(void **unused)
{
	volatile uint32_t *apic = apic_page(APIC_BASE_EN);

	(void)unused;
	assert_int_equal(fake_exit(VMX_REASON_INIT, 0, 0), FAKE_STOPPED);
	assert_int_equal(fake.cpu.mode, FAKE_OFF);
	assert_true(at(OP_VMCLEAR, 0) < at(OP_VMXOFF, 0));
	assert_true(at(OP_VMXOFF, 0) < at(OP_RDMSR, MSR_IA32_APIC_BASE));
	assert_int_equal(apic[APIC_ICR_HIGH / 4], UINT32_C(3) << 24);
	assert_int_equal(apic[APIC_ICR_LOW / 4], 0x4500);
	assert_int_equal(cpu_shared(fake_vmm_cpu())->is_virtual, 0);
}

/* SDM vol. 3, 11.12.9, ICR Operation in x2APIC Mode: one register, the whole ID in its upper half. */
static void init_is_sent_by_msr_in_x2apic_mode(void **unused)
{
	volatile uint32_t *apic = apic_page(APIC_BASE_EN | APIC_BASE_EXTD);

	(void)unused;
	fake_set_msr(MSR_IA32_X2APIC_APICID, 0x12345);
	fake_set_msr(MSR_IA32_X2APIC_ICR, 0);
	assert_int_equal(fake_exit(VMX_REASON_INIT, 0, 0), FAKE_STOPPED);
	assert_int_equal(fake_get_msr(MSR_IA32_X2APIC_ICR), UINT64_C(0x0001234500004500));
	assert_true(at(OP_VMXOFF, 0) < at(OP_WRMSR, MSR_IA32_X2APIC_ICR));
	assert_int_equal(apic[APIC_ICR_LOW / 4], 0);
}

/* Its registers are not there to be written then. */
static void a_disabled_apic_sends_nothing(void **unused)
{
	volatile uint32_t *apic = apic_page(0);

	(void)unused;
	assert_int_equal(fake_exit(VMX_REASON_INIT, 0, 0), FAKE_STOPPED);
	assert_int_equal(fake.cpu.mode, FAKE_OFF);
	assert_int_equal(apic[APIC_ICR_LOW / 4], 0);
}

/* It comes to user space as well, and on any page tables. */
static void init_is_taken_anywhere(void **unused)
{
	volatile uint32_t *apic = apic_page(APIC_BASE_EN);

	(void)unused;
	fake.cpu.ss.ar = USER_SS;
	fake.cpu.cr3 = 0x1000;
	assert_int_equal(fake_exit(VMX_REASON_INIT, 0, 0), FAKE_STOPPED);
	assert_int_equal(apic[APIC_ICR_LOW / 4], 0x4500);
}

/* SDM vol. 3, 26.2: a triple fault exits. At CPL 0 the CPU meets it natively, at its instruction. */
static void triple_fault_goes_native(void **unused)
{
	uint64_t rip = fake.cpu.rip;

	(void)unused;
	assert_int_equal(fake_exit(VMX_REASON_TRIPLE_FAULT, 0, 0), FAKE_NATIVE);
	assert_int_equal(fake.cpu.rip, rip);
	assert_int_equal(cpu_shared(fake_vmm_cpu())->error, MERCURY_E_FORCED);
}

/* Where that cannot be, to go on virtually would be to fault for ever. */
static void triple_fault_shuts_down(void **unused)
{
	(void)unused;
	fake.cpu.ss.ar = USER_SS;
	assert_int_equal(fake_exit(VMX_REASON_TRIPLE_FAULT, 0, 0), FAKE_SHUT_DOWN);
	assert_int_equal(fake.cpu.mode, FAKE_OFF);
	virtual_linux(NULL);
	mercury_boot.gate_tail = UINT64_C(0x400000000000);
	fake.cpu.cs.selector = 0x28;
	assert_int_equal(fake_exit(VMX_REASON_TRIPLE_FAULT, 0, 0), FAKE_SHUT_DOWN);
	assert_int_equal(fake.cpu.mode, FAKE_OFF);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test_setup(init_is_sent_again_outside_vmx, virtual_linux),
	cmocka_unit_test_setup(init_is_sent_by_msr_in_x2apic_mode, virtual_linux),
	cmocka_unit_test_setup(a_disabled_apic_sends_nothing, virtual_linux),
	cmocka_unit_test_setup(init_is_taken_anywhere, virtual_linux),
	cmocka_unit_test_setup(triple_fault_goes_native, virtual_linux),
	cmocka_unit_test_setup(triple_fault_shuts_down, virtual_linux),
};

UNIT_MAIN(tests)
