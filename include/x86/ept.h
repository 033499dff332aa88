/* SPDX-License-Identifier: GPL-2.0-only */
/* Extended page tables: the bits of an entry and of the pointer to the root. */
#ifndef X86_EPT_H
#define X86_EPT_H

#include <stdint.h>

#include "x86/bits.h"

/*
 * SDM vol. 3, 29.3.2, EPT Translation Mechanism, with a table per kind of entry. Read, write and
 * execute are of every entry; an entry with none of them is not present.
 */
#define EPT_READ			X86_BIT64(0)
#define EPT_WRITE			X86_BIT64(1)
#define EPT_EXECUTE			X86_BIT64(2)	/* with bit 10 on: supervisor only */
#define EPT_ACCESS			(EPT_READ | EPT_WRITE | EPT_EXECUTE)
#define EPT_ACCESSED			X86_BIT64(8)	/* with EPTP_ACCESSED_DIRTY */
#define EPT_USER_EXECUTE		X86_BIT64(10)	/* with mode-based execute control */
#define EPT_ADDRESS			X86_MASK64(51, 12)

/* Entries that map a page: a PDPTE or PDE with EPT_LARGE, or a PTE */
#define EPT_MEMORY_TYPE_SHIFT		3
#define EPT_MEMORY_TYPE			X86_MASK64(5, 3)
#define EPT_IGNORE_PAT			X86_BIT64(6)
#define EPT_LARGE			X86_BIT64(7)	/* PDPTE: 1 GiB, PDE: 2 MiB */
#define EPT_DIRTY			X86_BIT64(9)	/* with EPTP_ACCESSED_DIRTY */
#define EPT_VERIFY_GUEST_PAGING		X86_BIT64(57)
#define EPT_PAGING_WRITE		X86_BIT64(58)
#define EPT_SUPERVISOR_SHADOW_STACK	X86_BIT64(60)
#define EPT_SUB_PAGE_WRITE		X86_BIT64(61)	/* PTE */
#define EPT_SUPPRESS_VE			X86_BIT64(63)

/* Reserved, must be 0: in an entry that refers to a table, and below a large page's address. */
#define EPT_TABLE_RESERVED		X86_MASK64(7, 3)
#define EPT_2M_RESERVED			X86_MASK64(20, 12)
#define EPT_1G_RESERVED			X86_MASK64(29, 12)

/* SDM vol. 3, 25.6.11, Extended-Page-Table Pointer (EPTP) */
#define EPTP_MEMORY_TYPE		X86_MASK64(2, 0)
#define EPTP_WALK_4			(UINT64_C(3) << 3)	/* page-walk length - 1 */
#define EPTP_WALK_5			(UINT64_C(4) << 3)
#define EPTP_ACCESSED_DIRTY		X86_BIT64(6)
#define EPTP_SUPERVISOR_SHADOW_STACK	X86_BIT64(7)
#define EPTP_ADDRESS			X86_MASK64(51, 12)

#endif
