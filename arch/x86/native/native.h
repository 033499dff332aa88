/* SPDX-License-Identifier: GPL-2.0-only */
/* The virtual object "native": Linux on the bare machine. */
#ifndef ARCH_X86_NATIVE_H
#define ARCH_X86_NATIVE_H

#include "mercury/vo.h"

extern const struct vo vo_native;

/*
 * By which object Linux, as `state` has it, can go native, since its page tables map what the last
 * steps need; NULL: by none. Asked on the VMM's page tables before a leave that no vote preceded.
 */
const struct vo *native_way_back(struct cpu *cpu, const struct state *state);

#endif
