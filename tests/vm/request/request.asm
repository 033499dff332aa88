; SPDX-License-Identifier: GPL-2.0-only
;
; A VMM that fails on request: a guest's CPUID of leaf FAULT_LEAF brings about in the VMM what ECX says
; (tests/vm/guest/vmmfault.c has the names). In ring 1, where CPUID does not trap, it is the kernel's RDMSR
; of FAULT_MSR plus that number, and user space's IN from FAULT_PORT plus that number. At once, in the
; middle of that exit or trap; or, for the armed ones, the next time that the instruction, or the function, comes. Stands
; before some functions of arch/x86/insn.h, ring1/port.h and mercury/, by the linker's --wrap.

bits 64
default rel
%include "constants.inc"

%define FAULT_LEAF 0x26415543
%define CR0_PG_BIT 31
%define RDTSC_EXITING_BIT 12
%define ACTIONS 14
%define FAULT_MSR 0x26415500
%define FAULT_PORT 0x2640

extern __real_insn_cpuid
extern __real_insn_rdmsr_safe
extern __real_insn_in
extern __real_insn_sldt
extern __real_insn_str
extern __real_pool_lend
extern __real_snapshot_stop
extern __real_insn_ltr
extern __real_insn_vmread
extern insn_vmwrite
extern insn_invept
extern machine_p2m

%macro FUNCTION 1
global __wrap_%1:function hidden
align 16
__wrap_%1:
%endmacro

section .data
armed:					; by action
	times ACTIONS dd 0

section .text

; bool armed action %1? Once. Clobbers eax.
%macro TAKE_ARMED 1
	xor	eax, eax
	xchg	eax, [armed + 4 * %1]
	test	eax, eax
%endmacro

FUNCTION insn_cpuid
	cmp	edi, FAULT_LEAF
	jne	__real_insn_cpuid
	cmp	esi, ACTIONS
	jae	__real_insn_cpuid
	push	rdx
	push	rsi
	push	rdi
	call	act
	pop	rdi
	pop	rsi
	pop	rdx
	jmp	__real_insn_cpuid

; A function of two arguments, of which the first is %2 plus the action's number.
%macro BY_FIRST_ARGUMENT 2
FUNCTION %1
	lea	eax, [rdi - %2]
	cmp	eax, ACTIONS
	jae	__real_%1
	push	rsi
	push	rdi
	mov	esi, eax
	call	act
	pop	rdi
	pop	rsi
	jmp	__real_%1
%endmacro

BY_FIRST_ARGUMENT insn_rdmsr_safe, FAULT_MSR
BY_FIRST_ARGUMENT insn_in, FAULT_PORT

; Action number esi. Keeps rbx.
act:
	push	rbx
	mov	eax, esi
	lea	rbx, [table]
	movsxd	rax, dword [rbx + 4 * rax]
	add	rax, rbx
	call	rax
	pop	rbx
	ret

FUNCTION insn_str
	TAKE_ARMED 7
	jz	__real_insn_str
	ud2

FUNCTION insn_ltr
	TAKE_ARMED 8
	jz	__real_insn_ltr
	ud2

; For good, on every CPU that executes it.
FUNCTION insn_vmread
	cmp	dword [armed + 4 * 9], 0
	je	__real_insn_vmread
	ud2

FUNCTION insn_sldt
	cmp	dword [armed + 4 * 11], 0
	je	__real_insn_sldt
	ud2

FUNCTION pool_lend
	TAKE_ARMED 12
	jz	__real_pool_lend
	ud2

FUNCTION snapshot_stop
	TAKE_ARMED 13
	jz	__real_snapshot_stop
	ud2

section .rodata
align 4
table:
	dd	invalid_opcode - table		; 0
	dd	general_protection - table	; 1
	dd	page_fault - table		; 2
	dd	stack_overflow - table		; 3
	dd	resume_fails - table		; 4
	dd	entry_fails - table		; 5
	dd	ept_misconfigured - table	; 6
	dd	arm - table			; 7: the next vote
	dd	arm - table			; 8: the next way to native
	dd	arm - table			; 9: every VMREAD
	dd	rdtsc_exits - table		; 10: RDTSC exits, and nobody answers
	dd	arm - table			; 11: every SLDT
	dd	arm - table			; 12: the next chunk that is lent, hidden by then
	dd	arm - table			; 13: the next CPU that stops for a snapshot
%if ($ - table) / 4 != ACTIONS
%error "the table has as many rows as there are actions"
%endif

section .text

invalid_opcode:
	ud2

general_protection:
	mov	rax, 1 << 63
	mov	rax, [rax]
	ret

page_fault:
	xor	eax, eax
	mov	rax, [rax + MERCURY_CPU_SLOT]
	ret

stack_overflow:
	push	rax
	jmp	stack_overflow

; HOST_CR0 without paging is VMfail.
resume_fails:
	mov	edi, VMCS_HOST_CR0
	call	__real_insn_vmread
	mov	rsi, rax
	btr	rsi, CR0_PG_BIT
	mov	edi, VMCS_HOST_CR0
	jmp	insn_vmwrite

; A link pointer that is neither all ones nor a VMCS makes the entry fail on the guest's state.
entry_fails:
	mov	edi, VMCS_VMCS_LINK_POINTER
	xor	esi, esi
	jmp	insn_vmwrite

; An entry that says write and not read, for all of memory and all CPUs.
ept_misconfigured:
	mov	rax, [machine_p2m + P2M_ROOT]
	and	byte [rax], ~1
	mov	edi, 2			; all contexts
	xor	esi, esi
	jmp	insn_invept

; RDTSC exiting. It stays in the VMCS, so that the next switch meets it at once.
rdtsc_exits:
	mov	edi, VMCS_PRIMARY_PROC_CONTROLS
	call	__real_insn_vmread
	mov	rsi, rax
	bts	rsi, RDTSC_EXITING_BIT
	mov	edi, VMCS_PRIMARY_PROC_CONTROLS
	jmp	insn_vmwrite

arm:
	lea	rax, [armed]
	mov	dword [rax + 4 * rsi], 1
	ret

section .note.GNU-stack noalloc noexec nowrite progbits
