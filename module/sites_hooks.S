/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What Linux's code goes to where sites.c has patched it. Each asks first whether this CPU is in ring 1:
 * one that has gone native by itself finds here what the patch has taken the place of.
 *
 * The JMPs at mercury_hook_..._to are filled in when the table is read. Nothing here is the target of an
 * indirect branch.
 */
#include <linux/linkage.h>
#include <asm/asm.h>
#include <asm/cpufeatures.h>
#include <asm/nospec-branch.h>
#include <asm/percpu.h>
#include <asm/processor-flags.h>
#include <asm/unwind_hints.h>

#include "abi/mercury.h"

/* Of struct pt_regs. */
#define SAVED_SS 160

/* Of the same, behind the address to which error_entry returns. */
#define SAVED_CS (136 + 8)
#define SAVED_FLAGS (144 + 8)

.macro HOLE name:req
SYM_INNER_LABEL(\name, SYM_L_GLOBAL)
	ANNOTATE_NOENDBR
	.byte	0xe9
	.long	-5				/* to itself */
.endm

.macro UNLESS_RING1 reg:req, to:req
	movl	%cs, \reg
	testl	$3, \reg
	jz	\to
.endm

.section .noinstr.text, "ax"

/* To user space; struct pt_regs is on the stack. An SS of the LDT takes Linux's own way. */
.macro TO_USER native_to:req
	UNLESS_RING1 %ecx, .Lnative_\@
	testb	$4, SAVED_SS(%rsp)
	jnz	.Lnative_\@
	movl	$MERCURY_RING1_TO_USER, %eax
	syscall					/* does not return */
	UNWIND_HINT_REGS
	ud2
.Lnative_\@:
	HOLE \native_to
.endm

SYM_CODE_START(mercury_hook_user_return)
	ANNOTATE_NOENDBR
	UNWIND_HINT_REGS
	TO_USER mercury_hook_user_return_native_to
SYM_CODE_END(mercury_hook_user_return)

SYM_CODE_START(mercury_hook_syscall_return)
	ANNOTATE_NOENDBR
	UNWIND_HINT_REGS
	TO_USER mercury_hook_syscall_return_native_to
SYM_CODE_END(mercury_hook_syscall_return)

/* Changes rax alone. */
SYM_FUNC_START(mercury_hook_read_cr2)
	ANNOTATE_NOENDBR
	UNLESS_RING1 %eax, .Lnative_cr2
	movq	PER_CPU_VAR(mercury_cr2), %rax
	movq	(%rax), %rax
	RET
.Lnative_cr2:
	movq	%cr2, %rax
	RET
SYM_FUNC_END(mercury_hook_read_cr2)

/* Changes what a C function may change. */
SYM_FUNC_START(mercury_hook_write_cr3)
	ANNOTATE_NOENDBR
	UNLESS_RING1 %eax, .Lwrite_cr3
	movl	$MERCURY_RING1_CR3, %eax
	syscall
	UNWIND_HINT_FUNC
	testl	%eax, %eax
	jz	.Lwrite_cr3
	RET
.Lwrite_cr3:
	movq	%rdi, %cr3
	RET
SYM_FUNC_END(mercury_hook_write_cr3)

/* What is asked for changes rcx and r11, which the code here does not know to be free. */
.macro ASK what:req
	pushq	%rcx
	pushq	%r11
	UNWIND_HINT_SAVE
	movl	$\what, %eax
	syscall
	UNWIND_HINT_RESTORE
	popq	%r11
	popq	%rcx
.endm

SYM_FUNC_START(mercury_hook_read_gs)
	ANNOTATE_NOENDBR
	UNLESS_RING1 %eax, .Lnative_read_gs
	ASK MERCURY_RING1_READ_GS
	RET
.Lnative_read_gs:
	swapgs
	rdgsbase %rax
	swapgs
	RET
SYM_FUNC_END(mercury_hook_read_gs)

SYM_FUNC_START(mercury_hook_write_gs)
	ANNOTATE_NOENDBR
	pushq	%rax
	UNLESS_RING1 %eax, .Lnative_write_gs
	ASK MERCURY_RING1_WRITE_GS
	popq	%rax
	RET
.Lnative_write_gs:
	popq	%rax
	swapgs
	wrgsbase %rdi
	swapgs
	RET
SYM_FUNC_END(mercury_hook_write_gs)

/*
 * error_entry, from the kernel: what is interrupted may access user space, whether SMAP is on when it goes on or
 * not. On a CPU that is native by itself Linux may have set SMAP: a page fault may be of that, and is done again.
 */
