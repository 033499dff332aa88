; SPDX-License-Identifier: GPL-2.0-only
;
; The image's first bytes: what the module must know to map it. The CRC is filled in after linking.

bits 64
default rel
%include "constants.inc"

extern image_file_size, image_text_end, image_rodata_end, image_memory_size
extern image_entry, image_boot

section .header progbits alloc noexec nowrite align=8

	dq MERCURY_MAGIC
	dd MERCURY_ABI_VERSION
	dd 0			; crc32
	dq image_file_size
	dq image_text_end
	dq image_rodata_end
	dq image_memory_size
	dq image_entry
	dq image_boot

section .note.GNU-stack noalloc noexec nowrite progbits
