/* SPDX-License-Identifier: GPL-2.0-only */
/* The EPT as an implementation of the P2M. */
#ifndef ARCH_X86_VMX_EPT_H
#define ARCH_X86_VMX_EPT_H

#include "mercury/p2m.h"
#include "mtrr.h"

/*
 * What an EPT entry looks like; memory types are those of `mtrr`, which must outlive the P2M, and
 * pages of 1 GiB are used if `has_1g`.
 */
const struct p2m_format *ept_format(const struct mtrr_state *mtrr, bool has_1g);

/* The EPT pointer for a P2M whose root lies at `root_pa`. */
uint64_t ept_pointer(uint64_t root_pa);

#endif
