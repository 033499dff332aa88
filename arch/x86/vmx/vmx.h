/* SPDX-License-Identifier: GPL-2.0-only */
/* The virtual object "vmx": Linux as the guest of this VMM under VT-x. */
#ifndef ARCH_X86_VMX_H
#define ARCH_X86_VMX_H

#include <stdbool.h>

#include "outer.h"
#include "mercury/p2m.h"
#include "mercury/vo.h"

extern const struct vo vo_vmx;

/* An empty P2M over the EPT. Errors: UNSUPPORTED without VT-x or EPT, NO_MEMORY. */
enum mercury_error vmx_p2m_init(struct cpu *cpu, struct p2m *p2m);

/*
 * End VMX operation if this CPU is in it, and take back a CR4.VMXE that Linux did not set: the backend
 * is of no more use here.
 */
void vmx_stop(struct cpu *cpu);

/* What the machine is a guest of. */
const struct outer *vmx_outer(void);

/* A VM exit arrived; returns to resume Linux. */
void vmx_handle_exit(struct cpu *cpu);

/* The guest's segment registers with their hidden parts, GDTR and IDTR, into the shared page. */
void vmx_read_hidden(struct cpu *cpu, struct mercury_cpu_shared *shared);

/* VMRESUME failed. */
_Noreturn void vmx_resume_failed(struct cpu *cpu);

/*
 * Give the P2M the memory types of this CPU's MTRRs, if they are not the ones it has. Linux sets them
 * alike on all CPUs. The caller flushes. Errors: NO_MEMORY.
 */
enum mercury_error vmx_follow_mtrrs(void);

/* Make the page that dropped writes went to zero again. */
void vmx_wipe_sink(void);

/* Drop every translation that VT-x cached: guest-physical, combined and linear. False: it failed. */
bool vmx_flush(void);

#endif
