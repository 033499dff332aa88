; SPDX-License-Identifier: GPL-2.0-only
;
; The part of the hardware port that only ring 1 needs: one label per instruction (prototypes in
; port.h). System V calling convention: rdi, rsi, rdx, rcx in; rax out.

bits 64
default rel
%include "constants.inc"
%include "port.inc"

section .text

; What was done, or a fault.
%macro SUCCEED 0
	mov	eax, 1
	ret
%endmacro

failed:
	xor	eax, eax
	ret

; --- Linux's memory ---------------------------------------------------------------------------------

; bool insn_copy_safe(void *to, const void *from, size_t n)
FUNCTION insn_copy_safe
	mov	ecx, edx
	shr	ecx, 3
.words:	rep movsq
	FIXUP	.words, failed
	mov	ecx, edx
	and	ecx, 7
.bytes:	rep movsb
	FIXUP	.bytes, failed
	SUCCEED

; bool insn_copy_user_safe(void *to, const void *from, size_t n): AC = 1 lets it past SMAP.
FUNCTION insn_copy_user_safe
	mov	rcx, rdx
	pushfq
	or	dword [rsp], RFLAGS_AC
	popfq
.fault:	rep movsb
	FIXUP	.fault, .failed
	call	clear_ac
	SUCCEED
.failed:
	call	clear_ac
	jmp	failed

clear_ac:
	pushfq
	and	dword [rsp], ~RFLAGS_AC
	popfq
	ret

; --- Control and debug registers --------------------------------------------------------------------

FUNCTION insn_read_cr8
	mov	rax, cr8
	ret

FUNCTION insn_write_cr2
	mov	cr2, rdi
	ret

%macro WRITE_CR 1
FUNCTION insn_write_cr%1_safe
.fault:	mov	cr%1, rdi
	FIXUP	.fault, failed
	SUCCEED
%endmacro

WRITE_CR 0
WRITE_CR 3
WRITE_CR 4
WRITE_CR 8

; One instruction for each debug register: a slot of 16 bytes, found by number.
%macro DR_SLOTS 1
%assign number 0
%rep 8
align 16
%%slot_ %+ number:
%ifidn %1, read
	mov	rdx, dr %+ number
	FIXUP	%%slot_ %+ number, failed
	mov	[rsi], rdx
%else
	mov	dr %+ number, rsi
	FIXUP	%%slot_ %+ number, failed
%endif
	jmp	succeeded
%assign number number + 1
%endrep
%endmacro

succeeded:
	SUCCEED

; bool insn_read_dr_safe(unsigned int number, uint64_t *value)
FUNCTION insn_read_dr_safe
	and	edi, 7
	shl	edi, 4
	lea	rax, [.slots]
	add	rax, rdi
	jmp	rax
align 16
.slots:
	DR_SLOTS read

; bool insn_write_dr_safe(unsigned int number, uint64_t value)
FUNCTION insn_write_dr_safe
	and	edi, 7
	shl	edi, 4
	lea	rax, [.slots]
	add	rax, rdi
	jmp	rax
align 16
.slots:
	DR_SLOTS write

FUNCTION insn_clts
	clts
	ret

FUNCTION insn_swapgs
	swapgs
	ret

; bool insn_invpcid_safe(uint64_t type, const void *descriptor)
FUNCTION insn_invpcid_safe
.fault:	invpcid	rdi, oword [rsi]
	FIXUP	.fault, failed
	SUCCEED

; Byte by byte: NASM 2.16 knows neither. AMD APM vol. 3, INVLPGB, TLBSYNC
; bool insn_invlpgb_safe(uint64_t rax, uint32_t ecx, uint32_t edx)
FUNCTION insn_invlpgb_safe
	mov	rax, rdi
	mov	ecx, esi
.fault:	db	0x0f, 0x01, 0xfe
	FIXUP	.fault, failed
	SUCCEED

FUNCTION insn_tlbsync
	db	0x0f, 0x01, 0xff
	ret

; --- Extended state: it is Linux's, and moves between the registers and Linux's memory ---------------

; bool insn_xsaves_safe(uint64_t address, uint64_t mask, bool wide), and insn_xrstors_safe
%macro XSTATE 1
FUNCTION insn_%1_safe
	mov	r8d, edx
	mov	eax, esi
	mov	rdx, rsi
	shr	rdx, 32
	test	r8d, r8d
	jz	.narrow
.wide:	%{1}64	[rdi]
	FIXUP	.wide, failed
	SUCCEED
.narrow:
	%1	[rdi]
	FIXUP	.narrow, failed
	SUCCEED
%endmacro

