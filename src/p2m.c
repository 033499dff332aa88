// SPDX-License-Identifier: GPL-2.0-only
/* The P2M's tree: walk, split, collapse, protect, hide. What an entry looks like, the format knows. */
#include <stddef.h>

#include "mercury/p2m_tree.h"

#define ALONE (1u << 31) /* of the lock; the rest counts those who share it */

bool p2m_is_abandoned(const struct p2m *p2m)
{
	return __atomic_load_n(&p2m->abandoned, __ATOMIC_RELAXED);
}

void p2m_abandon(struct p2m *p2m)
{
	__atomic_store_n(&p2m->abandoned, 1, __ATOMIC_RELAXED);
}

void p2m_lock(struct p2m *p2m)
{
	while (__atomic_fetch_or(&p2m->lock, ALONE, __ATOMIC_ACQUIRE) & ALONE)
		while (__atomic_load_n(&p2m->lock, __ATOMIC_RELAXED) & ALONE)
			if (p2m_is_abandoned(p2m))
				return;
	while (__atomic_load_n(&p2m->lock, __ATOMIC_ACQUIRE) != ALONE)
		if (p2m_is_abandoned(p2m))
			return;
}

void p2m_unlock(struct p2m *p2m)
{
	__atomic_fetch_and(&p2m->lock, ~ALONE, __ATOMIC_RELEASE);
}

void p2m_lock_shared(struct p2m *p2m)
{
	while (__atomic_fetch_add(&p2m->lock, 1, __ATOMIC_ACQUIRE) & ALONE) {
		__atomic_fetch_sub(&p2m->lock, 1, __ATOMIC_RELAXED);
		while (__atomic_load_n(&p2m->lock, __ATOMIC_RELAXED) & ALONE)
			if (p2m_is_abandoned(p2m))
				return;
	}
}

void p2m_unlock_shared(struct p2m *p2m)
{
	__atomic_fetch_sub(&p2m->lock, 1, __ATOMIC_RELEASE);
}

/* The entry that maps `gfn`, or the empty one where the walk ends; *order says of which level. */
static uint64_t *find(const struct p2m *p2m, uint64_t gfn, uint32_t *order)
{
	uint64_t *table = p2m->root;

	for (*order = P2M_ORDER_ROOT;; *order -= ORDER_STEP) {
		uint64_t *entry = p2m_slot(table, gfn, *order);

		if (!p2m->format->is_present(*entry) || p2m->format->is_leaf(*entry, *order))
			return entry;
		table = p2m_table_of(p2m, *entry, *order);
	}
}

static uint64_t foreign_pages(uint64_t gfn, const struct p2m_page *page)
{
	gfn &= ~(p2m_pages_of(page->order) - 1);
	return page->mfn == gfn && page->access == P2M_ALL ? 0 : p2m_pages_of(page->order);
}

/* Is it a hidden page: the zero page, or the sink for the moment of a dropped write? */
static bool is_ours(const struct p2m *p2m, const struct p2m_page *page)
{
	uint64_t pa = page->mfn << PAGE_SHIFT;

	return page->order == P2M_ORDER_4K && (pa == p2m->zero_pa || pa == p2m->sink_pa);
}

uint64_t *p2m_split_table(struct p2m *p2m, uint64_t entry, uint32_t order)
{
	uint64_t *table = pool_alloc();
	struct p2m_page page;
	int i;

	if (!table)
		return NULL;
	p2m->format->decode(entry, order, &page);
	page.order = order - ORDER_STEP;
	for (i = 0; i < P2M_ENTRIES; i++) {
		table[i] = p2m->format->make_leaf(&page);
		page.mfn += p2m_pages_of(page.order);
	}
	return table;
}

/* Replace a leaf of `order` by a table of leaves that say the same. */
static enum mercury_error split_leaf(struct p2m *p2m, uint64_t *entry, uint32_t order)
{
	uint64_t *table = p2m_split_table(p2m, *entry, order);

	if (!table)
		return MERCURY_E_NO_MEMORY;
	p2m_write_entry(entry, p2m->format->make_table(pool_pa(table)));
	return MERCURY_E_OK;
}

