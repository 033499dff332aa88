// SPDX-License-Identifier: GPL-2.0-only
/* RAM, and what of it is not ours: ranges of physical bytes. */
#include <linux/ioport.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/sort.h>

#include "mercury.h"
#include "window.h"

struct list {
	struct mercury_range *ranges;
	u32 count, room;
};

/* Beyond `room` it only counts. */
static int add(u64 start, u64 end, void *data)
{
	struct list *l = data;

	if (l->count < l->room)
		l->ranges[l->count] = (struct mercury_range){ start, end };
	l->count++;
	return 0;
}

static int add_resource(struct resource *resource, void *data)
{
	u64 start = PAGE_ALIGN(resource->start), end = PAGE_ALIGN_DOWN(resource->end + 1);

	return start < end ? add(start, end, data) : 0;
}

u32 mercury_ram(struct mercury_range *ranges, u32 room)
{
	struct list l = { .ranges = ranges, .room = room };

	walk_iomem_res_desc(IORES_DESC_NONE, IORESOURCE_SYSTEM_RAM | IORESOURCE_BUSY, 0, -1, &l,
			    add_resource);
	return l.count;
}

static int by_start(const void *a, const void *b)
{
	const struct mercury_range *x = a, *y = b;

	return x->start < y->start ? -1 : x->start > y->start;
}

/* Everything that is ours, ascending, to be freed; NULL without memory. */
static struct mercury_range *own_blocks(u32 *count)
{
	struct list l = {};

	mercury_each_own_block(add, &l);
	mercury_kept_each_block(add, &l);
	mercury_tables_each_block(add, &l);
	l.ranges = kvmalloc_array(l.count + 1, sizeof(*l.ranges), GFP_KERNEL);
	l.room = l.count;
	l.count = 0;
	if (!l.ranges)
		return NULL;
	mercury_each_own_block(add, &l);
	mercury_kept_each_block(add, &l);
	mercury_tables_each_block(add, &l);
	sort(l.ranges, l.count, sizeof(*l.ranges), by_start, NULL);
	*count = l.count;
	return l.ranges;
}

/* What of [start, end) is not in the `n` ascending blocks of `own`. */
static void subtract(struct list *l, u64 start, u64 end, const struct mercury_range *own, u32 n)
{
	u32 i;

	for (i = 0; i < n && start < end; i++) {
		if (own[i].end <= start)
			continue;
		if (own[i].start >= end)
			break;
		if (own[i].start > start)
			add(start, own[i].start, l);
		start = own[i].end;
	}
	if (start < end)
		add(start, end, l);
}

struct mercury_range *mercury_ranges(u32 *count)
{
	u32 n_ram = mercury_ram(NULL, 0), n_own, i;
	struct mercury_range *own = own_blocks(&n_own), *ram;
	struct list l = {};

	ram = kvmalloc_array(n_ram + 1, sizeof(*ram), GFP_KERNEL);
	if (own && ram) {
		/* Each block of ours makes one range more at most. */
		l.room = n_ram + n_own;
		l.ranges = kvmalloc_array(l.room + 1, sizeof(*l.ranges), GFP_KERNEL);
	}
	if (l.ranges) {
		n_ram = min(mercury_ram(ram, n_ram), n_ram);
		for (i = 0; i < n_ram; i++)
			subtract(&l, ram[i].start, ram[i].end, own, n_own);
	}
	kvfree(ram);
	kvfree(own);
	*count = l.count;
	return l.ranges;
}

const struct mercury_range *mercury_range_of(const struct mercury_range *ranges, u32 n, u64 address)
{
	u32 low = 0, high = n;

	while (low < high) {
		u32 middle = low + (high - low) / 2;

		if (address >= ranges[middle].end)
			low = middle + 1;
		else
			high = middle;
	}
	return low < n && address >= ranges[low].start ? &ranges[low] : NULL;
}

u64 mercury_ranges_from(const struct mercury_range *ranges, u32 n, u64 from)
{
	u32 i;

	for (i = 0; i < n; i++)
		if (ranges[i].end > from)
			return max(from, ranges[i].start);
	return from;
}

u64 mercury_ranges_pages(const struct mercury_range *ranges, u32 n, u64 from, u64 to)
{
	u64 bytes = 0;
	u32 i;

	for (i = 0; i < n; i++) {
		u64 start = max(from, ranges[i].start), end = min(to, ranges[i].end);

		bytes += start < end ? end - start : 0;
	}
	return bytes >> PAGE_SHIFT;
}
