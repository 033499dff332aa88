/* SPDX-License-Identifier: GPL-2.0-only */
/* Linux, natively, at the handler of an interrupt or exception that the CPU had no time to deliver. */
#ifndef ARCH_X86_NATIVE_DELIVER_H
#define ARCH_X86_NATIVE_DELIVER_H

#include "cpu.h"

/*
 * Let Linux take `event` where `state` says it stands, as the CPU would: `state` goes on at the
 * handler, on the stack for it, with a frame to be stored there. Reads Linux's IDT and TSS through the
 * transition root. False, and nothing has changed: it does not map them, or there is no handler.
 * Source: SDM vol. 3, 6.14, Exception and Interrupt Handling in 64-bit Mode.
 */
bool native_deliver(struct cpu *cpu, struct state *state, const struct event *event);

#endif
