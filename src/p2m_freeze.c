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
 * keep away from it and from the table it points to. It stays frozen as long. Once the P2M is abandoned
 * the claim may be of a CPU that failed, and all that counts is that the others go on.
 */
static bool claim(struct p2m *p2m, uint64_t *entry, uint64_t *value)
{
	*value = __atomic_load_n(entry, __ATOMIC_ACQUIRE);
	return p2m->format->is_frozen(*value) &&
	       (!p2m->format->is_claimed(*value) || p2m_is_abandoned(p2m)) &&
	       __atomic_compare_exchange_n(entry, value, p2m->format->claim(*value), false,
					   __ATOMIC_ACQUIRE, __ATOMIC_RELAXED);
}

/*
 * A frozen table: what it points to, frozen instead. A large leaf: split, its pages frozen; or if nobody
 * asks for its pages, thawed.
 */
static enum mercury_error push_down(struct p2m *p2m, uint64_t *entry, uint64_t value,
				    uint32_t order, bool whole)
{
	bool is_leaf = p2m->format->is_leaf(value, order);
	uint64_t *table;

	if (!is_leaf)
		freeze_all(p2m, p2m_table_of(p2m, value, order));
	if (!is_leaf || whole) {
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
	bool thaw = !first_write || first_write(gfn, data) == P2M_THAW;

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
			*error = push_down(p2m, entry, value, order, !first_write);
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

/* Before `gfn` nothing is frozen any more; `budget`: entries that may still be looked at. */
struct thaw {
	uint64_t gfn;
	uint32_t budget;
};

static bool thaw_table(struct p2m *p2m, uint64_t *table, uint32_t order, struct thaw *t);

/* Below what is frozen nothing is: only what was pushed down is walked. */
static bool thaw_entry(struct p2m *p2m, uint64_t *entry, uint32_t order, struct thaw *t)
{
	uint64_t *table;

	if (!p2m->format->is_present(*entry))
		return true;
	if (p2m->format->is_frozen(*entry)) {
		p2m_write_entry(entry, p2m->format->thaw(*entry));
		return true;
	}
	if (p2m->format->is_leaf(*entry, order))
		return true;
	table = p2m_table_of(p2m, *entry, order);
	if (table == p2m->hidden)
		return true;
	if (!thaw_table(p2m, table, order - ORDER_STEP, t))
		return false;
	if (order <= p2m->format->max_order)
		p2m_collapse_table(p2m, entry, order);
	return true;
}

/* The entries of `table`, of level `order`, from t->gfn on; false: the budget is used up. */
static bool thaw_table(struct p2m *p2m, uint64_t *table, uint32_t order, struct thaw *t)
{
	uint64_t i, size = p2m_pages_of(order);

	for (i = t->gfn >> order & (P2M_ENTRIES - 1); i < P2M_ENTRIES; i++) {
		uint64_t next = (t->gfn & ~(size - 1)) + size;

		if (!t->budget)
			return false;
		t->budget--;
		if (!thaw_entry(p2m, &table[i], order, t))
			return false;
		t->gfn = next;
	}
	return true;
}

bool p2m_thaw(struct p2m *p2m, uint64_t *gfn, uint32_t entries)
{
	struct thaw t = { *gfn, entries };

	p2m_lock(p2m);
	if (thaw_table(p2m, p2m->root, P2M_ORDER_ROOT, &t))
		p2m->frozen = false;
	p2m_unlock(p2m);
	*gfn = t.gfn;
	return !p2m->frozen;
}
