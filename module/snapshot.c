// SPDX-License-Identifier: GPL-2.0-only
/*
 * /dev/mercury-snapshot: memory as it was at one instant; include/uapi/mercury_snapshot.h is what it
 * offers. Order of locks: the file's, the switch mutex, the hotplug lock, the snapshot's.
 */
#include <linux/capability.h>
#include <linux/cpu.h>
#include <linux/fs.h>
#include <linux/miscdevice.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/sched/signal.h>
#include <linux/security.h>
#include <linux/seq_file.h>
#include <linux/slab.h>
#include <linux/timekeeping.h>
#include <linux/uaccess.h>
#include <asm/tsc.h>

#include "mercury.h"
#include "trace.h"
#include "uapi/mercury_snapshot.h"
#include "window.h"

#define POOL_DEFAULT (64ULL << 20)
#define POOL_SHARE 8 /* of the free memory, at most one part in so many */
#define ATTEMPTS 100
#define STALL_MS_MAX 10000

/* One call of the file's at a time; a mode change does not wait for it. */
static DEFINE_MUTEX(file_lock);

/* What a mode change ends. */
static DEFINE_MUTEX(lock);

static struct {
	bool is_open, runs;
	int over; /* why a mode change has ended it, below 0                                      */
	struct mercury_range *ranges; /* what can be read                                         */
	u32 nr_ranges;
	u64 from; /* what is below is read as it is                                               */
	u64 next; /* where a reader in ascending order goes on                                    */
	u64 pages, read; /* that can be read, and have been, whole                              */
	u64 instant_ns;
	u32 cpus, retries;
} snapshot;

/* --- Begin and end ------------------------------------------------------------------------------ */

/* Piece by piece: interrupts are off while the VMM is at it. */
static void thaw(void)
{
	unsigned long flags;
	u64 error;

	do {
		local_irq_save(flags);
		error = mercury_call(MERCURY_CALL_THAW, 0, 0);
		local_irq_restore(flags);
		cond_resched();
	} while (!error && READ_ONCE(mercury_snapshot()->is_frozen));
}

static atomic_t unflushed;

static void flush_here(void *unused)
{
	if (mercury_call(MERCURY_CALL_FLUSH, 0, 0))
		atomic_inc(&unflushed);
}

/* All flush. False: a CPU that has not may still use a table; they wait for the next snapshot. */
static bool flush_all(void)
{
	static struct cpumask silent;

	atomic_set(&unflushed, 0);
	mercury_each_cpu(flush_here, &silent);
	if (!cpumask_empty(&silent) || atomic_read(&unflushed))
		return false;
	mercury_call_on(cpumask_first(cpu_online_mask), MERCURY_CALL_RECLAIM, 0, 0);
	return true;
}

/* A CPU that is native has flushed nothing of the VMM's own. */
static bool all_virtual(void)
{
	unsigned int cpu;

	for_each_online_cpu(cpu)
		if (!mercury_cpu_shared(cpu)->is_virtual)
			return false;
	return true;
}

/* Under the switch mutex, the hotplug lock and ours. Nothing stays protected. */
static void end_locked(void)
{
	if (!snapshot.runs)
		return;
	WRITE_ONCE(mercury_snapshot()->phase, MERCURY_SNAPSHOT_NONE);
	thaw();
	if (flush_all() && mercury_tables_take_back() && !(flush_all() && all_virtual()))
		mercury_tables_keep();
	snapshot.runs = false;
	trace_mercury_snapshot_end(mercury_snapshot()->faults, mercury_snapshot()->kept);
}

static void account(enum mercury_snapshot_end how)
{
	mercury_snapshots_ended(how, min(snapshot.read, snapshot.pages),
				READ_ONCE(mercury_snapshot()->faults));
}

static void release_memory(void)
{
	mercury_kept_free();
	mercury_tables_free();
	kvfree(snapshot.ranges);
	snapshot.ranges = NULL;
	snapshot.nr_ranges = 0;
}

static int fill_in(struct mercury_snapshot *m, const struct mercury_snapshot_start *start)
{
	memset(m, 0, sizeof(*m));
	m->nr_ram = mercury_ram(m->ram, MERCURY_SNAPSHOT_RAM);
	if (m->nr_ram > MERCURY_SNAPSHOT_RAM) {
		mercury_refuse("snapshot: RAM lies in %u ranges, %u are supported; report it",
			       m->nr_ram, MERCURY_SNAPSHOT_RAM);
		return -E2BIG;
	}
	m->directory = mercury_kept_directory();
	m->kept_max = mercury_kept_pages();
	if (start->on_full == MERCURY_SNAPSHOT_STALL)
		m->patience = (u64)tsc_khz * min_t(u32, start->stall_ms, STALL_MS_MAX);
	m->unprotected = start->unprotected;
	m->frontier = start->from;
	m->end = start->to;
	return 0;
}

