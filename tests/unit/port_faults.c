// SPDX-License-Identifier: GPL-2.0-only
/*
 * An exception of the VMM's own behind every operation of all that it does. Linux has the bare machine
 * afterwards, as it left it; only where the VMM fails once more may it be told that it is lost.
 */
#include <signal.h>

#include "unit.h"

#include "call.h"
#include "fatal.h"
#include "mercury/pool.h"
#include "scenario.h"
#include "x86/cr.h"
#include "x86/paging.h"

/* How the scenario goes on with `faults` exceptions in a row from behind operation i on. */
static enum fake_outcome run(const struct scenario *s, unsigned int i, int faults,
			     struct fake_cpu *before)
{
	s->prepare();
	*before = fake.cpu;
	fake.error = MERCURY_E_OK;
	fake.fault_at = (int)(fake.ops + i);
	fake.faults = faults;
	return s->run();
}

static unsigned int operations(const struct scenario *s)
{
	unsigned int start;

	s->prepare();
	start = fake.ops;
	assert_int_equal(s->run(), s->outcome);
	return fake.ops - start;
}

static void assert_given_back(const struct scenario *s, const struct fake_cpu *before)
{
	const struct cpu *cpu = fake_vmm_cpu();

	assert_int_equal(fake.cpu.mode, FAKE_OFF);
	assert_int_equal(fake.cpu.idtr.base, before->idtr.base);
	assert_int_equal(fake.cpu.gdtr.base, before->gdtr.base);
	assert_int_equal(fake.cpu.tr.base, before->tr.base);
	assert_int_equal(fake.cpu.gs.base, before->gs.base);
	assert_int_equal(fake.cpu.fs.base, before->fs.base);
	assert_int_equal(fake.cpu.cr0, before->cr0);
	assert_int_equal(fake.cpu.cr3, before->cr3);
	/* What Linux as a guest sees of VMXE is in the read shadow. */
	assert_true(s->changes_cr4 || !((fake.cpu.cr4 ^ before->cr4) & ~(uint64_t)CR4_VMXE));
	assert_int_equal(fake.cpu.dr7, before->dr7);
	assert_int_equal(fake.cpu.gpr.r15, before->gpr.r15);
	assert_int_equal(fake.cpu.gpr.rbp, before->gpr.rbp);
	assert_int_equal(cpu_shared(fake_vmm_cpu())->is_virtual, 0);
	assert_true(cpu->mode <= MODE_PREPARED);
}

/* "nothing of it but the way to native is used any more" */
static void assert_broken(void)
{
	assert_true(vmm_is_broken());
	assert_int_equal(cpu_shared(fake_vmm_cpu())->error, MERCURY_E_FAULT);
	fake_vmm_cpu()->mode = MODE_PREPARED;
	assert_int_equal(fake_gate(MERCURY_CALL_AUDIT, 0, 0), FAKE_RETURNED);
	assert_int_equal(fake.error, MERCURY_E_BROKEN);
}

static void fault_behind(const struct scenario *s, unsigned int i)
{
	struct fake_cpu before;
	enum fake_outcome outcome = run(s, i, 1, &before);

	/* Not taken: Linux's own IDT was loaded, or it ran as the guest. */
	if (fake.fault_at != FAKE_NEVER) {
		assert_int_equal(outcome, s->outcome);
		return;
	}
	if (outcome == FAKE_LOST && s->fails)
		return;
	if (outcome != FAKE_NATIVE && outcome != FAKE_RETURNED)
		fail_msg("%s, an exception behind operation %u: outcome %d", s->name, i, outcome);
	if (outcome == FAKE_RETURNED)
		assert_int_equal(fake.error, MERCURY_E_FAULT);
	assert_given_back(s, &before);
	assert_broken();
}

static void linux_is_given_back(void **unused)
{
	unsigned int i, k, n, tried = 0;

	(void)unused;
	for (k = 0; k < nr_scenarios; k++) {
		n = operations(&scenarios[k]);
		for (i = 0; i < n; i++, tried++)
			fault_behind(&scenarios[k], i);
	}
	assert_true(tried > 1500);
}

/*
 * "What fails on one of these ways goes the next": with more exceptions in a row Linux is given back, or
 * told that it is lost; the CPU stops where telling fails too.
 */
static void ways_back_end(void **unused)
{
	unsigned int i, k, n, stopped = 0, lost = 0;
	struct fake_cpu before;
	int faults;

	(void)unused;
	for (k = 0; k < nr_scenarios; k++) {
		const struct scenario *s = &scenarios[k];

		n = operations(s);
		for (i = 0; i < n; i += 7) {
			for (faults = 2; faults < 6; faults++) {
				enum fake_outcome outcome = run(s, i, faults, &before);

				assert_in_range(outcome, FAKE_RETURNED, FAKE_STOPPED);
				assert_true(outcome != FAKE_STOPPED || faults > 2 || s->fails);
				stopped += outcome == FAKE_STOPPED;
				lost += outcome == FAKE_LOST;
				if (outcome == FAKE_NATIVE)
					assert_given_back(s, &before);
			}
		}
	}
	assert_true(stopped > 100);
	assert_true(lost > 100);
}

