// SPDX-License-Identifier: GPL-2.0-only
/*
 * An exception of the VMM's own behind every operation of the way down to ring 1 and up again: Linux has
 * the bare machine afterwards, and with two in a row it may be told that it is lost.
 */
#include "unit.h"

#include "call.h"
#include "fake.h"
#include "fatal.h"
#include "ring1/ring1.h"
#include "ring1_port.h"
#include "x86/cr.h"
#include "x86/msr.h"

static void booted(void)
{
	fake_ring1_machine();
	fake_boot();
}

static void voted(void)
{
	booted();
	assert_int_equal(fake_gate(MERCURY_CALL_AUDIT, 0, 0), FAKE_RETURNED);
}

static void at_cpl_1(void)
{
	booted();
	fake_ring1_enter();
	/* Linux has gone on since. */
	ring1_frame(fake_vmm_cpu())->regs.r15 = 16;
}

static enum fake_outcome audit(void)
{
	return fake_gate(MERCURY_CALL_AUDIT, 0, 0);
}

static enum fake_outcome enter(void)
{
	return fake_gate(MERCURY_CALL_ENTER, 0, 0);
}

static enum fake_outcome leave(void)
{
	return fake_ring1_call(MERCURY_CALL_LEAVE);
}

static const struct step {
	const char *name;
	void (*prepare)(void);
	enum fake_outcome (*run)(void);
	enum fake_outcome outcome;
	uint64_t r15;
} steps[] = {
	{ "vote", booted, audit, FAKE_RETURNED, 15 },
	{ "enter", voted, enter, FAKE_VIRTUAL, 15 },
	{ "leave", at_cpl_1, leave, FAKE_NATIVE, 16 },
};

#define NR_STEPS (sizeof(steps) / sizeof(steps[0]))

static unsigned int operations(const struct step *s)
{
	unsigned int start;

	s->prepare();
	start = fake.ops;
	assert_int_equal(s->run(), s->outcome);
	return fake.ops - start;
}

static enum fake_outcome run(const struct step *s, unsigned int i, int faults)
{
	s->prepare();
	fake.error = MERCURY_E_OK;
	fake.fault_at = (int)(fake.ops + i);
	fake.faults = faults;
	return s->run();
}

static void assert_given_back(const struct step *s)
{
	const uint64_t *gdt = linux_at(LINUX_GDT);

	assert_int_equal(fake.cpu.gdtr.base, (uint64_t)gdt);
	assert_int_equal(fake.cpu.gdtr.limit, 0x7f);
	assert_int_equal(gdt[16] | gdt[17] | gdt[18] | gdt[19], 0);
	assert_int_equal(fake.cpu.idtr.base, (uint64_t)linux_at(LINUX_IDT));
	assert_int_equal(fake.cpu.tr.base, (uint64_t)linux_at(LINUX_TSS));
	assert_int_equal(fake.cpu.cr3 & CR3_ADDRESS, (uint64_t)linux_at(LINUX_ROOT));
	assert_int_equal(fake.cpu.rflags & RFLAGS_IOPL, 0);
	assert_int_equal(fake.cpu.gpr.r15, s->r15);
	assert_int_equal(fake_get_msr(MSR_IA32_LSTAR), UINT64_C(0xffffffff81a00040));
	assert_int_equal(fake_get_msr(MSR_IA32_CSTAR), UINT64_C(0xffffffff81a00080));
	assert_int_equal(fake_get_msr(MSR_IA32_SYSENTER_ESP), UINT64_C(0xfffffe0000003000));
	assert_int_equal(fake_get_msr(MSR_IA32_SYSENTER_EIP), UINT64_C(0xffffffff81a01000));
	assert_int_equal(cpu_shared(fake_vmm_cpu())->is_virtual, 0);
	assert_true(fake_vmm_cpu()->mode <= MODE_PREPARED);
}

static bool fault_behind(const struct step *s, unsigned int i)
{
	enum fake_outcome outcome = run(s, i, 1);

	/* Not taken: Linux's own IDT was loaded. */
	if (fake.fault_at != FAKE_NEVER) {
		assert_int_equal(outcome, s->outcome);
		return false;
	}
	if (outcome != FAKE_NATIVE && outcome != FAKE_RETURNED)
		fail_msg("%s, an exception behind operation %u: outcome %d", s->name, i, outcome);
	if (outcome == FAKE_RETURNED)
		assert_int_equal(fake.error, MERCURY_E_FAULT);
	assert_given_back(s);
	assert_int_equal(cpu_shared(fake_vmm_cpu())->error, MERCURY_E_FAULT);
	assert_true(vmm_is_broken());
	return true;
}

static void linux_is_given_back(void **unused)
{
	unsigned int i, k, n, taken = 0;

	(void)unused;
	for (k = 0; k < NR_STEPS; k++) {
		n = operations(&steps[k]);
		for (i = 0; i < n; i++)
			taken += fault_behind(&steps[k], i);
	}
	assert_true(taken > 80);
}

static void ways_back_end(void **unused)
{
	unsigned int i, k, n, lost = 0;
	enum fake_outcome outcome;
	int faults;

	(void)unused;
	for (k = 0; k < NR_STEPS; k++) {
		n = operations(&steps[k]);
		for (i = 0; i < n; i++) {
			for (faults = 2; faults < 6; faults++) {
				outcome = run(&steps[k], i, faults);
				assert_in_range(outcome, FAKE_RETURNED, FAKE_STOPPED);
				assert_true(outcome != FAKE_STOPPED || faults > 2);
				lost += outcome == FAKE_LOST;
				if (outcome == FAKE_NATIVE)
					assert_given_back(&steps[k]);
			}
		}
	}
	assert_true(lost > 50);
}

/* Not even a VMM in which nothing works any more goes round in circles. */
static void everything_fails(void **unused)
{
	const int many = 1000;
	unsigned int i, k, n;

	(void)unused;
	for (k = 0; k < NR_STEPS; k++) {
		n = operations(&steps[k]);
		for (i = 0; i < n; i++) {
			enum fake_outcome outcome = run(&steps[k], i, many);

			if (fake.faults == many)
				continue;
			assert_int_equal(outcome, FAKE_STOPPED);
			assert_in_range(many - fake.faults, 2, 8);
		}
	}
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(linux_is_given_back),
	cmocka_unit_test(ways_back_end),
	cmocka_unit_test(everything_fails),
};

UNIT_MAIN(tests)
