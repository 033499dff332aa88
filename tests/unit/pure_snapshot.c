// SPDX-License-Identifier: GPL-2.0-only
/*
 * Keeping old contents, and stopping all CPUs within a bound: on a machine of a few pages of memory,
 * with a clock that the test turns.
 */
#include "pure_p2m.h"

#include "mercury/machine.h"
#include "mercury/snapshot.h"

/* Physical memory from 0 on: 32 pages of RAM, a device's page, and one that is the VMM's. */
#define RAM_PAGES 32u
#define DEVICE RAM_PAGES
#define VMM 7u
#define DIRECTORY 20u
#define LIST 21u
#define FIRST_KEPT 24u

/* The root of a process's page tables. */
#define PROCESS PAGE

static uint8_t memory[RAM_PAGES + 1][MERCURY_PAGE_SIZE] __attribute__((aligned(4096)));
static struct mercury_snapshot meeting;
static uint64_t now, tick;
static bool can_flush, device_is_read;
static unsigned int flushes;

const void *machine_map(struct cpu *cpu, uint64_t pa)
{
	(void)cpu;
	assert_in_range(pa / PAGE, 0, RAM_PAGES);
	device_is_read |= pa / PAGE == DEVICE;
	return memory[pa / PAGE];
}

void *machine_map_to_write(struct cpu *cpu, uint64_t pa)
{
	(void)cpu;
	assert_in_range(pa / PAGE, 0, RAM_PAGES);
	return memory[pa / PAGE];
}

uint64_t machine_clock(void)
{
	return now += tick;
}

bool machine_flush(void)
{
	flushes++;
	return can_flush;
}

static struct mercury_kept *list(void)
{
	return (struct mercury_kept *)memory[LIST];
}

/* `kept` pages are listed; one CPU gathers. */
static void prepare(uint32_t kept)
{
	uint32_t i;

	meeting = (struct mercury_snapshot){
		.directory = DIRECTORY * PAGE,
		.bound = 100,
		.kept_max = kept,
		.cpus = 1,
		.nr_ram = 1,
		.ram = { { 0, RAM_PAGES * PAGE } },
		.end = UINT64_MAX,
		.phase = MERCURY_SNAPSHOT_GATHERS,
	};
	*(uint64_t *)memory[DIRECTORY] = LIST * PAGE;
	for (i = 0; i < kept; i++)
		list()[i].page = (FIRST_KEPT + i) * PAGE;
}

static int setup(void **state)
{
	uint32_t i;

	setup_p2m(state);
	assert_int_equal(p2m_map_identity(&p2m, 0, GB), MERCURY_E_OK);
	assert_int_equal(p2m_hide(&p2m, VMM * PAGE, (VMM + 1) * PAGE), MERCURY_E_OK);
	for (i = 0; i <= RAM_PAGES; i++)
		memset(memory[i], (int)i, MERCURY_PAGE_SIZE);
	memset(memory[DIRECTORY], 0, MERCURY_PAGE_SIZE);
	memset(memory[LIST], 0, MERCURY_PAGE_SIZE);
	now = 0;
	tick = 1;
	can_flush = true;
	device_is_read = false;
	flushes = 0;
	snapshot_init(&meeting, &p2m);
	prepare(4);
	return 0;
}

static enum mercury_error stop(void)
{
	uint64_t stopped = 0;

	return snapshot_stop(NULL, &stopped);
}

static bool is_frozen(uint64_t gfn)
{
	return p2m.frozen && !can_write(gfn);
}

/* Linux writes to `gfn`: at most `faults` times it comes to us. */
static void write_to(uint64_t gfn)
{
	int faults = 0;

	while (snapshot_first_write(NULL, gfn, 0))
		assert_in_range(faults++, 0, 4);
}

/* The same until it waits. */
static void wait_at(uint64_t gfn, uint64_t process)
{
	while (!meeting.stalled)
		assert_true(snapshot_first_write(NULL, gfn, process));
}

