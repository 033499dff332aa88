// SPDX-License-Identifier: GPL-2.0-only
/*
 * A live patch of functions of the kernel's, each of which user space sees something of:
 *
 *	cmdline_proc_show	/proc/cmdline holds other text
 *	fault_in_readable	a write to a file that begins with % fails; there is STAC and CLAC in it, here
 *				as there
 *	hrtimer_nanosleep	nobody sleeps; who does keeps the patch from being complete
 */
#include <linux/hrtimer.h>
#include <linux/livepatch.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/seq_file.h>
#include <linux/uaccess.h>

#define REFUSED '%'

static int new_cmdline_proc_show(struct seq_file *m, void *unused)
{
	seq_puts(m, "mercury-livepatch\n");
	return 0;
}

/* Returned: how many of the bytes cannot be read. */
static size_t new_fault_in_readable(const char __user *user, size_t size)
{
	const char __user *at = user, *end = user + size;
	char first, another;

	if (!size)
		return 0;
	if (!user_read_access_begin(user, size))
		return size;
	unsafe_get_user(first, at, fault);
	for (at = PTR_ALIGN(user + 1, PAGE_SIZE); at < end; at += PAGE_SIZE)
		unsafe_get_user(another, at, fault);
	user_read_access_end();
	return first == REFUSED ? size : 0;
fault:
	user_read_access_end();
	return end - at;
}

static long new_hrtimer_nanosleep(ktime_t time, const enum hrtimer_mode mode, const clockid_t clock)
{
	return 0;
}

static struct klp_func functions[] = {
	{ .old_name = "cmdline_proc_show", .new_func = new_cmdline_proc_show },
	{ .old_name = "fault_in_readable", .new_func = new_fault_in_readable },
	{ .old_name = "hrtimer_nanosleep", .new_func = new_hrtimer_nanosleep },
	{},
};

static struct klp_object objects[] = {
	{ .funcs = functions },
	{},
};

static struct klp_patch patch = { .mod = THIS_MODULE, .objs = objects };

static int __init livepatch_init(void)
{
	return klp_enable_patch(&patch);
}

static void __exit livepatch_exit(void)
{
}

module_init(livepatch_init);
module_exit(livepatch_exit);
MODULE_DESCRIPTION("A live patch");
MODULE_LICENSE("GPL");
MODULE_INFO(livepatch, "Y");