/* Virtual on all CPUs, undisturbed. */
static int begin(void *data)
{
	const struct mercury_snapshot_start *start = data;
	struct mercury_snapshot *m = mercury_snapshot();
	int error;

	mutex_lock(&lock);
	error = fill_in(m, start);
	if (!error) {
		snapshot.runs = true;
		error = mercury_tables_lend();
		error = error ?:
				mercury_stop_all(clamp_t(u32, start->attempts ?: ATTEMPTS, 1,
							 10 * ATTEMPTS),
						 &snapshot.retries);
		snapshot.instant_ns = ktime_get_real_ns();
		snapshot.cpus = num_online_cpus();
		trace_mercury_snapshot_begin(snapshot.cpus, snapshot.retries, m->last - m->first,
					     error);
		if (error)
			end_locked();
		else
			mercury_snapshots_began();
	}
	mutex_unlock(&lock);
	return error;
}

static u64 pool_size(const struct mercury_snapshot_start *start)
{
	u64 available = max(si_mem_available(), 0L) << PAGE_SHIFT;

	/* Linux shall not have to look for its last pages meanwhile: it would write all over them. */
	return start->pool_bytes ? min(start->pool_bytes, available / 2) :
				   min(POOL_DEFAULT, available / POOL_SHARE);
}

static bool is_sane(const struct mercury_snapshot_start *start)
{
	return start->on_full <= MERCURY_SNAPSHOT_STALL && start->unprotected <= 1 &&
	       start->no_tables <= 1 && !start->reserved && start->from <= start->to &&
	       PAGE_ALIGNED(start->from) && PAGE_ALIGNED(start->to);
}

static int start_snapshot(struct mercury_snapshot_start __user *user)
{
	struct mercury_snapshot_start start;
	int error;

	if (copy_from_user(&start, user, sizeof(start)))
		return -EFAULT;
	if (!is_sane(&start))
		return -EINVAL;
	if (!mercury_shared()->uses_ept)
		return -EOPNOTSUPP;
	if (snapshot.ranges)
		return -EALREADY;
	if (!start.to)
		start.to = -PAGE_SIZE;
	error = mercury_kept_alloc(pool_size(&start));
	if (error)
		return error;
	if (!start.no_tables)
		mercury_tables_alloc();
	snapshot.ranges = mercury_ranges(&snapshot.nr_ranges);
	if (!snapshot.ranges) {
		release_memory();
		return -ENOMEM;
	}
	snapshot.from = start.from;
	snapshot.next = mercury_ranges_from(snapshot.ranges, snapshot.nr_ranges, start.from);
	snapshot.pages =
		mercury_ranges_pages(snapshot.ranges, snapshot.nr_ranges, start.from, start.to);
	snapshot.read = 0;
	snapshot.over = 0;
	/* A CPU that comes would write unseen until it is virtual, one that goes from when it is not. */
	cpu_hotplug_disable();
	error = mercury_while_virtual(begin, &start);
	if (error) {
		cpu_hotplug_enable();
		release_memory();
	}
	return error;
}

static int start_and_count(struct mercury_snapshot_start __user *user)
{
	int error = start_snapshot(user);

	/* Asked for wrongly, or given up: none was tried. */
	if (!error || error == -EALREADY || error == -EFAULT || error == -EINVAL ||
	    error == -EINTR || error == -ERESTARTSYS)
		return error;
	mutex_lock(&lock);
	mercury_snapshots_ended(MERCURY_ENDED_FAILED, 0, 0);
	mutex_unlock(&lock);
	return error;
}

/* 0, or why there is nothing to read any more. */
static int over(void)
{
	if (snapshot.over)
		return snapshot.over;
	if (!snapshot.runs)
		return -ENODATA;
	switch (READ_ONCE(mercury_snapshot()->phase)) {
	case MERCURY_SNAPSHOT_FROZEN:
		return 0;
	case MERCURY_SNAPSHOT_FULL:
		return -ENOSPC;
	case MERCURY_SNAPSHOT_BROKEN:
		return -EIO;
	default:
		return -ECANCELED;
	}
}

static enum mercury_snapshot_end how_it_ended(int error)
{
	switch (error) {
	case 0:
		return MERCURY_ENDED_GOOD;
	case -ENOSPC:
		return MERCURY_ENDED_FULL;
	case -EIO:
		return MERCURY_ENDED_FAILED;
	default:
		return MERCURY_ENDED_CANCELLED;
	}
}

