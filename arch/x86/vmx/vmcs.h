/* SPDX-License-Identifier: GPL-2.0-only */
/* Between struct state and the VMCS. All functions work on the current VMCS. */
#ifndef ARCH_X86_VMX_VMCS_H
#define ARCH_X86_VMX_VMCS_H

#include <stdbool.h>

#include "capability.h"
#include "cpu.h"

/* VPID of Linux. One is enough: there is one guest, and everything is flushed around it. */
#define VMX_LINUX_VPID 1

struct vmcs_constants {
	struct vmx_controls controls;
	uint64_t host_cr3;
	uint64_t msr_bitmap_pa;
	uint64_t eptp; /* 0: no EPT                                                               */
};

/* Write everything that does not change from switch to switch. False: a VMWRITE failed. */
bool vmcs_write_constants(struct cpu *cpu, const struct vmcs_constants *constants);

/* Write Linux's state for VM entry, and host state where it follows Linux's. */
bool vmcs_write_state(struct cpu *cpu, const struct state *state);

/* Read Linux's state after a VM exit; the general-purpose registers are cpu->regs. */
void vmcs_read_state(struct cpu *cpu, struct state *state);

#endif
