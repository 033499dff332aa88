// SPDX-License-Identifier: GPL-2.0-only
/* What entry.asm, trap.asm and the linker script define, as far as C refers to it. */
#include "entry.h"
#include "insn.h"

/* Addresses that only have to be told apart. */
const uint64_t trap_entries[32] = { [0 ... 31] = FAKE_TRAP_ENTRY };

/* The linker script bounds the table by two symbols; C cannot place two of them side by side. */
__asm__(".section .rodata\n"
	".balign 8\n"
	".globl fixups_start, fixups_end\n"
	"fixups_start:\n"
	".quad 0xf00d1000, 0xf00d2000\n"
	"fixups_end:\n"
	".previous\n");

/* HOST_RIP: never called, the fake calls vmx_handle_exit() in its place. */
void insn_vmexit_entry(void)
{
	__builtin_trap();
}

/* Only its address matters. */
void insn_identity_tail(void)
{
	__builtin_trap();
}
