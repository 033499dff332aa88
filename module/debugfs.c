// SPDX-License-Identifier: GPL-2.0-only
/*
 * debugfs mercury/: for developers.
 *
 *	state	every item that a switch must keep, of every CPU, in a form for diff(1)
 *	p2m	all that the P2M maps, merged where it goes on the same way
 *	lookup	write a physical address, read what it maps to and what maps to it
 *	calibrate	what instructions cost here: event, and cycles, low, middle and high
 */
#include <linux/debugfs.h>
#include <linux/kstrtox.h>
#include <linux/module.h>
#include <linux/sched.h>
#include <linux/seq_file.h>
#include <linux/sizes.h>
#include <linux/smp.h>
#include <linux/string.h>
#include <linux/uaccess.h>

#include "mercury.h"
#include "window.h"

static struct dentry *directory;
static u64 asked_address;

static int state_show(struct seq_file *m, void *unused)
{
	mercury_state_print(m);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(state);

static int calibrate_show(struct seq_file *m, void *unused)
{
	return mercury_calibrate(m);
}
DEFINE_SHOW_ATTRIBUTE(calibrate);

/* --- The P2M ------------------------------------------------------------------------------------ */

/* Else why there is no answer is shown. */
static bool look_up(struct seq_file *m, u64 frame, struct mercury_page *page)
{
	unsigned int cpu = get_cpu();
	u64 error = mercury_call_on(cpu, MERCURY_CALL_LOOKUP, frame, 0);

	*page = mercury_cpu_shared(cpu)->page;
	put_cpu();
	if (error == MERCURY_E_UNSUPPORTED)
		seq_puts(m,
			 "there is no P2M: the CPU has no EPT, or ept=off; load the module with ept=auto\n");
	else if (error)
		seq_printf(m, "no answer: %s\n", mercury_error_text(error));
	return !error;
}

static void show_page(struct seq_file *m, u64 frame, u64 end, const struct mercury_page *page)
{
	static const char *const types[] = { "UC", "WC", "?", "?", "WT", "WP", "WB", "?" };

	seq_printf(m, "%012llx-%012llx -> %012llx %c%c%c %s\n", frame << PAGE_SHIFT,
		   (end << PAGE_SHIFT) - 1, page->mfn << PAGE_SHIFT, page->access & 1 ? 'r' : '-',
		   page->access & 2 ? 'w' : '-', page->access & 4 ? 'x' : '-',
		   types[page->type & 7]);
}

/* Does `next`, found at `frame`, go on where `page`, found at `first`, left off? */
static bool goes_on(const struct mercury_page *page, u64 first, const struct mercury_page *next,
		    u64 frame)
{
	u64 step = page->mfn == next->mfn ? 0 : frame - first;

	return next->mapped && next->mfn == page->mfn + step && next->access == page->access &&
	       next->type == page->type;
}

/* The first frame behind the mapping, or behind the empty entry, that `frame` lies in. */
static u64 behind(u64 frame, const struct mercury_page *page)
{
	return (frame | ((1ULL << page->order) - 1)) + 1;
}

static int p2m_show(struct seq_file *m, void *unused)
{
	u64 top = max_t(u64, mercury_ram_top(), SZ_4G) >> PAGE_SHIFT, frame, first = 0;
	struct mercury_page run = {}, page;

	for (frame = 0; frame < top; frame = behind(frame, &page)) {
		cond_resched();
		if (!look_up(m, frame, &page))
			return 0;
		if (run.mapped && goes_on(&run, first, &page, frame))
			continue;
		if (run.mapped)
			show_page(m, first, frame, &run);
		run = page;
		first = frame;
	}
	if (run.mapped)
		show_page(m, first, frame, &run);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(p2m);

/* --- One address -------------------------------------------------------------------------------- */

static int show_lookup(struct seq_file *m, void *unused)
{
	u64 address = READ_ONCE(asked_address), frame = address >> PAGE_SHIFT;
	struct mercury_page page;

	if (!look_up(m, frame, &page))
		return 0;
	seq_puts(m, "p2m ");
	if (page.mapped)
		show_page(m, frame, frame + 1, &page);
	else
		seq_printf(m, "%012llx is mapped when it is first touched\n", address);
	/* What is not hidden is the identity, so that only the same frame can map to it. */
	if (page.mapped && page.mfn == frame)
		seq_printf(m, "m2p %012llx <- %012llx\n", address, address);
	else
		seq_printf(m, "m2p %012llx <- nothing of Linux's\n", address);
	return 0;
}

static int open_lookup(struct inode *inode, struct file *file)
{
	return single_open(file, show_lookup, NULL);
}

static ssize_t write_lookup(struct file *file, const char __user *user, size_t count, loff_t *ppos)
{
	u64 address;
	int error = kstrtou64_from_user(user, count, 0, &address);

	if (error)
		return error;
	if (address >> 48)
		return -ERANGE;
	WRITE_ONCE(asked_address, address);
	return count;
}

static const struct file_operations lookup_ops = {
	.owner = THIS_MODULE,
	.open = open_lookup,
	.read = seq_read,
	.write = write_lookup,
	.llseek = seq_lseek,
	.release = single_release,
};

void mercury_debugfs_start(void)
{
	directory = debugfs_create_dir("mercury", NULL);
	debugfs_create_file("state", 0400, directory, NULL, &state_fops);
	debugfs_create_file("p2m", 0400, directory, NULL, &p2m_fops);
	debugfs_create_file("lookup", 0600, directory, NULL, &lookup_ops);
	debugfs_create_file("calibrate", 0400, directory, NULL, &calibrate_fops);
}

void mercury_debugfs_stop(void)
{
	debugfs_remove(directory);
	directory = NULL;
}
