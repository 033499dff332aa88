// SPDX-License-Identifier: GPL-2.0-only
/*
 * Lets what mercury-vmx asks the kernel for fail, and counts what it takes and gives back. To be loaded
 * before it. /proc/mercury-starve: "nth N" is written, the Nth request from now fails; "from N", each
 * from the Nth on; "none". What is read:
 *
 *	WHAT taken COUNT given COUNT	for each kind of thing, since this module was loaded
 *	requests COUNT failed COUNT last WHAT		since the last write
 *
 * The functions are those of calls.h, where mercury-vmx itself calls them. One that shall fail is not
 * called at all.
 */
#include <linux/err.h>
#include <linux/ftrace.h>
#include <linux/module.h>
#include <linux/proc_fs.h>
#include <linux/seq_file.h>
#include <linux/string.h>
#include <linux/uaccess.h>

#include "calls.h"

enum failure { POINTER, ERRNO, ERROR_POINTER, NEVER };

/* By the names of the symbols alone: some are macros, and each kernel lacks some. */
#define C(what, failure, take, give, nothing)                                                      \
	extern char starve_##take[] __asm__(#take) __weak;                                         \
	extern char starve_##take##_give[] __asm__(#give) __weak;
STARVE_CALLS(C)
#undef C

struct row {
	const char *what;
	enum failure failure;
	char *take, *give;
	bool nothing;
	u64 taken, given;
};

static struct row rows[] = {
#define C(what, failure, take, give, nothing)                                                      \
	{ what, failure, starve_##take, starve_##take##_give, nothing, 0, 0 },
	STARVE_CALLS(C)
#undef C
};

static DEFINE_SPINLOCK(lock);
static const struct module *mercury;
static u64 fails_at, fails_to; /* these requests, both inclusive; 0: none */
static u64 requests, failed;
static const char *last_failed;

/* --- On each call -------------------------------------------------------------------------------- */

static noinline notrace void *no_pointer(void)
{
	return NULL;
}

static noinline notrace long no_memory(void)
{
	return -ENOMEM;
}

/* Does it fail? Counts it. */
static bool request(struct row *row)
{
	if (row->failure != NEVER && ++requests >= fails_at && requests <= fails_to) {
		failed++;
		last_failed = row->what;
		return true;
	}
	row->taken++;
	return false;
}

/* `ip` is the call of the tracer, with nothing but an ENDBR before it. */
static bool is_in(unsigned long ip, const char *function)
{
	return function && ip - (unsigned long)function <= 4;
}

/* Called by one of them in its own last step, in whose frame it then runs, as kfree() is by kvfree()? */
static bool is_tail_call(unsigned long ip, unsigned long caller, const struct pt_regs *regs)
{
	static unsigned long last_ip, last_caller, last_sp;

	if (caller == last_caller && regs->sp == last_sp && ip != last_ip)
		return true;
	last_ip = ip;
	last_caller = caller;
	last_sp = regs->sp;
	return false;
}

static void look(unsigned long ip, unsigned long caller, struct pt_regs *regs)
{
	struct row *row;

	if (is_tail_call(ip, caller, regs))
		return;
	for (row = rows; row < rows + ARRAY_SIZE(rows); row++) {
		if (is_in(ip, row->take)) {
			if (request(row))
				regs->ip = row->failure == POINTER ? (unsigned long)no_pointer :
								     (unsigned long)no_memory;
			return;
		}
		if (row->take && is_in(ip, row->give)) {
			row->given += !row->nothing || !IS_ERR_OR_NULL((void *)regs->di);
			return;
		}
	}
}

static void on_call(unsigned long ip, unsigned long caller, struct ftrace_ops *ops,
		    struct ftrace_regs *fregs)
{
	struct pt_regs *regs = ftrace_get_regs(fregs);
	unsigned long flags;

