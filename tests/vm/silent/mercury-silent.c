// SPDX-License-Identifier: GPL-2.0-only
/*
 * A CPU that does not answer: interrupts off for a while. /proc/mercury-silent takes "CPU MS NTH": CPU
 * is silent for MS milliseconds, from when the switch asks all CPUs for the NTH time from now; 0, at
 * once. A read gives the number of silences that are over.
 */
#include <linux/atomic.h>
#include <linux/delay.h>
#include <linux/kprobes.h>
#include <linux/module.h>
#include <linux/smp.h>
#include <linux/uaccess.h>

#include "proc.h"

static unsigned int cpu, milliseconds;
static atomic_t calls_left, has_begun, over;

static void be_silent(void *unused)
{
	atomic_set(&has_begun, 1);
	mdelay(READ_ONCE(milliseconds));
	atomic_inc(&over);
}

static call_single_data_t silence = CSD_INIT(be_silent, NULL);

static void begin(void)
{
	atomic_set(&has_begun, 0);
	if (smp_call_function_single_async(cpu, &silence))
		return;
	while (!atomic_read(&has_begun))
		cpu_relax();
}

static int on_call(struct kprobe *probe, struct pt_regs *regs)
{
	if (atomic_read(&calls_left) && atomic_dec_and_test(&calls_left))
		begin();
	return 0;
}

static struct kprobe probe = { .symbol_name = "mercury_each_cpu", .pre_handler = on_call };

static ssize_t write(struct file *file, const char __user *user, size_t count, loff_t *ppos)
{
	unsigned int which, how_long, nth;
	char text[32] = "";

	if (count >= sizeof(text))
		return -EINVAL;
	if (copy_from_user(text, user, count))
		return -EFAULT;
	if (sscanf(text, "%u %u %u", &which, &how_long, &nth) != 3 || !cpu_online(which))
		return -EINVAL;
	cpu = which;
	milliseconds = how_long;
	if (nth)
		atomic_set(&calls_left, nth);
	else
		begin();
	return count;
}

static int show(struct seq_file *m, void *unused)
{
	seq_printf(m, "%d\n", atomic_read(&over));
	return 0;
}

TEST_PROC_OPS(ops, show, write);

static int __init silent_init(void)
{
	int error = register_kprobe(&probe);

	if (error)
		return error;
	if (proc_create("mercury-silent", 0600, NULL, &ops))
		return 0;
	unregister_kprobe(&probe);
	return -ENOMEM;
}

static void __exit silent_exit(void)
{
	remove_proc_entry("mercury-silent", NULL);
	unregister_kprobe(&probe);
}

module_init(silent_init);
module_exit(silent_exit);

MODULE_DESCRIPTION("Mercury's tests: a CPU that does not answer");
MODULE_LICENSE("GPL");
