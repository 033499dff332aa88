; SPDX-License-Identifier: GPL-2.0-only
;
; A hardware port with one fault: CPU 1's first INVEPT, in its first switch, fails.

%define insn_invept insn_invept_real
%include "arch/x86/insn.asm"
%undef insn_invept
%include "tests/vm/fault/once_on_cpu1.inc"

FUNCTION insn_invept
	ONCE_ON_CPU1 1, .fail
	jmp	insn_invept_real
.fail:
	xor	eax, eax
	ret
