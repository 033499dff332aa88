// SPDX-License-Identifier: GPL-2.0-only
/*
 * What deadlocks whoever waits for all CPUs without a bound: CPU 1 holds a lock with interrupts on, CPU 2
 * spins for it with interrupts off. /proc/mercury-deadlock takes milliseconds: so long the lock is held
 * when CPU 0 stops all CPUs for a snapshot, the next time. A read gives how often it has been.
 */
#include <linux/delay.h>
#include <linux/err.h>
#include <linux/kprobes.h>
#include <linux/kthread.h>
#include <linux/module.h>
#include <linux/spinlock.h>
#include <linux/uaccess.h>

#include "proc.h"

static DEFINE_SPINLOCK(lock);
static unsigned int ordered, milliseconds, times;
static bool holds, spins;

static void nap(void)
{
	usleep_range(100, 200);
}

static int holder(void *unused)
{
	while (!kthread_should_stop()) {
		unsigned int ms = smp_load_acquire(&milliseconds);

		if (!ms) {
			nap();
			continue;
		}
		spin_lock(&lock);
		smp_store_release(&holds, true);
		mdelay(ms);
		WRITE_ONCE(times, times + 1);
		WRITE_ONCE(milliseconds, 0);
		WRITE_ONCE(holds, false);
		spin_unlock(&lock);
	}
	return 0;
}

static int spinner(void *unused)
{
	while (!kthread_should_stop()) {
		if (!smp_load_acquire(&holds)) {
			nap();
			continue;
		}
		local_irq_disable();
		smp_store_release(&spins, true);
		spin_lock(&lock);
		spin_unlock(&lock);
		WRITE_ONCE(spins, false);
		local_irq_enable();
	}
	return 0;
}

/* On the CPU that is about to stop all: it goes on when the two are where they are to be. */
static int on_stop(struct kprobe *probe, struct pt_regs *regs)
{
	if (!ordered || smp_processor_id())
		return 0;
	smp_store_release(&milliseconds, ordered);
	ordered = 0;
	while (!smp_load_acquire(&spins))
		cpu_relax();
	return 0;
}

static struct kprobe probe = { .symbol_name = "mercury_stop_all", .pre_handler = on_stop };

static ssize_t write(struct file *file, const char __user *user, size_t count, loff_t *ppos)
{
	return kstrtouint_from_user(user, count, 0, &ordered) ?: count;
}

static int show(struct seq_file *m, void *unused)
{
	seq_printf(m, "%u\n", READ_ONCE(times));
	return 0;
}

TEST_PROC_OPS(ops, show, write);

static struct task_struct *start(int (*work)(void *), unsigned int cpu, const char *name)
{
	struct task_struct *task = kthread_create(work, NULL, "%s", name);

	if (!IS_ERR(task)) {
		kthread_bind(task, cpu);
		wake_up_process(task);
	}
	return task;
}

static struct task_struct *tasks[2];

static void stop(struct task_struct *task)
{
	if (!IS_ERR_OR_NULL(task))
		kthread_stop(task);
}

static void __exit deadlock_exit(void)
{
	remove_proc_entry("mercury-deadlock", NULL);
	unregister_kprobe(&probe);
	stop(tasks[0]);
	stop(tasks[1]);
}

static int __init deadlock_init(void)
{
	int error;

	if (!cpu_online(1) || !cpu_online(2))
		return -ENODEV;
	error = register_kprobe(&probe);
	if (error)
		return error;
	tasks[0] = start(holder, 1, "deadlock-holds");
	tasks[1] = start(spinner, 2, "deadlock-spins");
	if (!IS_ERR(tasks[0]) && !IS_ERR(tasks[1]) &&
	    proc_create("mercury-deadlock", 0600, NULL, &ops))
		return 0;
	unregister_kprobe(&probe);
	stop(tasks[0]);
	stop(tasks[1]);
	return -ENOMEM;
}

module_init(deadlock_init);
module_exit(deadlock_exit);

MODULE_DESCRIPTION("Mercury's tests: a lock that is held, and spun for with interrupts off");
MODULE_LICENSE("GPL");
