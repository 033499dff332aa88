/* SPDX-License-Identifier: GPL-2.0-only */
/* VM entry's checks on guest state, in software: the vote before anything is changed. */
#ifndef ARCH_X86_VMX_AUDIT_H
#define ARCH_X86_VMX_AUDIT_H

#include "capability.h"
#include "state.h"

/*
 * The first rule of SDM vol. 3, 27.3.1, Checks on the Guest State Area, that `state` breaks, as a
 * sentence; NULL if none. For a 64-bit guest at CPL 0 that is not in virtual-8086 mode. Pure.
 */
const char *vmx_audit(const struct state *state, const struct vmx_capability *capability,
		      uint32_t maxphyaddr);

#endif
