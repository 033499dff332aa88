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

/* An interrupt or exception on its way to Linux. */
struct event {
	uint8_t vector;
	bool has_error_code;
	uint32_t error_code;
};

#define STATE_FRAME_WORDS 6

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
	/* Linux stands at the handler of an event: what native_load() puts on the stack for it.  */
	uint32_t frame_words;
	bool takes_nmi; /* it is that of an NMI                                                   */
	uint64_t frame[STATE_FRAME_WORDS];
};

/* No event: Linux goes on at what it was about to execute. */
static inline void state_takes_none(struct state *state)
{
	state->frame_words = 0;
	state->takes_nmi = false;
}

static inline bool state_is_user(const struct state *state)
{
	return state->cs.selector & SELECTOR_RPL;
}

#endif
