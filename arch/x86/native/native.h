/* SPDX-License-Identifier: GPL-2.0-only */
/* The virtual object "native": Linux on the bare machine. */
#ifndef ARCH_X86_NATIVE_H
#define ARCH_X86_NATIVE_H

#include <stdbool.h>

#include "mercury/vo.h"
#include "state.h"

extern const struct vo vo_native;

/*
 * Before a leave that no vote preceded, on the VMM's page tables: let `state` take `event`, if that is
 * not NULL, and be on the kernel half of Linux's page tables. False: they do not map what the last
 * steps to native need; `state` is of no use then.
 *
 * Without an event relocate_kernel's page tables will do as well: cpu->on_identity then.
 */
bool native_can_return(struct cpu *cpu, struct state *state, const struct event *event);

/* The last part of Linux's descriptor tables and its task register, on the transition root. */
void native_load_tables(struct cpu *cpu, const struct descriptor_table_register *gdtr, uint16_t tr,
			uint16_t ldtr);

#endif
