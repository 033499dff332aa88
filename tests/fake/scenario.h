/* SPDX-License-Identifier: GPL-2.0-only */
/* All that the VMM does, as scenarios on the fake machine: calls, switches, exits, and failing ones. */
#ifndef TESTS_FAKE_SCENARIO_H
#define TESTS_FAKE_SCENARIO_H

#include <stdbool.h>

#include "fake.h"

struct scenario {
	const char *name;
	void (*prepare)(void);
	enum fake_outcome (*run)(void);
	enum fake_outcome outcome;
	unsigned int nmis, mcs; /* that reach Linux in any case                                   */
	bool fails; /* the VMM itself fails, or Linux has no stack to be given back on */
	bool changes_cr4;
};

extern const struct scenario scenarios[];
extern const unsigned int nr_scenarios;

/* By name. */
const struct scenario *scenario(const char *name);

#define SCENARIO_HIDDEN UINT64_C(0x200000) /* a chunk that is hidden where Linux is virtual       */

#endif
