/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The P2M: from Linux's pseudo-physical addresses to the machine's, for each page its access rights
 * and memory type; identity by default. What virtual mode is for (protection, dirty logging, copy on
 * write) is written once against this interface. It is a radix tree of tables with 512 entries; what
 * an entry looks like is the format's business: EPT, or ring 1's shadow page tables.
 *
 * Frame numbers count 4 KiB pages; an order is the base-2 logarithm of a mapping's pages.
 */
#ifndef MERCURY_P2M_H
#define MERCURY_P2M_H

#include <stdbool.h>
#include <stdint.h>

#include "abi/mercury.h"

#define P2M_ORDER_4K 0
#define P2M_ORDER_2M 9
#define P2M_ORDER_1G 18
#define P2M_ORDER_ROOT 27 /* what one entry of the root covers: 512 GiB                           */
#define P2M_ENTRIES 512

#define P2M_READ 1u
#define P2M_WRITE 2u
#define P2M_EXECUTE 4u
#define P2M_ALL (P2M_READ | P2M_WRITE | P2M_EXECUTE)

struct p2m_page {
	uint64_t mfn;
	uint32_t order;
	uint32_t access; /* P2M_READ ...                                                          */
	uint32_t type;   /* memory type, the architecture's number                                */
	bool frozen;     /* P2M_WRITE is taken away for the moment: see p2m_freeze()              */
};

struct p2m_format {
	uint32_t max_order;
	uint64_t (*make_leaf)(const struct p2m_page *page);
	uint64_t (*make_table)(uint64_t pa);
	/* Of any entry: without write access, and remembering it; as it was before; is it so?    */
	uint64_t (*freeze)(uint64_t entry);
	uint64_t (*thaw)(uint64_t entry);
	bool (*is_frozen)(uint64_t entry);
	/* Of a frozen entry: marked as the business of one CPU alone. freeze(), thaw() unmark.    */
	uint64_t (*claim)(uint64_t entry);
	bool (*is_claimed)(uint64_t entry);
	bool (*is_present)(uint64_t entry);
	bool (*is_leaf)(uint64_t entry, uint32_t order);
	/* Of a leaf: everything. Of a table: mfn is the table's frame. */
	void (*decode)(uint64_t entry, uint32_t order, struct p2m_page *page);
	/* By `types` (p2m_init): is [start, start + size) of one memory type? Physical bytes. */
	bool (*type_of)(const void *types, uint64_t start, uint64_t size, uint32_t *type);
};

struct p2m {
	const struct p2m_format *format;
	const void *types; /* for format->type_of; read under the lock only                       */
	uint64_t *root;
	uint64_t *hidden; /* a table of 512 leaves to the zero page, shared by all hidden chunks */
	uint64_t zero_pa, sink_pa;
	uint64_t foreign; /* 4 KiB pages that are neither identity with all rights nor hidden     */
	uint32_t root_entries; /* up to the last one of the root that is in use                   */
	bool frozen;
	uint32_t abandoned;
	uint32_t lock; /* who resolves a write fault shares it; all else has it alone             */
};

/*
 * An empty P2M. `types`: what format->type_of asks, kept until p2m_retype() brings another. `zero_pa`,
 * `sink_pa`: pages that reads of hidden memory come from and that a dropped write goes to. Errors:
 * NO_MEMORY.
 */
enum mercury_error p2m_init(struct p2m *p2m, const struct p2m_format *format, const void *types,
			    uint64_t zero_pa, uint64_t sink_pa);

/* Map [start, end) bytes to itself with the largest pages that are of one type. Errors: NO_MEMORY. */
enum mercury_error p2m_map_identity(struct p2m *p2m, uint64_t start, uint64_t end);

/*
 * What `gfn` maps to; page->mfn is that of `gfn` itself. False where nothing is mapped: page->order is
 * then what the empty entry would cover.
 */
bool p2m_lookup(struct p2m *p2m, uint64_t gfn, struct p2m_page *page);

/* The same for who has the lock already: a `first_write` of p2m_thaw_write(). */
bool p2m_look(const struct p2m *p2m, uint64_t gfn, struct p2m_page *page);

/* Map the aligned block of `page->order` at `gfn`, splitting what is larger. Errors: NO_MEMORY. */
enum mercury_error p2m_set(struct p2m *p2m, uint64_t gfn, const struct p2m_page *page);

/* Give the mapped pages of [start, end) bytes `access`. The caller flushes. Errors: NO_MEMORY. */
enum mercury_error p2m_protect(struct p2m *p2m, uint64_t start, uint64_t end, uint32_t access);

/*
 * The machine's memory types have changed to `types`: give every mapped page its own, splitting what
 * is no longer of one type. The caller flushes. Errors: NO_MEMORY, with some pages done.
 */
enum mercury_error p2m_retype(struct p2m *p2m, const void *types);

/* Make the mapping of `gfn` no larger than `order`. Errors: NO_MEMORY. */
enum mercury_error p2m_split(struct p2m *p2m, uint64_t gfn, uint32_t order);

/*
 * Replace tables below the aligned block of `order` by one leaf if they say no more than it would. They
 * are retired: see pool_reclaim().
 */
bool p2m_collapse(struct p2m *p2m, uint64_t gfn, uint32_t order);

/* Hide [start, end) bytes, page aligned: reads give zero, writes fault. Errors: NO_MEMORY. */
enum mercury_error p2m_hide(struct p2m *p2m, uint64_t start, uint64_t end);

/* Is `gfn` hidden? If so let one write through, to the sink; p2m_rehide() takes it back. */
bool p2m_let_drop(struct p2m *p2m, uint64_t gfn);
void p2m_rehide(struct p2m *p2m, uint64_t gfn);

/* Nobody waits for the P2M's lock from now on: a CPU failed that may hold it. All are to go native. */
void p2m_abandon(struct p2m *p2m);

/*
 * Take the right to write away from everything, at the root alone: O(1). No CPU may run Linux meanwhile,
 * and each flushes before it does again.
 */
void p2m_freeze(struct p2m *p2m);

/* What to do with a page that is written for the first time since p2m_freeze(). */
enum p2m_first_write {
	P2M_THAW, /* its old content is kept, or does not matter: let it be written               */
	P2M_WAIT, /* not now: Linux tries again                                                   */
};

/*
 * Linux wrote to `gfn` and may not. Where that is because of p2m_freeze(): ask `first_write`, once for
 * each page, and give the right back to this page alone; splits what is larger. With `first_write` NULL
 * nobody is asked and no table is needed: a large page is opened whole. No flush is needed: a CPU that
 * still has the old entry cached faults again. False: the page is not frozen. Errors of the pool: *error
 * is NO_MEMORY, nothing has changed for the page.
 */
bool p2m_thaw_write(struct p2m *p2m, uint64_t gfn,
		    enum p2m_first_write (*first_write)(uint64_t gfn, void *data), void *data,
		    enum mercury_error *error);

/*
 * Give the right back to some of what is frozen: from *gfn on, 0 at first, which is moved on; at most
 * `entries` of tables are looked at (and of each that is through, once more whether it can go). True: to
 * everything. Tables that say no more than a leaf would are retired: see pool_reclaim().
 */
bool p2m_thaw(struct p2m *p2m, uint64_t *gfn, uint32_t entries);

/*
 * Is every mapping that is not hidden the identity with all rights? Then native mode sees the same. What
 * is frozen counts as what it was.
 */
bool p2m_is_identity(const struct p2m *p2m);

#endif
