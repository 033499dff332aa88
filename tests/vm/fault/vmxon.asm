; SPDX-License-Identifier: GPL-2.0-only
;
; A hardware port with one fault: CPU 1's second VMXON, its first switch, fails.

%include "tests/vm/fault/port.inc"

FAILS insn_vmxon, 2
