; SPDX-License-Identifier: GPL-2.0-only
;
; A hardware port with one fault: CPU 1 cannot write a control field in its first switch.

%include "tests/vm/fault/port.inc"

FAILS insn_vmwrite, 1, VMCS_CR0_READ_SHADOW
