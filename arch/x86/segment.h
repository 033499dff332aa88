/* SPDX-License-Identifier: GPL-2.0-only */
/* A segment register's hidden part, rebuilt from the descriptor it was loaded from. */
#ifndef ARCH_X86_SEGMENT_H
#define ARCH_X86_SEGMENT_H

#include "state.h"

/*
 * The hidden part of a segment register holding `selector`, from the tables in memory. Unusable if
 * the selector is null, beyond its table, or its descriptor is not a present one that this register
 * could have been loaded from. `ldtr` may be unusable. Source: SDM vol. 3, 3.4.3, Segment Registers.
 */
struct segment segment_read(uint16_t selector, const struct descriptor_table_register *gdtr,
			    const struct segment *ldtr);

/* The same for LDTR and TR, whose descriptors have 16 bytes in IA-32e mode. */
struct segment segment_read_system(uint16_t selector, const struct descriptor_table_register *gdtr);

/* A code or data descriptor of 8 bytes: access rights in VMX format, limit 0-fffffh, base. */
uint64_t segment_descriptor_make(uint32_t ar, uint32_t limit, uint32_t base);

#endif