static bool holds(uint32_t page, uint8_t value)
{
	uint32_t i;

	for (i = 0; i < MERCURY_PAGE_SIZE; i++)
		if (memory[page][i] != value)
			return false;
	return true;
}

/* --- Keeping ------------------------------------------------------------------------------------ */

/* The page is kept, the list says whose it is, and only then can it be written. */
static void first_write_keeps_the_page(void **state)
{
	(void)state;
	assert_int_equal(stop(), MERCURY_E_OK);
	assert_true(is_frozen(3));
	write_to(3);
	assert_int_equal(list()[0].frame, 3 | MERCURY_KEPT_VALID);
	assert_true(holds(FIRST_KEPT, 3));
	assert_int_equal(list()[1].frame, 0);
	assert_int_equal(meeting.kept, 1);
	assert_false(is_frozen(3));
	assert_true(is_frozen(4));
	/* Once. */
	write_to(3);
	assert_int_equal(meeting.kept, 1);
	while (meeting.is_frozen)
		snapshot_thaw();
	assert_false(p2m.frozen);
}

/* Reading a device may do something: it is let be written as it is. */
static void devices_are_not_read(void **state)
{
	(void)state;
	assert_int_equal(stop(), MERCURY_E_OK);
	write_to(DEVICE);
	assert_false(device_is_read);
	assert_int_equal(meeting.kept, 0);
	assert_false(is_frozen(DEVICE));
	assert_int_equal(meeting.phase, MERCURY_SNAPSHOT_FROZEN);
}

/* What has been read, and what nobody wants, is not kept. */
static void only_what_will_be_read_is_kept(void **state)
{
	(void)state;
	meeting.frontier = 3 * PAGE;
	meeting.end = 6 * PAGE;
	assert_int_equal(stop(), MERCURY_E_OK);
	write_to(2);
	write_to(6);
	assert_int_equal(meeting.kept, 0);
	assert_false(is_frozen(2) || is_frozen(6));
	write_to(3);
	write_to(5);
	assert_int_equal(meeting.kept, 2);
	meeting.frontier = 5 * PAGE;
	write_to(4);
	assert_int_equal(meeting.kept, 2);
	assert_int_equal(meeting.faults, 5);
}

/* Linux goes on, everywhere, and with the thaw nothing stays protected. */
static void check_over(void)
{
	const uint32_t kept = meeting.kept, used = pool_used();
	int calls = 0;

	write_to(40);
	write_to(41);
	assert_int_equal(meeting.kept, kept);
	assert_int_equal(pool_used(), used);
	while (meeting.is_frozen) {
		snapshot_thaw();
		assert_in_range(calls++, 0, 100);
	}
	assert_false(p2m.frozen);
	assert_true(can_write(43));
}

/* --- The pool is full --------------------------------------------------------------------------- */

static void full_aborts(void **state)
{
	(void)state;
	prepare(2);
	assert_int_equal(stop(), MERCURY_E_OK);
	write_to(1);
	write_to(2);
	assert_int_equal(meeting.phase, MERCURY_SNAPSHOT_FROZEN);
	write_to(3);
	assert_int_equal(meeting.phase, MERCURY_SNAPSHOT_FULL);
	assert_int_equal(meeting.kept, 2);
	check_over();
	assert_true(holds(FIRST_KEPT + 2, FIRST_KEPT + 2));
}

/* The kernel comes again until the reader has passed, or its patience is over. */
static void full_stalls(void **state)
{
	(void)state;
	prepare(1);
	meeting.patience = 1000;
	assert_int_equal(stop(), MERCURY_E_OK);
	write_to(1);
	wait_at(3, 0);
	assert_true(snapshot_first_write(NULL, 3, 0));
	assert_true(is_frozen(3));
	meeting.frontier = 4 * PAGE;
	write_to(3);
	assert_int_equal(meeting.phase, MERCURY_SNAPSHOT_FROZEN);
	assert_false(is_frozen(3));
	/* That the reader gets on gives it no more time: it may hold a lock. */
	now += 600;
	assert_true(snapshot_first_write(NULL, 5, 0));
	assert_true(is_frozen(5));
	meeting.frontier = 5 * PAGE;
	now += 600;
	assert_true(snapshot_first_write(NULL, 5, 0));
	assert_int_equal(meeting.phase, MERCURY_SNAPSHOT_FULL);
	check_over();
}

