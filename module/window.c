// SPDX-License-Identifier: GPL-2.0-only
/*
 * The window: the VMM's memory, in 2 MiB chunks so that hiding it costs one EPT entry each, and the
 * page tables that map it at MERCURY_WINDOW_BASE. Linux itself never maps it there.
 */
#include <linux/cpumask.h>
#include <linux/gfp.h>
#include <linux/io.h>
#include <linux/ioport.h>
#include <linux/mm.h>
#include <linux/printk.h>
#include <linux/sizes.h>
#include <linux/slab.h>
#include <linux/sort.h>
#include <linux/vmalloc.h>
#include <asm/desc.h>
#include <asm/pgtable.h>

#include "gate.h"
#include "mercury.h"
#include "window.h"

#define CHUNK_ORDER 9
#define CHUNK_PAGES (1U << CHUNK_ORDER)
#define CHUNK_SIZE ((u64)CHUNK_PAGES << PAGE_SHIFT)
#define WINDOW_PTS (MERCURY_WINDOW_SIZE / CHUNK_SIZE) /* last-level tables that it can need */

/* An extent that Linux must not see: a chunk, or single pages where no chunk was to be had. */
struct extent {
	struct page *page;
	unsigned int order, used; /* used: pages handed out */
};

static struct {
	struct extent *extents;
	unsigned int nr_extents, max_extents;
	u64 *pml4, *pdpt, *pd, *lent;
	u64 *pts[WINDOW_PTS];
	struct page *shared, *snapshot;
	struct mercury_cpu_memory *cpus; /* by CPU number */
	struct mercury_boot *boot;
	u64 entry;
	unsigned int pool_pages;
} window;

/* --- Memory ------------------------------------------------------------------------------------- */

static struct extent *add_extent(unsigned int order, gfp_t extra)
{
	struct extent *e;
	struct page *page;

	if (window.nr_extents == window.max_extents)
		return NULL;
	page = alloc_pages(GFP_KERNEL | __GFP_ZERO | __GFP_NOWARN | extra, order);
	if (!page)
		return NULL;
	e = &window.extents[window.nr_extents++];
	*e = (struct extent){ .page = page, .order = order };
	return e;
}

/* 1 << order zeroed pages, aligned to their size; hidden from a virtual Linux. */
static struct page *take(unsigned int order)
{
	struct extent *e = window.nr_extents ? &window.extents[window.nr_extents - 1] : NULL;
	unsigned int at = e ? ALIGN(e->used, 1U << order) : 0;

	if (!e || at + (1U << order) > 1U << e->order) {
		e = add_extent(CHUNK_ORDER, __GFP_NORETRY);
		/* Nobody is to be killed for it: then we are not loaded. */
		if (!e)
			e = add_extent(order, __GFP_RETRY_MAYFAIL);
		if (!e)
			return NULL;
		at = 0;
	}
	e->used = at + (1U << order);
	return e->page + at;
}

static u64 *take_table(void)
{
	struct page *page = take(0);

	return page ? page_address(page) : NULL;
}

/* --- Mapping ------------------------------------------------------------------------------------ */

#define TABLE_FLAGS (_PAGE_PRESENT | _PAGE_RW | _PAGE_ACCESSED)
#define PAGE_RX (_PAGE_PRESENT | _PAGE_ACCESSED)
#define PAGE_R (PAGE_RX | (_PAGE_NX & __supported_pte_mask))
#define PAGE_RW_ (PAGE_R | _PAGE_RW | _PAGE_DIRTY)

/* The last-level table for `offset`, which also appears in the window's array of PTEs. */
static u64 *table_for(u64 offset)
{
	unsigned int i = offset / CHUNK_SIZE;

	if (window.pts[i])
		return window.pts[i];
	window.pts[i] = take_table();
	if (!window.pts[i])
		return NULL;
	window.pd[i] = __pa(window.pts[i]) | TABLE_FLAGS;
	if (!table_for(MERCURY_WINDOW_PTES))
		return NULL;
	window.pts[MERCURY_WINDOW_PTES / CHUNK_SIZE]
		  [(MERCURY_WINDOW_PTES >> PAGE_SHIFT) % PTRS_PER_PTE + i] =
		__pa(window.pts[i]) | PAGE_RW_;
	return window.pts[i];
}

static int map(u64 offset, struct page *page, u64 flags)
{
	u64 *table = table_for(offset);

	if (!table || !page)
		return -ENOMEM;
	table[(offset >> PAGE_SHIFT) % PTRS_PER_PTE] = page_to_phys(page) | flags;
	return 0;
}

