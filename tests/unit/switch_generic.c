// SPDX-License-Identifier: GPL-2.0-only
/* The switch between two mock virtual objects: who is asked what, in which order. */
#include "unit.h"

#include "mercury/switch.h"
#include "state.h"

static char calls[32];
static enum mercury_error audit_a, audit_b, load_a, load_b;

static void note(char call)
{
	size_t n = strlen(calls);

	assert_true(n + 1 < sizeof(calls));
	calls[n] = call;
	calls[n + 1] = '\0';
}

/* Lower case: object a, upper case: object b. */
#define MOCK(x, X)                                                                                 \
	static void capture_##x(struct cpu *cpu, struct state *state)                              \
	{                                                                                          \
		(void)cpu;                                                                         \
		note(X + 'c' - 'a');                                                               \
		*state = (struct state){ .returns_result = true };                                 \
		state->regs.rax = 0x77;                                                            \
	}                                                                                          \
	static enum mercury_error do_audit_##x(struct cpu *cpu, const struct state *state)         \
	{                                                                                          \
		(void)cpu;                                                                         \
		note(X);                                                                           \
		assert_int_equal(state->regs.rax, MERCURY_E_OK);                                   \
		return audit_##x;                                                                  \
	}                                                                                          \
	static void leave_##x(struct cpu *cpu)                                                     \
	{                                                                                          \
		(void)cpu;                                                                         \
		note(X + 'x' - 'a');                                                               \
	}                                                                                          \
	static uint64_t result_##x;                                                                \
	static enum mercury_error do_load_##x(struct cpu *cpu, struct state *state)                \
	{                                                                                          \
		(void)cpu;                                                                         \
		note(X + 'l' - 'a');                                                               \
		result_##x = state->regs.rax;                                                      \
		return load_##x;                                                                   \
	}                                                                                          \
	static const struct vo mock_##x = { .capture = capture_##x,                                \
					    .audit = do_audit_##x,                                 \
					    .leave = leave_##x,                                    \
					    .load = do_load_##x };

MOCK(a, 'a')
MOCK(b, 'A')

static struct state state;

static int reset(void **unused)
{
	(void)unused;
	calls[0] = '\0';
	audit_a = audit_b = load_a = load_b = MERCURY_E_OK;
	return 0;
}

/* switch_vote: "Changes nothing of Linux's." It captures and audits, the way there and back. */
static void vote_asks_both_audits_only(void **unused)
{
	(void)unused;
	assert_int_equal(switch_vote(NULL, &state, &mock_a, &mock_b), MERCURY_E_OK);
	assert_string_equal(calls, "cAa");
}

/* switch_vote: "Errors: those of to->audit() and from->audit()." */
static void vote_reports_either_refusal(void **unused)
{
	(void)unused;
	audit_b = MERCURY_E_OWNED;
	assert_int_equal(switch_vote(NULL, &state, &mock_a, &mock_b), MERCURY_E_OWNED);
	assert_string_equal(calls, "cA");
	audit_b = MERCURY_E_OK;
	audit_a = MERCURY_E_AUDIT;
	assert_int_equal(switch_vote(NULL, &state, &mock_a, &mock_b), MERCURY_E_AUDIT);
}

/*
 * switch_execute: "Linux goes on ... by `to` with MERCURY_E_OK as the call's result or, if `to`
 * failed, by `from` again with the error. Returns that error where even going back did not work".
 */
static void execute_goes_back_with_the_error(void **unused)
{
	(void)unused;
	load_b = MERCURY_E_VMXON;
	load_a = MERCURY_E_ENTRY;
	assert_int_equal(switch_execute(NULL, &state, &mock_a, &mock_b), MERCURY_E_ENTRY);
	assert_string_equal(calls, "cxLl");
	assert_int_equal(result_b, MERCURY_E_OK);
	assert_int_equal(result_a, MERCURY_E_VMXON);
}

/* state.h: "Linux stands at a call and finds its result in rax" - and only then. */
static void result_leaves_rax_alone_without_a_call(void **unused)
{
	struct state s = { .returns_result = false };

	(void)unused;
	s.regs.rax = 0x1234;
	state_set_result(&s, MERCURY_E_ENTRY);
	assert_int_equal(s.regs.rax, 0x1234);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test_setup(vote_asks_both_audits_only, reset),
	cmocka_unit_test_setup(vote_reports_either_refusal, reset),
	cmocka_unit_test_setup(execute_goes_back_with_the_error, reset),
	cmocka_unit_test(result_leaves_rax_alone_without_a_call),
};

UNIT_MAIN(tests)