XSTATE xsaves
XSTATE xrstors

; --- Counters and ports -----------------------------------------------------------------------------

; bool insn_rdpmc_safe(uint32_t counter, uint64_t *value)
FUNCTION insn_rdpmc_safe
	mov	ecx, edi
.fault:	rdpmc
	FIXUP	.fault, failed
	shl	rdx, 32
	or	rax, rdx
	mov	[rsi], rax
	SUCCEED

; uint64_t insn_rdtscp(uint32_t *aux)
FUNCTION insn_rdtscp
	rdtscp
	mov	[rdi], ecx
	shl	rdx, 32
	or	rax, rdx
	ret

; uint64_t insn_in(uint16_t port, unsigned int size)
FUNCTION insn_in
	mov	edx, edi
	xor	eax, eax
	cmp	esi, 2
	jb	.one
	je	.two
	in	eax, dx
	ret
.two:	in	ax, dx
	ret
.one:	in	al, dx
	ret

; void insn_out(uint16_t port, unsigned int size, uint32_t value)
FUNCTION insn_out
	mov	eax, edx
	mov	edx, edi
	cmp	esi, 2
	jb	.one
	je	.two
	out	dx, eax
	ret
.two:	out	dx, ax
	ret
.one:	out	dx, al
	ret

; bool insn_ins_user_safe(struct insn_string *string, uint16_t port, unsigned int size), and
; insn_outs_user_safe. %1: the instruction, %2: its index register. The processor itself counts, and
; stops where memory faults.
%macro STRING 2
FUNCTION insn_%1_user_safe
	mov	r8, rdi
	mov	r9d, edx
	mov	edx, esi
	mov	r10, [r8 + INSN_STRING_FLAGS]
	or	r10, RFLAGS_AC
	mov	rcx, [r8 + INSN_STRING_COUNT]
	mov	%2, [r8 + INSN_STRING_ADDRESS]
	pushfq
	or	[rsp], r10
	popfq
	cmp	r9d, 2
	jb	.one
	je	.two
.four:	rep %1d
	FIXUP	.four, .fault
	jmp	.done
.two:	rep %1w
	FIXUP	.two, .fault
	jmp	.done
.one:	rep %1b
	FIXUP	.one, .fault
.done:	mov	eax, 1
	jmp	.end
.fault:	xor	eax, eax
.end:	cld
	mov	[r8 + INSN_STRING_COUNT], rcx
	mov	[r8 + INSN_STRING_ADDRESS], %2
	jmp	clear_ac
%endmacro

STRING ins, rdi
STRING outs, rsi

; --- Waiting ----------------------------------------------------------------------------------------
;
; From .start on an NMI goes on at .end (trap.c asks ring1_waits): what it left in cpu->pending is never
; slept over. An interrupt does the same, and with IF = 0, so that there is one at most. STI holds it back
; until the next instruction waits; where that fails, the wait is left out, for nothing else would end it.

%macro WAIT_ENABLED 1+
.start:	cmp	dword [rdi + CPU_PENDING], 0
	jne	.end
	sti
	%1
.end:	cli
	ret
	NOTE_WAIT
%endmacro

%macro WAIT_DISABLED 1+
.start:	cmp	dword [rdi + CPU_PENDING], 0
	jne	.end
	%1
.end:	ret
	NOTE_WAIT
%endmacro

; Note the pair of labels.
%macro NOTE_WAIT 0
[section .rodata]
	dq	.start, .end
__?SECT?__
%endmacro

[section .rodata]
align 8
global ring1_waits:data hidden, ring1_waits_end:data hidden
ring1_waits:
__?SECT?__

; void insn_halt_enabled(struct cpu *cpu), insn_halt_disabled
FUNCTION insn_halt_enabled
	WAIT_ENABLED hlt

FUNCTION insn_halt_disabled
	WAIT_DISABLED hlt

; bool insn_monitor_safe(uint64_t address, uint32_t extensions, uint32_t hints)
FUNCTION insn_monitor_safe
	mov	rax, rdi
	mov	ecx, esi
.fault:	monitor
	FIXUP	.fault, failed
	SUCCEED

; void insn_mwait_enabled(struct cpu *cpu, uint32_t hints, uint32_t extensions), insn_mwait_disabled
FUNCTION insn_mwait_enabled
	mov	eax, esi
	mov	ecx, edx
	WAIT_ENABLED mwait

FUNCTION insn_mwait_disabled
	mov	eax, esi
	mov	ecx, edx
	WAIT_DISABLED mwait

[section .rodata]
ring1_waits_end:
__?SECT?__

section .note.GNU-stack noalloc noexec nowrite progbits
