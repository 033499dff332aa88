// SPDX-License-Identifier: GPL-2.0-only
/* The mode machine, exhaustively: every mode with every call, against a table of the test's own. */
#include "unit.h"

#include "mercury/mode.h"

/*
 * One letter for each mode, in the order of MODES: C cold, N native, P prepared, R ready, V
 * virtual. A row is a call; a column the mode it is made in; the two letters are the mode after
 * success and after failure; two dashes: not allowed. Written from include/mercury/mode.h (what
 * the modes mean) and include/abi/mercury.h (what the calls do):
 *  - INIT comes before everything; only INIT_CPU makes a CPU usable, and it is called again for
 *    one that was offline or asleep, whose backend is then to be prepared anew; a vote that nobody
 *    could take back, since the CPU did not answer, ends there too;
 *  - MAP and HIDE build the machine's P2M, before any CPU's backend relies on it;
 *  - PREPARE may be repeated (warming after resume); failed, nothing of the backend is built;
 *  - AUDIT is the vote: repeated at will, also on a CPU that could not be prepared when it came, which
 *    it prepares; refused, the CPU has not voted;
 *  - DISCARD takes back a vote, ENTER needs one, LEAVE needs virtual mode;
 *  - HIDDEN reads the guest's registers, which there are only in virtual mode;
 *  - LOOKUP reads the P2M on any CPU that is set up;
 *  - FREEZE stops a guest; THAW and RECLAIM end it, wherever the CPU is.
 */
static const struct expectation {
	enum mercury_call call;
	const char *cell[MODE_NR];
} expected[MERCURY_CALL_NR] = {
	/* clang-format off */
	{ MERCURY_CALL_INIT,     { "CC", "--", "--", "--", "--" } },
	{ MERCURY_CALL_INIT_CPU, { "NC", "NN", "NP", "NR", "--" } },
	{ MERCURY_CALL_MAP,      { "CC", "NN", "--", "--", "--" } },
	{ MERCURY_CALL_HIDE,     { "CC", "NN", "--", "--", "--" } },
	{ MERCURY_CALL_PREPARE,  { "--", "PN", "PN", "--", "--" } },
	{ MERCURY_CALL_AUDIT,    { "--", "RP", "RP", "RP", "--" } },
	{ MERCURY_CALL_DISCARD,  { "--", "--", "--", "PR", "--" } },
	{ MERCURY_CALL_ENTER,    { "--", "--", "--", "VP", "--" } },
	{ MERCURY_CALL_LEAVE,    { "--", "--", "--", "--", "PV" } },
	{ MERCURY_CALL_HIDDEN,   { "--", "--", "--", "--", "VV" } },
	{ MERCURY_CALL_LOOKUP,   { "--", "NN", "PP", "RR", "VV" } },
	{ MERCURY_CALL_FREEZE,   { "--", "--", "--", "--", "VV" } },
	{ MERCURY_CALL_THAW,     { "--", "NN", "PP", "RR", "VV" } },
	{ MERCURY_CALL_FLUSH,    { "--", "NN", "PP", "RR", "VV" } },
	{ MERCURY_CALL_RECLAIM,  { "--", "NN", "PP", "RR", "VV" } },
	{ MERCURY_CALL_LEND,     { "--", "--", "--", "--", "VV" } },
	{ MERCURY_CALL_GIVE_BACK, { "--", "NN", "PP", "RR", "VV" } },
	/* clang-format on */
};

static enum mode mode_of_letter(char letter)
{
	static const char letters[] = "CNPRV";
	unsigned int i;

	for (i = 0; i < MODE_NR; i++)
		if (letters[i] == letter)
			return (enum mode)i;
	fail_msg("no mode '%c'", letter);
	return MODE_NR;
}