/* Something of a hidden chunk is to change: it gets a table of its own. */
static uint64_t *unshare_hidden(struct p2m *p2m, uint64_t *entry)
{
	uint64_t *table = pool_alloc();

	if (!table)
		return NULL;
	__builtin_memcpy(table, p2m->hidden, MERCURY_PAGE_SIZE);
	p2m_write_entry(entry, p2m->format->make_table(pool_pa(table)));
	return table;
}

/* The entry of level `order` for `gfn`, made by adding tables and splitting leaves on the way. */
static enum mercury_error descend(struct p2m *p2m, uint64_t gfn, uint32_t order, uint64_t **entry)
{
	uint32_t at = P2M_ORDER_ROOT, i;
	uint64_t *table = p2m->root;

	i = gfn >> P2M_ORDER_ROOT;
	p2m->root_entries = p2m->root_entries > i ? p2m->root_entries : i + 1;
	for (*entry = p2m_slot(table, gfn, at); at > order; *entry = p2m_slot(table, gfn, at)) {
		if (!p2m->format->is_present(**entry)) {
			uint64_t *fresh = pool_alloc();

			if (!fresh)
				return MERCURY_E_NO_MEMORY;
			p2m_write_entry(*entry, p2m->format->make_table(pool_pa(fresh)));
		} else if (p2m->format->is_leaf(**entry, at)) {
			enum mercury_error error = split_leaf(p2m, *entry, at);

			if (error)
				return error;
		}
		table = p2m_table_of(p2m, **entry, at);
		if (table == p2m->hidden) {
			table = unshare_hidden(p2m, *entry);
			if (!table)
				return MERCURY_E_NO_MEMORY;
		}
		at -= ORDER_STEP;
	}
	return MERCURY_E_OK;
}

/* Free the tables below `entry`; takes what they map out of the foreign count. */
static void free_below(struct p2m *p2m, uint64_t gfn, uint64_t entry, uint32_t order)
{
	struct p2m_page page;
	uint64_t *table;
	uint64_t i;

	if (!p2m->format->is_present(entry))
		return;
	p2m->format->decode(entry, order, &page);
	if (p2m->format->is_leaf(entry, order)) {
		if (!is_ours(p2m, &page))
			p2m->foreign -= foreign_pages(gfn, &page);
		return;
	}
	table = p2m_table_of(p2m, entry, order);
	if (table == p2m->hidden)
		return;
	for (i = 0; i < P2M_ENTRIES; i++)
		free_below(p2m, gfn + (i << (order - ORDER_STEP)), table[i], order - ORDER_STEP);
	pool_free(table);
}

static enum mercury_error set_locked(struct p2m *p2m, uint64_t gfn, const struct p2m_page *page)
{
	uint64_t *entry, old;
	enum mercury_error error = descend(p2m, gfn, page->order, &entry);

	if (error)
		return error;
	old = *entry;
	p2m_write_entry(entry, p2m->format->make_leaf(page));
	free_below(p2m, gfn & ~(p2m_pages_of(page->order) - 1), old, page->order);
	p2m->foreign += foreign_pages(gfn, page);
	return MERCURY_E_OK;
}

enum mercury_error p2m_init(struct p2m *p2m, const struct p2m_format *format, const void *types,
			    uint64_t zero_pa, uint64_t sink_pa)
{
	struct p2m_page zero = { .mfn = zero_pa >> PAGE_SHIFT, .access = P2M_READ };
	int i;

	*p2m = (struct p2m){
		.format = format, .types = types, .zero_pa = zero_pa, .sink_pa = sink_pa
	};
	p2m->root = pool_alloc();
	p2m->hidden = pool_alloc();
	if (!p2m->root || !p2m->hidden) {
		if (p2m->root)
			pool_free(p2m->root);
		p2m->root = NULL;
		return MERCURY_E_NO_MEMORY;
	}
	format->type_of(types, zero_pa, MERCURY_PAGE_SIZE, &zero.type);
	for (i = 0; i < P2M_ENTRIES; i++)
		p2m->hidden[i] = format->make_leaf(&zero);
	return MERCURY_E_OK;
}

