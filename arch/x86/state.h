/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Everything of Linux's that a switch carries from one virtual object to the other: what VM entry
 * loads and VM exit destroys. What neither touches (CR2, DR0-3, DR6, FPU, KERNEL_GS_BASE, STAR,
 * EFER, PAT, XSS ...) stays in the processor and is not here.
 */
#ifndef ARCH_X86_STATE_H
#define ARCH_X86_STATE_H

#include <stdbool.h>
#include <stdint.h>

#include "x86/segment.h"

/* In the numbering of instructions. */
struct regs {
	union {
		struct {
			uint64_t rax, rcx, rdx, rbx, rsp, rbp, rsi, rdi;
			uint64_t r8, r9, r10, r11, r12, r13, r14, r15;
		};
		uint64_t by_number[16];
	};
};

/* A segment register with its hidden part; `ar` in VMX format. */
struct segment {
	uint16_t selector;
	uint32_t ar;
	uint32_t limit;
	uint64_t base;
};

struct state {
	struct regs regs;
	uint64_t rip, rflags;
	uint64_t cr0, cr3, cr4, dr7, debugctl;
	uint64_t sysenter_cs, sysenter_esp, sysenter_eip;
	struct segment es, cs, ss, ds, fs, gs, ldtr, tr;
	struct descriptor_table_register gdtr, idtr;
	uint32_t interruptibility;
	uint32_t activity;
	uint64_t pending_debug;
	bool returns_result; /* Linux stands at a call and finds its result in rax                */
};

#endif
