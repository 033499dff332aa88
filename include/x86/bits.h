/* SPDX-License-Identifier: GPL-2.0-only */
/* Masks and bit fields: how the tables of this folder become constants. */
#ifndef X86_BITS_H
#define X86_BITS_H

#include <stdint.h>

/* One bit of a 32-bit or a 64-bit register or field. */
#define X86_BIT32(bit)		(UINT32_C(1) << (bit))
#define X86_BIT64(bit)		(UINT64_C(1) << (bit))

/* Mask of bits hi down to lo, both included, 0 <= lo <= hi <= 63; the manual writes hi:lo. */
#define X86_MASK64(hi, lo)	((~UINT64_C(0) >> (63 - (hi))) & (~UINT64_C(0) << (lo)))

/* x86_field - Bits hi down to lo of value, both included, moved to bit 0; 0 <= lo <= hi <= 63. */
static inline uint64_t x86_field(uint64_t value, unsigned int hi, unsigned int lo)
{
	return (value & X86_MASK64(hi, lo)) >> lo;
}

_Static_assert(X86_MASK64(63, 0) == ~UINT64_C(0), "a full mask");
_Static_assert(X86_MASK64(11, 10) == 0xc00, "a mask within a word");
_Static_assert(X86_MASK64(63, 63) == UINT64_C(1) << 63, "the topmost bit");

#endif
