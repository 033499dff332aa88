// SPDX-License-Identifier: GPL-2.0-only
/* The switch: capture from A, load into B. It knows no backend by name. */
#include "mercury/switch.h"

enum mercury_error switch_vote(struct cpu *cpu, struct state *state, const struct vo *from,
			       const struct vo *to)
{
	enum mercury_error error;

	from->capture(cpu, state);
	state_set_result(state, MERCURY_E_OK);
	error = to->audit(cpu, state);
	/* And the way back, before it is needed. */
	return error ? error : from->audit(cpu, state);
}

enum mercury_error switch_execute(struct cpu *cpu, struct state *state, const struct vo *from,
				  const struct vo *to)
{
	enum mercury_error error;

	from->capture(cpu, state);
	state_set_result(state, MERCURY_E_OK);
	from->leave(cpu);
	error = to->load(cpu, state);
	state_set_result(state, error);
	return from->load(cpu, state);
}
