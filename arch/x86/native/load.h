/* SPDX-License-Identifier: GPL-2.0-only */
/* Steps on the way to native, whichever page tables Linux goes on with. */
#ifndef ARCH_X86_NATIVE_LOAD_H
#define ARCH_X86_NATIVE_LOAD_H

#include "cpu.h"
#include "insn.h"
#include "x86/paging.h"

#define NATIVE_KERNEL_HALF (PAGING_ENTRIES / 2)

/* Linux's page tables as they are now, from PML4 slot `first` on, around 509, which this root keeps. */
void native_copy_root(struct cpu *cpu, uint64_t linux_cr3, unsigned int first);

/* CR0 and CR4; nothing that the TLB held before is left in it. */
void native_load_control(const struct state *state);

/* ES, DS, FS, GS, SS from the GDT that is loaded, and the bases of FS and GS. */
void native_load_segments(const struct state *state);

/* The MSRs of SYSENTER, where they differ from what the VM exit left. */
void native_load_sysenter(const struct cpu *cpu, const struct state *state);

/* What the gate's tail pops onto Linux's stack, and the frame that leads there. */
void native_build_tail(const struct state *state, struct leave_frame *frame);

/* Also where Linux never got as far as virtual: the mode machine follows what is. */
void native_is_back(struct cpu *cpu);

#endif
