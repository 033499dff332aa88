; SPDX-License-Identifier: GPL-2.0-only
;
; A hardware port with one fault: CPU 1 cannot write a control field in its first switch.

%define insn_vmwrite insn_vmwrite_real
%include "arch/x86/insn.asm"
%undef insn_vmwrite
%include "tests/vm/fault/once_on_cpu1.inc"

FUNCTION insn_vmwrite
	cmp	edi, VMCS_CR0_READ_SHADOW
	jne	insn_vmwrite_real
	ONCE_ON_CPU1 1, .fail
	jmp	insn_vmwrite_real
.fail:
	xor	eax, eax
	ret
