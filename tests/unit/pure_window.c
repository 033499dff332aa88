// SPDX-License-Identifier: GPL-2.0-only
/* Finding things in the window: the one file that the fake replaces, on a window in user space. */
#include "unit.h"

#include <sys/mman.h>

#include "abi/mercury.h"
#include "cpu.h"

/* The window's own address is the kernel's: the file under test gets one that a program can have. */
#define BASE UINT64_C(0x280000000000)
#undef MERCURY_WINDOW_BASE
#define MERCURY_WINDOW_BASE BASE
#include "../../arch/x86/window.c"

#define SLOT (MERCURY_WINDOW_CPUS + 3 * MERCURY_CPU_SLOT)

static uint64_t invalidated, pte_then;
static struct cpu *cpu;

/* What the page-table entry was when the translation was dropped. */
void insn_invlpg(uint64_t address)
{
	invalidated = address;
	pte_then = *window_ptes(address - BASE);
}

static int window(void **state)
{
	static bool there;

	(void)state;
	if (!there)
		assert_ptr_equal(mmap((void *)BASE, MERCURY_WINDOW_SIZE, PROT_READ | PROT_WRITE,
				      MAP_FIXED | MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1,
				      0),
				 (void *)BASE);
	there = true;
	cpu = (struct cpu *)(BASE + SLOT + MERCURY_CPU_DATA);
	invalidated = pte_then = 0;
	return 0;
}

/* docs/memory.md: "the window's own leaf PTEs as one array" */
static void the_entries_are_an_array(void **state)
{
	(void)state;
	assert_int_equal((uint64_t)window_ptes(0), BASE + MERCURY_WINDOW_PTES);
	assert_int_equal((uint64_t)window_ptes(0x2000), BASE + MERCURY_WINDOW_PTES + 16);
	assert_int_equal((uint64_t)window_ptes(0x2fff), BASE + MERCURY_WINDOW_PTES + 16);
}

/* SDM vol. 3, 4.5.4, table of page-table entries: bits 51:12 are the address; the others are not. */
static void physical_addresses_come_from_the_entries(void **state)
{
	(void)state;
	*window_ptes(0x300000) = UINT64_C(0x800ffedcba987063);
	assert_int_equal(window_pa((void *)(BASE + 0x300123)), UINT64_C(0x000ffedcba987123));
}

/*
 * The fixmap is read only and no-execute, and a translation of the page it showed before is dropped
 * after the entry is written: in the other order the CPU could cache the old one again.
 */
static void the_fixmap_drops_the_old_translation(void **state)
{
	const uint64_t at = SLOT + MERCURY_CPU_FIXMAP;

	(void)state;
	assert_int_equal((uint64_t)window_fixmap(cpu, 0x5123), BASE + at);
	assert_int_equal((uint64_t)window_fixmap(cpu, 0x7654321fff), BASE + at);
	assert_int_equal(*window_ptes(at), UINT64_C(0x8000007654321021));
	assert_int_equal(invalidated, BASE + at);
	assert_int_equal(pte_then, *window_ptes(at));
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test_setup(the_entries_are_an_array, window),
	cmocka_unit_test_setup(physical_addresses_come_from_the_entries, window),
	cmocka_unit_test_setup(the_fixmap_drops_the_old_translation, window),
};

UNIT_MAIN(tests)
