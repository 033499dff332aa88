; SPDX-License-Identifier: GPL-2.0-only
;
; A hardware port with one fault: CPU 1's first VMLAUNCH finds HOST_CR0 without paging, which is
; VMfail: it returns behind VMLAUNCH, not like a VM exit.

%include "tests/vm/fault/port.inc"

WRAP insn_vmwrite

FUNCTION insn_vmwrite
	cmp	edi, VMCS_HOST_CR0
	jne	insn_vmwrite_real
	ONCE_ON_CPU1 1, .fail
	jmp	insn_vmwrite_real
.fail:
	mov	eax, 0x7fffffff		; all but CR0.PG
	and	rsi, rax
	jmp	insn_vmwrite_real
