; SPDX-License-Identifier: GPL-2.0-only
;
; The hardware port: one label per privileged instruction (prototypes in insn.h).
; System V calling convention: rdi, rsi, rdx, rcx in; rax out.

bits 64
default rel
%include "port.inc"

section .text

; --- CPUID and model-specific registers -------------------------------------------------------------

; void insn_cpuid(uint32_t leaf, uint32_t subleaf, struct cpuid_regs *out)
FUNCTION insn_cpuid
	push	rbx
	mov	r8, rdx
	mov	eax, edi
	mov	ecx, esi
	cpuid
	mov	[r8], eax
	mov	[r8 + 4], ebx
	mov	[r8 + 8], ecx
	mov	[r8 + 12], edx
	pop	rbx
	ret

; uint64_t insn_rdmsr(uint32_t msr)
FUNCTION insn_rdmsr
	mov	ecx, edi
	rdmsr
	shl	rdx, 32
	or	rax, rdx
	ret

; void insn_wrmsr(uint32_t msr, uint64_t value)
FUNCTION insn_wrmsr
	mov	ecx, edi
	mov	eax, esi
	mov	rdx, rsi
	shr	rdx, 32
	wrmsr
	ret

; bool insn_rdmsr_safe(uint32_t msr, uint64_t *value)
FUNCTION insn_rdmsr_safe
	mov	ecx, edi
.fault:	rdmsr
	FIXUP	.fault, failed
	shl	rdx, 32
	or	rax, rdx
	mov	[rsi], rax
	mov	eax, 1
	ret

; bool insn_wrmsr_safe(uint32_t msr, uint64_t value)
FUNCTION insn_wrmsr_safe
	mov	ecx, edi
	mov	eax, esi
	mov	rdx, rsi
	shr	rdx, 32
.fault:	wrmsr
	FIXUP	.fault, failed
	mov	eax, 1
	ret

; Where every fault that is an expected answer goes on.
failed:
	xor	eax, eax
	ret

; --- Control registers ------------------------------------------------------------------------------

FUNCTION insn_read_cr0
	mov	rax, cr0
	ret

FUNCTION insn_read_cr2
	mov	rax, cr2
	ret

FUNCTION insn_read_cr3
	mov	rax, cr3
	ret

FUNCTION insn_read_cr4
	mov	rax, cr4
	ret

FUNCTION insn_read_dr6
	mov	rax, dr6
	ret

FUNCTION insn_write_dr6
	mov	dr6, rdi
	ret

FUNCTION insn_read_dr7
	mov	rax, dr7
	ret

FUNCTION insn_read_rflags
	pushfq
	pop	rax
	ret

FUNCTION insn_write_cr0
	mov	cr0, rdi
	ret

FUNCTION insn_write_cr3
	mov	cr3, rdi
	ret

FUNCTION insn_write_cr4
	mov	cr4, rdi
	ret

FUNCTION insn_invlpg
	invlpg	[rdi]
	ret

; bool insn_xsetbv_safe(uint32_t index, uint64_t value)
FUNCTION insn_xsetbv_safe
	mov	ecx, edi
	mov	eax, esi
	mov	rdx, rsi
	shr	rdx, 32
.fault:	xsetbv
	FIXUP	.fault, failed
	mov	eax, 1
	ret

FUNCTION insn_wbinvd
	wbinvd
	ret

; uint64_t insn_vmcall(uint64_t number, uint64_t a0, uint64_t a1, uint64_t a2, uint64_t a3)
FUNCTION insn_vmcall
	push	rbx
	mov	rax, rdi
	mov	rbx, rsi
	xchg	rcx, rdx
	mov	rsi, r8
	vmcall
	pop	rbx
	ret

FUNCTION insn_rdtsc
	rdtsc
	shl	rdx, 32
	or	rax, rdx
	ret

FUNCTION insn_pause
	pause
	ret

; _Noreturn void insn_stop(void): nothing is left that could be done.
FUNCTION insn_stop
	cli
	hlt
	jmp	insn_stop

; _Noreturn void insn_shut_down(void): a fault that no IDT takes.
FUNCTION insn_shut_down
	push	0
	push	0
	lidt	[rsp]
	ud2