static void every_mode_with_every_call(void **state)
{
	unsigned int row, mode;

	(void)state;
	for (row = 0; row < MERCURY_CALL_NR; row++) {
		for (mode = 0; mode < MODE_NR; mode++) {
			const char *cell = expected[row].cell[mode];
			enum mercury_call call = expected[row].call;

			if (mode_allows((enum mode)mode, call) != (cell[0] != '-'))
				fail_msg("call %u in mode %u: expected %s", call, mode, cell);
			if (cell[0] == '-')
				continue;
			if (mode_after((enum mode)mode, call) != mode_of_letter(cell[0]) ||
			    mode_after_failure((enum mode)mode, call) != mode_of_letter(cell[1]))
				fail_msg("call %u in mode %u: expected %s", call, mode, cell);
		}
	}
}

/* The table above has every call once; else the test would not be exhaustive. */
static void the_table_covers_every_call(void **state)
{
	unsigned int row, seen = 0;

	(void)state;
	for (row = 0; row < MERCURY_CALL_NR; row++)
		seen |= 1u << expected[row].call;
	assert_int_equal(seen, (1u << MERCURY_CALL_NR) - 1);
	assert_int_equal(MODE_NR, 5);
}

/* A call comes from a register of Linux's: any number must be refused, not looked up. */
static void unknown_calls_are_refused(void **state)
{
	static const uint32_t calls[] = { MERCURY_CALL_NR, MERCURY_CALL_NR + 1, 0x7fffffff,
					  0x80000000, 0xffffffff };
	unsigned int i, mode;

	(void)state;
	for (i = 0; i < sizeof(calls) / sizeof(calls[0]); i++)
		for (mode = 0; mode < MODE_NR; mode++)
			assert_false(mode_allows((enum mode)mode, (enum mercury_call)calls[i]));
}

/* Every CPU votes before any CPU enters: no step but ENTER from READY leads to VIRTUAL. */
static void virtual_only_through_ready(void **state)
{
	unsigned int mode, call;

	(void)state;
	for (mode = 0; mode < MODE_VIRTUAL; mode++) {
		for (call = 0; call < MERCURY_CALL_NR; call++) {
			bool leads;

			if (!mode_allows((enum mode)mode, (enum mercury_call)call))
				continue;
			leads = mode_after((enum mode)mode, (enum mercury_call)call) ==
				MODE_VIRTUAL;
			assert_int_equal(leads, mode == MODE_READY && call == MERCURY_CALL_ENTER);
			assert_int_not_equal(mode_after_failure((enum mode)mode,
								(enum mercury_call)call),
					     MODE_VIRTUAL);
		}
	}
}

static unsigned int reachable_from(unsigned int start)
{
	unsigned int set = 1u << start, before, mode, call;

	do {
		before = set;
		for (mode = 0; mode < MODE_NR; mode++)
			for (call = 0; call < MERCURY_CALL_NR; call++)
				if (set & 1u << mode &&
				    mode_allows((enum mode)mode, (enum mercury_call)call))
					set |= 1u << mode_after((enum mode)mode,
								(enum mercury_call)call);
	} while (set != before);
	return set;
}

/* From cold every mode can be reached, and no mode is a trap: virtual and back, again and again. */
static void every_mode_is_reachable_and_none_is_a_trap(void **state)
{
	const unsigned int cycle = 1u << MODE_PREPARED | 1u << MODE_READY | 1u << MODE_VIRTUAL;
	unsigned int mode;

	(void)state;
	assert_int_equal(reachable_from(MODE_COLD), (1u << MODE_NR) - 1);
	for (mode = MODE_NATIVE; mode < MODE_NR; mode++)
		assert_int_equal(reachable_from(mode) & cycle, cycle);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(the_table_covers_every_call),
	cmocka_unit_test(every_mode_with_every_call),
	cmocka_unit_test(unknown_calls_are_refused),
	cmocka_unit_test(virtual_only_through_ready),
	cmocka_unit_test(every_mode_is_reachable_and_none_is_a_trap),
};

UNIT_MAIN(tests)
