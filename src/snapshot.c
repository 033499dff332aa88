// SPDX-License-Identifier: GPL-2.0-only
/* A snapshot: stopping all CPUs within a bound, and keeping the old content of pages. */
#include <stddef.h>

#include "mercury/machine.h"
#include "mercury/pool.h"
#include "mercury/snapshot.h"

#define PAGE_SHIFT 12

/* Processes are told apart by their page tables' root, in so many classes. A root may be of two pages. */
#define CLASSES 64
#define CLASS_SHIFT (PAGE_SHIFT + 1)

/* Entries of the P2M that one call to thaw looks at: other CPUs' first writes, and interrupts, wait for it. */
#define LOOKED_AT_AT_ONCE 2048

static struct mercury_snapshot *meeting;

/* What the module asked for, read once: it must not change under the hands of the VMM. */
static struct {
	struct p2m *p2m;
	uint64_t directory, patience, end;
	uint64_t thawed; /* up to this frame, once it is over                                     */
	uint32_t kept_max, nr_ram;
	struct mercury_range ram[MERCURY_SNAPSHOT_RAM];
	uint32_t kept_user; /* of kept_max, those that processes can have                         */
	uint32_t more; /* of the others, those that each class of them can                        */
	uint32_t taken[CLASSES]; /* and has                                                       */
	uint64_t kernel_since; /* when the kernel had to wait first; 0: it had not                */
	uint64_t user_since, user_at; /* when a process had to, and where the reader was          */
} snapshot;

/* Who writes; `process`: the root of its page tables, 0 for the kernel. */
struct writer {
	struct cpu *cpu;
	uint64_t process;
};

/* Not at the instant: all CPUs wait then. */
static void forget_processes(void)
{
	__builtin_memset(snapshot.taken, 0, sizeof(snapshot.taken));
}

void snapshot_init(struct mercury_snapshot *shared, struct p2m *p2m)
{
	meeting = shared;
	snapshot.p2m = p2m;
	forget_processes();
}

static uint32_t phase(void)
{
	return __atomic_load_n(&meeting->phase, __ATOMIC_ACQUIRE);
}

/* From `from` to `to`; false: it was not `from` any more. */
static bool go(uint32_t from, uint32_t to)
{
	return __atomic_compare_exchange_n(&meeting->phase, &from, to, false, __ATOMIC_ACQ_REL,
					   __ATOMIC_ACQUIRE);
}

/* --- The instant ---------------------------------------------------------------------------------- */

static void take_parameters(void)
{
	uint32_t i, n = meeting->nr_ram;

	snapshot.directory = meeting->directory;
	snapshot.patience = meeting->patience;
	snapshot.end = meeting->end;
	snapshot.kept_max = meeting->kept_max < MERCURY_KEPT_MAX ? meeting->kept_max :
								   MERCURY_KEPT_MAX;
	snapshot.nr_ram = n < MERCURY_SNAPSHOT_RAM ? n : MERCURY_SNAPSHOT_RAM;
	for (i = 0; i < snapshot.nr_ram; i++)
		snapshot.ram[i] = meeting->ram[i];
	/*
	 * Who waits for the reader must not be the reader: the kernel does most of its work. And the
	 * process that reads, and those behind its pipe, must come to their own few pages: of the
	 * kernel's half each class can have some.
	 */
	snapshot.kept_user = snapshot.patience ? snapshot.kept_max / 2 : snapshot.kept_max;
	snapshot.more = (snapshot.kept_max - snapshot.kept_user) / 2 / CLASSES;
	snapshot.kernel_since = snapshot.user_since = 0;
}

/* The last one to come: all that were to come wait, so no CPU runs Linux now. */
static void freeze(void)
{
	if (!go(MERCURY_SNAPSHOT_GATHERS, MERCURY_SNAPSHOT_FREEZES))
		return;
	meeting->last = machine_clock();
	take_parameters();
	if (!meeting->unprotected) {
		p2m_freeze(snapshot.p2m);
		snapshot.thawed = 0;
		meeting->is_frozen = 1;
	}
	go(MERCURY_SNAPSHOT_FREEZES, MERCURY_SNAPSHOT_FROZEN);
}

