; SPDX-License-Identifier: GPL-2.0-only
;
; The ways into the VMM and out of it: a call through the gate, a VM exit, VMLAUNCH, the last leave.
;
; Wherever the VMM's IDT is loaded the stack pointer lies in the CPU's slot, so that masking it finds
; struct cpu. At the edges Linux's IDT serves while our stack is in use; never the other way round.

bits 64
default rel
%include "constants.inc"

extern vmm_dispatch
extern vmx_handle_exit
extern vmx_resume_failed
extern vmx_inject_pending
extern idt_register

section .text

; %1 = struct cpu of this stack
%macro CPU_OF_STACK 1
	mov	%1, rsp
	and	%1, -MERCURY_CPU_SLOT
	add	%1, MERCURY_CPU_DATA
%endmacro

; Linux's general-purpose registers out of struct cpu at %1, but for RSP and for %1 itself, if it is
; one of them: that one must be loaded last, by the caller.
%macro LOAD_REGS 1
	mov	rax, [%1 + REGS_RAX]
	mov	rcx, [%1 + REGS_RCX]
	mov	rdx, [%1 + REGS_RDX]
	mov	rbx, [%1 + REGS_RBX]
	mov	rbp, [%1 + REGS_RBP]
	mov	rsi, [%1 + REGS_RSI]
	mov	rdi, [%1 + REGS_RDI]
	mov	r8, [%1 + REGS_R8]
	mov	r9, [%1 + REGS_R9]
	mov	r10, [%1 + REGS_R10]
	mov	r11, [%1 + REGS_R11]
	mov	r12, [%1 + REGS_R12]
	mov	r13, [%1 + REGS_R13]
	mov	r14, [%1 + REGS_R14]
%endmacro

; The guest's general-purpose registers into struct cpu at rsp, but for RSP, which is in the VMCS, and
; for RDX, which is there already.
%macro SAVE_REGS 0
	mov	[rsp + REGS_RAX], rax
	mov	[rsp + REGS_RCX], rcx
	mov	[rsp + REGS_RBX], rbx
	mov	[rsp + REGS_RBP], rbp
	mov	[rsp + REGS_RSI], rsi
	mov	[rsp + REGS_RDI], rdi
	mov	[rsp + REGS_R8], r8
	mov	[rsp + REGS_R9], r9
	mov	[rsp + REGS_R10], r10
	mov	[rsp + REGS_R11], r11
	mov	[rsp + REGS_R12], r12
	mov	[rsp + REGS_R13], r13
	mov	[rsp + REGS_R14], r14
	mov	[rsp + REGS_R15], r15
%endmacro

; --- From the gate ----------------------------------------------------------------------------------
;
; struct { u64 error, pending } vmm_call(call, arg0, arg1, struct cpu *cpu, u64 linux_cr3)
;
; On the transition root, interrupts off, Linux's stack and IDT. rdx returns the events that came
; while the VMM's IDT was loaded and that the gate must raise again. MERCURY_CALL_ENTER returns here
; only if it failed early; else Linux goes on behind the gate as a guest.

global vmm_call:function hidden
align 16
vmm_call:
	endbr64
	mov	[rcx + REGS_RBX], rbx
	mov	[rcx + REGS_RBP], rbp
	mov	[rcx + REGS_R12], r12
	mov	[rcx + REGS_R13], r13
	mov	[rcx + REGS_R14], r14
	mov	[rcx + REGS_R15], r15
	mov	[rcx + CPU_LINUX_RSP], rsp
	mov	[rcx + CPU_LINUX_CR3], r8
	mov	dword [rcx + CPU_TASK], TASK_CALL
	mov	byte [rcx + CPU_OWNS_VMX], 0
	mov	rsp, rcx
	sidt	[rsp + CPU_LINUX_IDT]
	cmp	edi, MERCURY_CALL_INIT		; builds the IDT: none of ours yet
	je	.dispatch
	lidt	[idt_register]
.dispatch:
	mov	rcx, rdx
	mov	rdx, rsi
	mov	esi, edi
	mov	rdi, rsp
	call	vmm_dispatch
.return:
	lidt	[rsp + CPU_LINUX_IDT]		; from here on Linux takes its own NMIs
	xor	edx, edx
	xchg	edx, [rsp + CPU_PENDING]
	mov	rsp, [rsp + CPU_LINUX_RSP]
	ret