/* A process waits as long as the reader gets on, and leaves the kernel half of the pages. */
static void processes_wait_first(void **state)
{
	uint64_t i;

	(void)state;
	prepare(4);
	meeting.patience = 1000;
	assert_int_equal(stop(), MERCURY_E_OK);
	for (i = 1; i <= 2; i++)
		while (snapshot_first_write(NULL, i, PROCESS))
			;
	assert_int_equal(meeting.kept, 2);
	wait_at(10, PROCESS);
	for (i = 4; i <= 8; i++) {
		now += 900;
		meeting.frontier = i * PAGE;
		assert_true(snapshot_first_write(NULL, 10, PROCESS));
		assert_true(is_frozen(10));
	}
	write_to(8);
	write_to(9);
	assert_int_equal(meeting.kept, 4);
	assert_int_equal(meeting.phase, MERCURY_SNAPSHOT_FROZEN);
	/* It does not get on. */
	now += 1000;
	assert_true(snapshot_first_write(NULL, 10, PROCESS));
	assert_int_equal(meeting.phase, MERCURY_SNAPSHOT_FULL);
	check_over();
}

/*
 * The reader's process, and those behind its pipe, must not wait for it: each comes to a page of the
 * kernel's half, but to no more than its part.
 */
static void each_process_has_a_few(void **state)
{
	uint32_t i;

	(void)state;
	prepare(256);
	for (i = 128; i < 131; i++)
		list()[i].page = (FIRST_KEPT + i - 128) * PAGE;
	meeting.patience = 1000;
	assert_int_equal(stop(), MERCURY_E_OK);
	/* The processes' half is taken. */
	meeting.kept = 128;
	while (snapshot_first_write(NULL, 3, PROCESS))
		;
	assert_true(holds(FIRST_KEPT, 3));
	while (snapshot_first_write(NULL, 5, 2 * PROCESS))
		;
	assert_true(holds(FIRST_KEPT + 1, 5));
	assert_int_equal(meeting.stalled, 0);
	wait_at(6, PROCESS);
	assert_true(is_frozen(6));
	wait_at(6, 2 * PROCESS);
	assert_true(is_frozen(6));
	write_to(8);
	assert_true(holds(FIRST_KEPT + 2, 8));
	assert_int_equal(meeting.kept, 131);
	/* The next snapshot is another matter. */
	snapshot_thaw();
	meeting.phase = MERCURY_SNAPSHOT_GATHERS;
	meeting.arrived = 0;
	assert_int_equal(stop(), MERCURY_E_OK);
	meeting.kept = 128;
	meeting.stalled = 0;
	while (snapshot_first_write(NULL, 6, PROCESS))
		;
	assert_true(holds(FIRST_KEPT, 6));
}

/* Who would not wait has no use for what is left. */
static void nothing_is_left_with_abort(void **state)
{
	uint64_t i;

	(void)state;
	assert_int_equal(stop(), MERCURY_E_OK);
	for (i = 1; i <= 4; i++)
		while (snapshot_first_write(NULL, i, PROCESS))
			;
	assert_int_equal(meeting.kept, 4);
	assert_int_equal(meeting.phase, MERCURY_SNAPSHOT_FROZEN);
}

/* Clocks of two CPUs: who was first to wait looked later. That is no reason to give up. */
static void patience_with_clocks_apart(void **state)
{
	uint64_t process;

	for (process = 0; process <= PROCESS; process += PROCESS) {
		setup(state);
		prepare(0);
		meeting.patience = 1000;
		assert_int_equal(stop(), MERCURY_E_OK);
		wait_at(3, process);
		now -= 2;
		assert_true(snapshot_first_write(NULL, 3, process));
		assert_int_equal(meeting.phase, MERCURY_SNAPSHOT_FROZEN);
	}
}

