// SPDX-License-Identifier: GPL-2.0-only
/*
 * NMIs that are counted. While it is on, every CPU sends NMIs round to all CPUs, itself too, each
 * announced to its receiver beforehand and the next only when that one has been taken: a CPU keeps but
 * one NMI, so that of two in a row none could be missed. /proc/mercury-nmi takes "on US" (microseconds
 * between two of a sender) and "off"; a read gives what was sent, taken and never taken, for each CPU.
 *
 * With parameter during=FUNCTION[,FUNCTION] each of these sends one to every CPU besides, and it is counted how
 * many are taken before it returns.
 */
#include <linux/atomic.h>
#include <linux/cpu.h>
#include <linux/delay.h>
#include <linux/kprobes.h>
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
#define ARRIVES_US 200

/* A receiver has one announced NMI at a time; the sender holds `busy` meanwhile. */
struct receiver {
	unsigned long busy;
	u64 announced, lost;
	u64 taken;      /* by the handler */
	bool is_during; /* the one announced is of a function, which has not waited for it */
};
static DEFINE_PER_CPU(struct receiver, receivers);
static DEFINE_PER_CPU(struct task_struct *, senders);
static DEFINE_MUTEX(on_off);
static unsigned int pause_us;

static char *during[2];
static int nr_during;
module_param_array(during, charp, &nr_during, 0);

static struct kretprobe probes[ARRAY_SIZE(during)];
static bool is_during;
static atomic64_t during_sent, during_taken;

static int on_nmi(unsigned int type, struct pt_regs *regs)
{
	struct receiver *r = this_cpu_ptr(&receivers);

	if (READ_ONCE(r->announced) == r->taken)
		return NMI_DONE;
	WRITE_ONCE(r->taken, r->taken + 1);
	if (r->is_during) {
		r->is_during = false;
		if (READ_ONCE(is_during))
			atomic64_inc(&during_taken);
		clear_bit_unlock(0, &r->busy);
	}
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

/* --- While a function runs, interrupts off --------------------------------------------------------- */

static int function_begins(struct kretprobe_instance *instance, struct pt_regs *regs)
{
	ktime_t deadline = ktime_add_us(ktime_get(), ARRIVES_US);
	unsigned int cpu;

	WRITE_ONCE(is_during, true);
	for_each_online_cpu(cpu) {
		struct receiver *r = &per_cpu(receivers, cpu);

		if (test_and_set_bit_lock(0, &r->busy))
			continue;
		atomic64_inc(&during_sent);
		r->is_during = true;
		WRITE_ONCE(r->announced, r->announced + 1);
		apic->send_IPI_mask(cpumask_of(cpu), NMI_VECTOR);
	}
	while (ktime_before(ktime_get(), deadline))
		cpu_relax();
	return 0;
}

static int function_ends(struct kretprobe_instance *instance, struct pt_regs *regs)
{
	WRITE_ONCE(is_during, false);
	return 0;
}

static void unprobe(int n)
{
	while (n--)
		unregister_kretprobe(&probes[n]);
}

static int probe(void)
{
	int i;

	for (i = 0; i < nr_during; i++) {
		int error;

		probes[i] = (struct kretprobe){
			.kp.symbol_name = during[i],
			.entry_handler = function_begins,
			.handler = function_ends,
		};
		error = register_kretprobe(&probes[i]);
		if (error) {
			unprobe(i);
			return error;
		}
	}
	return 0;
}

/* --- The file -------------------------------------------------------------------------------------- */

static int show(struct seq_file *m, void *unused)
{
	unsigned int cpu;

	for_each_possible_cpu(cpu) {
		const struct receiver *r = &per_cpu(receivers, cpu);

		seq_printf(m, "cpu%u: sent %llu, taken %llu, lost %llu\n", cpu,
			   READ_ONCE(r->announced) + r->lost, READ_ONCE(r->taken), r->lost);
	}
	if (nr_during)
		seq_printf(m, "during: sent %lld, taken %lld\n", atomic64_read(&during_sent),
			   atomic64_read(&during_taken));
	return 0;
}

TEST_PROC_OPS(ops, show, write);

static int __init counter_init(void)
{
	int error = register_nmi_handler(NMI_LOCAL, on_nmi, 0, "mercury-nmi");

	if (error)
		return error;
	error = probe();
	if (error)
		goto no_probe;
	if (proc_create("mercury-nmi", 0600, NULL, &ops))
		return 0;
	error = -ENOMEM;
	unprobe(nr_during);
no_probe:
	unregister_nmi_handler(NMI_LOCAL, "mercury-nmi");
	return error;
}

static void __exit counter_exit(void)
{
	remove_proc_entry("mercury-nmi", NULL);
	stop();
	unprobe(nr_during);
	unregister_nmi_handler(NMI_LOCAL, "mercury-nmi");
}

module_init(counter_init);
module_exit(counter_exit);

MODULE_DESCRIPTION("Mercury's tests: NMIs that are counted");
MODULE_LICENSE("GPL");
