; SPDX-License-Identifier: GPL-2.0-only
;
; What GCC expects of a freestanding program (memmove is never needed), by string instructions.

bits 64
default rel

section .text

; void *memcpy(void *restrict to, const void *restrict from, size_t n)
global memcpy:function hidden
align 16
memcpy:
	mov	rax, rdi
	mov	rcx, rdx
	shr	rcx, 3
	rep movsq
	mov	ecx, edx
	and	ecx, 7
	rep movsb
	ret

; void *memset(void *to, int value, size_t n)
global memset:function hidden
align 16
memset:
	mov	r8, rdi
	movzx	eax, sil
	mov	r9, 0x0101010101010101
	imul	rax, r9
	mov	rcx, rdx
	shr	rcx, 3
	rep stosq
	mov	ecx, edx
	and	ecx, 7
	rep stosb
	mov	rax, r8
	ret

; int memcmp(const void *a, const void *b, size_t n): equal or not is all that callers ask.
global memcmp:function hidden
align 16
memcmp:
	mov	rcx, rdx
	xor	eax, eax
	repe cmpsb
	setne	al
	ret

section .note.GNU-stack noalloc noexec nowrite progbits
