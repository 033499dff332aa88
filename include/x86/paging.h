/* SPDX-License-Identifier: GPL-2.0-only */
/* 4-level paging: entry bits, page sizes, the parts of a linear address. */
#ifndef X86_PAGING_H
#define X86_PAGING_H

#include <stdbool.h>
#include <stdint.h>

#include "x86/bits.h"

/* SDM vol. 3, 4.5, 4-Level Paging and 5-Level Paging, with a table per kind of entry */
#define PAGING_P			X86_BIT64(0)
#define PAGING_RW			X86_BIT64(1)
#define PAGING_US			X86_BIT64(2)
#define PAGING_PWT			X86_BIT64(3)
#define PAGING_PCD			X86_BIT64(4)
#define PAGING_A			X86_BIT64(5)
#define PAGING_D			X86_BIT64(6)	/* entries that map a page */
#define PAGING_PS			X86_BIT64(7)	/* PDPTE: 1 GiB, PDE: 2 MiB */
#define PAGING_PAT			X86_BIT64(7)	/* PTE */
#define PAGING_G			X86_BIT64(8)	/* entries that map a page */
#define PAGING_LARGE_PAT		X86_BIT64(12)	/* with PAGING_PS */
#define PAGING_PKEY			X86_MASK64(62, 59)
#define PAGING_XD			X86_BIT64(63)
#define PAGING_ADDRESS			X86_MASK64(51, 12)

/* A table: 512 entries of 8 bytes, one page. */
#define PAGING_ENTRIES			512
#define PAGING_INDEX_BITS		9
#define PAGING_LEVELS			4

/* Levels count from the leaf: 1 PTE, 2 PDE (2 MiB pages), 3 PDPTE (1 GiB pages), 4 PML4E. */
#define PAGING_LEVEL_SHIFT(level)	(12 + PAGING_INDEX_BITS * ((level) - 1))
#define PAGING_LEVEL_BYTES(level)	(UINT64_C(1) << PAGING_LEVEL_SHIFT(level))

#define PAGE_4K				PAGING_LEVEL_BYTES(1)
#define PAGE_2M				PAGING_LEVEL_BYTES(2)
#define PAGE_1G				PAGING_LEVEL_BYTES(3)
#define PML4E_BYTES			PAGING_LEVEL_BYTES(4)

_Static_assert(PAGE_4K == 0x1000 && PAGE_2M == 0x200000 && PAGE_1G == 0x40000000, "page sizes");

/* paging_index - Which entry of the table of that level, 1 to 4, translates the address. */
static inline unsigned int paging_index(uint64_t address, unsigned int level)
{
	return (unsigned int)(address >> PAGING_LEVEL_SHIFT(level)) & (PAGING_ENTRIES - 1);
}

/*
 * paging_offset - The part of the address inside the page or region that an entry of that level, 1
 * to 4, maps, in bytes.
 */
static inline uint64_t paging_offset(uint64_t address, unsigned int level)
{
	return address & (PAGING_LEVEL_BYTES(level) - 1);
}

/*
 * paging_canonical - Whether bits 63 and down to width - 1 are equal; width is 48, or 57 with
 * CR4.LA57. SDM vol. 1, 3.3.7.1, Canonical Addressing
 */
static inline bool paging_canonical(uint64_t address, unsigned int width)
{
	uint64_t upper = address >> (width - 1);

	return upper == 0 || upper == UINT64_MAX >> (width - 1);
}

/* Error code of a page fault. SDM vol. 3, 4.7, Page-Fault Exceptions */
#define PAGE_FAULT_P			X86_BIT32(0)
#define PAGE_FAULT_WR			X86_BIT32(1)
#define PAGE_FAULT_US			X86_BIT32(2)
#define PAGE_FAULT_RSVD			X86_BIT32(3)
#define PAGE_FAULT_ID			X86_BIT32(4)
#define PAGE_FAULT_PK			X86_BIT32(5)
#define PAGE_FAULT_SS			X86_BIT32(6)
#define PAGE_FAULT_HLAT			X86_BIT32(7)
#define PAGE_FAULT_SGX			X86_BIT32(15)

#endif
