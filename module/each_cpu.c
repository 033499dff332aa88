// SPDX-License-Identifier: GPL-2.0-only
/*
 * The same work on every CPU, with interrupts off, with a bound on the wait: a CPU that has interrupts
 * off for long, or is lost, must not take the one with it that waits. What it was asked for is withdrawn.
 */
#include <linux/atomic.h>
#include <linux/cpumask.h>
#include <linux/delay.h>
#include <linux/ktime.h>
#include <linux/percpu.h>
#include <linux/printk.h>
#include <linux/sched.h>
#include <linux/smp.h>

#include "mercury.h"

enum { IDLE, ASKED, AT_WORK, WITHDRAWN };

struct request {
	call_single_data_t csd;
	atomic_t state;
	smp_call_func_t work;
};
static DEFINE_PER_CPU(struct request, requests);

/* On the CPU that was asked, interrupts off. Too late: the one who asked has gone on without us. */
static void answer(void *data)
{
	struct request *r = data;

	if (atomic_cmpxchg(&r->state, ASKED, AT_WORK) == ASKED)
		r->work(NULL);
	atomic_set_release(&r->state, IDLE);
}

/* False: its answer to an earlier request is still to come. */
static bool ask(unsigned int cpu, smp_call_func_t work)
{
	struct request *r = &per_cpu(requests, cpu);

	if (atomic_read_acquire(&r->state) != IDLE)
		return false;
	r->work = work;
	INIT_CSD(&r->csd, answer, r);
	atomic_set_release(&r->state, ASKED);
	if (!smp_call_function_single_async(cpu, &r->csd))
		return true;
	atomic_set(&r->state, IDLE);
	return false;
}

/* Once the CPU is at work it will be done: what it runs waits for nobody. */
static bool has_answered(unsigned int cpu, ktime_t deadline)
{
	struct request *r = &per_cpu(requests, cpu);

	while (atomic_read_acquire(&r->state) != IDLE) {
		if (atomic_read(&r->state) == WITHDRAWN ||
		    (ktime_after(ktime_get(), deadline) &&
		     atomic_cmpxchg(&r->state, ASKED, WITHDRAWN) == ASKED))
			return false;
		cond_resched();
		cpu_relax();
	}
	return true;
}

void mercury_each_cpu(smp_call_func_t work, struct cpumask *silent)
{
	unsigned long flags;
	unsigned int cpu;
	ktime_t deadline;

	cpumask_clear(silent);
	preempt_disable();
	for_each_online_cpu(cpu)
		if (cpu != smp_processor_id() && !ask(cpu, work))
			cpumask_set_cpu(cpu, silent);
	local_irq_save(flags);
	work(NULL);
	local_irq_restore(flags);
	preempt_enable();
	deadline = ktime_add_ms(ktime_get(), MERCURY_ANSWER_MS);
	for_each_online_cpu(cpu)
		if (!has_answered(cpu, deadline))
			cpumask_set_cpu(cpu, silent);
}

void mercury_each_cpu_stop(void)
{
	unsigned int cpu;

	for_each_possible_cpu(cpu)
		while (atomic_read_acquire(&per_cpu(requests, cpu).state) != IDLE) {
			pr_alert("unload waits: CPU %u has yet to answer an interrupt; wait, or restart if it is locked up\n",
				 cpu);
			msleep(1000);
		}
}
