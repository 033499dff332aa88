// SPDX-License-Identifier: GPL-2.0-only
/* The mode machine: one table. Pure. */
#include "mercury/mode.h"

#define BIT(mode) (1u << MODE_##mode)
#define SAME MODE_NR

/* For each call: the modes it is allowed in, the mode after success, the mode after failure. */
static const struct rule {
	unsigned int from;
	enum mode success;
	enum mode failure;
} rules[MERCURY_CALL_NR] = {
	[MERCURY_CALL_INIT] = { BIT(COLD), SAME, SAME },
	[MERCURY_CALL_INIT_CPU] = { BIT(COLD) | BIT(NATIVE) | BIT(PREPARED) | BIT(READY),
				    MODE_NATIVE, SAME },
	[MERCURY_CALL_MAP] = { BIT(COLD) | BIT(NATIVE), SAME, SAME },
	[MERCURY_CALL_HIDE] = { BIT(COLD) | BIT(NATIVE), SAME, SAME },
	[MERCURY_CALL_PREPARE] = { BIT(NATIVE) | BIT(PREPARED), MODE_PREPARED, MODE_NATIVE },
	[MERCURY_CALL_AUDIT] = { BIT(NATIVE) | BIT(PREPARED) | BIT(READY), MODE_READY,
				 MODE_PREPARED },
	[MERCURY_CALL_DISCARD] = { BIT(READY), MODE_PREPARED, SAME },
	[MERCURY_CALL_ENTER] = { BIT(READY), MODE_VIRTUAL, MODE_PREPARED },
	[MERCURY_CALL_LEAVE] = { BIT(VIRTUAL), MODE_PREPARED, SAME },
	[MERCURY_CALL_HIDDEN] = { BIT(VIRTUAL), SAME, SAME },
	[MERCURY_CALL_FREEZE] = { BIT(VIRTUAL), SAME, SAME },
	[MERCURY_CALL_THAW] = { BIT(NATIVE) | BIT(PREPARED) | BIT(READY) | BIT(VIRTUAL), SAME,
				SAME },
	[MERCURY_CALL_FLUSH] = { BIT(NATIVE) | BIT(PREPARED) | BIT(READY) | BIT(VIRTUAL), SAME,
				 SAME },
	[MERCURY_CALL_RECLAIM] = { BIT(NATIVE) | BIT(PREPARED) | BIT(READY) | BIT(VIRTUAL), SAME,
				   SAME },
	[MERCURY_CALL_LEND] = { BIT(VIRTUAL), SAME, SAME },
	[MERCURY_CALL_GIVE_BACK] = { BIT(NATIVE) | BIT(PREPARED) | BIT(READY) | BIT(VIRTUAL), SAME,
				     SAME },
	[MERCURY_CALL_LOOKUP] = { BIT(NATIVE) | BIT(PREPARED) | BIT(READY) | BIT(VIRTUAL), SAME,
				  SAME },
};

bool mode_allows(enum mode mode, enum mercury_call call)
{
	return (unsigned int)call < MERCURY_CALL_NR && rules[call].from & 1u << mode;
}

enum mode mode_after(enum mode mode, enum mercury_call call)
{
	return rules[call].success == SAME ? mode : rules[call].success;
}

enum mode mode_after_failure(enum mode mode, enum mercury_call call)
{
	return rules[call].failure == SAME ? mode : rules[call].failure;
}