; --- Descriptor tables and segment registers --------------------------------------------------------

FUNCTION insn_sgdt
	sgdt	[rdi]
	ret

FUNCTION insn_sidt
	sidt	[rdi]
	ret

FUNCTION insn_lgdt
	lgdt	[rdi]
	ret

FUNCTION insn_lidt
	lidt	[rdi]
	ret

FUNCTION insn_str
	xor	eax, eax
	str	ax
	ret

FUNCTION insn_sldt
	xor	eax, eax
	sldt	ax
	ret

FUNCTION insn_ltr
	ltr	di
	ret

; bool insn_lldt(uint16_t selector)
FUNCTION insn_lldt
.fault:	lldt	di
	FIXUP	.fault, failed
	mov	eax, 1
	ret

; uint16_t insn_read_XX(void); bool insn_load_XX(uint16_t selector)
%macro READ_SELECTOR 1
FUNCTION insn_read_%1
	mov	eax, %1
	ret
%endmacro

%macro LOAD_SELECTOR 1
FUNCTION insn_load_%1
.fault:	mov	%1, edi
	FIXUP	.fault, failed
	mov	eax, 1
	ret
%endmacro

READ_SELECTOR es
READ_SELECTOR cs
READ_SELECTOR ss
READ_SELECTOR ds
READ_SELECTOR fs
READ_SELECTOR gs
LOAD_SELECTOR es
LOAD_SELECTOR ss
LOAD_SELECTOR ds
LOAD_SELECTOR fs
LOAD_SELECTOR gs

; --- VMX --------------------------------------------------------------------------------------------

; SDM vol. 3, 31.2, Conventions: CF = 1 is VMfailInvalid, ZF = 1 is VMfailValid.
%macro VMX_RETURN 0
	seta	al
	ret
%endmacro

; bool insn_vmxon(uint64_t region_pa)
FUNCTION insn_vmxon
	push	rdi
.fault:	vmxon	[rsp]
	FIXUP	.fault, .gp
	lea	rsp, [rsp + 8]
	VMX_RETURN
.gp:	pop	rdi
	xor	eax, eax
	ret

FUNCTION insn_vmxoff
	vmxoff
	ret

; bool insn_vmxoff_safe(void)
FUNCTION insn_vmxoff_safe
.fault:	vmxoff
	FIXUP	.fault, failed
	mov	eax, 1
	ret

; bool insn_vmclear_safe(uint64_t vmcs_pa)
FUNCTION insn_vmclear_safe
	push	rdi
.fault:	vmclear	[rsp]
	FIXUP	.fault, .ud
	lea	rsp, [rsp + 8]
	VMX_RETURN
.ud:	pop	rdi
	xor	eax, eax
	ret

; bool insn_vmclear(uint64_t vmcs_pa)
FUNCTION insn_vmclear
	push	rdi
	vmclear	[rsp]
	lea	rsp, [rsp + 8]
	VMX_RETURN

; bool insn_vmptrld(uint64_t vmcs_pa)
FUNCTION insn_vmptrld
	push	rdi
	vmptrld	[rsp]
	lea	rsp, [rsp + 8]
	VMX_RETURN

; bool insn_vmwrite(enum vmcs_field field, uint64_t value)
FUNCTION insn_vmwrite
	mov	edi, edi
	vmwrite	rdi, rsi
	VMX_RETURN

; uint64_t insn_vmread(enum vmcs_field field)
FUNCTION insn_vmread
	mov	eax, edi
	vmread	rax, rax
	ret

; bool insn_invept(uint64_t type, uint64_t eptp)
FUNCTION insn_invept
	push	0
	push	rsi
	invept	rdi, oword [rsp]
	lea	rsp, [rsp + 16]
	VMX_RETURN

; bool insn_invvpid(uint64_t type, uint16_t vpid, uint64_t address)
FUNCTION insn_invvpid
	movzx	esi, si
	push	rdx
	push	rsi
	invvpid	rdi, oword [rsp]
	lea	rsp, [rsp + 16]
	VMX_RETURN

section .note.GNU-stack noalloc noexec nowrite progbits
