/* SPDX-License-Identifier: GPL-2.0-only */
/* The EPT as an implementation of the P2M. */
#ifndef ARCH_X86_VMX_EPT_H
#define ARCH_X86_VMX_EPT_H

#include "mercury/p2m.h"
#include "mtrr.h"

/*
 * What an EPT entry looks like; pages of 1 GiB are used if `has_1g`. The types that p2m_init() and
 * p2m_retype() take are a struct mtrr_state.
 */
const struct p2m_format *ept_format(bool has_1g);

/* The EPT pointer for a P2M whose root lies at `root_pa`. */
uint64_t ept_pointer(uint64_t root_pa);

#endif