/* The root of the VMM and the three levels below it; slots 508, 509 and so on stay Linux's. */
static int build_root(void)
{
	window.pml4 = take_table();
	window.pdpt = take_table();
	window.pd = take_table();
	window.lent = take_table();
	if (!window.pml4 || !window.pdpt || !window.pd || !window.lent)
		return -ENOMEM;
	window.pml4[MERCURY_WINDOW_PML4_SLOT] = __pa(window.pdpt) | TABLE_FLAGS;
	window.pdpt[pud_index(MERCURY_WINDOW_BASE)] = __pa(window.pd) | TABLE_FLAGS;
	/* Empty, for the VMM to fill in: what is lent to it. */
	window.pdpt[pud_index(MERCURY_LENT_BASE)] = __pa(window.lent) | TABLE_FLAGS;
	return map(MERCURY_WINDOW_LENT, virt_to_page(window.lent), PAGE_RW_);
}

static u64 image_flags(const struct mercury_header *h, u64 offset)
{
	return offset < h->text_end ? PAGE_RX : offset < h->rodata_end ? PAGE_R : PAGE_RW_;
}

static int __init build_image(const struct mercury_header *h)
{
	unsigned int pages = h->memory_size >> PAGE_SHIFT, i;
	/* Contiguous, so that the boot data, which spans pages, is one object for us too. */
	struct page *first = take(get_order(h->memory_size));

	if (!first)
		return -ENOMEM;
	memcpy(page_address(first), mercury_image, h->file_size);
	window.boot = page_address(first) + h->boot;
	window.entry = MERCURY_WINDOW_BASE + h->entry;
	for (i = 0; i < pages; i++)
		if (map((u64)i << PAGE_SHIFT, first + i, image_flags(h, (u64)i << PAGE_SHIFT)))
			return -ENOMEM;
	return 0;
}

static int build_shared(void)
{
	unsigned int i;

	window.shared = alloc_pages(GFP_KERNEL | __GFP_ZERO | __GFP_COMP,
				    get_order(sizeof(struct mercury_shared)));
	window.snapshot = alloc_page(GFP_KERNEL | __GFP_ZERO);
	if (!window.shared || !window.snapshot ||
	    map(MERCURY_WINDOW_SNAPSHOT, window.snapshot, PAGE_RW_))
		return -ENOMEM;
	for (i = 0; i < MERCURY_SHARED_PAGES; i++)
		if (map(MERCURY_WINDOW_SHARED + ((u64)i << PAGE_SHIFT), window.shared + i,
			PAGE_RW_))
			return -ENOMEM;
	return 0;
}

/* --- The CPUs' slots ---------------------------------------------------------------------------- */

/* What a slot takes: pages for all of it but the guard and the fixmap, and its part of a page table. */
#define SLOT_BYTES (MERCURY_CPU_SLOT - 2 * PAGE_SIZE + MERCURY_CPU_SLOT / PAGE_SIZE * sizeof(u64))

static int build_cpu(unsigned int cpu)
{
	struct mercury_cpu_memory *m = &window.cpus[cpu];
	u64 slot = MERCURY_WINDOW_CPUS + (u64)cpu * MERCURY_CPU_SLOT;
	/* Of an aligned pair the first page is the root: PTI's entry code asks CR3 bit 12. */
	struct page *pair = take(1), *stack = take(1);
	int error;

	m->shared = alloc_page(GFP_KERNEL | __GFP_ZERO);
	if (!pair || !stack || !m->shared)
		return -ENOMEM;
	m->root = page_address(pair);
	m->root[MERCURY_WINDOW_PML4_SLOT] = window.pml4[MERCURY_WINDOW_PML4_SLOT];
	m->boot = (struct mercury_cpu_boot){
		.gdt_rw = (u64)get_cpu_gdt_rw(cpu),
		.root_pa = page_to_phys(pair),
		.vmcs_pa = page_to_phys(pair + 1),
	};
	/* Nothing is mapped there yet, but the table must exist. */
	if (!table_for(MERCURY_WINDOW_COPY + (u64)cpu * PAGE_SIZE))
		return -ENOMEM;
	error = map(slot + MERCURY_CPU_STACK, stack, PAGE_RW_);
	error = error ?: map(slot + MERCURY_CPU_STACK + PAGE_SIZE, stack + 1, PAGE_RW_);
	error = error ?: map(slot + MERCURY_CPU_ROOT, pair, PAGE_RW_);
	error = error ?: map(slot + MERCURY_CPU_VMCS, pair + 1, PAGE_RW_);
	return error ?: map(slot + MERCURY_CPU_SHARED, m->shared, PAGE_RW_);
}

