; SPDX-License-Identifier: GPL-2.0-only
;
; A hardware port with one fault: CPU 1's second VMPTRLD, its first switch, fails.

%define insn_vmptrld insn_vmptrld_real
%include "arch/x86/insn.asm"
%undef insn_vmptrld
%include "tests/vm/fault/once_on_cpu1.inc"

FUNCTION insn_vmptrld
	ONCE_ON_CPU1 2, .fail
	jmp	insn_vmptrld_real
.fail:
	xor	eax, eax
	ret