static bool type_of_pages(const struct p2m *p2m, uint64_t mfn, uint32_t order, uint32_t *type)
{
	return p2m->format->type_of(p2m->types, mfn << PAGE_SHIFT,
				    p2m_pages_of(order) << PAGE_SHIFT, type);
}

/* The largest block at `gfn` that is aligned, within `pages` and of one memory type. */
static void largest_block(const struct p2m *p2m, uint64_t gfn, uint64_t pages,
			  struct p2m_page *page)
{
	page->mfn = gfn;
	page->access = P2M_ALL;
	page->frozen = false;
	for (page->order = p2m->format->max_order; page->order; page->order -= ORDER_STEP) {
		uint64_t size = p2m_pages_of(page->order);

		if (!(gfn & (size - 1)) && size <= pages &&
		    type_of_pages(p2m, gfn, page->order, &page->type))
			return;
	}
	type_of_pages(p2m, gfn, P2M_ORDER_4K, &page->type);
}

enum mercury_error p2m_map_identity(struct p2m *p2m, uint64_t start, uint64_t end)
{
	uint64_t gfn = start >> PAGE_SHIFT, last = end >> PAGE_SHIFT;
	enum mercury_error error = MERCURY_E_OK;

	p2m_lock(p2m);
	while (gfn < last && !error) {
		struct p2m_page page;

		largest_block(p2m, gfn, last - gfn, &page);
		error = set_locked(p2m, gfn, &page);
		gfn += p2m_pages_of(page.order);
	}
	p2m_unlock(p2m);
	return error;
}

bool p2m_look(const struct p2m *p2m, uint64_t gfn, struct p2m_page *page)
{
	const uint64_t *table = p2m->root;
	uint64_t entry;

	/* Who shares the lock may split a leaf meanwhile: each entry is read once. */
	for (page->order = P2M_ORDER_ROOT;; page->order -= ORDER_STEP) {
		entry = __atomic_load_n(&table[gfn >> page->order & (P2M_ENTRIES - 1)],
					__ATOMIC_ACQUIRE);
		if (!p2m->format->is_present(entry))
			return false;
		if (p2m->format->is_leaf(entry, page->order))
			break;
		table = p2m_table_of(p2m, entry, page->order);
	}
	p2m->format->decode(entry, page->order, page);
	page->mfn += gfn & (p2m_pages_of(page->order) - 1);
	return true;
}

bool p2m_lookup(struct p2m *p2m, uint64_t gfn, struct p2m_page *page)
{
	bool present;

	p2m_lock(p2m);
	present = p2m_look(p2m, gfn, page);
	p2m_unlock(p2m);
	return present;
}

enum mercury_error p2m_set(struct p2m *p2m, uint64_t gfn, const struct p2m_page *page)
{
	enum mercury_error error;

	p2m_lock(p2m);
	error = set_locked(p2m, gfn, page);
	p2m_unlock(p2m);
	return error;
}

static enum mercury_error retype_entry(struct p2m *p2m, uint64_t *entry, uint32_t order)
{
	enum mercury_error error = MERCURY_E_OK;
	struct p2m_page page;
	uint64_t *table;
	uint32_t type;
	int i;

	if (!p2m->format->is_present(*entry))
		return MERCURY_E_OK;
	p2m->format->decode(*entry, order, &page);
	if (p2m->format->is_leaf(*entry, order)) {
		if (is_ours(p2m, &page))
			return MERCURY_E_OK;
		if (type_of_pages(p2m, page.mfn, order, &type)) {
			page.type = type;
			p2m_write_entry(entry, p2m->format->make_leaf(&page));
			return MERCURY_E_OK;
		}
		error = split_leaf(p2m, entry, order);
	}
	table = error ? NULL : p2m_table_of(p2m, *entry, order);
	for (i = 0; !error && table != p2m->hidden && i < P2M_ENTRIES; i++)
		error = retype_entry(p2m, &table[i], order - ORDER_STEP);
	return error;
}

