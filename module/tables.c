// SPDX-License-Identifier: GPL-2.0-only
/*
 * Memory for the P2M's tables while a snapshot is taken: one for each 2 MiB of RAM at worst, which is RAM's
 * 512th part. What was not set aside at load is lent to the VMM in chunks of 2 MiB, which is the unit that
 * hides for one entry of the EPT; where no chunk is to be had there are as many tables less.
 */
#include <linux/gfp.h>
#include <linux/io.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/sort.h>

#include "mercury.h"
#include "window.h"

#define CHUNK_ORDER 9
#define TABLES_PER_CHUNK (1U << CHUNK_ORDER)
#define SHARE 16 /* of the available memory, at most one part in so many */

static struct {
	struct page **chunks; /* ascending                                                        */
	u32 nr_chunks;
	bool lent; /* the VMM has them, or some of them                                           */
} tables;

static int by_address(const void *a, const void *b)
{
	u64 x = page_to_phys(*(struct page *const *)a), y = page_to_phys(*(struct page *const *)b);

	return x < y ? -1 : x > y;
}

/* Chunks for what of RAM's tables the pool itself cannot have. */
static u32 wanted(void)
{
	u64 all = DIV_ROUND_UP_ULL(mercury_ram_top(), PMD_SIZE), own = mercury_pool_pages();
	u64 available = max(si_mem_available(), 0L) / SHARE >> CHUNK_ORDER;

	return all <= own ? 0 :
			    min3(DIV_ROUND_UP_ULL(all - own, TABLES_PER_CHUNK), available,
				 (u64)MERCURY_LENT_CHUNKS);
}

void mercury_tables_alloc(void)
{
	u32 n = wanted();

	/* Those of a snapshot before that the VMM did not give back are still lent. */
	if (tables.chunks || !n)
		return;
	tables.chunks = kvmalloc_array(n, sizeof(*tables.chunks), GFP_KERNEL);
	while (tables.chunks && tables.nr_chunks < n) {
		struct page *page =
			alloc_pages(GFP_KERNEL | __GFP_NORETRY | __GFP_NOWARN, CHUNK_ORDER);

		if (!page)
			break;
		tables.chunks[tables.nr_chunks++] = page;
	}
	if (tables.chunks)
		sort(tables.chunks, tables.nr_chunks, sizeof(*tables.chunks), by_address, NULL);
}

int mercury_tables_lend(void)
{
	unsigned int cpu = cpumask_first(cpu_online_mask);
	u64 error = 0;
	u32 i;

	if (tables.lent)
		return 0;
	/* Before the first call: one that fails may have hidden its chunk, or taken tables from it. */
	tables.lent = tables.nr_chunks > 0;
	for (i = 0; i < tables.nr_chunks && !error; i++)
		error = mercury_call_on(cpu, MERCURY_CALL_LEND, page_to_phys(tables.chunks[i]), 0);
	if (!error)
		return 0;
	mercury_refuse("snapshot: CPU %u: %s", cpu, mercury_cpu_text(cpu, error));
	return mercury_errno(error);
}

bool mercury_tables_take_back(void)
{
	unsigned int cpu = cpumask_first(cpu_online_mask);

	if (tables.nr_chunks && mercury_call_on(cpu, MERCURY_CALL_GIVE_BACK, 0, 0))
		return false;
	tables.lent = false;
	return tables.nr_chunks > 0;
}

void mercury_tables_keep(void)
{
	tables.lent = true;
}

void mercury_tables_free(void)
{
	u32 i;

	if (tables.lent)
		return;
	for (i = 0; i < tables.nr_chunks; i++)
		__free_pages(tables.chunks[i], CHUNK_ORDER);
	kvfree(tables.chunks);
	tables.chunks = NULL;
	tables.nr_chunks = 0;
}

/* Nothing is virtual any more. */
void mercury_tables_drop(void)
{
	tables.lent = false;
	mercury_tables_free();
}

u32 mercury_tables_pages(void)
{
	return tables.nr_chunks * TABLES_PER_CHUNK;
}

int mercury_tables_each_block(int (*tell)(u64 start, u64 end, void *data), void *data)
{
	int error = 0;
	u32 i;

	for (i = 0; i < tables.nr_chunks && !error; i++) {
		u64 start = page_to_phys(tables.chunks[i]);

		error = tell(start, start + PMD_SIZE, data);
	}
	return error;
}
