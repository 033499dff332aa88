; SPDX-License-Identifier: GPL-2.0-only
;
; The test port: stands before every function of arch/x86/insn.h, by the linker's --wrap.

bits 64
default rel
%include "point.inc"

extern port_operation

section .text

; Called by PORT_POINT, from anywhere: nothing but the return address changes, and, if the plan says
; so, an argument (struct port_frame in port.c).
global port_check:function hidden
align 16
port_check:
	push	rax
	push	rcx
	push	rdx
	push	rsi
	push	rdi
	push	r8
	push	r9
	push	r10
	push	r11
	pushfq
	mov	rdi, rsp
	push	rbp
	mov	rbp, rsp
	and	rsp, -16
	cld
	call	port_operation
	mov	rsp, rbp
	pop	rbp
	popfq
	pop	r11
	pop	r10
	pop	r9
	pop	r8
	pop	rdi
	pop	rsi
	pop	rdx
	pop	rcx
	pop	rax
	ret

%macro OPERATION 2
extern __real_insn_%1
global __wrap_insn_%1:function hidden
align 16
__wrap_insn_%1:
	PORT_POINT %2, .fails
	jmp	__real_insn_%1
.fails:
	xor	eax, eax
	ret
%endmacro

PORT_OPERATIONS

section .note.GNU-stack noalloc noexec nowrite progbits