/* The machine goes native: under the switch mutex and the hotplug lock. */
void mercury_snapshot_cancel(void)
{
	mutex_lock(&lock);
	if (snapshot.runs) {
		snapshot.over = over() ?: -ECANCELED;
		account(how_it_ended(snapshot.over));
		end_locked();
	}
	mutex_unlock(&lock);
}

static void end(void)
{
	mutex_lock(&lock);
	if (snapshot.runs)
		account(how_it_ended(over()));
	end_locked();
	mutex_unlock(&lock);
}

/* --- Reading ------------------------------------------------------------------------------------ */

/* What lies below is not read any more: who writes there need not be seen. */
static void go_on_at(u64 next)
{
	snapshot.next = next;
	/* After the pages have been read. */
	smp_store_release(&mercury_snapshot()->frontier, next);
}

/* This page has been read. */
static void advance(const struct mercury_range *range, u64 page)
{
	u64 next = page + PAGE_SIZE;

	if (page != snapshot.next)
		return;
	if (next == range->end && range + 1 < snapshot.ranges + snapshot.nr_ranges)
		next = range[1].start;
	go_on_at(next);
}

/*
 * One page as it was. First what it holds now, then whether its old content has been kept meanwhile: who
 * changed the page before or while we read it has kept it before.
 */
static int read_page(u64 address, void *buffer, bool whole)
{
	const struct mercury_range *range;
	const void *old;
	bool is_open;
	int error = over();

	range = error ? NULL : mercury_range_of(snapshot.ranges, snapshot.nr_ranges, address);
	if (!range)
		return error ?: -ENODATA;
	if (address >= snapshot.from && address < mercury_snapshot()->frontier)
		return -ESPIPE;
	is_open = mercury_ram_read(address, buffer);
	/* What it holds, then the list. The VMM has kept a secret page's content as any other's. */
	smp_rmb();
	old = is_open ? mercury_kept_find(address >> PAGE_SHIFT) : NULL;
	if (old)
		memcpy(buffer, old, PAGE_SIZE);
	error = over();
	if (error || !whole)
		return error;
	snapshot.read++;
	advance(range, address);
	return 0;
}

static ssize_t snapshot_read(struct file *file, char __user *user, size_t count, loff_t *ppos)
{
	void *buffer = file->private_data;
	size_t done = 0;
	int error = mutex_lock_interruptible(&file_lock);

	if (error)
		return error;
	while (done < count && !error) {
		u64 address = *ppos + done, offset = offset_in_page(address);
		size_t part = min_t(size_t, count - done, PAGE_SIZE - offset);

		if (signal_pending(current)) {
			error = -EINTR;
			break;
		}
		mutex_lock(&lock);
		error = read_page(address - offset, buffer, part == PAGE_SIZE);
		mutex_unlock(&lock);
		if (!error && copy_to_user(user + done, buffer + offset, part))
			error = -EFAULT;
		if (!error)
			done += part;
		cond_resched();
	}
	*ppos += done;
	mutex_unlock(&file_lock);
	return done ?: error;
}

static int give_up(const u64 __user *user)
{
	u64 to;
	int error;

	if (get_user(to, user))
		return -EFAULT;
	if (!PAGE_ALIGNED(to))
		return -EINVAL;
	mutex_lock(&lock);
	error = over();
	if (!error && to > snapshot.next)
		go_on_at(mercury_ranges_from(snapshot.ranges, snapshot.nr_ranges, to));
	mutex_unlock(&lock);
	return error;
}

/* --- Asking ------------------------------------------------------------------------------------- */

static int tell_ranges(struct mercury_snapshot_ranges __user *user)
{
	struct mercury_snapshot_ranges r;
	u32 n;

	if (copy_from_user(&r, user, sizeof(r)))
		return -EFAULT;
	if (!snapshot.ranges)
		return -ENODATA;
	n = min(r.room, snapshot.nr_ranges);
	r.count = snapshot.nr_ranges;
	r.direct_map = PAGE_OFFSET;
	BUILD_BUG_ON(sizeof(*snapshot.ranges) != sizeof(struct mercury_snapshot_range));
	if (copy_to_user(u64_to_user_ptr(r.ranges), snapshot.ranges,
			 n * sizeof(*snapshot.ranges)) ||
	    copy_to_user(user, &r, sizeof(r)))
		return -EFAULT;
	return 0;
}

