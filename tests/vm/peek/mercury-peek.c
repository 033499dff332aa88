// SPDX-License-Identifier: GPL-2.0-only
/*
 * A Linux that pries: finds the VMM's image in physical memory while native, by its header, and reads
 * and writes there by physical address afterwards. /proc/mercury-peek: each read gives the eight bytes
 * there; each write puts eight bytes 0xff there.
 */
#include <linux/io.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/proc_fs.h>
#include <linux/seq_file.h>
#include <linux/sizes.h>

#include "abi/mercury.h"

static u64 *found;

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

static int __init peek_init(void)
{
	walk_iomem_res_desc(IORES_DESC_NONE, IORESOURCE_SYSTEM_RAM | IORESOURCE_BUSY, 0, -1, NULL,
			    find_in);
	if (!found) {
		pr_err("mercury-peek: no image in memory; is mercury-vmx loaded, and native?\n");
		return -ENOENT;
	}
	return proc_create("mercury-peek", 0600, NULL, &ops) ? 0 : -ENOMEM;
}

static void __exit peek_exit(void)
{
	remove_proc_entry("mercury-peek", NULL);
}

module_init(peek_init);
module_exit(peek_exit);
MODULE_DESCRIPTION("Mercury's test: is the window hidden?");
MODULE_LICENSE("GPL");
