/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The virtual object "identity": Linux on the bare machine, at CPL 0, on page tables that map memory
 * where it lies and neither Linux's kernel half nor descriptor tables. relocate_kernel runs so, which
 * starts a crash kernel.
 */
#ifndef ARCH_X86_NATIVE_IDENTITY_H
#define ARCH_X86_NATIVE_IDENTITY_H

#include <stdbool.h>

#include "mercury/vo.h"

/* Only load(): nobody comes from there. identity_can_return() must have said so just before. */
extern const struct vo vo_identity;

/*
 * Do Linux's page tables, by `state`, map what that needs? If so, the transition root maps all that
 * they map from then on.
 */
bool identity_can_return(struct cpu *cpu, const struct state *state);

#endif