/* Behind the pairs of all CPUs: between them each single page would leave a gap. */
static int build_vmxon(unsigned int cpu)
{
	struct page *vmxon = take(0);

	if (!vmxon)
		return -ENOMEM;
	window.cpus[cpu].boot.vmxon_pa = page_to_phys(vmxon);
	return map(MERCURY_WINDOW_CPUS + (u64)cpu * MERCURY_CPU_SLOT + MERCURY_CPU_VMXON, vmxon,
		   PAGE_RW_);
}

static int build_cpus(void)
{
	unsigned int cpu;
	int error = 0;

	if (nr_cpu_ids > MERCURY_MAX_CPUS) {
		pr_err("%u CPUs are possible, %u fit the window; boot with nr_cpus=%u\n",
		       nr_cpu_ids, (unsigned int)MERCURY_MAX_CPUS, (unsigned int)MERCURY_MAX_CPUS);
		return -E2BIG;
	}
	window.cpus = kcalloc(nr_cpu_ids, sizeof(*window.cpus), GFP_KERNEL);
	if (!window.cpus)
		return -ENOMEM;
	for_each_possible_cpu(cpu)
		error = error ?: build_cpu(cpu);
	for_each_possible_cpu(cpu)
		error = error ?: build_vmxon(cpu);
	return error;
}

/* --- The pool of P2M tables --------------------------------------------------------------------- */

static int note_ram(struct resource *resource, void *top)
{
	*(u64 *)top = max_t(u64, *(u64 *)top, resource->end + 1);
	return 0;
}

u64 mercury_ram_top(void)
{
	u64 top = 0;

	walk_iomem_res_desc(IORES_DESC_NONE, IORESOURCE_SYSTEM_RAM | IORESOURCE_BUSY, 0, -1, &top,
			    note_ram);
	return top;
}

/* Spare tables: for what is touched above RAM, and for the splits that hiding needs. */
#define POOL_SPARE 64

/*
 * As if 2 MiB were the largest page: one table for each GiB of RAM, of at least 4 GiB. And for a snapshot,
 * that splits what is written meanwhile, one for each 2 MiB of RAM, as far as that is wanted and fits.
 */
static unsigned int pool_pages(u64 top)
{
	u64 least = POOL_SPARE + DIV_ROUND_UP_ULL(max_t(u64, top, SZ_4G), SZ_1G);
	u64 room = MERCURY_POOL_MAX_PAGES - min_t(u64, least, MERCURY_POOL_MAX_PAGES);

	return least + min3(top / CHUNK_SIZE, mercury_snapshot_ram() / CHUNK_SIZE, room);
}

static int by_address(const void *a, const void *b)
{
	u64 x = page_to_phys(*(struct page *const *)a), y = page_to_phys(*(struct page *const *)b);

	return x < y ? -1 : x > y;
}

/* The VMM finds a table's page by bisection: ascending addresses. */
static int build_pool(void)
{
	u64 top = mercury_ram_top();
	unsigned int pages = pool_pages(top), i;
	struct page **list;
	int error = 0;

	if (pages > MERCURY_POOL_MAX_PAGES) {
		pr_err("RAM ends at %llu GiB, more than the P2M's pool can describe; boot with a smaller mem=\n",
		       top / SZ_1G);
		return -E2BIG;
	}
	list = kvmalloc_array(pages, sizeof(*list), GFP_KERNEL);
	if (!list)
		return -ENOMEM;
	for (i = 0; i < pages && !error; i++) {
		list[i] = take(0);
		error = list[i] ? 0 : -ENOMEM;
	}
	if (!error)
		sort(list, pages, sizeof(*list), by_address, NULL);
	for (i = 0; i < pages && !error; i++)
		error = map(MERCURY_WINDOW_POOL + ((u64)i << PAGE_SHIFT), list[i], PAGE_RW_);
	kvfree(list);
	window.boot->pool_pages = window.pool_pages = pages;
	return error;
}

/* --- Together ----------------------------------------------------------------------------------- */

/* The fixmap pages' tables must exist though nothing is mapped there yet: the stacks' tables do. */
static void fill_boot(void)
{
	struct mercury_boot *boot = window.boot;
	unsigned int i;

	boot->vmm_root = __pa(window.pml4);
	boot->gate_tail = (u64)mercury_gate_tail;
	boot->lost = (u64)mercury_lost;
	boot->lost_stack = mercury_lost_stack();
	/* PTI_USER_PGTABLE_AND_PCID_MASK of the kernel's calling.h, which is for assembly only. */
	boot->user_cr3 = cpu_feature_enabled(X86_FEATURE_PTI) ? PAGE_SIZE | BIT(11) : 0;
	boot->backend = mercury_chosen()->id;
	boot->nr_hidden = window.nr_extents;
	for (i = 0; i < window.nr_extents; i++) {
		u64 start = page_to_phys(window.extents[i].page);
		u64 end = start + (PAGE_SIZE << window.extents[i].order);

		boot->hidden[i] = (struct mercury_range){ start, end };
	}
}

