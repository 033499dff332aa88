// SPDX-License-Identifier: GPL-2.0-only
/*
 * NMIs that are counted. While it is on, every CPU sends NMIs round to all CPUs, itself too, each
 * announced to its receiver beforehand and the next only when that one has been taken: a CPU keeps but
 * one NMI, so that of two in a row none could be missed. /proc/mercury-nmi takes "on US" (microseconds
 * between two of a sender) and "off"; a read gives what was sent, taken and never taken, for each CPU.
 */
#include <linux/atomic.h>
#include <linux/cpu.h>
#include <linux/delay.h>
#include <linux/kthread.h>
#include <linux/ktime.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/percpu.h>
#include <linux/uaccess.h>
#include <asm/apic.h>
#include <asm/nmi.h>

#include "proc.h"

#define PATIENCE_MS 2000

/* A receiver has one announced NMI at a time; the sender holds `busy` meanwhile. */
struct receiver {
	unsigned long busy;
	u64 announced, lost;
	u64 taken; /* by the handler */
};
static DEFINE_PER_CPU(struct receiver, receivers);
static DEFINE_PER_CPU(struct task_struct *, senders);
static DEFINE_MUTEX(on_off);
static unsigned int pause_us;

static int on_nmi(unsigned int type, struct pt_regs *regs)
{
	struct receiver *r = this_cpu_ptr(&receivers);

	if (READ_ONCE(r->announced) == r->taken)
		return NMI_DONE;
	WRITE_ONCE(r->taken, r->taken + 1);
	return NMI_HANDLED;
}

static bool is_taken(const struct receiver *r)
{
	ktime_t deadline = ktime_add_ms(ktime_get(), PATIENCE_MS);

	while (READ_ONCE(r->taken) != r->announced) {
		if (ktime_after(ktime_get(), deadline))
			return READ_ONCE(r->taken) == r->announced;
		cpu_relax();
	}
	return true;
}

/* With the CPU hotplug lock held: the receiver stays online. */
static void send(unsigned int cpu)
{
	struct receiver *r = &per_cpu(receivers, cpu);

	if (test_and_set_bit_lock(0, &r->busy))
		return;
	WRITE_ONCE(r->announced, r->announced + 1);
	apic->send_IPI_mask(cpumask_of(cpu), NMI_VECTOR);
	if (!is_taken(r)) {
		r->lost++;
		WRITE_ONCE(r->announced, r->announced - 1);
	}
	clear_bit_unlock(0, &r->busy);
}

static int send_round(void *unused)
{
	unsigned int cpu = smp_processor_id();

	while (!kthread_should_stop()) {
		if (cpus_read_trylock()) {
			cpu = cpumask_next(cpu, cpu_online_mask);
			if (cpu >= nr_cpu_ids)
				cpu = cpumask_first(cpu_online_mask);
			send(cpu);
			cpus_read_unlock();
		}
		if (pause_us)
			usleep_range(pause_us, pause_us);
		else
			cond_resched();
	}
	return 0;
}

static void stop(void)
{
	unsigned int cpu;

	for_each_possible_cpu(cpu) {
		if (per_cpu(senders, cpu))
			kthread_stop(per_cpu(senders, cpu));
		per_cpu(senders, cpu) = NULL;
	}
}

static int start(void)
{
	unsigned int cpu;

	for_each_online_cpu(cpu) {
		struct task_struct *task = kthread_create(send_round, NULL, "nmi/%u", cpu);

		if (IS_ERR(task)) {
			stop();
			return PTR_ERR(task);
		}
		kthread_bind(task, cpu);
		per_cpu(senders, cpu) = task;
		wake_up_process(task);
	}
	return 0;
}

static ssize_t write(struct file *file, const char __user *user, size_t count, loff_t *ppos)
{
	char text[32] = "";
	int result = 0;

	if (count >= sizeof(text))
		return -EINVAL;
	if (copy_from_user(text, user, count))
		return -EFAULT;
	mutex_lock(&on_off);
	stop();
	if (sscanf(text, "on %u", &pause_us) == 1)
		result = start();
	else if (strncmp(text, "off", 3))
		result = -EINVAL;
	mutex_unlock(&on_off);
	return result ?: count;
}

static int show(struct seq_file *m, void *unused)
{
	unsigned int cpu;

	for_each_possible_cpu(cpu) {
		const struct receiver *r = &per_cpu(receivers, cpu);

		seq_printf(m, "cpu%u: sent %llu, taken %llu, lost %llu\n", cpu,
			   READ_ONCE(r->announced) + r->lost, READ_ONCE(r->taken), r->lost);
	}
	return 0;
}

TEST_PROC_OPS(ops, show, write);

static int __init nmi_init(void)
{
	int error = register_nmi_handler(NMI_LOCAL, on_nmi, 0, "mercury-nmi");

	if (error)
		return error;
	if (proc_create("mercury-nmi", 0600, NULL, &ops))
		return 0;
	unregister_nmi_handler(NMI_LOCAL, "mercury-nmi");
	return -ENOMEM;
}

static void __exit nmi_exit(void)
{
	remove_proc_entry("mercury-nmi", NULL);
	stop();
	unregister_nmi_handler(NMI_LOCAL, "mercury-nmi");
}

module_init(nmi_init);
module_exit(nmi_exit);

MODULE_DESCRIPTION("Mercury's tests: NMIs that are counted");
MODULE_LICENSE("GPL");
