// SPDX-License-Identifier: GPL-2.0-only
/* Linux's memory, at Linux's addresses, on the page tables that Linux has loaded. */
#include "port.h"
#include "ring1.h"
#include "window.h"
#include "x86/cr.h"
#include "x86/paging.h"

/* Up to the page's end at least: the next page need not be there. */
size_t ring1_read_code(struct cpu *cpu, uint64_t address, bool user, uint8_t *bytes, size_t n)
{
	bool (*copy)(void *, const void *, size_t) = user ? insn_copy_user_safe : insn_copy_safe;
	size_t first = PAGE_4K - paging_offset(address, 1);

	(void)cpu;
	if (copy(bytes, (const void *)address, n))
		return n;
	if (first >= n || !copy(bytes, (const void *)address, first))
		return 0;
	return first;
}

/*
 * Linux makes all its roots with the window in them, but for those of a kexec. What was seen once is
 * not looked at again: a page that becomes a root always gets the window, until no CPU is virtual.
 */
bool ring1_root_has_window(struct cpu *cpu, uint64_t cr3)
{
	const uint64_t *own = cpu_slot(cpu, MERCURY_CPU_ROOT), *root;
	uint64_t pa = cr3 & CR3_ADDRESS;
	uint64_t *seen = &ring1_cpu(cpu)->roots[RING1_ROOT_SLOT(pa / PAGE_4K)];

	if (*seen == pa)
		return true;
	root = window_fixmap(cpu, pa);
	if (root[MERCURY_WINDOW_PML4_SLOT] != own[MERCURY_WINDOW_PML4_SLOT])
		return false;
	*seen = pa;
	return true;
}
