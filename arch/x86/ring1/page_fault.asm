; SPDX-License-Identifier: GPL-2.0-only
;
; A page fault of Linux's, the most frequent trap by far once its code is patched: what ring1_trap() does
; of it, for the gate that ring1_deliver() has noted, in a quarter of the instructions. Whatever is not as
; there goes to ring1_trap(), which finds the frame as it was.

bits 64
default rel
%include "constants.inc"
%include "port.inc"

extern ring1_linux
extern ring1_exit_check

; rbx is struct cpu.
%define OWN(field)	rbx - MERCURY_CPU_DATA + MERCURY_CPU_RING1 + RING1_ %+ field
%define SHARED(field)	rbx - MERCURY_CPU_DATA + MERCURY_CPU_SHARED + field
%define FRAME(field)	rsp + RING1_FRAME_ %+ field

%define GATE		(VECTOR_PF * IDT_GATE_SIZE)

section .text

; RSP and rdi are ring1_frame(), all registers are saved there.
FUNCTION ring1_page_fault
	lea	rbx, [rsp + RING1_FRAME_SIZE]
	cmp	dword [OWN(NMI_LATCHED)], 0
	jne	ring1_linux
	mov	r10, [FRAME(CS)]
	test	r10b, 2				; RPL is 3, or 1
	jz	.known
	bt	dword [SHARED(PATCH_SWAPPED)], VECTOR_PF
	jnc	ring1_linux
.known:	cmp	qword [OWN(PAGE_FAULT_HANDLER)], 0
	je	ring1_linux
	cmp	word [OWN(IDTR_LIMIT)], GATE + IDT_GATE_SIZE - 1
	jb	ring1_linux
; Before anything can fault: ring1_root_trap() writes it back.
	mov	rax, cr2
	mov	[SHARED(SHARED_CR2)], rax
	mov	rdx, [OWN(IDTR_BASE)]
.gate:	mov	rax, [rdx + GATE]
	FIXUP	.gate, ring1_linux
.gate_high:
	mov	rcx, [rdx + GATE + 8]
	FIXUP	.gate_high, ring1_linux
	cmp	rax, [OWN(PAGE_FAULT_GATE)]
	jne	ring1_linux
	cmp	rcx, [OWN(PAGE_FAULT_GATE) + 8]
	jne	ring1_linux

	mov	r8, [FRAME(RFLAGS)]
	mov	r9, [FRAME(RSP)]
	mov	r11, [FRAME(SS)]
	mov	ecx, r8d
	and	ecx, ~RFLAGS_IOPL
	test	r10b, 2
	jz	.from_kernel
	bts	r10, MERCURY_RING1_SWAPPED_BIT
	mov	rax, [OWN(TSS_LINUX)]
.rsp0:	mov	rdx, [rax + TSS64_RSP0]
	FIXUP	.rsp0, ring1_linux
	jmp	.push
.from_kernel:
	mov	r10d, LINUX_CS
	mov	r11d, LINUX_SS
	mov	rdx, r9
.push:	and	rdx, -16
.ss:	mov	[rdx - 8], r11
	FIXUP	.ss, ring1_linux
.rsp:	mov	[rdx - 16], r9
	FIXUP	.rsp, ring1_linux
.flags:	mov	[rdx - 24], rcx
	FIXUP	.flags, ring1_linux
.cs:	mov	[rdx - 32], r10
	FIXUP	.cs, ring1_linux
	mov	rax, [FRAME(RIP)]
.rip:	mov	[rdx - 40], rax
	FIXUP	.rip, ring1_linux
	mov	rax, [FRAME(ERROR_CODE)]
.error:	mov	[rdx - 48], rax
	FIXUP	.error, ring1_linux

; Nothing fails from here on: the frame becomes that of Linux's handler.
	inc	qword [SHARED(SHARED_PAGE_FAULTS)]
	sub	rdx, 48
	mov	[FRAME(RSP)], rdx
	mov	rax, [OWN(PAGE_FAULT_HANDLER)]
	mov	[FRAME(RIP)], rax
	mov	qword [FRAME(VECTOR)], RING1_DELIVERED
	mov	qword [FRAME(CS)], RING1_CS
	mov	qword [FRAME(SS)], RING1_SS
	and	r8d, ~(RFLAGS_TF | RFLAGS_IF | RFLAGS_NT | RFLAGS_RF | RFLAGS_VM | RFLAGS_IOPL)
	or	r8d, RING1_IOPL
	mov	[FRAME(RFLAGS)], r8
	test	r10b, 2
	jz	ring1_exit_check
; In user space no NMI handler runs any more.
	mov	dword [OWN(NMI_BLOCKED)], 0
	swapgs
	cmp	qword [SHARED(PATCH_USER_CR3)], 0
	je	ring1_exit_check
	mov	rax, cr3
	and	rax, [SHARED(PATCH_KERNEL_CR3)]
	or	rax, [SHARED(PATCH_NOFLUSH)]
	mov	cr3, rax
	jmp	ring1_exit_check

section .note.GNU-stack noalloc noexec nowrite progbits
