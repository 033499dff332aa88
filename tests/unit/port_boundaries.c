// SPDX-License-Identifier: GPL-2.0-only
/*
 * One NMI, and one machine check, behind every operation of all that the VMM does: calls, switches,
 * exits, and each of them failing. It reaches Linux exactly once: by Linux's own IDT, injected, or
 * owed by the gate.
 */
#include "unit.h"

#include "scenario.h"
#include "x86/vmx.h"

/* Linux goes on until it has taken what waits: an NMI's handler ends, the shadow of STI passes. */
static void settle(void)
{
	unsigned int i;

	for (i = 0; i < 8 && fake.cpu.mode == FAKE_GUEST; i++) {
		uint64_t primary = fake_field(VMCS_PRIMARY_PROC_CONTROLS);

		fake.cpu.interruptibility = 0;
		if (fake.nmi_exit) {
			fake.nmi_exit = false;
			assert_int_equal(fake_exit(VMX_REASON_EXCEPTION_OR_NMI, 0, 0),
					 FAKE_VIRTUAL);
		} else if (primary & VMX_PRIMARY_NMI_WINDOW_EXITING) {
			assert_int_equal(fake_exit(VMX_REASON_NMI_WINDOW, 0, 0), FAKE_VIRTUAL);
		} else if (primary & VMX_PRIMARY_INTERRUPT_WINDOW_EXITING) {
			assert_int_equal(fake_exit(VMX_REASON_INTERRUPT_WINDOW, 0, 0),
					 FAKE_VIRTUAL);
		} else {
			return;
		}
	}
	assert_true(i < 8);
}

struct ops {
	unsigned int start, end;
};

/* The scenario with what it is made to fail at and where the event comes. */
static struct ops run(const struct scenario *s, int fail_at, int event_at, uint32_t event)
{
	struct ops ops;

	s->prepare();
	ops.start = fake.ops;
	fake.fallible = 0;
	fake.fail_at = fail_at;
	fake.linux_nmis = fake.linux_mcs = 0;
	fake.event = event;
	fake.event_at = event_at == FAKE_NEVER ? FAKE_NEVER : (int)ops.start + event_at;
	if (s->run() != s->outcome)
		fail_msg("%s: went on in another way, operation %d failing", s->name, fail_at);
	ops.end = fake.ops;
	fake.fail_at = FAKE_NEVER;
	settle();
	return ops;
}

static void one_event(const struct scenario *s, int fail_at, unsigned int i, bool mc)
{
	const struct ops ops = run(s, fail_at, (int)i, mc ? PENDING_MC : PENDING_NMI);
	/* Of a kind they are one while the first is pending. */
	const unsigned int nmis = mc || s->nmis ? s->nmis : 1, mcs = mc || s->mcs ? 1 : 0;

	if (fake.linux_nmis < nmis || fake.linux_nmis > s->nmis + !mc || fake.linux_mcs < mcs ||
	    fake.linux_mcs > s->mcs + mc)
		fail_msg("%s, operation %d failing: %s behind operation %u (kind %d): Linux took %u "
			 "NMIs, %u machine checks",
			 s->name, fail_at, mc ? "#MC" : "NMI", i, fake.log[ops.start + i].kind,
			 fake.linux_nmis, fake.linux_mcs);
	assert_int_equal(fake_vmm_cpu()->pending, 0);
	assert_int_equal(fake_vmm_cpu()->waiting, 0);
}

static unsigned int event_at_each_operation(const struct scenario *s)
{
	const struct ops ops = run(s, FAKE_NEVER, FAKE_NEVER, PENDING_NMI);
	unsigned int i, n = ops.end - ops.start;

	assert_int_equal(fake.linux_nmis, s->nmis);
	assert_int_equal(fake.linux_mcs, s->mcs);
	assert_true(n > 0);
	for (i = 0; i < n; i++) {
		one_event(s, FAKE_NEVER, i, false);
		one_event(s, FAKE_NEVER, i, true);
	}
	return n;
}

/* With operation `fail_at` failing. What is before it was seen without; the two events take turns. */
static void event_behind_the_failing(const struct scenario *s, int fail_at)
{
	const struct ops ops = run(s, fail_at, FAKE_NEVER, PENDING_NMI);
	unsigned int i = 0, n = ops.end - ops.start;

	while (fake.log[ops.start + i].ok)
		i++;
	for (i = i ? i - 1 : 0; i < n; i++)
		one_event(s, fail_at, i, (i + (unsigned int)fail_at) % 2);
}

/* "NMI: never lost"; "#MC in root goes on to Linux". */
static void nothing_is_lost_or_doubled(void **unused)
{
	unsigned int i, boundaries = 0;

	(void)unused;
	for (i = 0; i < nr_scenarios; i++)
		boundaries += event_at_each_operation(&scenarios[i]);
	assert_true(boundaries > 1500);
}

/* Each operation of it failing but for the last `spared`, which makes it go on as `outcome` says. */
static void each_failing(const char *name, enum fake_outcome outcome, int least, int spared)
{
	struct scenario s = *scenario(name);
	int i, fallible;

	s.prepare();
	fake.fallible = 0;
	s.run();
	fallible = fake.fallible - spared;
	assert_true(fallible >= least);
	s.outcome = outcome;
	for (i = 0; i < fallible; i++)
		event_behind_the_failing(&s, i);
}

static void nor_where_preparing_fails(void **unused)
{
	(void)unused;
	each_failing("prepare", FAKE_RETURNED, 30, 0);
}

/* All but VMLAUNCH, before which an event is one more operation: that is a scenario of its own. */
static void nor_where_entering_fails(void **unused)
{
	(void)unused;
	each_failing("enter", FAKE_NATIVE, 50, 1);
}

static void nor_where_vmclear_fails(void **unused)
{
	(void)unused;
	event_behind_the_failing(scenario("leave"), 0);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(nothing_is_lost_or_doubled),
	cmocka_unit_test(nor_where_preparing_fails),
	cmocka_unit_test(nor_where_entering_fails),
	cmocka_unit_test(nor_where_vmclear_fails),
};

UNIT_MAIN(tests)
