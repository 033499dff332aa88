// SPDX-License-Identifier: GPL-2.0-only
/*
 * Freezing the P2M: the right to write is taken away at the root, in no time, and given back page by
 * page as Linux writes. What is frozen is pushed down level by level: a frozen table's entries are
 * frozen before it is thawed, so that at no moment a page can be written that nobody was asked about.
 */
#include <stddef.h>

#include "mercury/p2m_tree.h"

/* Freeze the entries of `table`, those that are there. Of what is hidden nothing can be written. */
static void freeze_all(struct p2m *p2m, uint64_t *table)
{
	int i;

	for (i = 0; table != p2m->hidden && i < P2M_ENTRIES; i++)
		if (p2m->format->is_present(table[i]))
			p2m_write_entry(&table[i], p2m->format->freeze(table[i]));
}

/* Nearly always the first entry alone: all CPUs wait for this. */
void p2m_freeze(struct p2m *p2m)
{
	uint32_t i;

	p2m_lock(p2m);
	for (i = 0; i < p2m->root_entries; i++)
		if (p2m->format->is_present(p2m->root[i]))
			p2m_write_entry(&p2m->root[i], p2m->format->freeze(p2m->root[i]));
	p2m->frozen = true;
	p2m_unlock(p2m);
}

/*
 * An entry is changed by who claimed it: until it is written anew, which is the end of the claim, others
 * keep away from it and from the table it points to. It stays frozen as long.
 */
static bool claim(struct p2m *p2m, uint64_t *entry, uint64_t *value)
{
	*value = __atomic_load_n(entry, __ATOMIC_ACQUIRE);
	return p2m->format->is_frozen(*value) && !p2m->format->is_claimed(*value) &&
	       __atomic_compare_exchange_n(entry, value, p2m->format->claim(*value), false,
					   __ATOMIC_ACQUIRE, __ATOMIC_RELAXED);
}

/* A frozen table: what it points to, frozen instead. A large leaf: split, its pages frozen. */
static enum mercury_error push_down(struct p2m *p2m, uint64_t *entry, uint64_t value,
				    uint32_t order)
{
	uint64_t *table;

	if (!p2m->format->is_leaf(value, order)) {
		freeze_all(p2m, p2m_table_of(p2m, value, order));
		p2m_write_entry(entry, p2m->format->thaw(value));
		return MERCURY_E_OK;
	}
	table = p2m_split_table(p2m, value, order);
	p2m_write_entry(entry, table ? p2m->format->make_table(pool_pa(table)) : value);
	return table ? MERCURY_E_OK : MERCURY_E_NO_MEMORY;
}

/* The frozen page itself, claimed. */
static void first_write_to(struct p2m *p2m, uint64_t *entry, uint64_t value, uint64_t gfn,
			   enum p2m_first_write (*first_write)(uint64_t gfn, void *data),
			   void *data)
{
	bool thaw = first_write(gfn, data) == P2M_THAW;

	p2m_write_entry(entry, thaw ? p2m->format->thaw(value) : value);
}

bool p2m_thaw_write(struct p2m *p2m, uint64_t gfn,
		    enum p2m_first_write (*first_write)(uint64_t gfn, void *data), void *data,
		    enum mercury_error *error)
{
	uint64_t *table = p2m->root;
	uint32_t order = P2M_ORDER_ROOT;
	bool found = false;

	*error = MERCURY_E_OK;
	p2m_lock_shared(p2m);
	while (!*error) {
		uint64_t *entry = p2m_slot(table, gfn, order);
		uint64_t value = __atomic_load_n(entry, __ATOMIC_ACQUIRE);

		if (!p2m->format->is_present(value))
			break;
		if (p2m->format->is_frozen(value)) {
			found = true;
			/* Another CPU is at it: Linux tries again. */
			if (!claim(p2m, entry, &value))
				break;
			if (order == P2M_ORDER_4K) {
				first_write_to(p2m, entry, value, gfn, first_write, data);
				break;
			}
			*error = push_down(p2m, entry, value, order);
			continue;
		}
		if (p2m->format->is_leaf(value, order))
			break;
		table = p2m_table_of(p2m, value, order);
		order -= ORDER_STEP;
	}
	p2m_unlock_shared(p2m);
	return found;
}

static void thaw_entry(struct p2m *p2m, uint64_t *entry, uint32_t order)
{
	uint64_t *table;
	int i;

	if (!p2m->format->is_present(*entry))
		return;
	if (p2m->format->is_frozen(*entry))
		p2m_write_entry(entry, p2m->format->thaw(*entry));
	if (p2m->format->is_leaf(*entry, order))
		return;
	table = p2m_table_of(p2m, *entry, order);
	for (i = 0; table != p2m->hidden && i < P2M_ENTRIES; i++)
		thaw_entry(p2m, &table[i], order - ORDER_STEP);
	if (order <= p2m->format->max_order)
		p2m_collapse_entry(p2m, entry, order);
}

void p2m_thaw(struct p2m *p2m)
{
	int i;

	p2m_lock(p2m);
	for (i = 0; i < P2M_ENTRIES; i++)
		thaw_entry(p2m, &p2m->root[i], P2M_ORDER_ROOT);
	p2m->frozen = false;
	p2m_unlock(p2m);
}