static void wait_for_others(uint64_t since)
{
	for (;;) {
		uint32_t now = phase();

		if (now == MERCURY_SNAPSHOT_GATHERS) {
			if (machine_clock() - since > meeting->bound)
				go(MERCURY_SNAPSHOT_GATHERS, MERCURY_SNAPSHOT_LATE);
		} else if (now != MERCURY_SNAPSHOT_FREEZES) {
			return;
		}
	}
}

enum mercury_error snapshot_stop(struct cpu *cpu, uint64_t *stopped)
{
	uint64_t since = machine_clock();
	uint32_t before;
	bool flushed;

	(void)cpu;
	if (!meeting || !snapshot.p2m->root)
		return MERCURY_E_UNSUPPORTED;
	if (phase() == MERCURY_SNAPSHOT_LATE)
		return MERCURY_E_LATE;
	if (phase() != MERCURY_SNAPSHOT_GATHERS)
		return MERCURY_E_BAD_STATE;
	before = __atomic_fetch_add(&meeting->arrived, 1, __ATOMIC_ACQ_REL);
	if (!before)
		meeting->first = since;
	if (before + 1 == meeting->cpus)
		freeze();
	wait_for_others(since);
	flushed = machine_flush();
	*stopped = machine_clock() - since;
	if (phase() == MERCURY_SNAPSHOT_LATE)
		return MERCURY_E_LATE;
	return flushed ? MERCURY_E_OK : MERCURY_E_FLUSH;
}

/* --- Keeping old contents ------------------------------------------------------------------------- */

static bool is_ram(uint64_t gfn)
{
	uint64_t pa = gfn << PAGE_SHIFT;
	uint32_t low = 0, high = snapshot.nr_ram;

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;

		if (pa >= snapshot.ram[middle].end)
			low = middle + 1;
		else
			high = middle;
	}
	return low < snapshot.nr_ram && pa >= snapshot.ram[low].start;
}

/* Is it RAM that Linux itself can write? So none of the VMM's. Called with the P2M's lock shared. */
static bool is_linux(uint64_t gfn)
{
	struct p2m_page page;

	return is_ram(gfn) && p2m_look(snapshot.p2m, gfn, &page) && page.mfn == gfn &&
	       page.access & P2M_WRITE;
}

/* Linux gave the address: NULL, if the VMM would write over its own. */
static void *linux_page(struct cpu *cpu, uint64_t pa)
{
	if (pa & (MERCURY_PAGE_SIZE - 1) || !is_linux(pa >> PAGE_SHIFT))
		return NULL;
	return machine_map_to_write(cpu, pa);
}

/* The n-th page for old contents, as the lists have it; NULL: they are not good. */
static struct mercury_kept *kept_entry(struct cpu *cpu, uint32_t n)
{
	const uint64_t *directory = linux_page(cpu, snapshot.directory);
	struct mercury_kept *list;

	if (!directory)
		return NULL;
	list = linux_page(cpu, directory[n / MERCURY_KEPT_PER_PAGE]);
	return list ? &list[n % MERCURY_KEPT_PER_PAGE] : NULL;
}

static bool keep(struct cpu *cpu, uint32_t n, uint64_t gfn)
{
	struct mercury_kept *entry = kept_entry(cpu, n);
	void *to = entry ? linux_page(cpu, entry->page) : NULL;

	if (!to)
		return false;
	__builtin_memcpy(to, machine_map(cpu, gfn << PAGE_SHIFT), MERCURY_PAGE_SIZE);
	/* The reader sees the page before it can see that it was written. */
	entry = kept_entry(cpu, n);
	if (!entry)
		return false;
	__atomic_store_n(&entry->frame, gfn | MERCURY_KEPT_VALID, __ATOMIC_RELEASE);
	return true;
}

/* When the first of those that wait had to; 0 before. */
static uint64_t waits_since(uint64_t *when, uint64_t now)
{
	uint64_t then = __atomic_load_n(when, __ATOMIC_RELAXED);

	if (then)
		return then;
	__atomic_fetch_add(&meeting->stalled, 1, __ATOMIC_RELAXED);
	__atomic_store_n(when, now, __ATOMIC_RELAXED);
	return now;
}

/* The reader has got on since a process had to wait: its time begins anew. */
static void follow_reader(void)
{
	uint64_t at = __atomic_load_n(&meeting->frontier, __ATOMIC_RELAXED);

	if (__atomic_exchange_n(&snapshot.user_at, at, __ATOMIC_RELAXED) != at)
		__atomic_store_n(&snapshot.user_since, 0, __ATOMIC_RELAXED);
}

