/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The gate: calls into the VMM, and the last steps of a CPU that comes back. Kernel text is mapped by
 * Linux's page tables and by the transition roots alike, so CR3 is changed here and nowhere else.
 */
#include <linux/linkage.h>
#include <asm/asm.h>
#include <asm/frame.h>
#include <asm/msr-index.h>
#include <asm/nospec-branch.h>
#include <asm/unwind_hints.h>

#include "abi/mercury.h"
#include "gate.h"

.text

/*
 * What the VMM kept back is Linux's: bit 0 an NMI, bit 1 a machine check. A software INT runs the
 * very handler; if the CPU has NMIs blocked since, the handler's IRET unblocks them as it should.
 */
.macro RAISE_OWED owed:req
	testl	$1, \owed
	jz	.Lno_nmi_\@
	int	$2
.Lno_nmi_\@:
	testl	$2, \owed
	jz	.Lno_mc_\@
	int	$18
.Lno_mc_\@:
.endm

/* u64 mercury_gate_call(const struct mercury_gate *gate, u64 call, u64 arg0, u64 arg1) */
SYM_FUNC_START(mercury_gate_call)
	FRAME_BEGIN	/* nothing where the kernel unwinds without frame pointers */
	pushq	%rbx
	pushq	%r12
	movq	%rdi, %r12
	movq	%cr3, %rbx
	movq	%rbx, %r8
	movq	GATE_ROOT(%r12), %rax
	movq	%rax, %cr3
	/* gate, call, arg0, arg1 -> call, arg0, arg1, cpu, linux_cr3 */
	movq	%rsi, %rdi
	movq	%rdx, %rsi
	movq	%rcx, %rdx
	movq	GATE_CPU(%r12), %rcx
	movq	GATE_ENTRY(%r12), %rax
	ANNOTATE_RETPOLINE_SAFE
	call	*%rax
	/* Here as before, or as a guest, or back on Linux's CR3 already: the same CR3 once more. */
	orq	GATE_NOFLUSH(%r12), %rbx
	movq	%rbx, %cr3
	RAISE_OWED %edx
	popq	%r12
	popq	%rbx
	FRAME_END
	RET
SYM_FUNC_END(mercury_gate_call)

/* u64 mercury_gate_vmcall(u64 call, u64 arg0, u64 arg1) */
SYM_FUNC_START(mercury_gate_vmcall)
	movabsq	$MERCURY_COOKIE, %rax
.Lvmcall:
	vmcall
	testq	%rax, %rax
	js	.Lnative
	RET
	/*
	 * The VMM has put this CPU to native since the caller looked: VMCALL is #UD, or an outer KVM says that it
	 * knows no such hypercall.
	 */
.Lnative:
	movl	$GATE_E_FORCED, %eax
	RET
	_ASM_EXTABLE(.Lvmcall, .Lnative)
SYM_FUNC_END(mercury_gate_vmcall)

/* u64 mercury_gate_ring1(u64 call, u64 arg0, u64 arg1) */
SYM_FUNC_START(mercury_gate_ring1)
	movl	$MERCURY_RING1_CALL, %ecx
	/* What stands if nobody takes it: at CPL 0 it is #GP, or nothing where unknown MSRs are ignored. */
	movl	$GATE_E_FORCED, %eax
.Lwrmsr:
	wrmsr
.Lis_native:
	RET
	_ASM_EXTABLE(.Lwrmsr, .Lis_native)
SYM_FUNC_END(mercury_gate_ring1)

/*
 * The tail. A CPU that leaves virtual mode arrives at mercury_gate_tail on the transition root, with
 * Linux's descriptor tables and this stack:
 *
 *	rsp -> rbx, rdx, rcx, rax, rflags, rip		as if the lines above it had pushed them
 *	rax CR3, rbx DR7, rdx IA32_DEBUGCTL, rcx owed events (RAISE_OWED)
 *
 * It goes on where rip says, by a plain return: IRET would unblock NMIs. The pushes are never
 * executed; they tell objtool and the unwinder what the stack looks like.
 */
SYM_FUNC_START_LOCAL(mercury_gate_tail_frame)
	pushfq
	pushq	%rax
	pushq	%rcx
	pushq	%rdx
	pushq	%rbx
SYM_INNER_LABEL(mercury_gate_tail, SYM_L_GLOBAL)
	ANNOTATE_NOENDBR	/* reached by RET only */
	movq	%rax, %cr3
	movq	%rbx, %dr7
	movq	%rcx, %rbx
	testl	%edx, %edx
	jz	.Ldebugctl_is_zero
	movl	%edx, %eax
	xorl	%edx, %edx
	movl	$MSR_IA32_DEBUGCTLMSR, %ecx
	wrmsr
.Ldebugctl_is_zero:
	RAISE_OWED %ebx
	popq	%rbx
	popq	%rdx
	popq	%rcx
	popq	%rax
	popfq
	/* The thunk of RET may change flags, where it tracks the depth of calls. */
	ANNOTATE_UNRET_SAFE
	ret
	int3
SYM_FUNC_END(mercury_gate_tail_frame)
