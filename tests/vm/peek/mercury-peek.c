// SPDX-License-Identifier: GPL-2.0-only
/*
 * A Linux that pries: finds the VMM's image in physical memory while native, by its header, and with
 * it all that is to be hidden; reads and writes there by physical address afterwards.
 *
 *	/proc/mercury-peek	a read gives the image's first eight bytes, a write puts 0xff there
 *	/proc/mercury-peek-all	a read counts the pages that are not zero and sums the VMM's text up;
 *				a write puts 0xff into each page, if all read as zero
 */
#include <linux/crc32.h>
#include <linux/io.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/proc_fs.h>
#include <linux/seq_file.h>
#include <linux/sizes.h>
#include <linux/slab.h>

#include "abi/mercury.h"

static u64 *found;
static struct mercury_range *hidden;
static u32 nr_hidden;
static u64 text_size;

static bool is_hidden(const struct mercury_boot *boot, u64 pa)
{
	u32 i;

	for (i = 0; i < boot->nr_hidden; i++)
		if (pa >= boot->hidden[i].start && pa < boot->hidden[i].end &&
		    boot->hidden[i].end - boot->hidden[i].start <= SZ_2M)
			return true;
	return false;
}

/*
 * The window's image alone knows that its own page is to be hidden, and the root of the VMM's page
 * tables too. Copies that the module's file and its loading left in memory have not been told; what
 * follows them is anything.
 */
static bool is_image(const void *page)
{
	const struct mercury_header *header = page;
	const struct mercury_boot *boot = page + header->boot;

	return header->magic == MERCURY_MAGIC && header->abi_version == MERCURY_ABI_VERSION &&
	       header->boot < header->memory_size &&
	       pfn_valid(PHYS_PFN(__pa(page) + header->memory_size)) && boot->nr_hidden &&
	       boot->nr_hidden <= MERCURY_MAX_HIDDEN && is_hidden(boot, __pa(page)) &&
	       is_hidden(boot, boot->vmm_root) && PAGE_ALIGNED(boot->vmm_root);
}

static int find(unsigned long start, unsigned long pages, void *unused)
{
	unsigned long pfn;

	for (pfn = start; pfn < start + pages; pfn++)
		if (pfn_valid(pfn) && is_image(pfn_to_kaddr(pfn)))
			found = pfn_to_kaddr(pfn);
	return 0;
}

static int find_in(struct resource *r, void *data)
{
	return find(PFN_UP(r->start), PFN_DOWN(r->end + 1) - PFN_UP(r->start), data);
}

/* What only a native Linux can read there. */
static int keep_layout(void)
{
	const struct mercury_header *header = (void *)found;
	const struct mercury_boot *boot = (void *)found + header->boot;

	text_size = header->text_end;
	nr_hidden = boot->nr_hidden;
	hidden = kmemdup(boot->hidden, nr_hidden * sizeof(*hidden), GFP_KERNEL);
	return hidden ? 0 : -ENOMEM;
}

/* --- The image's first bytes -------------------------------------------------------------------- */

static int show(struct seq_file *m, void *unused)
{
	seq_printf(m, "%016llx\n", READ_ONCE(*found));
	return 0;
}

static int open(struct inode *inode, struct file *file)
{
	return single_open(file, show, NULL);
}

static ssize_t write(struct file *file, const char __user *user, size_t count, loff_t *ppos)
{
	WRITE_ONCE(*found, ~0ULL);
	return count;
}

static const struct proc_ops ops = {
	.proc_open = open,
	.proc_read = seq_read,
	.proc_release = single_release,
	.proc_write = write,
};

/* --- All of it ---------------------------------------------------------------------------------- */

/* Pages of what is hidden; those that hold something; `write`: 0xff into each. */
static u32 walk(u32 *holding, bool write)
{
	u32 i, pages = 0;
	u64 pa;

	*holding = 0;
	for (i = 0; i < nr_hidden; i++) {
		for (pa = hidden[i].start; pa < hidden[i].end; pa += PAGE_SIZE, pages++) {
			u64 *page = __va(pa);

			*holding += !!memchr_inv(page, 0, PAGE_SIZE);
			if (write)
				WRITE_ONCE(page[pages % (PAGE_SIZE / sizeof(*page))], ~0ULL);
		}
	}
	return pages;
}

static int show_all(struct seq_file *m, void *unused)
{
	u32 holding, pages = walk(&holding, false);

	seq_printf(m, "%u of %u pages are not zero, text %08x\n", holding, pages,
		   crc32_le(~0, (void *)found, text_size));
	return 0;
}

static int open_all(struct inode *inode, struct file *file)
{
	return single_open(file, show_all, NULL);
}

static ssize_t write_all(struct file *file, const char __user *user, size_t count, loff_t *ppos)
{
	u32 holding;

	walk(&holding, false);
	if (holding)
		return -EBUSY;
	walk(&holding, true);
	return count;
}

static const struct proc_ops all_ops = {
	.proc_open = open_all,
	.proc_read = seq_read,
	.proc_release = single_release,
	.proc_write = write_all,
};

/* --- Together ----------------------------------------------------------------------------------- */

static int create_files(void)
{
	if (!proc_create("mercury-peek", 0600, NULL, &ops))
		return -ENOMEM;
	if (proc_create("mercury-peek-all", 0600, NULL, &all_ops))
		return 0;
	remove_proc_entry("mercury-peek", NULL);
	return -ENOMEM;
}

static int __init peek_init(void)
{
	int error;

	walk_iomem_res_desc(IORES_DESC_NONE, IORESOURCE_SYSTEM_RAM | IORESOURCE_BUSY, 0, -1, NULL,
			    find_in);
	if (!found) {
		pr_err("mercury-peek: no image in memory; is mercury-vmx loaded, and native?\n");
		return -ENOENT;
	}
	error = keep_layout() ?: create_files();
	if (error)
		kfree(hidden);
	return error;
}

static void __exit peek_exit(void)
{
	remove_proc_entry("mercury-peek-all", NULL);
	remove_proc_entry("mercury-peek", NULL);
	kfree(hidden);
}

module_init(peek_init);
module_exit(peek_exit);
MODULE_DESCRIPTION("Mercury's test: is the window hidden?");
MODULE_LICENSE("GPL");
