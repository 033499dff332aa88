/* SPDX-License-Identifier: GPL-2.0-only */
/* The handlers of NMIs and machine checks while Linux's code is written: see sites_quiet.c. */
#include <linux/linkage.h>
#include <asm/asm.h>
#include <asm/nospec-branch.h>
#include <asm/percpu.h>
#include <asm/unwind_hints.h>

#include "sites_noted.h"

.section .noinstr.text, "ax"

/*
 * It comes from Linux's code with interrupts off, which has no red zone, and goes back by what it puts on the
 * stack there, over its own frame: what lies there has been read by then. IRET would let the next NMI in.
 */
.macro NOTE bit:req
	ANNOTATE_NOENDBR
	UNWIND_HINT_IRET_REGS
	orb	$\bit, PER_CPU_VAR(mercury_noted)
	pushq	%rax
	pushq	%rbx
	movq	40(%rsp), %rax			/* RSP of what was interrupted */
	movq	16(%rsp), %rbx			/* RIP */
	movq	%rbx, -8(%rax)
	movq	32(%rsp), %rbx			/* RFLAGS */
	movq	%rbx, -16(%rax)
	movq	(%rsp), %rbx
	movq	%rbx, -24(%rax)
	movq	8(%rsp), %rbx
	movq	%rbx, -32(%rax)
	subq	$32, %rax
	movq	%rax, %rsp
	popq	%rax
	popq	%rbx
	popfq
	/* The thunk of RET may change flags, where it tracks the depth of calls. */
	ANNOTATE_UNRET_SAFE
	ret
	int3
.endm

SYM_CODE_START(mercury_note_nmi)
	NOTE	MERCURY_NOTED_NMI
SYM_CODE_END(mercury_note_nmi)

SYM_CODE_START(mercury_note_mc)
	NOTE	MERCURY_NOTED_MC
SYM_CODE_END(mercury_note_mc)