/* No table for a split: over as well, and nothing stays protected. */
static void out_of_tables(void **state)
{
	(void)state;
	assert_int_equal(p2m_map_identity(&p2m, GB, 2 * GB), MERCURY_E_OK);
	assert_int_equal(stop(), MERCURY_E_OK);
	while (pool_alloc())
		;
	write_to(F1G + 5);
	assert_int_equal(meeting.phase, MERCURY_SNAPSHOT_FULL);
	check_over();
}

/* --- Lists that are not good -------------------------------------------------------------------- */

enum where { IN_PARAMETERS, IN_DIRECTORY, IN_LIST };

/* Not a byte of the VMM's is written, nor of a device's: the snapshot is broken, Linux goes on. */
static void never_where_linux_may_not_write(void **state)
{
	static const uint64_t bad[] = { VMM * PAGE, DEVICE * PAGE, 3 * PAGE + 8,
					UINT64_C(0x7ffffff000), UINT64_MAX };
	static const enum where places[] = { IN_PARAMETERS, IN_DIRECTORY, IN_LIST };
	uint64_t address;
	size_t i, k;

	for (i = 0; i < 5; i++) {
		for (k = 0; k < 3; k++) {
			setup(state);
			address = bad[i];
			if (places[k] == IN_PARAMETERS)
				meeting.directory = address;
			else if (places[k] == IN_DIRECTORY)
				*(uint64_t *)memory[DIRECTORY] = address;
			else
				list()[0].page = address;
			/* What looks like a list, there. */
			memset(memory[VMM], 0, MERCURY_PAGE_SIZE);
			assert_int_equal(stop(), MERCURY_E_OK);
			write_to(5);
			assert_int_equal(meeting.phase, MERCURY_SNAPSHOT_BROKEN);
			assert_true(holds(VMM, 0) && holds(DEVICE, DEVICE) && holds(3, 3));
			check_over();
		}
	}
}

/* The VMM's own memory is kept nowhere, while one write to it is being dropped either. */
static void the_vmm_is_not_kept(void **state)
{
	(void)state;
	assert_int_equal(stop(), MERCURY_E_OK);
	assert_true(p2m_let_drop(&p2m, VMM));
	p2m_freeze(&p2m);
	write_to(VMM);
	assert_int_equal(meeting.kept, 0);
	assert_true(holds(FIRST_KEPT, FIRST_KEPT));
}

/* More than there can be, and parameters that change after the instant. */
static void parameters_are_taken_once(void **state)
{
	(void)state;
	meeting.kept_max = UINT32_MAX;
	assert_int_equal(stop(), MERCURY_E_OK);
	meeting.directory = VMM * PAGE;
	meeting.ram[0].end = 0;
	write_to(5);
	assert_int_equal(meeting.phase, MERCURY_SNAPSHOT_FROZEN);
	assert_true(holds(FIRST_KEPT, 5));
	/* Beyond what one directory lists there is nothing. */
	meeting.kept = MERCURY_KEPT_MAX;
	write_to(6);
	assert_int_equal(meeting.phase, MERCURY_SNAPSHOT_FULL);
	/* Nor behind the ranges. */
	setup(state);
	meeting.nr_ram = UINT32_MAX;
	assert_int_equal(stop(), MERCURY_E_OK);
	write_to(5);
	assert_false(is_frozen(5));
}

/* --- The instant -------------------------------------------------------------------------------- */

static void all_arrive(void **state)
{
	(void)state;
	meeting.cpus = 2;
	/* The other one is there already. */
	meeting.arrived = 1;
	assert_int_equal(stop(), MERCURY_E_OK);
	assert_int_equal(meeting.phase, MERCURY_SNAPSHOT_FROZEN);
	assert_int_equal(flushes, 1);
	assert_true(is_frozen(3));
	assert_int_equal(stop(), MERCURY_E_BAD_STATE);
}