	if (!regs || !READ_ONCE(mercury) || !within_module(caller, mercury))
		return;
	spin_lock_irqsave(&lock, flags);
	look(ip, caller, regs);
	spin_unlock_irqrestore(&lock, flags);
}

static struct ftrace_ops trace = {
	.func = on_call,
	.flags = FTRACE_OPS_FL_SAVE_REGS | FTRACE_OPS_FL_IPMODIFY | FTRACE_OPS_FL_RECURSION,
};

static int on_module(struct notifier_block *block, unsigned long state, void *data)
{
	struct module *module = data;

	if (strcmp(module->name, "mercury_vmx"))
		return NOTIFY_DONE;
	if (state == MODULE_STATE_COMING)
		WRITE_ONCE(mercury, module);
	if (state == MODULE_STATE_GOING)
		WRITE_ONCE(mercury, NULL);
	return NOTIFY_OK;
}

static struct notifier_block module_block = { .notifier_call = on_module };

/* --- /proc/mercury-starve ------------------------------------------------------------------------ */

/* Rows of the same kind stand together. */
static int show(struct seq_file *m, void *unused)
{
	struct row *row;
	u64 taken = 0, given = 0;

	for (row = rows; row < rows + ARRAY_SIZE(rows); row++) {
		taken += row->taken;
		given += row->given;
		if (row + 1 < rows + ARRAY_SIZE(rows) && !strcmp(row->what, row[1].what))
			continue;
		seq_printf(m, "%s taken %llu given %llu\n", row->what, taken, given);
		taken = given = 0;
	}
	seq_printf(m, "requests %llu failed %llu last %s\n", requests, failed,
		   last_failed ?: "none");
	return 0;
}

static int open(struct inode *inode, struct file *file)
{
	return single_open(file, show, NULL);
}

static ssize_t write(struct file *file, const char __user *user, size_t count, loff_t *ppos)
{
	char text[32], word[8];
	unsigned long flags;
	u64 n = 0;

	if (count >= sizeof(text) || copy_from_user(text, user, count))
		return -EINVAL;
	text[count] = 0;
	if (sscanf(text, "%7s %llu", word, &n) < 1 ||
	    (strcmp(word, "none") && (!n || (strcmp(word, "nth") && strcmp(word, "from")))))
		return -EINVAL;
	spin_lock_irqsave(&lock, flags);
	fails_at = n;
	fails_to = strcmp(word, "from") ? n : U64_MAX;
	requests = failed = 0;
	last_failed = NULL;
	spin_unlock_irqrestore(&lock, flags);
	return count;
}

static const struct proc_ops ops = {
	.proc_open = open,
	.proc_read = seq_read,
	.proc_release = single_release,
	.proc_write = write,
};

/* --- Load and unload ----------------------------------------------------------------------------- */

static int filter(void)
{
	struct row *row;
	int error = 0;

	for (row = rows; row < rows + ARRAY_SIZE(rows) && !error; row++) {
		if (!row->take)
			continue;
		error = ftrace_set_filter_ip(&trace, (unsigned long)row->take, 0, 0);
		if (!error)
			error = ftrace_set_filter_ip(&trace, (unsigned long)row->give, 0, 0);
	}
	return error;
}

static int __init starve_init(void)
{
	int error = filter() ?: register_ftrace_function(&trace);

	if (error)
		return error;
	error = register_module_notifier(&module_block);
	if (!error && !proc_create("mercury-starve", 0600, NULL, &ops)) {
		unregister_module_notifier(&module_block);
		error = -ENOMEM;
	}
	if (error)
		unregister_ftrace_function(&trace);
	return error;
}

static void __exit starve_exit(void)
{
	remove_proc_entry("mercury-starve", NULL);
	unregister_module_notifier(&module_block);
	unregister_ftrace_function(&trace);
}

module_init(starve_init);
module_exit(starve_exit);
MODULE_DESCRIPTION("Mercury's test: what if the kernel has nothing to give?");
MODULE_LICENSE("GPL");