/*
 * No page is left for this writer: is it time to give up? Until then Linux tries again, and takes
 * interrupts. A process can wait as long as the reader gets on; the kernel may hold what others need, and
 * has its time once.
 */
static bool has_waited(bool is_user)
{
	uint64_t now = machine_clock(), then;

	if (is_user)
		follow_reader();
	then = waits_since(is_user ? &snapshot.user_since : &snapshot.kernel_since, now);
	/* Who was first may have looked at the clock after us. */
	return (int64_t)(now - then) >= (int64_t)snapshot.patience;
}

/* The next page of the lists, if it is one of the first `end`. */
static bool take_below(uint32_t end, uint32_t *n)
{
	*n = __atomic_load_n(&meeting->kept, __ATOMIC_RELAXED);
	do {
		if (*n >= end)
			return false;
	} while (!__atomic_compare_exchange_n(&meeting->kept, n, *n + 1, false, __ATOMIC_RELAXED,
					      __ATOMIC_RELAXED));
	return true;
}

/* The same, unless all that this writer can have are taken. */
static bool take_next(const struct writer *writer, uint32_t *n)
{
	uint32_t *taken = &snapshot.taken[(writer->process >> CLASS_SHIFT) % CLASSES];

	if (!writer->process)
		return take_below(snapshot.kept_max, n);
	if (take_below(snapshot.kept_user, n))
		return true;
	if (__atomic_fetch_add(taken, 1, __ATOMIC_RELAXED) < snapshot.more)
		return take_below(snapshot.kept_max, n);
	__atomic_fetch_sub(taken, 1, __ATOMIC_RELAXED);
	return false;
}

/* Will it be read, and has it not been yet? */
static bool is_wanted(uint64_t gfn)
{
	uint64_t pa = gfn << PAGE_SHIFT;

	return is_linux(gfn) && pa < snapshot.end &&
	       pa >= __atomic_load_n(&meeting->frontier, __ATOMIC_ACQUIRE);
}

static enum p2m_first_write first_write(uint64_t gfn, void *data)
{
	const struct writer *writer = data;
	uint32_t n;

	if (phase() != MERCURY_SNAPSHOT_FROZEN || !is_wanted(gfn))
		return P2M_THAW;
	if (!take_next(writer, &n)) {
		if (!has_waited(writer->process))
			return P2M_WAIT;
		go(MERCURY_SNAPSHOT_FROZEN, MERCURY_SNAPSHOT_FULL);
		return P2M_THAW;
	}
	if (!keep(writer->cpu, n, gfn))
		go(MERCURY_SNAPSHOT_FROZEN, MERCURY_SNAPSHOT_BROKEN);
	return P2M_THAW;
}

bool snapshot_first_write(struct cpu *cpu, uint64_t gfn, uint64_t process)
{
	struct writer writer = { cpu, process };
	enum mercury_error error;

	if (!snapshot.p2m || !snapshot.p2m->frozen)
		return false;
	/* Once it is over nobody asks for old contents, and there may be no table. */
	if (!p2m_thaw_write(snapshot.p2m, gfn,
			    phase() == MERCURY_SNAPSHOT_FROZEN ? first_write : NULL, &writer,
			    &error))
		return false;
	__atomic_fetch_add(&meeting->faults, 1, __ATOMIC_RELAXED);
	if (pool_used() > meeting->tables_peak)
		meeting->tables_peak = pool_used();
	if (error)
		go(MERCURY_SNAPSHOT_FROZEN, MERCURY_SNAPSHOT_FULL);
	return true;
}

/* The P2M is left as it is: this CPU may have its lock. Writes from now on thaw what they need. */
void snapshot_break(void)
{
	if (meeting)
		go(MERCURY_SNAPSHOT_FROZEN, MERCURY_SNAPSHOT_BROKEN);
}

void snapshot_thaw(void)
{
	if (meeting &&
	    (!snapshot.p2m->frozen || p2m_thaw(snapshot.p2m, &snapshot.thawed, LOOKED_AT_AT_ONCE)))
		meeting->is_frozen = 0;
	/* Now no first write is under way that would take back what it has taken. */
	forget_processes();
}
