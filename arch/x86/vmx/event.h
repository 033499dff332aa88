/* SPDX-License-Identifier: GPL-2.0-only */
/* Events into the guest: exceptions, what a VM exit interrupted, and the NMIs that hit the VMM. */
#ifndef ARCH_X86_VMX_EVENT_H
#define ARCH_X86_VMX_EVENT_H

#include <stdbool.h>
#include <stdint.h>

#include "cpu.h"

/* Let Linux take this fault instead of the instruction that exited. */
void event_inject_exception(uint8_t vector, bool has_error_code, uint32_t error_code);

/* Deliver again the event whose delivery the VM exit interrupted, if it did. */
void event_reinject(void);

/* What to do about a pending NMI or #MC, from what the VMCS says of the guest. */
enum event_plan {
	EVENT_INJECT,           /* with the coming VM entry                                       */
	EVENT_NMI_WINDOW,       /* exit when NMIs open; NMI exiting and virtual NMIs until then   */
	EVENT_INTERRUPT_WINDOW, /* exit when interrupts open                                      */
};

/*
 * Choose by guest interruptibility and by whether the entry injects something already. STI blocking
 * may forbid an NMI and yet leave the NMI window open, so that one waits for the interrupt window:
 * one instruction later. Pure.
 * Source: SDM vol. 3, 27.3.1.5, Checks on Guest Non-Register State; 26.2, Other Causes of VM Exits.
 */
enum event_plan event_plan(uint32_t interruptibility, uint32_t entry_info);

/* Called before VM entry while cpu->pending is not 0: plan, and clear what was taken care of. */
void vmx_inject_pending(struct cpu *cpu);

/* The guest can take an NMI now: what waited for that is pending for the coming entry. */
void event_window_open(struct cpu *cpu);

/*
 * What the VM exit kept the CPU from delivering, for Linux to take natively. False: nothing, or what
 * comes again with its instruction (INT n and the like).
 */
bool event_in_delivery(struct cpu *cpu, struct event *event);

/* Give back to cpu->pending what waits or was to be injected: Linux goes on natively. */
void event_take_back(struct cpu *cpu);

#endif
