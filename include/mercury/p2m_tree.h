/* SPDX-License-Identifier: GPL-2.0-only */
/* The P2M's tree from inside: what its files share. */
#ifndef MERCURY_P2M_TREE_H
#define MERCURY_P2M_TREE_H

#include "mercury/p2m.h"
#include "mercury/pool.h"

#define PAGE_SHIFT 12
#define ORDER_STEP 9

/* Alone: no fault is being resolved, and nobody else changes the tree. */
void p2m_lock(struct p2m *p2m);
void p2m_unlock(struct p2m *p2m);

/* Who failed may hold the lock, or have claimed an entry, for ever. */
bool p2m_is_abandoned(const struct p2m *p2m);

/* Beside others that do the same; each entry that is changed has to be claimed. */
void p2m_lock_shared(struct p2m *p2m);
void p2m_unlock_shared(struct p2m *p2m);

/* 4 KiB pages that an entry of level `order` maps. */
static inline uint64_t p2m_pages_of(uint32_t order)
{
	return 1ull << order;
}

/* The entry for `gfn` in a table whose entries are of level `order`. */
static inline uint64_t *p2m_slot(uint64_t *table, uint64_t gfn, uint32_t order)
{
	return &table[gfn >> order & (P2M_ENTRIES - 1)];
}

/* Another CPU's page walk may read the entry at any time: one store, after the table it points to. */
static inline void p2m_write_entry(uint64_t *entry, uint64_t value)
{
	__atomic_store_n(entry, value, __ATOMIC_RELEASE);
}

/* The table that `entry` of level `order` points to. */
static inline uint64_t *p2m_table_of(const struct p2m *p2m, uint64_t entry, uint32_t order)
{
	struct p2m_page page;

	p2m->format->decode(entry, order, &page);
	return pool_page(page.mfn << PAGE_SHIFT);
}

/* A table of leaves that say what the leaf `entry` of level `order` says; NULL: no memory. */
uint64_t *p2m_split_table(struct p2m *p2m, uint64_t entry, uint32_t order);

/* Put a leaf in place of the table that `entry` of level `order` points to, if it says no more. */
bool p2m_collapse_table(struct p2m *p2m, uint64_t *entry, uint32_t order);

#endif