enum mercury_error p2m_retype(struct p2m *p2m, const void *types)
{
	enum mercury_error error = MERCURY_E_OK;
	int i;

	p2m_lock(p2m);
	p2m->types = types;
	for (i = 0; i < P2M_ENTRIES && !error; i++)
		error = retype_entry(p2m, &p2m->root[i], P2M_ORDER_ROOT);
	p2m_unlock(p2m);
	return error;
}

static enum mercury_error split_locked(struct p2m *p2m, uint64_t gfn, uint32_t order)
{
	uint64_t *entry;
	uint32_t at;

	for (entry = find(p2m, gfn, &at); at > order; entry = find(p2m, gfn, &at)) {
		enum mercury_error error;

		if (!p2m->format->is_present(*entry))
			return MERCURY_E_OK;
		error = split_leaf(p2m, entry, at);
		if (error)
			return error;
	}
	return MERCURY_E_OK;
}

enum mercury_error p2m_split(struct p2m *p2m, uint64_t gfn, uint32_t order)
{
	enum mercury_error error;

	p2m_lock(p2m);
	error = split_locked(p2m, gfn, order);
	p2m_unlock(p2m);
	return error;
}

/* Give the leaf that maps `gfn` `access`, if it lies within `pages`; else split it first. */
static enum mercury_error protect_one(struct p2m *p2m, uint64_t gfn, uint64_t pages,
				      uint32_t access, uint64_t *done)
{
	struct p2m_page page;
	uint32_t order;
	uint64_t *entry = find(p2m, gfn, &order);
	uint64_t size = p2m_pages_of(order);

	if (!p2m->format->is_present(*entry)) {
		*done = size - (gfn & (size - 1));
		return MERCURY_E_OK;
	}
	if (gfn & (size - 1) || size > pages) {
		*done = 0;
		return split_leaf(p2m, entry, order);
	}
	*done = size;
	p2m->format->decode(*entry, order, &page);
	if (is_ours(p2m, &page))
		return MERCURY_E_OK;
	p2m->foreign -= foreign_pages(gfn, &page);
	page.access = access;
	p2m->foreign += foreign_pages(gfn, &page);
	p2m_write_entry(entry, p2m->format->make_leaf(&page));
	return MERCURY_E_OK;
}

enum mercury_error p2m_protect(struct p2m *p2m, uint64_t start, uint64_t end, uint32_t access)
{
	uint64_t gfn = start >> PAGE_SHIFT, last = end >> PAGE_SHIFT, done;
	enum mercury_error error = MERCURY_E_OK;

	p2m_lock(p2m);
	for (; gfn < last && !error; gfn += done)
		error = protect_one(p2m, gfn, last - gfn, access, &done);
	p2m_unlock(p2m);
	return error;
}

/* Do the entries of `table` together say no more than one leaf of the next level would? */
static bool is_uniform(const struct p2m *p2m, const uint64_t *table, uint32_t order,
		       struct p2m_page *whole)
{
	struct p2m_page page;
	uint64_t i;

	for (i = 0; i < P2M_ENTRIES; i++) {
		if (!p2m->format->is_present(table[i]) || !p2m->format->is_leaf(table[i], order))
			return false;
		p2m->format->decode(table[i], order, &page);
		if (i == 0)
			*whole = page;
		if (page.mfn != whole->mfn + (i << order) || page.access != whole->access ||
		    page.type != whole->type || page.frozen != whole->frozen)
			return false;
	}
	whole->order = order + ORDER_STEP;
	return !(whole->mfn & (p2m_pages_of(whole->order) - 1));
}

bool p2m_collapse_table(struct p2m *p2m, uint64_t *entry, uint32_t order)
{
	uint64_t *table = p2m_table_of(p2m, *entry, order);
	struct p2m_page whole;

	if (!is_uniform(p2m, table, order - ORDER_STEP, &whole))
		return false;
	p2m_write_entry(entry, p2m->format->make_leaf(&whole));
	pool_retire(table);
	return true;
}

