// SPDX-License-Identifier: GPL-2.0-only
/* The hardware port over a simulated CPU. */
#include "insn.h"

static uint64_t cr4;

uint64_t insn_read_cr4(void)
{
	return cr4;
}
