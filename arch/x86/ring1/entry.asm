; SPDX-License-Identifier: GPL-2.0-only
;
; The ways from Linux at CPL 1 and 3 into the VMM and back: 256 IDT entries, the one way out. SYSCALL and
; SYSENTER have their own: stubs.asm.
;
; All of it runs on whichever page tables Linux has loaded, user halves included; they all hold the
; window. A trap out of Linux starts on the stack right below struct cpu, so its frame is always at
; the same place, and the VMM never has two of them.

bits 64
default rel
%include "constants.inc"

extern ring1_trap
extern ring1_page_fault
extern ring1_deliver_pending
extern ring1_root_trap
extern ring1_event

; struct regs as PUSHes: rsp's place is filled with anything.
%macro SAVE_REGS 0
	push	r15
	push	r14
	push	r13
	push	r12
	push	r11
	push	r10
	push	r9
	push	r8
	push	rdi
	push	rsi
	push	rbp
	push	rsp
	push	rbx
	push	rdx
	push	rcx
	push	rax
%endmacro

; Without changing RSP or memory, so that it can be done again.
%macro LOAD_REGS 0
	mov	rax, [rsp + REGS_RAX]
	mov	rcx, [rsp + REGS_RCX]
	mov	rdx, [rsp + REGS_RDX]
	mov	rbx, [rsp + REGS_RBX]
	mov	rbp, [rsp + REGS_RBP]
	mov	rsi, [rsp + REGS_RSI]
	mov	rdi, [rsp + REGS_RDI]
	mov	r8, [rsp + REGS_R8]
	mov	r9, [rsp + REGS_R9]
	mov	r10, [rsp + REGS_R10]
	mov	r11, [rsp + REGS_R11]
	mov	r12, [rsp + REGS_R12]
	mov	r13, [rsp + REGS_R13]
	mov	r14, [rsp + REGS_R14]
	mov	r15, [rsp + REGS_R15]
%endmacro

; C on this stack, which may be anywhere; rbp keeps RSP.
%macro CALL_ALIGNED 1
	mov	rbp, rsp
	and	rsp, -16
	call	%1
	mov	rsp, rbp
%endmacro

section .text

; --- Out of Linux, and back -------------------------------------------------------------------------
;
; struct ring1_frame from its vector up is on the stack.

align 16
ring1_common:
	SAVE_REGS
	cld
	mov	rdi, rsp
	test	byte [rsp + RING1_FRAME_CS], 3
	jz	ring1_root
	cmp	byte [rsp + RING1_FRAME_VECTOR], VECTOR_PF
	je	ring1_page_fault
global ring1_linux:function hidden
ring1_linux:
	sub	rsp, 8				; calls find the stack aligned
	call	ring1_trap
	add	rsp, 8
; RSP is ring1_frame(); behind it lies struct cpu. From here to the IRETQ an NMI makes the code start
; over: see ring1_event().
global ring1_exit_check:data hidden, ring1_exit_iret:data hidden
ring1_exit_check:
	cmp	dword [rsp + RING1_FRAME_SIZE + CPU_PENDING], 0
	jne	ring1_pending
	LOAD_REGS
	lea	rsp, [rsp + RING1_FRAME_RIP]
ring1_exit_iret:
	iretq
ring1_pending:
	mov	rdi, rsp
	sub	rsp, 8
	call	ring1_deliver_pending
	add	rsp, 8
	jmp	ring1_exit_check

; The VMM itself was interrupted; or one of its ways out was, and Linux goes on with another frame.
ring1_root:
	CALL_ALIGNED ring1_root_trap
	test	rax, rax
	jnz	ring1_root_to_linux
ring1_root_return:
	LOAD_REGS
	lea	rsp, [rsp + RING1_FRAME_RIP]
	iretq
ring1_root_to_linux:
	mov	rsp, rax
	jmp	ring1_exit_check

; NMI, #DB, #MC: each on a stack of its own, which is left before anything can fault. #DF: on the VMM's,
; below Linux's frame.
align 16
ring1_ist:
	SAVE_REGS
	cld
	mov	rdi, rsp
	CALL_ALIGNED ring1_event
	test	rax, rax
	jz	ring1_root_return
	mov	rsp, rax
	mov	rdi, rax
	jmp	ring1_linux

; void insn_ring1_enter(struct cpu *cpu): what its stack held is not needed any more.
global insn_ring1_enter:function hidden
align 16
insn_ring1_enter:
	cld
	lea	rsi, [rdi - MERCURY_CPU_DATA + MERCURY_CPU_RING1 + RING1_ENTER]
	lea	rsp, [rdi - RING1_FRAME_SIZE]
	mov	rdi, rsp
	mov	ecx, RING1_FRAME_SIZE / 8
	rep movsq
	jmp	ring1_exit_check

; --- The IDT's entries ------------------------------------------------------------------------------
;
; Of 16 bytes each, so that ring1_entries and the vector tell the address.

; SDM vol. 3, 6.15, Exception and Interrupt Reference: these push an error code.
%define HAS_ERROR_CODE(n) ((n) < 32 && (VECTORS_WITH_ERROR_CODE >> (n) & 1))

global ring1_entries:data hidden
align 16
ring1_entries:
%assign vector 0
%rep 256
align 16
	endbr64
%if HAS_ERROR_CODE(vector) == 0
	push	0
%endif
	push	strict qword vector
%if vector == VECTOR_NMI || vector == VECTOR_DB || vector == VECTOR_MC || vector == VECTOR_DF
	jmp	near ring1_ist
%else
	jmp	near ring1_common
%endif
%assign vector vector + 1
%endrep

section .note.GNU-stack noalloc noexec nowrite progbits
