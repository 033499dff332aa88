; SPDX-License-Identifier: GPL-2.0-only
;
; A hardware port with one fault: every VM entry gets a TR limit that ends before the I/O bitmap. The
; state check must notice.

%include "tests/vm/fault/port.inc"

WRAP insn_vmwrite

FUNCTION insn_vmwrite
	cmp	edi, VMCS_GUEST_TR_LIMIT
	jne	insn_vmwrite_real
	mov	esi, TSS64_SIZE - 1
	jmp	insn_vmwrite_real
