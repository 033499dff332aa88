/* SPDX-License-Identifier: GPL-2.0-only */
/* The mode machine: which call fits which state of a CPU. */
#ifndef MERCURY_MODE_H
#define MERCURY_MODE_H

#include <stdbool.h>

#include "abi/mercury.h"

#define MODES(M)                                                                                   \
	M(COLD)     /* nothing of this CPU is set up                                            */ \
	M(NATIVE)   /* its stack and tables are set up                                          */ \
	M(PREPARED) /* the backend's state is built                                             */ \
	M(READY)    /* it has voted for the switch                                              */ \
	M(VIRTUAL)  /* Linux runs virtual on it                                                 */

#define M(name) MODE_##name,
enum mode { MODES(M) MODE_NR };
#undef M

/* May `call` be carried out on a CPU in `mode`? */
bool mode_allows(enum mode mode, enum mercury_call call);

/* The mode after `call` succeeded; only for a call that mode_allows(). */
enum mode mode_after(enum mode mode, enum mercury_call call);

/* The mode after `call` failed; only for a call that mode_allows(). */
enum mode mode_after_failure(enum mode mode, enum mercury_call call);

#endif
