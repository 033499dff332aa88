// SPDX-License-Identifier: GPL-2.0-only
/*
 * Pages for old contents: taken in blocks, listed for the VMM, which fills them in one after the other;
 * and found again by the frame whose content they hold. All under the snapshot's mutex.
 */
#include <linux/gfp.h>
#include <linux/io.h>
#include <linux/log2.h>
#include <linux/mm.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/xarray.h>

#include "mercury.h"
#include "window.h"

/* As large as can be had: each block is a hole in the image. */
#define BLOCK_ORDER 9

struct block {
	struct page *page;
	unsigned int order;
};

static struct {
	struct block *blocks;
	u32 nr_blocks, pages;
	u64 *directory;
	struct mercury_kept *lists[PAGE_SIZE / sizeof(u64)];
	struct xarray by_frame;
	u32 seen; /* entries that are in by_frame: all before this one                            */
} kept;

static struct mercury_kept *entry_of(u32 n)
{
	return &kept.lists[n / MERCURY_KEPT_PER_PAGE][n % MERCURY_KEPT_PER_PAGE];
}

static bool add_list(u32 n)
{
	u32 list = n / MERCURY_KEPT_PER_PAGE;

	if (kept.lists[list])
		return true;
	kept.lists[list] = (void *)get_zeroed_page(GFP_KERNEL | __GFP_NORETRY | __GFP_NOWARN);
	if (!kept.lists[list])
		return false;
	kept.directory[list] = __pa(kept.lists[list]);
	return true;
}

/* One more block of at most 1 << `order` pages; false: there is none. */
static bool add_block(unsigned int order)
{
	struct page *page = NULL;
	u32 i;

	do {
		page = alloc_pages(GFP_KERNEL | __GFP_NORETRY | __GFP_NOWARN, order);
	} while (!page && order--);
	if (!page)
		return false;
	kept.blocks[kept.nr_blocks++] = (struct block){ page, order };
	for (i = 0; i < 1U << order; i++) {
		if (kept.pages == MERCURY_KEPT_MAX || !add_list(kept.pages))
			return false;
		entry_of(kept.pages++)->page = page_to_phys(page + i);
	}
	return true;
}

int mercury_kept_alloc(u64 bytes)
{
	u32 wanted = min_t(u64, bytes >> PAGE_SHIFT, MERCURY_KEPT_MAX);

	xa_init(&kept.by_frame);
	kept.directory = (void *)get_zeroed_page(GFP_KERNEL);
	kept.blocks = kvmalloc_array(wanted + 1, sizeof(*kept.blocks), GFP_KERNEL);
	if (!kept.directory || !kept.blocks) {
		mercury_kept_free();
		return -ENOMEM;
	}
	while (kept.pages < wanted &&
	       add_block(min_t(unsigned int, BLOCK_ORDER, ilog2(wanted - kept.pages))))
		;
	return 0;
}

void mercury_kept_free(void)
{
	u32 taken = min(READ_ONCE(mercury_snapshot()->kept), kept.pages), i;

	/* The old contents are of any process: nobody shall find them there. */
	for (i = 0; i < taken; i++) {
		memset(__va(entry_of(i)->page), 0, PAGE_SIZE);
		cond_resched();
	}
	for (i = 0; i < kept.nr_blocks; i++)
		__free_pages(kept.blocks[i].page, kept.blocks[i].order);
	for (i = 0; i < ARRAY_SIZE(kept.lists); i++)
		free_page((unsigned long)kept.lists[i]);
	free_page((unsigned long)kept.directory);
	kvfree(kept.blocks);
	xa_destroy(&kept.by_frame);
	memset(&kept, 0, sizeof(kept));
}

u32 mercury_kept_pages(void)
{
	return kept.pages;
}

u64 mercury_kept_directory(void)
{
	return __pa(kept.directory);
}

static const void *content(const struct mercury_kept *entry)
{
	return __va(entry->page);
}

/*
 * The VMM takes entries in order, but several CPUs fill them in at once. What follows the first one that
 * is not filled in yet is looked at each time.
 */
static const void *take_in(u64 frame)
{
	u32 taken = min(READ_ONCE(mercury_snapshot()->kept), kept.pages), i;
	const void *found = NULL;
	bool complete = true;

	for (i = kept.seen; i < taken; i++) {
		const struct mercury_kept *entry = entry_of(i);
		/* Before the page is read. */
		u64 value = smp_load_acquire(&entry->frame);

		if (!(value & MERCURY_KEPT_VALID)) {
			complete = false;
			continue;
		}
		value &= ~MERCURY_KEPT_VALID;
		if (value == frame)
			found = content(entry);
		if (complete && !xa_err(xa_store(&kept.by_frame, value, (void *)entry, GFP_KERNEL)))
			kept.seen = i + 1;
		else
			complete = false;
	}
	return found;
}

const void *mercury_kept_find(u64 frame)
{
	const void *found = take_in(frame);
	const struct mercury_kept *entry;

	if (found)
		return found;
	entry = xa_load(&kept.by_frame, frame);
	return entry ? content(entry) : NULL;
}

int mercury_kept_each_block(int (*tell)(u64 start, u64 end, void *data), void *data)
{
	int error = 0;
	u32 i;

	for (i = 0; i < kept.nr_blocks && !error; i++) {
		u64 start = page_to_phys(kept.blocks[i].page);

		error = tell(start, start + (PAGE_SIZE << kept.blocks[i].order), data);
	}
	for (i = 0; i < ARRAY_SIZE(kept.lists) && kept.lists[i] && !error; i++)
		error = tell(__pa(kept.lists[i]), __pa(kept.lists[i]) + PAGE_SIZE, data);
	return error;
}
