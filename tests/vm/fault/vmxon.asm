; SPDX-License-Identifier: GPL-2.0-only
;
; A hardware port with one fault: CPU 1's second VMXON, its first switch, fails.

%define insn_vmxon insn_vmxon_real
%include "arch/x86/insn.asm"
%undef insn_vmxon
%include "tests/vm/fault/once_on_cpu1.inc"

FUNCTION insn_vmxon
	ONCE_ON_CPU1 2, .fail
	jmp	insn_vmxon_real
.fail:
	xor	eax, eax
	ret
