/* SPDX-License-Identifier: GPL-2.0-only */
/* The switch of one CPU from one virtual object to another. */
#ifndef MERCURY_SWITCH_H
#define MERCURY_SWITCH_H

#include "mercury/vo.h"

/*
 * Phase 1, this CPU's vote: would switch_execute(from, to) succeed with the state as it is now, and
 * the way back? Changes nothing of Linux's. Errors: those of to->audit() and from->audit().
 */
enum mercury_error switch_vote(struct cpu *cpu, struct state *state, const struct vo *from,
			       const struct vo *to);

/*
 * Phase 2: stop running Linux by `from`, run it by `to`. On real hardware it does not return: Linux
 * goes on behind the gate, by `to` with MERCURY_E_OK as the call's result or, if `to` failed, by
 * `from` again with the error. Returns that error where even going back did not work, which the
 * caller can only report.
 */
enum mercury_error switch_execute(struct cpu *cpu, struct state *state, const struct vo *from,
				  const struct vo *to);

/* The architecture's: what Linux finds as the result of the call that asked for the switch. */
void state_set_result(struct state *state, enum mercury_error error);

#endif
