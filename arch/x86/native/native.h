/* SPDX-License-Identifier: GPL-2.0-only */
/* The virtual object "native": Linux on the bare machine. */
#ifndef ARCH_X86_NATIVE_H
#define ARCH_X86_NATIVE_H

#include <stdbool.h>

#include "mercury/vo.h"

extern const struct vo vo_native;

/*
 * Do Linux's page tables, by `state`, map what the last steps to native need, be they Linux's own or
 * relocate_kernel's (cpu->on_identity)? Asked on the VMM's page tables before a leave that no vote
 * preceded.
 */
bool native_can_return(struct cpu *cpu, const struct state *state);

#endif