/* One does not come: within the bound all go on, and who comes later too. */
static void one_is_late(void **state)
{
	uint64_t since = now;

	(void)state;
	meeting.cpus = 2;
	assert_int_equal(stop(), MERCURY_E_LATE);
	assert_int_equal(meeting.phase, MERCURY_SNAPSHOT_LATE);
	assert_in_range(now - since, meeting.bound, meeting.bound + 10);
	assert_false(p2m.frozen);
	assert_int_equal(stop(), MERCURY_E_LATE);
	assert_false(p2m.frozen);
}

static void a_flush_fails(void **state)
{
	(void)state;
	can_flush = false;
	assert_int_equal(stop(), MERCURY_E_FLUSH);
}

/* Without a P2M nothing can be protected; without a meeting nobody gathers. */
static void not_possible(void **state)
{
	struct p2m none = { .root = NULL };

	(void)state;
	meeting.phase = MERCURY_SNAPSHOT_NONE;
	assert_int_equal(stop(), MERCURY_E_BAD_STATE);
	snapshot_init(&meeting, &none);
	assert_int_equal(stop(), MERCURY_E_UNSUPPORTED);
	snapshot_init(NULL, NULL);
	assert_int_equal(stop(), MERCURY_E_UNSUPPORTED);
	assert_false(snapshot_first_write(NULL, 3, 0));
	snapshot_break();
	snapshot_thaw();
}

/* For tests: an instant that protects nothing. */
static void unprotected(void **state)
{
	(void)state;
	meeting.unprotected = 1;
	assert_int_equal(stop(), MERCURY_E_OK);
	assert_int_equal(meeting.phase, MERCURY_SNAPSHOT_FROZEN);
	assert_false(p2m.frozen);
	assert_false(snapshot_first_write(NULL, 3, 0));
}

/* A CPU writes unseen from now on: what others write is kept no more. */
static void a_cpu_goes_native(void **state)
{
	(void)state;
	assert_int_equal(stop(), MERCURY_E_OK);
	snapshot_break();
	assert_int_equal(meeting.phase, MERCURY_SNAPSHOT_BROKEN);
	write_to(3);
	assert_int_equal(meeting.kept, 0);
	check_over();
}

/* A CPU has failed while it resolved a first write: the others go on all the same. */
static void a_claim_of_a_cpu_that_failed(void **state)
{
	int tries = 0;

	(void)state;
	assert_int_equal(stop(), MERCURY_E_OK);
	p2m.root[0] = p2m.format->claim(p2m.root[0]);
	assert_true(snapshot_first_write(NULL, 3, 0));
	assert_false(can_write(3));
	p2m_abandon(&p2m);
	snapshot_break();
	while (!can_write(3)) {
		assert_true(snapshot_first_write(NULL, 3, 0));
		assert_in_range(tries++, 0, 10);
	}
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test_setup(first_write_keeps_the_page, setup),
	cmocka_unit_test_setup(devices_are_not_read, setup),
	cmocka_unit_test_setup(only_what_will_be_read_is_kept, setup),
	cmocka_unit_test_setup(full_aborts, setup),
	cmocka_unit_test_setup(full_stalls, setup),
	cmocka_unit_test_setup(processes_wait_first, setup),
	cmocka_unit_test_setup(each_process_has_a_few, setup),
	cmocka_unit_test_setup(nothing_is_left_with_abort, setup),
	cmocka_unit_test_setup(patience_with_clocks_apart, setup),
	cmocka_unit_test_setup(out_of_tables, setup),
	cmocka_unit_test_setup(never_where_linux_may_not_write, setup),
	cmocka_unit_test_setup(the_vmm_is_not_kept, setup),
	cmocka_unit_test_setup(parameters_are_taken_once, setup),
	cmocka_unit_test_setup(all_arrive, setup),
	cmocka_unit_test_setup(one_is_late, setup),
	cmocka_unit_test_setup(a_flush_fails, setup),
	cmocka_unit_test_setup(not_possible, setup),
	cmocka_unit_test_setup(unprotected, setup),
	cmocka_unit_test_setup(a_cpu_goes_native, setup),
	cmocka_unit_test_setup(a_claim_of_a_cpu_that_failed, setup),
};

UNIT_MAIN(tests)
