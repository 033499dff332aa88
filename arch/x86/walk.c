// SPDX-License-Identifier: GPL-2.0-only
/* The page-table walker. */
#include "walk.h"
#include "x86/cr.h"
#include "x86/paging.h"

#define LINEAR_BITS 48

static bool is_leaf(uint64_t entry, unsigned int level)
{
	return level == 1 || (level < PAGING_LEVELS && entry & PAGING_PS);
}

bool walk(uint64_t cr3, uint64_t address, walk_read read, void *context, struct walk_result *result)
{
	uint64_t table = cr3 & CR3_ADDRESS;
	unsigned int level;

	if (!paging_canonical(address, LINEAR_BITS))
		return false;
	*result = (struct walk_result){ .writable = true, .executable = true, .user = true };
	for (level = PAGING_LEVELS; level; level--) {
		uint64_t entry = read(context, table + 8 * paging_index(address, level));

		if (!(entry & PAGING_P))
			return false;
		result->writable &= !!(entry & PAGING_RW);
		result->user &= !!(entry & PAGING_US);
		result->executable &= !(entry & PAGING_XD);
		table = entry & PAGING_ADDRESS;
		if (is_leaf(entry, level))
			break;
	}
	/* Below a large page's address lie its offset and, in bit 12, its PAT bit. */
	result->size = PAGING_LEVEL_BYTES(level);
	result->pa = (table & ~(result->size - 1)) + paging_offset(address, level);
	return true;
}