SYM_CODE_START(mercury_hook_kernel_entry)
	ANNOTATE_NOENDBR
	UNWIND_HINT_FUNC
	UNLESS_RING1 %eax, .Lnative_kernel_entry
.Lkernel_entry:
	orl	$X86_EFLAGS_AC, SAVED_FLAGS(%rsp)
	leaq	8(%rsp), %rax
	HOLE mercury_hook_kernel_entry_to
.Lnative_kernel_entry:
	movq	%cr4, %rax
	btrq	$X86_CR4_SMAP_BIT, %rax
	jnc	.Lkernel_entry
	movq	%rax, %cr4
	movq	mercury_page_fault_entered(%rip), %rax
	cmpq	%rax, (%rsp)
	jne	.Lkernel_entry
	addq	$8, %rsp
	UNWIND_HINT_REGS
	popq	%r15
	popq	%r14
	popq	%r13
	popq	%r12
	popq	%rbp
	popq	%rbx
	popq	%r11
	popq	%r10
	popq	%r9
	popq	%r8
	popq	%rax
	popq	%rcx
	popq	%rdx
	popq	%rsi
	popq	%rdi
	addq	$8, %rsp
	UNWIND_HINT_IRET_REGS
	iretq
SYM_CODE_END(mercury_hook_kernel_entry)

/*
 * void mercury_write_text(void *to, const void *from, size_t n): natively, interrupts off. The pages
 * are read only, and stay so to all others.
 */
SYM_FUNC_START(mercury_write_text)
	movq	%rdx, %rcx
	movq	%cr0, %rax
	movq	%rax, %rdx
	btrq	$16, %rdx			/* CR0.WP */
	movq	%rdx, %cr0
	rep movsb
	movq	%rax, %cr0
	RET
SYM_FUNC_END(mercury_write_text)

/* void mercury_write_cr4(unsigned long value): without Linux's shadow and its pinned bits. */
SYM_FUNC_START(mercury_write_cr4)
	movq	%rdi, %cr4
	RET
SYM_FUNC_END(mercury_write_cr4)

/* void mercury_clear_ac(void): what error_entry has set may have been handed on from task to task. */
SYM_FUNC_START(mercury_clear_ac)
	pushfq
	andl	$~X86_EFLAGS_AC, (%rsp)
	popfq
	RET
SYM_FUNC_END(mercury_clear_ac)

/*
 * What is written over xen_error_entry, for it has to be where user space's page tables map it, too: copied,
 * never run here. The two ends are filled in.
 */
.macro CAVE_HOLE name:req
SYM_INNER_LABEL(\name, SYM_L_GLOBAL)
	.byte	0xe9
	.long	0
.endm

.section .rodata
SYM_INNER_LABEL(mercury_cave, SYM_L_GLOBAL)

/*
 * error_entry, from user space: SWAPGS and the switch of CR3 are done, if CS says so. A native CPU does not, nor
 * does Linux where it makes a fault of its own IRETQ into one of user space (ESPFIX). All registers are saved.
 */
SYM_INNER_LABEL(mercury_cave_user_entry, SYM_L_GLOBAL)
	btrl	$(MERCURY_RING1_SWAPPED_BIT % 32), SAVED_CS + MERCURY_RING1_SWAPPED_BIT / 32 * 4(%rsp)
	jnc	.Lnative_entry
	CAVE_HOLE mercury_cave_user_entry_to
.Lnative_entry:
	swapgs
	lfence
	CAVE_HOLE mercury_cave_user_entry_native_to

/*
 * IRETQ to where the privilege is the same: with ring 1's selectors it does not trap. The AC of
 * mercury_hook_kernel_entry has done its work: SMAP is off. A CPU that comes up natively must not have it either:
 * setup_smap() is a BUG then.
 */
SYM_INNER_LABEL(mercury_cave_kernel_return, SYM_L_GLOBAL)
	andl	$~X86_EFLAGS_AC, 16(%rsp)
	pushq	%rax
	movl	%cs, %eax
	testb	$3, %al
	popq	%rax
	jz	.Lnative_return
	movb	$MERCURY_RING1_CS, 8(%rsp)	/* the rest is 0 in Linux's selectors too */
	movb	$MERCURY_RING1_SS, 32(%rsp)
	iretq
.Lnative_return:
	CAVE_HOLE mercury_cave_kernel_return_native_to
SYM_INNER_LABEL(mercury_cave_end, SYM_L_GLOBAL)
