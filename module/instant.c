// SPDX-License-Identifier: GPL-2.0-only
/*
 * The instant of a snapshot: an IPI in which all CPUs wait for each other in the VMM, within a bound; and
 * what ran on each of them.
 */
#include <linux/cpumask.h>
#include <linux/delay.h>
#include <linux/mm.h>
#include <linux/percpu.h>
#include <linux/preempt.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/sort.h>
#include <asm/msr.h>
#include <asm/segment.h>
#include <asm/tsc.h>
#include <asm/unwind.h>

#include "compat/compat.h"
#include "mercury.h"
#include "window.h"

#define BOUND_US 200 /* that a stopped CPU waits for the others */

static DEFINE_PER_CPU(struct mercury_stop, stops);

/* What our interrupt came upon; NULL: none did, for this CPU asks, or idles where it needs none. */
static struct pt_regs *interrupted(void)
{
	struct unwind_state state;
	struct pt_regs *regs;
	bool partial;

	if (!in_hardirq())
		return NULL;
	for (unwind_start(&state, current, NULL, NULL); !unwind_done(&state);
	     unwind_next_frame(&state)) {
		regs = unwind_get_entry_regs(&state, &partial);
		if (regs && !partial)
			return regs;
	}
	return NULL;
}

/* What a debugger needs to walk the caller's stack. */
static __always_inline void here(struct pt_regs *regs)
{
	*regs = (struct pt_regs){
		.ip = _THIS_IP_,
		.sp = current_stack_pointer,
		.bp = (unsigned long)__builtin_frame_address(0),
		.cs = __KERNEL_CS,
		.ss = __KERNEL_DS,
		.flags = native_save_fl(),
	};
}

/* In the order of struct user_regs_struct: as far as struct pt_regs goes, they are the same. */
static void copy_registers(u64 *to, struct pt_regs *regs)
{
	u64 bases[2];
	u16 selector;

	BUILD_BUG_ON(sizeof(*regs) + 6 * sizeof(*to) != MERCURY_REGISTERS * sizeof(*to));
	memcpy(to, regs, sizeof(*regs));
	to += sizeof(*regs) / sizeof(*to);
	rdmsrq(MSR_FS_BASE, bases[0]);
	rdmsrq(user_mode(regs) ? MSR_KERNEL_GS_BASE : MSR_GS_BASE, bases[1]);
	*to++ = bases[0];
	*to++ = bases[1];
	savesegment(ds, selector);
	*to++ = selector;
	savesegment(es, selector);
	*to++ = selector;
	savesegment(fs, selector);
	*to++ = selector;
	savesegment(gs, selector);
	*to++ = selector;
}

/* What was interrupted is looked for when the others do not wait any more: it is as it was. */
static void stop_here(void *unused)
{
	struct mercury_stop *s = this_cpu_ptr(&stops);
	struct pt_regs own;

	here(&own);
	s->error = mercury_cpu_shared(smp_processor_id())->is_virtual ?
			   mercury_call(MERCURY_CALL_FREEZE, 0, 0) :
			   MERCURY_E_FORCED;
	copy_registers(s->regs, interrupted() ?: &own);
	s->pid = current->pid;
	s->was_there = true;
}

/* Which of two CPUs' errors is the reason: that the VMM has failed before is none beside how it fails now. */
static unsigned int weight(u64 error)
{
	switch (error) {
	case MERCURY_E_OK:
		return 0;
	case MERCURY_E_LATE:
		return 1;
	case MERCURY_E_BROKEN:
		return 2;
	default:
		return 3;
	}
}

/* The error of all, and of `*which`. E_LATE: the next attempt may succeed; any other will stay. */
static u64 outcome(const struct cpumask *silent, unsigned int *which)
{
	u64 result = MERCURY_E_OK;
	unsigned int cpu;

	for_each_online_cpu(cpu) {
		u64 error = cpumask_test_cpu(cpu, silent) ? MERCURY_E_LATE :
							    per_cpu(stops, cpu).error;

		if (weight(error) <= weight(result))
			continue;
		result = error;
		*which = cpu;
	}
	return result;
}

/* Once all have stopped it has begun, though the pools may be full already: a reader is told then. */
static u64 try_once(struct mercury_snapshot *m, unsigned int *which)
{
	static struct cpumask silent;
	u64 error;

	m->arrived = 0;
	/* After the parameters. */
	smp_store_release(&m->phase, MERCURY_SNAPSHOT_GATHERS);
	mercury_each_cpu(stop_here, &silent);
	error = outcome(&silent, which);
	if (error)
		WRITE_ONCE(m->phase, MERCURY_SNAPSHOT_NONE);
	return error;
}

static void wait_before(unsigned int attempt)
{
	unsigned int us = min(50U << min(attempt, 7U), 5000U);

	usleep_range(us, 2 * us);
}

int mercury_stop_all(u32 attempts, u32 *retries)
{
	struct mercury_snapshot *m = mercury_snapshot();
	unsigned int cpu;
	u64 error;

	for_each_possible_cpu(cpu)
		per_cpu(stops, cpu).was_there = false;
	m->bound = (u64)tsc_khz * BOUND_US / 1000;
	m->cpus = num_online_cpus();
	for (*retries = 0; *retries < attempts; ++*retries) {
		error = try_once(m, &cpu);
		if (!error)
			return 0;
		if (error != MERCURY_E_LATE) {
			mercury_refuse("snapshot: CPU %u: %s", cpu, mercury_cpu_text(cpu, error));
			return mercury_errno(error);
		}
		wait_before(*retries);
		if (signal_pending(current))
			return -ERESTARTSYS;
	}
	mercury_refuse("snapshot: the CPUs did not all stop within %u us in %u attempts; try again",
		       BOUND_US, attempts);
	return -EAGAIN;
}

const struct mercury_stop *mercury_stop_of(unsigned int cpu)
{
	const struct mercury_stop *s = &per_cpu(stops, cpu);

	return s->was_there ? s : NULL;
}

static int by_value(const void *a, const void *b)
{
	u64 x = *(const u64 *)a, y = *(const u64 *)b;

	return x < y ? -1 : x > y;
}

int mercury_stop_times(u64 *median, u64 *longest)
{
	u64 *times = kvmalloc_array(nr_cpu_ids, sizeof(*times), GFP_KERNEL);
	unsigned int cpu, n = 0;

	if (!times)
		return -ENOMEM;
	for_each_possible_cpu(cpu)
		if (mercury_stop_of(cpu))
			times[n++] = mercury_cpu_shared(cpu)->stopped;
	sort(times, n, sizeof(*times), by_value, NULL);
	*median = *longest = 0;
	if (n) {
		*median = times[(n - 1) / 2];
		*longest = times[n - 1];
	}
	kvfree(times);
	return 0;
}
