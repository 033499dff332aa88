// SPDX-License-Identifier: GPL-2.0-only
/*
 * Where Linux's code is patched while virtual no kprobe may be set: it keeps a copy of the instruction
 * that it finds, and executes that for as long as it lives. So these places are on the kernel's own list of
 * those that cannot be probed, from when the table is read until the module goes.
 */
#include <linux/kprobes.h>
#include <linux/mutex.h>
#include <linux/rculist.h>

#include "compat/symbols.h"
#include "sites.h"

/* The jump of an optimised kprobe covers its own instruction and what begins in the 4 bytes behind. */
#define JUMP_REACH 4

void mercury_hold_lock(const struct mercury_symbols *symbols)
{
	mutex_lock(symbols->kprobe_mutex);
}

void mercury_hold_unlock(const struct mercury_symbols *symbols)
{
	mutex_unlock(symbols->kprobe_mutex);
}

static bool is_on_list(const struct mercury_hold *hold)
{
	return hold->entry.end_addr;
}

bool mercury_hold(struct mercury_hold *hold, const struct mercury_symbols *symbols, u8 *at,
		  size_t n)
{
	u8 *from = at - JUMP_REACH, *to = at + n, *i;

	for (i = from; i < to; i++)
		if (symbols->get_kprobe(i))
			return false;
	if (!is_on_list(hold)) {
		hold->entry.start_addr = (unsigned long)from;
		hold->entry.end_addr = (unsigned long)to;
		list_add_tail_rcu(&hold->entry.list, symbols->kprobe_blacklist);
	}
	return true;
}

void mercury_hold_release(struct mercury_hold *hold)
{
	if (is_on_list(hold))
		list_del_rcu(&hold->entry.list);
}
