/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Pages for the P2M's tables, allocated by the module at load, and lent for as long as a snapshot lasts; the
 * VMM never asks for more.
 */
#ifndef MERCURY_POOL_H
#define MERCURY_POOL_H

#include <stdbool.h>
#include <stdint.h>

/*
 * The pool: `pages` pages at `base`. `ptes[i]` holds page i's physical address in bits 51:12. The
 * addresses ascend, so that an address finds its page by bisection.
 */
void pool_init(void *base, const uint64_t *ptes, uint32_t pages);

/* A zeroed page, or NULL when the pool is exhausted. */
void *pool_alloc(void);

/* Give back a page of pool_alloc(). */
void pool_free(void *page);

/*
 * The same for a table that a CPU may still have in its caches of the P2M: it is used again only after
 * pool_reclaim(), which is called when every CPU has flushed them.
 */
void pool_retire(void *page);
void pool_reclaim(void);

/* Physical address of a page of the pool, and the page of a physical address (NULL: not ours). */
uint64_t pool_pa(const void *page);
void *pool_page(uint64_t pa);

/*
 * A chunk of MERCURY_LENT_CHUNK bytes more, used when no page of the pool's own is left: physically from
 * `pa` on, at `at`, behind the one before. False: there are enough, or it is
 * not above the one before.
 */
bool pool_lend(void *at, uint64_t pa);

/* All chunks are the lender's again; false: a page of them is in use, or retired. */
bool pool_give_back(void);

/* Chunks that are lent now, and where the n-th lies physically. */
uint32_t pool_lent(void);
uint64_t pool_lent_pa(uint32_t n);

/*
 * Nobody waits for the pool's lock from now on: a CPU failed that may hold it. Who finds it held has no page, and
 * those that he gives back are lost.
 */
void pool_abandon(void);

/* Pages given out now. */
uint32_t pool_used(void);

#endif