/* Not even a VMM in which nothing works any more goes round in circles. */
static void everything_fails(void **unused)
{
	const int many = 1000;
	struct fake_cpu before;
	unsigned int i, k, n;

	(void)unused;
	for (k = 0; k < nr_scenarios; k++) {
		n = operations(&scenarios[k]);
		for (i = 0; i < n; i += 7) {
			enum fake_outcome outcome = run(&scenarios[k], i, many, &before);

			if (fake.faults == many)
				continue;
			/* Where nothing is to be stopped there is nothing on the way back that could fail. */
			if (outcome == FAKE_RETURNED) {
				assert_false(fake_vmm_cpu()->owns_vmx);
				assert_int_equal(fake.error, MERCURY_E_FAULT);
				/* The second in the screen. */
				assert_in_range(many - fake.faults, 1, 2);
				continue;
			}
			assert_int_equal(outcome, FAKE_STOPPED);
			assert_in_range(many - fake.faults, 2, 8);
		}
	}
}

/* Since operation `start`. */
static bool has_done(unsigned int start, enum fake_op_kind kind)
{
	for (; start < fake.ops; start++)
		if (fake.log[start].kind == kind)
			return true;
	return false;
}

/* False: all of it is done before operation i. */
static bool fault_beside_kvm(const struct scenario *s, unsigned int i)
{
	unsigned int start;

	s->prepare();
	/* In an earlier episode VMXE was not set by Linux. */
	assert_int_equal(fake_enter(), FAKE_VIRTUAL);
	assert_int_equal(fake_vmcall(MERCURY_CALL_LEAVE, 0, 0), FAKE_NATIVE);
	fake.cpu.cr4 |= CR4_VMXE;
	start = fake.ops;
	fake.fault_at = (int)(start + i);
	fake.faults = 1;
	assert_int_equal(s->run(), FAKE_RETURNED);
	if (fake.fault_at != FAKE_NEVER)
		return false;
	assert_int_equal(fake.error, MERCURY_E_FAULT);
	assert_false(has_done(start, OP_VMCLEAR) || has_done(start, OP_VMXOFF));
	assert_true(fake.cpu.cr4 & CR4_VMXE);
	return true;
}

/* A call that fails while KVM has VMX: its next VMRESUME would be #UD. */
static void kvm_keeps_its_vmx_operation(void **unused)
{
	static const char *const calls[] = { "vote", "prepare", "lookup, native" };
	unsigned int i, k, tried = 0;

	(void)unused;
	for (k = 0; k < sizeof(calls) / sizeof(calls[0]); k++)
		for (i = 0; fault_beside_kvm(scenario(calls[k]), i); i++)
			tried++;
	assert_true(tried > 20);
}

/* There is one stack for it: the second CPU stops, and is stopped for good by the first one's panic. */
static void one_cpu_is_told(void **unused)
{
	const struct scenario *s = scenario("CPUID");
	struct fake_cpu before;
	int outcome;

	(void)unused;
	assert_int_equal(run(s, 3, 3, &before), FAKE_LOST);
	fake_vmm_cpu()->task = TASK_LAST;
	fake.armed = true;
	outcome = setjmp(fake.jump);
	if (!outcome)
		vmm_fatal(fake_vmm_cpu());
	assert_int_equal(outcome, FAKE_STOPPED);
}

/* The CPU that failed may hold it, and those that are virtual yet want it. */
static void lock_of_the_p2m_is_not_waited_for(void **unused)
{
	const struct scenario *s = scenario("CPUID");

	(void)unused;
	s->prepare();
	machine_p2m.lock = 1;
	fake.fault_at = (int)fake.ops + 3;
	assert_int_equal(s->run(), FAKE_NATIVE);
	assert_true(p2m_let_drop(&machine_p2m, SCENARIO_HIDDEN / PAGE_4K));
}

static sigjmp_buf faulted;

static void segmentation_fault(int signal)
{
	(void)signal;
	siglongjmp(faulted, 1);
}

/* A free list that something has written over; returns a page of the pool's. */
static void *fail_within_the_pool(void)
{
	const struct sigaction action = { .sa_handler = segmentation_fault };
	struct sigaction before;
	void **page = pool_alloc();

	pool_free(page);
	*page = (void *)PAGE_4K;
	assert_ptr_equal(pool_alloc(), page);
	sigaction(SIGSEGV, &action, &before);
	if (!sigsetjmp(faulted, 1)) {
		pool_alloc();
		fail_msg("the pool has no fault");
	}
	sigaction(SIGSEGV, &before, NULL);
	return page;
}

/* Nor that of the pool; whoever wants a page has none. */
static void nor_is_the_pools(void **unused)
{
	const struct scenario *s = scenario("CPUID");
	void *page;

	(void)unused;
	s->prepare();
	page = fail_within_the_pool();
	fake.fault_at = (int)fake.ops + 3;
	assert_int_equal(s->run(), FAKE_NATIVE);
	assert_null(pool_alloc());
	pool_retire(page);
	pool_reclaim();
	pool_free(page);
	assert_false(pool_give_back());
	assert_false(pool_lend(page, PAGE_1G));
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(linux_is_given_back), cmocka_unit_test(ways_back_end),
	cmocka_unit_test(everything_fails),    cmocka_unit_test(kvm_keeps_its_vmx_operation),
	cmocka_unit_test(one_cpu_is_told),     cmocka_unit_test(lock_of_the_p2m_is_not_waited_for),
	cmocka_unit_test(nor_is_the_pools),
};

UNIT_MAIN(tests)
