/* SPDX-License-Identifier: GPL-2.0-only */
/* The linked 32-bit program, as data of the workload. IA32_PROGRAM is its path, from the Makefile. */
	.section .note.GNU-stack, "", @progbits
	.section .rodata
	.globl ia32_image, ia32_image_end
ia32_image:
	.incbin IA32_PROGRAM
ia32_image_end:
