; SPDX-License-Identifier: GPL-2.0-only
;
; What SYSCALL and SYSENTER land on: a page that every CPU maps at MERCURY_CPU_RING1_STUB of its slot,
; right before its struct ring1_cpu; executed there, never here. They come at CPL 0 with user space's
; registers, all of which Linux wants, RSP too. No fault can happen but at an IRETQ to user space; NMI,
; #DB and #MC can at every instruction, and then Linux takes them as if before or behind the stub
; (stubs.c).

bits 64
default rel
%include "constants.inc"

%define OWN(member) rel ring1_stubs + MERCURY_CPU_RING1 - MERCURY_CPU_RING1_STUB + member
%define PATCH(member) rel ring1_stubs + MERCURY_CPU_SHARED - MERCURY_CPU_RING1_STUB + PATCH_ %+ member
%define FRAME_END rel ring1_stubs + MERCURY_CPU_DATA - MERCURY_CPU_RING1_STUB
; Of ring1_frame(), which is free: what its IRETQ takes.
%define FRAME(member) FRAME_END - RING1_FRAME_SIZE + RING1_FRAME_ %+ member

section .stubs progbits alloc exec nowrite align=4096

global ring1_stubs:data hidden, ring1_stub_syscall:data hidden, ring1_stub_compat:data hidden
global ring1_stub_sysenter:data hidden
ring1_stubs:

; %1: the frame in struct ring1_cpu; its RIP, CS, RFLAGS and SS never change.
%macro SYSCALL_STUB 1
	mov	[OWN(%1 + RING1_IRET_RSP)], rsp
	lea	rsp, [OWN(%1)]
	mov	dword [OWN(RING1_NMI_BLOCKED)], 0
	and	r11, ~RFLAGS_IOPL		; user space's RFLAGS, as Linux would have them
	iretq
%endmacro

align 64
ring1_stub_syscall:
	SYSCALL_STUB RING1_SYSCALL

align 64
ring1_stub_compat:
	SYSCALL_STUB RING1_COMPAT

; SYSENTER keeps user space's RFLAGS, TF and NT too, which Linux is to find. IRETQ with NT is #GP, so it
; is cleared here, by way of the frame's CS. RSP is the frame's RFLAGS plus 8.
align 64
ring1_stub_sysenter:
	pushfq
	or	dword [rsp], RING1_IOPL
	mov	dword [OWN(RING1_NMI_BLOCKED)], 0
	push	qword [rsp]
	and	dword [rsp], ~RFLAGS_NT
	popfq
	mov	qword [rsp - 8], RING1_CS
	lea	rsp, [rsp - 16]
	iretq

; --- Where Linux's code is patched -------------------------------------------------------------------
;
; What the first and the last instructions of Linux's entry code do to the GS base and to CR3 is done
; here, at CPL 0. SYSCALL comes from Linux too, which asks for what is in eax: its addresses are negative.

ring1_verw:
	dw	LINUX_SS		; of a writable segment, or VERW takes longer

; Registers but RSP.
%macro LOAD_SAVED 0
	mov	r15, [rsp + SAVED_R15]
	mov	r14, [rsp + SAVED_R14]
	mov	r13, [rsp + SAVED_R13]
	mov	r12, [rsp + SAVED_R12]
	mov	rbp, [rsp + SAVED_RBP]
	mov	rbx, [rsp + SAVED_RBX]
	mov	r10, [rsp + SAVED_R10]
	mov	r9, [rsp + SAVED_R9]
	mov	r8, [rsp + SAVED_R8]
	mov	rax, [rsp + SAVED_RAX]
	mov	rdx, [rsp + SAVED_RDX]
	mov	rsi, [rsp + SAVED_RSI]
	mov	rdi, [rsp + SAVED_RDI]
%endmacro

%macro COPY_TO_FRAME 1-*
%rep %0
	mov	rax, [rsp + SAVED_%1]
	mov	[FRAME(%1)], rax
%rotate 1
%endrep
%endmacro

; User space's CR3, from Linux's: noted, for nothing of Linux's can be reached once it is loaded. A PCID
; that Linux has marked gets its flush.
%macro USER_CR3 0
	mov	rax, cr3
	mov	rdx, [PATCH(PCID_FLUSH)]
	test	rdx, rdx
	jz	%%flush
	mov	ecx, eax
	and	ecx, CR3_PCID
	btr	word [rdx], cx
	jc	%%flush
	or	rax, [PATCH(NOFLUSH)]
%%flush:
	or	rax, [PATCH(USER_CR3)]
	mov	[OWN(RING1_USER_CR3)], rax
%endmacro

; MOV CR3 with no register but RSP.
%macro LOAD_USER_CR3 0
	mov	rsp, [OWN(RING1_USER_CR3)]
	mov	cr3, rsp
%endmacro

; SYSRET would be right: it takes RIP from RCX, RFLAGS from R11, the segments from an MSR. With a RIP that
; is not canonical it faults at CPL 0, on user space's stack; it does not restore RF, and TF at once.
%macro UNLESS_SYSRET 1
	mov	rcx, [rsp + SAVED_RIP]
	mov	r11, [rsp + SAVED_RFLAGS]
	cmp	rcx, [rsp + SAVED_RCX]
	jne	%1
	cmp	r11, [rsp + SAVED_R11]
	jne	%1
	mov	rax, rcx
	shr	rax, 47
	jnz	%1
	test	r11d, RFLAGS_RF | RFLAGS_TF
	jnz	%1
	cmp	dword [rsp + SAVED_CS], LINUX_USER_CS
	jne	%1
	cmp	dword [rsp + SAVED_SS], LINUX_USER_SS
	jne	%1
