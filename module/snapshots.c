// SPDX-License-Identifier: GPL-2.0-only
/* The snapshots since load: how they ended, and what they cost; under the snapshot's lock. */
#include <linux/math64.h>
#include <linux/seq_file.h>
#include <asm/tsc.h>

#include "mercury.h"

static struct {
	u64 ended[MERCURY_ENDED_NR];
	const char *last; /* how the last one did                                                 */
	u64 read, faults; /* pages, first writes                                                  */
	u64 stopped,
		stopped_max; /* cycles for which a CPU stood still: the last one, the longest */
} sum = { .last = "none" };

static const char *const names[MERCURY_ENDED_NR] = {
	[MERCURY_ENDED_GOOD] = "good",
	[MERCURY_ENDED_FULL] = "full",
	[MERCURY_ENDED_CANCELLED] = "cancelled",
	[MERCURY_ENDED_FAILED] = "failed",
};

void mercury_snapshots_began(void)
{
	unsigned int cpu;

	sum.stopped = 0;
	for_each_possible_cpu(cpu)
		if (mercury_stop_of(cpu))
			sum.stopped = max(sum.stopped, mercury_cpu_shared(cpu)->stopped);
	sum.stopped_max = max(sum.stopped_max, sum.stopped);
}

void mercury_snapshots_ended(enum mercury_snapshot_end how, u64 read, u64 faults)
{
	sum.ended[how]++;
	sum.last = names[how];
	sum.read += read;
	sum.faults += faults;
}

static u64 nanoseconds(u64 cycles)
{
	return tsc_khz ? mul_u64_u32_div(cycles, 1000000, tsc_khz) : 0;
}

void mercury_snapshots_show(struct seq_file *s)
{
	unsigned int i;

	seq_puts(s, "snapshots:");
	for (i = 0; i < MERCURY_ENDED_NR; i++)
		seq_printf(s, " %llu %s,", sum.ended[i], names[i]);
	seq_printf(s, " last %s, read %llu pages, faults %llu, stopped last %llu max %llu ns\n",
		   sum.last, sum.read, sum.faults, nanoseconds(sum.stopped),
		   nanoseconds(sum.stopped_max));
}
