; SPDX-License-Identifier: GPL-2.0-only
;
; The VMM's exception entries. NMI and #MC belong to Linux: they are marked and delivered with the
; next VM entry. All others are the VMM's own: an expected fault goes on at its fixup, see trap.c.

bits 64
default rel
%include "constants.inc"

extern trap_handle
extern vmlaunch_check
extern vmlaunch_end
extern vmresume_check
extern vmresume_end
extern cpuid_check
extern cpuid_end

section .text

; If rcx lies in [%1, %2): start over at %1, so that what we marked is seen before the VM entry.
%macro REWIND 2
	lea	rax, [%1]
	lea	rdx, [%2]
	cmp	rcx, rax
	jb	%%outside
	cmp	rcx, rdx
	jae	%%outside
	mov	rcx, rax
%%outside:
%endmacro

; Go back to what an exception interrupted without IRET, which would unblock NMIs: we may be behind
; one. The stack is the CPU's own and has no red zone, so the interrupted RIP and RFLAGS are rebuilt
; right below the interrupted RSP:
;
;	[rsp + 0] rdx, 8 rcx, 16 rax; the CPU's frame: 24 rip, 32 cs, 40 rflags, 48 rsp, 56 ss
;
; The CPU aligns RSP before it pushes, so the words below the interrupted RSP lie in its frame, not
; in the registers saved here; and everything in the frame has been read before it is overwritten.
; In: rcx = RIP to go on at.
%macro RETURN_WITHOUT_IRET 0
	mov	rax, [rsp + 40]
	mov	rdx, [rsp + 48]
	mov	[rdx - 8], rcx
	mov	[rdx - 16], rax
	mov	rax, [rsp + 16]
	mov	[rdx - 24], rax
	mov	rax, [rsp + 8]
	mov	[rdx - 32], rax
	mov	rax, [rsp]
	mov	[rdx - 40], rax
	lea	rsp, [rdx - 40]
	pop	rdx
	pop	rcx
	pop	rax
	popfq
	ret
%endmacro

; %1: an event of Linux's: set %2 in cpu->pending and count it at %3 in the shared page.
%macro LINUX_EVENT 3
align 16
%1:
	endbr64
	push	rax
	push	rcx
	push	rdx
	mov	rax, rsp
	and	rax, -MERCURY_CPU_SLOT
	lock or	dword [rax + MERCURY_CPU_DATA + CPU_PENDING], %2
	lock inc qword [rax + MERCURY_CPU_SHARED + %3]
	mov	rcx, [rsp + 24]
	REWIND	cpuid_check, cpuid_end
	REWIND	vmresume_check, vmresume_end
	REWIND	vmlaunch_check, vmlaunch_end
	RETURN_WITHOUT_IRET
%endmacro

LINUX_EVENT trap_nmi, PENDING_NMI, SHARED_NMIS
LINUX_EVENT trap_mc, PENDING_MC, SHARED_MCS

; trap_N pushes an error code where the CPU does not, then its vector.
%macro TRAP 2
align 16
trap_%1:
	endbr64				; Linux may run with IBT until we have refused it
%if %2 == 0
	push	0
%endif
	push	%1
	jmp	trap_common
%endmacro

; void trap_handle(struct trap_frame *frame): changes frame->rip or does not return.
align 16
trap_common:
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
	push	rbx
	push	rdx
	push	rcx
	push	rax
	mov	rdi, rsp
	mov	rbp, rsp
	and	rsp, -16
	call	trap_handle
	mov	rsp, rbp
	pop	rax
	pop	rcx
	pop	rdx
	pop	rbx
	pop	rbp
	pop	rsi
	pop	rdi
	pop	r8
	pop	r9
	pop	r10
	pop	r11
	pop	r12
	pop	r13
	pop	r14
	pop	r15
	add	rsp, 16
	push	rax
	push	rcx
	push	rdx
	mov	rcx, [rsp + 24]
	RETURN_WITHOUT_IRET

; SDM vol. 3, 6.15, Exception and Interrupt Reference: these push an error code.
%define HAS_ERROR_CODE(n) ((n) == 8 || ((n) >= 10 && (n) <= 14) || (n) == 17 || (n) == 21)

%assign vector 0
%rep 32
%if vector != 2 && vector != 18
%if HAS_ERROR_CODE(vector)
	TRAP	vector, 1
%else
	TRAP	vector, 0
%endif
%endif
%assign vector vector + 1
%endrep

section .rodata

global trap_entries:data hidden
align 8
trap_entries:
%assign vector 0
%rep 32
%if vector == 2
	dq	trap_nmi
%elif vector == 18
	dq	trap_mc
%else
	dq	trap_%[vector]
%endif
%assign vector vector + 1
%endrep

section .note.GNU-stack noalloc noexec nowrite progbits
