; SPDX-License-Identifier: GPL-2.0-only
;
; A hardware port with one fault: CPU 1's first VM entry finds RFLAGS with bit 1 clear, which the
; processor refuses. The failed entry arrives like a VM exit, not behind VMLAUNCH.

%include "tests/vm/fault/port.inc"

WRAP insn_vmwrite

FUNCTION insn_vmwrite
	cmp	edi, VMCS_GUEST_RFLAGS
	jne	insn_vmwrite_real
	ONCE_ON_CPU1 1, .fail
	jmp	insn_vmwrite_real
.fail:
	and	esi, ~2
	jmp	insn_vmwrite_real