static int __init build(const struct mercury_header *header)
{
	int error;

	window.max_extents = MERCURY_MAX_HIDDEN;
	window.extents = kvcalloc(window.max_extents, sizeof(*window.extents), GFP_KERNEL);
	if (!window.extents)
		return -ENOMEM;
	error = build_root() ?: build_image(header) ?: build_shared();
	error = error ?: build_cpus() ?: build_pool();
	if (!error)
		fill_boot();
	return error;
}

int __init mercury_window_build(const struct mercury_header *header)
{
	int error = build(header);

	if (error) {
		if (error == -ENOMEM)
			pr_err("not enough memory for the VMM: free some, or reboot and load early\n");
		mercury_window_free();
	}
	return error;
}

/* The VMM's pages hold Linux's registers: nobody shall find them there. */
static void scrub(struct page *page, unsigned int order)
{
	if (!page)
		return;
	memset(page_address(page), 0, PAGE_SIZE << order);
	__free_pages(page, order);
}

void mercury_window_free(void)
{
	unsigned int i;

	for (i = 0; i < window.nr_extents; i++)
		scrub(window.extents[i].page, window.extents[i].order);
	scrub(window.shared, get_order(sizeof(struct mercury_shared)));
	scrub(window.snapshot, 0);
	for (i = 0; window.cpus && i < nr_cpu_ids; i++)
		scrub(window.cpus[i].shared, 0);
	kfree(window.cpus);
	kvfree(window.extents);
	memset(&window, 0, sizeof(window));
	mercury_log_forget();
}

struct mercury_shared *mercury_shared(void)
{
	return page_address(window.shared);
}

struct mercury_snapshot *mercury_snapshot(void)
{
	return page_address(window.snapshot);
}

u32 mercury_pool_pages(void)
{
	return window.pool_pages;
}

static int tell_pages(int (*tell)(u64 start, u64 end, void *data), void *data, struct page *page,
		      unsigned int order)
{
	u64 start = page_to_phys(page);

	return tell(start, start + (PAGE_SIZE << order), data);
}

/* Not by what is in the window: while virtual Linux reads zeroes there. */
int mercury_each_own_block(int (*tell)(u64 start, u64 end, void *data), void *data)
{
	unsigned int i;
	int error = tell_pages(tell, data, window.shared, get_order(sizeof(struct mercury_shared)));

	error = error ?: tell_pages(tell, data, window.snapshot, 0);
	for (i = 0; i < window.nr_extents && !error; i++)
		error = tell_pages(tell, data, window.extents[i].page, window.extents[i].order);
	for_each_possible_cpu(i)
		error = error ?: tell_pages(tell, data, window.cpus[i].shared, 0);
	return error;
}

struct mercury_cpu_shared *mercury_cpu_shared(unsigned int cpu)
{
	return page_address(window.cpus[cpu].shared);
}

struct mercury_cpu_memory *mercury_cpu_memory(unsigned int cpu)
{
	return &window.cpus[cpu];
}

u64 mercury_window_pml4e(void)
{
	return window.pml4[MERCURY_WINDOW_PML4_SLOT];
}

u64 mercury_window_entry(void)
{
	return window.entry;
}

void mercury_memory(struct mercury_memory *memory)
{
	unsigned int i;
	/* The pages that Linux keeps seeing: the machine's, the snapshot's, and one for each CPU. */
	u64 visible = (PAGE_SIZE << get_order(sizeof(struct mercury_shared))) + PAGE_SIZE +
		      num_possible_cpus() * PAGE_SIZE;

	/* And what only the module needs. */
	visible += window.max_extents * sizeof(*window.extents) +
		   nr_cpu_ids * sizeof(*window.cpus) + mercury_state_size();
	*memory = (struct mercury_memory){
		.used = visible,
		.allocated = visible,
		.per_cpu = SLOT_BYTES + sizeof(*window.cpus) +
			   mercury_state_size() / num_possible_cpus(),
	};
	for (i = 0; i < window.nr_extents; i++) {
		memory->used += (u64)window.extents[i].used << PAGE_SHIFT;
		memory->allocated += PAGE_SIZE << window.extents[i].order;
		if (window.extents[i].order == CHUNK_ORDER)
			memory->chunks++;
		else
			memory->smaller++;
	}
}
