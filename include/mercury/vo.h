/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The virtual object: one function set per way of running Linux. Native is one of them, so a switch
 * is always "capture from A, load into B" and nobody writes an A-to-B transition.
 */
#ifndef MERCURY_VO_H
#define MERCURY_VO_H

#include "abi/mercury.h"

struct cpu;   /* one CPU of the VMM; the architecture's                                           */
struct state; /* everything of Linux's that a switch carries over; the architecture's             */

struct vo {
	const char *name;

	/* Can this CPU do it? On refusal cpu_refuse() has been told what is missing. */
	enum mercury_error (*probe)(struct cpu *cpu);

	/* Build all that does not depend on Linux's momentary state. Reversible; Linux cannot tell. */
	enum mercury_error (*prepare)(struct cpu *cpu);
	void (*discard)(struct cpu *cpu);

	/* Read Linux's state out of this way of running it; changes nothing. */
	void (*capture)(struct cpu *cpu, struct state *state);

	/* Would load() succeed with that state? Pure. */
	enum mercury_error (*audit)(struct cpu *cpu, const struct state *state);

	/* Stop running Linux this way. Cannot fail. */
	void (*leave)(struct cpu *cpu);

	/*
	 * Start running Linux this way. Returns only on failure, with nothing of this way left in
	 * force, so that the caller can load the same state another way.
	 */
	enum mercury_error (*load)(struct cpu *cpu, struct state *state);
};

#endif