static int tell_cpu(struct mercury_snapshot_cpu __user *user)
{
	struct mercury_snapshot_cpu c;
	const struct mercury_stop *s;

	if (copy_from_user(&c, user, sizeof(c)))
		return -EFAULT;
	if (!snapshot.ranges)
		return -ENODATA;
	if (c.cpu >= nr_cpu_ids || !cpu_possible(c.cpu))
		return -ENOENT;
	s = mercury_stop_of(c.cpu);
	if (!s)
		return -ENOENT;
	BUILD_BUG_ON(sizeof(c.regs) != sizeof(s->regs));
	c.pid = s->pid;
	memcpy(c.regs, s->regs, sizeof(c.regs));
	return copy_to_user(user, &c, sizeof(c)) ? -EFAULT : 0;
}

static int tell_stats(struct mercury_snapshot_stats __user *user)
{
	const struct mercury_snapshot *m = mercury_snapshot();
	struct mercury_snapshot_stats stats = {
		.instant_ns = snapshot.instant_ns,
		.tsc_khz = tsc_khz,
		.skew = m->last - m->first,
		.faults = READ_ONCE(m->faults),
		.copied = READ_ONCE(m->kept),
		.pool_pages = mercury_kept_pages(),
		.pool_peak = READ_ONCE(m->kept),
		.table_pages = mercury_pool_pages() + mercury_tables_pages(),
		.table_peak = READ_ONCE(m->tables_peak),
		.stalled = READ_ONCE(m->stalled),
		.cpus = snapshot.cpus,
		.retries = snapshot.retries,
	};
	int error = snapshot.ranges ? mercury_stop_times(&stats.stop_median, &stats.stop_max) :
				      -ENODATA;

	if (error)
		return error;
	return copy_to_user(user, &stats, sizeof(stats)) ? -EFAULT : 0;
}

/* For /proc/mercury. */
void mercury_snapshot_show(struct seq_file *s)
{
	const struct mercury_snapshot *m = mercury_snapshot();

	mutex_lock(&lock);
	if (snapshot.runs)
		seq_printf(s, "snapshot: %s, read %llu of %llu pages, kept %u of %u, faults %llu\n",
			   over() ? "over" : "running", min(snapshot.read, snapshot.pages),
			   snapshot.pages, min(READ_ONCE(m->kept), mercury_kept_pages()),
			   mercury_kept_pages(), READ_ONCE(m->faults));
	else
		seq_puts(s, "snapshot: none\n");
	mercury_snapshots_show(s);
	mutex_unlock(&lock);
}

static int command(unsigned int number, void __user *user)
{
	switch (number) {
	case MERCURY_SNAPSHOT_START:
		return start_and_count(user);
	case MERCURY_SNAPSHOT_GIVE_UP:
		return give_up(user);
	case MERCURY_SNAPSHOT_RANGES:
		return tell_ranges(user);
	case MERCURY_SNAPSHOT_CPU:
		return tell_cpu(user);
	case MERCURY_SNAPSHOT_STATS:
		return tell_stats(user);
	}
	return -ENOTTY;
}

static long snapshot_ioctl(struct file *file, unsigned int number, unsigned long argument)
{
	int error = mutex_lock_interruptible(&file_lock);

	if (error)
		return error;
	error = command(number, (void __user *)argument);
	mutex_unlock(&file_lock);
	return error;
}

/* --- The device --------------------------------------------------------------------------------- */

static int snapshot_open(struct inode *inode, struct file *file)
{
	void *buffer;
	int error = 0;

	/* All of memory, as there. */
	if (!capable(CAP_SYS_ADMIN) || security_locked_down(LOCKDOWN_KCORE))
		return -EPERM;
	buffer = kmalloc(PAGE_SIZE, GFP_KERNEL);
	if (!buffer)
		return -ENOMEM;
	mutex_lock(&lock);
	if (snapshot.is_open)
		error = -EBUSY;
	snapshot.is_open = true;
	mutex_unlock(&lock);
	if (error)
		kfree(buffer);
	else
		file->private_data = buffer;
	return error;
}

static int snapshot_release(struct inode *inode, struct file *file)
{
	bool began = snapshot.ranges;

	if (began) {
		mercury_undisturbed(end);
		cpu_hotplug_enable();
		release_memory();
	}
	kfree(file->private_data);
	mutex_lock(&lock);
	snapshot.is_open = false;
	mutex_unlock(&lock);
	return 0;
}

static const struct file_operations ops = {
	.owner = THIS_MODULE,
	.open = snapshot_open,
	.release = snapshot_release,
	.read = snapshot_read,
	.unlocked_ioctl = snapshot_ioctl,
	.llseek = default_llseek,
};

static struct miscdevice device = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "mercury-snapshot",
	.fops = &ops,
	.mode = 0600,
};

struct device *mercury_device(void)
{
	return device.this_device;
}

int mercury_snapshot_start(void)
{
	return misc_register(&device);
}

void mercury_snapshot_stop(void)
{
	misc_deregister(&device);
}
