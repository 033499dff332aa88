// SPDX-License-Identifier: GPL-2.0-only
/*
 * A Linux that pries: finds the VMM's image in physical memory while native, by its first bytes, and
 * reads and writes there by physical address afterwards. /proc/mercury-peek: each read gives the
 * address and the eight bytes there; each write puts eight bytes 0xff there.
 */
#include <linux/io.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/proc_fs.h>
#include <linux/seq_file.h>

/* "\0MERCURY" and ABI version 1, not spelt out, so that this module's own text does not match. */
static u64 magic = ~0x5952554352454d00ULL;

static u64 *found;

static bool is_image(const u64 *page)
{
	return page[0] == ~READ_ONCE(magic) && (u32)page[1] == 1 && !(page[3] % PAGE_SIZE);
}

/* The image in the window begins a page; the copy in the module's file is gone after load. */
static int find(unsigned long start, unsigned long pages, void *unused)
{
	unsigned long pfn;

	for (pfn = start; pfn < start + pages; pfn++)
		if (pfn_valid(pfn) && !PageSlab(pfn_to_page(pfn)) && is_image(pfn_to_kaddr(pfn)))
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