/* Collapse the table that `entry` of level `order` points to, its own tables first. */
static bool collapse_entry(struct p2m *p2m, uint64_t *entry, uint32_t order)
{
	uint64_t *table;
	int i;

	if (!p2m->format->is_present(*entry))
		return false;
	if (p2m->format->is_leaf(*entry, order))
		return true;
	table = p2m_table_of(p2m, *entry, order);
	for (i = 0; order > P2M_ORDER_2M && i < P2M_ENTRIES; i++)
		collapse_entry(p2m, &table[i], order - ORDER_STEP);
	return p2m_collapse_table(p2m, entry, order);
}

bool p2m_collapse(struct p2m *p2m, uint64_t gfn, uint32_t order)
{
	uint64_t *entry;
	bool done = false;
	uint32_t at;

	if (order > p2m->format->max_order || !order)
		return false;
	p2m_lock(p2m);
	/* What a frozen table says of its pages cannot be put into their leaf. */
	if (p2m->frozen) {
		p2m_unlock(p2m);
		return false;
	}
	entry = find(p2m, gfn, &at);
	if (at >= order)
		done = at == order && p2m->format->is_present(*entry);
	else if (!descend(p2m, gfn, order, &entry))
		done = collapse_entry(p2m, entry, order);
	p2m_unlock(p2m);
	return done;
}

static enum mercury_error hide_one(struct p2m *p2m, uint64_t gfn, uint32_t order)
{
	struct p2m_page zero;
	uint64_t *entry, old;
	enum mercury_error error = descend(p2m, gfn, order, &entry);

	if (error)
		return error;
	old = *entry;
	p2m->format->decode(p2m->hidden[0], P2M_ORDER_4K, &zero);
	p2m_write_entry(entry, order ? p2m->format->make_table(pool_pa(p2m->hidden)) :
				       p2m->format->make_leaf(&zero));
	free_below(p2m, gfn, old, order);
	return MERCURY_E_OK;
}

enum mercury_error p2m_hide(struct p2m *p2m, uint64_t start, uint64_t end)
{
	uint64_t gfn = start >> PAGE_SHIFT, last = end >> PAGE_SHIFT;
	enum mercury_error error = MERCURY_E_OK;

	p2m_lock(p2m);
	while (gfn < last && !error) {
		uint64_t chunk = p2m_pages_of(P2M_ORDER_2M);
		uint32_t order = !(gfn & (chunk - 1)) && last - gfn >= chunk ? P2M_ORDER_2M :
									       P2M_ORDER_4K;

		error = hide_one(p2m, gfn, order);
		gfn += p2m_pages_of(order);
	}
	p2m_unlock(p2m);
	return error;
}

/* Point a hidden 4 KiB leaf from one of our two pages to the other. */
static bool repoint(struct p2m *p2m, uint64_t gfn, uint64_t from, uint64_t to, uint32_t access)
{
	struct p2m_page page;
	uint32_t order;
	uint64_t *entry;
	bool done = false;

	p2m_lock(p2m);
	entry = find(p2m, gfn, &order);
	if (p2m->format->is_present(*entry) && order == P2M_ORDER_4K) {
		p2m->format->decode(*entry, order, &page);
		/* Another CPU may have done it already. */
		done = page.mfn << PAGE_SHIFT == to;
		if (page.mfn << PAGE_SHIFT == from) {
			page.mfn = to >> PAGE_SHIFT;
			page.access = access;
			p2m_write_entry(entry, p2m->format->make_leaf(&page));
			done = true;
		}
	}
	p2m_unlock(p2m);
	return done;
}

bool p2m_let_drop(struct p2m *p2m, uint64_t gfn)
{
	return repoint(p2m, gfn, p2m->zero_pa, p2m->sink_pa, P2M_READ | P2M_WRITE);
}

void p2m_rehide(struct p2m *p2m, uint64_t gfn)
{
	repoint(p2m, gfn, p2m->sink_pa, p2m->zero_pa, P2M_READ);
}

bool p2m_is_identity(const struct p2m *p2m)
{
	return p2m->foreign == 0;
}
