; SPDX-License-Identifier: GPL-2.0-only
;
; A hardware port with one fault: CPU 1 cannot write a guest-state field in its first switch.

%include "tests/vm/fault/port.inc"

FAILS insn_vmwrite, 1, VMCS_GUEST_CR3
