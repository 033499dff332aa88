/* SPDX-License-Identifier: GPL-2.0-only */
/* What a CPU must have and must not have for its Linux to be taken virtual. */
#ifndef ARCH_X86_VMX_REQUIRE_H
#define ARCH_X86_VMX_REQUIRE_H

#include "feature.h"

void vmx_facts_read(struct vmx_facts *facts);

/*
 * The sentence of the first thing that is not as it must be, or NULL: VT-x itself, then features
 * that are in use and refused, then what is not known at all. Pure.
 */
const char *vmx_unmet(const struct vmx_facts *facts);

#endif