; --- A call that the VMM fails in --------------------------------------------------------------------
;
; _Noreturn void insn_abort_call(struct cpu *cpu, uint64_t error): as if vmm_dispatch had returned it.

global insn_abort_call:function hidden
align 16
insn_abort_call:
	mov	rsp, rdi
	mov	rax, rsi
	mov	rbx, [rsp + REGS_RBX]
	mov	rbp, [rsp + REGS_RBP]
	mov	r12, [rsp + REGS_R12]
	mov	r13, [rsp + REGS_R13]
	mov	r14, [rsp + REGS_R14]
	mov	r15, [rsp + REGS_R15]
	jmp	vmm_call.return

; --- Into the guest for the first time --------------------------------------------------------------
;
; bool insn_vmlaunch(struct cpu *cpu)
;
; The stack below struct cpu is in use (we come back on VMfail), so the registers are loaded through
; r15. From .check to .end an NMI makes the code start over at .check: see trap_nmi.

global insn_vmlaunch:function hidden
global vmlaunch_check:data hidden, vmlaunch_end:data hidden
align 16
insn_vmlaunch:
	push	rbx
	push	rbp
	push	r12
	push	r13
	push	r14
	push	r15
	sub	rsp, 8				; calls below find the stack aligned
vmlaunch_check:
	CPU_OF_STACK r15
	cmp	dword [r15 + CPU_PENDING], 0
	jne	vmlaunch_pending
	LOAD_REGS r15
	mov	r15, [r15 + REGS_R15]
	vmlaunch
vmlaunch_end:
	add	rsp, 8
	pop	r15
	pop	r14
	pop	r13
	pop	r12
	pop	rbp
	pop	rbx
	xor	eax, eax
	ret
vmlaunch_pending:
	mov	rdi, r15
	call	vmx_inject_pending
	jmp	vmlaunch_check

; --- VM exit ----------------------------------------------------------------------------------------
;
; HOST_RIP, HOST_RSP = struct cpu. Interrupts are off; NMIs may come at every instruction.
;
;	exit --> CPUID, and nothing special? --yes--> RIP, counter, CPUID --> pending? --no--> VMRESUME
;		     | no						| yes		|
;		     v							v		| VMfail
;		 save registers					 save registers <-------+
;		     |							|
;		 vmx_handle_exit					|
;		     |							|
;		     +--> vmresume_check <------------------------------+
;
; CPUID, which every exec executes by the dozen, is answered here in 30 instructions of which it is
; one: exactly as exit_cpuid() and step_over() of vmx/exit.c would, or by these. Nothing is changed
; before it is clear that they are not needed. They are for
;
;	a leaf of which Linux must see something else: 1, 7, 80000001h, 40000000h-4FFFFFFFh, and
;	those that one comparison cannot tell from them: 3, 5, 8000000{3,5,7}h, bits 28 to 30 set;
;	blocking by STI, MOV SS or an NMI;
;	single-stepping;
;	KVM outside, which leaves CPUID faulting to the VMM: no reason is CPU_FAST_EXIT then;
;	an instruction pointer that leaves 4 GiB, which in 32-bit code wraps.
;
; rax and rcx are CPUID's operands, rdx and rbx its results and free before it: rdx is saved first,
; the place of rbx serves as scratch. All other registers stay the guest's.

%define SCRATCH rsp + REGS_RBX
%define CPUIDS rsp + MERCURY_CPU_SHARED - MERCURY_CPU_DATA + SHARED_CPUIDS
%define NOT_BASIC_NOR_EXTENDED 0x70000000
%define ONE_OR_SEVEN (CPUID_LEAF_EXTENDED_FEATURES - CPUID_LEAF_FEATURES | CPUID_LEAF_EXTENDED)