%endmacro

; %1: a name; %2: 1 if user space has a CR3 of its own.
%macro PATCHED_STUB 2
global ring1_stub_%1:data hidden
align 64
ring1_stub_%1:
	mov	[OWN(RING1_SYSCALL + RING1_IRET_RSP)], rsp
	test	rcx, rcx
	js	%%linux
	swapgs
%%swapped:
%if %2
	mov	rsp, cr3
	and	rsp, [PATCH(KERNEL_CR3)]
	or	rsp, [PATCH(NOFLUSH)]
	mov	cr3, rsp
%endif
	mov	rsp, [PATCH(SCRATCH)]
	push	qword [OWN(RING1_SYSCALL + RING1_IRET_RSP)]
	lea	rsp, [OWN(RING1_PATCHED)]
	mov	dword [OWN(RING1_NMI_BLOCKED)], 0
	and	r11, ~RFLAGS_IOPL
	iretq

%%linux:
	test	eax, eax
	jnz	%%other
; To user space. An NMI that was latched is delivered first, on Linux's SYSCALL, which is then done again.
; #UD brings it to ring1_root_trap(): the stack of NMIs is theirs alone, while the processor blocks them.
	cmp	dword [OWN(RING1_NMI_LATCHED)], 0
	je	%%user
	lea	rsp, [FRAME_END]
%%latched:
	ud2
%%user:
	mov	dword [OWN(RING1_NMI_BLOCKED)], 0
%if %2
	USER_CR3
%endif
	UNLESS_SYSRET %%iret
	COPY_TO_FRAME RSP
	LOAD_SAVED
%if %2
	LOAD_USER_CR3
%endif
%%sysret_cr3:
	swapgs
%%sysret_gs:
	mov	rsp, [FRAME(RSP)]
	verw	word [ring1_verw]
	o64 sysret

%%iret:
	COPY_TO_FRAME RIP, CS, RFLAGS, RSP, SS
	LOAD_SAVED
	mov	rcx, [rsp + SAVED_RCX]
	mov	r11, [rsp + SAVED_R11]
%if %2
	LOAD_USER_CR3
%endif
%%iret_cr3:
	swapgs
%%iret_gs:
	lea	rsp, [FRAME(RIP)]
	verw	word [ring1_verw]
%%iretq:
	iretq

%%other:
	cmp	eax, MERCURY_RING1_READ_GS
	je	%%read_gs
	ja	%%write_gs
; CR3 from rdi, if its page tables are known to hold the window.
%%cr3:
	mov	rdx, CR3_ADDRESS
	and	rdx, rdi
	mov	r9d, edi
	shr	r9d, 12				; RING1_ROOT_SLOT
	mov	r8d, r9d
	shr	r8d, 1
	xor	r9d, r8d
	and	r9d, RING1_ROOTS - 1
	lea	r8, [OWN(RING1_ROOTS_SEEN)]
	cmp	[r8 + r9 * 8], rdx
	mov	eax, 0
	jne	%%back
	mov	cr3, rdi
	mov	eax, 1
	jmp	%%back

%%read_gs:
	swapgs
%%read_gs_in:
	rdgsbase rax
	swapgs
%%read_gs_out:
	jmp	%%back

%%write_gs:
	swapgs
%%write_gs_in:
	wrgsbase rdi
	swapgs

; To Linux, behind its SYSCALL.
%%back:
	mov	[FRAME(RIP)], rcx
	mov	qword [FRAME(CS)], RING1_CS
	mov	[FRAME(RFLAGS)], r11
	mov	rsp, [OWN(RING1_SYSCALL + RING1_IRET_RSP)]
	mov	[FRAME(RSP)], rsp
	mov	qword [FRAME(SS)], RING1_SS
	lea	rsp, [FRAME(RIP)]
	iretq
%%end:

; struct ring1_patched_stub
[section .rodata]
	dq	ring1_stub_%1 - ring1_stubs, %%swapped - ring1_stubs, %%linux - ring1_stubs
	dq	%%latched - ring1_stubs, %%user - ring1_stubs, %%sysret_cr3 - ring1_stubs, %%sysret_gs - ring1_stubs
	dq	%%iret - ring1_stubs, %%iret_cr3 - ring1_stubs, %%iret_gs - ring1_stubs
	dq	%%iretq - ring1_stubs, %%other - ring1_stubs, %%cr3 - ring1_stubs
	dq	%%read_gs - ring1_stubs, %%read_gs_in - ring1_stubs, %%read_gs_out - ring1_stubs
	dq	%%write_gs - ring1_stubs, %%write_gs_in - ring1_stubs
	dq	%%back - ring1_stubs, %%end - ring1_stubs
__?SECT?__
%endmacro

[section .rodata]
align 8
global ring1_patched_stubs:data hidden
ring1_patched_stubs:
__?SECT?__

	PATCHED_STUB shared, 0
	PATCHED_STUB apart, 1

align 4096
section .note.GNU-stack noalloc noexec nowrite progbits
