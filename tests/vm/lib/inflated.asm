; SPDX-License-Identifier: GPL-2.0-only
; The protected-mode part of a bzImage whose kernel is not compressed.
;
; Entered as Documentation/arch/x86/boot.rst ("32-bit boot protocol") says: flat 32-bit segments,
; interrupts off, ESI = boot_params. Leaves as a compressed kernel's own code would: long mode, the
; first 4 GB mapped one to one, RSI = boot_params, at ENTRY. The kernel's image follows at KERNEL,
; where it was linked to run, so nothing is moved.
;
; nasm -DENTRY=address -DKERNEL=address

%define LOADED_AT 0x100000
%define CR4_PAE (1 << 5)
%define CR0_PE_PG (1 << 31 | 1)
%define MSR_EFER 0xc0000080
%define EFER_LME (1 << 8)
%define PTE_TABLE 0x3
%define PTE_LARGE 0x83

org LOADED_AT
bits 32

	cli
	mov eax, CR4_PAE
	mov cr4, eax
	mov eax, pml4
	mov cr3, eax
	mov ecx, MSR_EFER
	rdmsr
	or eax, EFER_LME
	wrmsr
	lgdt [gdt_pointer]
	mov eax, CR0_PE_PG
	mov cr0, eax
	jmp 0x10:long_mode

bits 64
long_mode:
	mov eax, 0x18
	mov ds, eax
	mov es, eax
	mov ss, eax
	mov esi, esi
	mov eax, ENTRY
	jmp rax

align 8
; The selectors the boot protocol names: 0x10 for code, 0x18 for data.
gdt:
	dq 0, 0
	dq 0x00af9a000000ffff
	dq 0x00cf92000000ffff
gdt_pointer:
	dw $ - gdt - 1
	dd gdt

align 4096
pml4:
	dq pdpt + PTE_TABLE
	times 511 dq 0
pdpt:
%assign i 0
%rep 4
	dq pd + i * 4096 + PTE_TABLE
%assign i i + 1
%endrep
	times 508 dq 0
pd:
%assign i 0
%rep 2048
	dq i * 0x200000 + PTE_LARGE
%assign i i + 1
%endrep

	times KERNEL - LOADED_AT - ($ - $$) db 0