global insn_vmexit_entry:function hidden
global cpuid_check:data hidden, cpuid_end:data hidden
global vmresume_check:data hidden, vmresume_end:data hidden
align 16
insn_vmexit_entry:
	mov	[rsp + REGS_RDX], rdx
	mov	edx, VMCS_EXIT_REASON
	vmread	rdx, rdx
	cmp	edx, [rsp + CPU_FAST_EXIT]	; all 32 bits: no failed entry either
	jne	vmexit_ordinary
	test	eax, NOT_BASIC_NOR_EXTENDED
	jnz	vmexit_ordinary
	lea	edx, [rax - CPUID_LEAF_FEATURES]
	test	edx, ~ONE_OR_SEVEN
	jz	vmexit_ordinary
	mov	edx, VMCS_GUEST_INTERRUPTIBILITY
	vmread	[SCRATCH], rdx
	mov	edx, VMCS_GUEST_RFLAGS
	vmread	rdx, rdx
	and	edx, RFLAGS_TF
	or	edx, [SCRATCH]
	jnz	vmexit_ordinary
	mov	edx, VMCS_GUEST_RIP
	vmread	[SCRATCH], rdx
	mov	edx, VMCS_EXIT_INSTRUCTION_LENGTH
	vmread	rdx, rdx
	add	[SCRATCH], edx			; the lower half only, for its carry
	jc	vmexit_ordinary
	mov	edx, VMCS_GUEST_RIP
	vmwrite	rdx, [SCRATCH]
	inc	qword [CPUIDS]
	mov	byte [rsp + CPU_ENTERED], 1
	cpuid
cpuid_check:
	cmp	dword [rsp + CPU_PENDING], 0
	jne	cpuid_end
	vmresume
cpuid_end:					; or VMfail, which the next VMRESUME meets again
	mov	[rsp + REGS_RDX], rdx
	SAVE_REGS
	jmp	vmresume_check
vmexit_ordinary:
	SAVE_REGS
	mov	rdi, rsp
	call	vmx_handle_exit			; returns to resume the guest
vmresume_check:
	cmp	dword [rsp + CPU_PENDING], 0
	jne	vmresume_pending
	LOAD_REGS rsp
	mov	r15, [rsp + REGS_R15]
	vmresume
vmresume_end:
	mov	rdi, rsp
	call	vmx_resume_failed		; does not return
vmresume_pending:
	mov	rdi, rsp
	call	vmx_inject_pending
	jmp	vmresume_check

; --- The last leave ---------------------------------------------------------------------------------
;
; _Noreturn void insn_leave(const struct regs *regs, const struct leave_frame *frame)
;
; Linux's descriptor tables are loaded, CR3 is the transition root. Its last part, from the CR3 that
; does not map the window on, is Linux's text: the gate's tail.

global insn_leave:function hidden
align 16
insn_leave:
	mov	rbp, [rdi + REGS_RBP]
	mov	r8, [rdi + REGS_R8]
	mov	r9, [rdi + REGS_R9]
	mov	r10, [rdi + REGS_R10]
	mov	r11, [rdi + REGS_R11]
	mov	r12, [rdi + REGS_R12]
	mov	r13, [rdi + REGS_R13]
	mov	r14, [rdi + REGS_R14]
	mov	r15, [rdi + REGS_R15]
	mov	rax, [rsi + LEAVE_CR3]
	mov	rbx, [rsi + LEAVE_DR7]
	mov	rdx, [rsi + LEAVE_DEBUGCTL]
	mov	rcx, [rsi + LEAVE_OWES]
	mov	rsp, [rsi + LEAVE_RSP]
	push	qword [rsi + LEAVE_TAIL]
	mov	rsi, [rdi + REGS_RSI]
	mov	rdi, [rdi + REGS_RDI]
	ret

; --- The tail where Linux's is not mapped ------------------------------------------------------------
;
; Reached and left as mercury_gate_tail of the gate: rax CR3, rbx DR7, rdx IA32_DEBUGCTL, and on the
; stack rbx, rdx, rcx, rax, rflags, rip. It runs at its physical address, which both page tables map,
; so it lies in one page and refers to nothing. Nothing is owed: there is no IDT to raise it by.

global insn_identity_tail:function hidden
align 64
insn_identity_tail:
	mov	cr3, rax
	mov	dr7, rbx
	test	edx, edx
	jz	.debugctl_is_zero
	mov	eax, edx
	xor	edx, edx
	mov	ecx, MSR_IA32_DEBUGCTL
	wrmsr
.debugctl_is_zero:
	pop	rbx
	pop	rdx
	pop	rcx
	pop	rax
	popfq
	ret
%if $ - insn_identity_tail > 64
%error "the tail can lie across two pages"
%endif

section .note.GNU-stack noalloc noexec nowrite progbits
