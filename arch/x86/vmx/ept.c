// SPDX-License-Identifier: GPL-2.0-only
/* EPT entries. Accessed and dirty flags stay off, so that protecting a page is a matter of access. */
#include "ept.h"
#include "x86/ept.h"
#include "x86/mtrr.h"

#define PAGE_SHIFT 12

/* Ignored by the CPU in every entry: ours for "mapped", so that a page without any access is too. */
#define EPT_MAPPED X86_BIT64(11)

/* Ignored as well. Write access is taken away for the moment; and one CPU is about to give it back. */
#define EPT_FROZEN X86_BIT64(52)
#define EPT_CLAIMED X86_BIT64(53)

static uint64_t freeze(uint64_t entry)
{
	if (entry & EPT_WRITE)
		entry = (entry & ~EPT_WRITE) | EPT_FROZEN;
	return entry & ~EPT_CLAIMED;
}

static uint64_t thaw(uint64_t entry)
{
	if (entry & EPT_FROZEN)
		entry = (entry & ~EPT_FROZEN) | EPT_WRITE;
	return entry & ~EPT_CLAIMED;
}

static bool is_frozen(uint64_t entry)
{
	return entry & EPT_FROZEN;
}

static uint64_t claim(uint64_t entry)
{
	return entry | EPT_CLAIMED;
}

static bool is_claimed(uint64_t entry)
{
	return entry & EPT_CLAIMED;
}

static uint64_t make_leaf(const struct p2m_page *page)
{
	uint64_t entry = page->mfn << PAGE_SHIFT | EPT_MAPPED |
			 (uint64_t)page->type << EPT_MEMORY_TYPE_SHIFT;

	entry |= page->access & P2M_READ ? EPT_READ : 0;
	entry |= page->access & P2M_WRITE ? EPT_WRITE : 0;
	entry |= page->access & P2M_EXECUTE ? EPT_EXECUTE : 0;
	entry |= page->order ? EPT_LARGE : 0;
	return page->frozen ? freeze(entry) : entry;
}

static uint64_t make_table(uint64_t pa)
{
	return pa | EPT_MAPPED | EPT_ACCESS;
}

static bool is_present(uint64_t entry)
{
	return entry & EPT_MAPPED;
}

static bool is_leaf(uint64_t entry, uint32_t order)
{
	return order == P2M_ORDER_4K || (order < P2M_ORDER_ROOT && entry & EPT_LARGE);
}

static void decode(uint64_t entry, uint32_t order, struct p2m_page *page)
{
	page->mfn = (entry & EPT_ADDRESS) >> PAGE_SHIFT;
	page->order = order;
	page->access = (entry & EPT_READ ? P2M_READ : 0) |
		       (entry & (EPT_WRITE | EPT_FROZEN) ? P2M_WRITE : 0) |
		       (entry & EPT_EXECUTE ? P2M_EXECUTE : 0);
	page->frozen = is_frozen(entry);
	page->type = (entry & EPT_MEMORY_TYPE) >> EPT_MEMORY_TYPE_SHIFT;
}

static bool type_of(const void *mtrr, uint64_t start, uint64_t size, uint32_t *type)
{
	return mtrr_type(mtrr, start, size, type);
}

#define FORMAT(order)                                                                              \
	{                                                                                          \
		.max_order = order, .make_leaf = make_leaf, .make_table = make_table,              \
		.freeze = freeze, .thaw = thaw, .is_frozen = is_frozen, .claim = claim,            \
		.is_claimed = is_claimed, .is_present = is_present, .is_leaf = is_leaf,            \
		.decode = decode, .type_of = type_of,                                              \
	}

static const struct p2m_format format_2m = FORMAT(P2M_ORDER_2M);
static const struct p2m_format format_1g = FORMAT(P2M_ORDER_1G);

const struct p2m_format *ept_format(bool has_1g)
{
	return has_1g ? &format_1g : &format_2m;
}

uint64_t ept_pointer(uint64_t root_pa)
{
	return root_pa | EPTP_WALK_4 | MEMORY_TYPE_WB;
}
