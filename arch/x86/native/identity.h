/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Native on other page tables than Linux's own: at CPL 0, memory mapped where it lies, and neither the
 * kernel half nor descriptor tables. relocate_kernel runs so, which starts a crash kernel.
 */
#ifndef ARCH_X86_NATIVE_IDENTITY_H
#define ARCH_X86_NATIVE_IDENTITY_H

#include <stdbool.h>

#include "cpu.h"

/*
 * Do Linux's page tables, by `state`, map what that needs? If so, the transition root maps all that
 * they map from then on.
 */
bool identity_can_return(struct cpu *cpu, const struct state *state);

/* Go on there. identity_can_return() has said just before that it is possible. */
_Noreturn void identity_load(struct cpu *cpu, struct state *state);

#endif
