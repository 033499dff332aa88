// SPDX-License-Identifier: GPL-2.0-only
/*
 * Where Linux's code is patched while virtual no kprobe may be set: it keeps a copy of the instruction
 * that it finds, and executes that for as long as it lives. So these places are on the kernel's own list of
 * those that cannot be probed, from when the table is read until the module goes.
 */
#include <linux/kprobes.h>
#include <linux/mutex.h>
#include <linux/rculist.h>
#include <linux/slab.h>

#include "compat/symbols.h"
#include "sites.h"

/* The jump of an optimised kprobe covers its own instruction and what begins in the 4 bytes behind. */
#define JUMP_REACH 4

struct mercury_hold {
	struct mercury_hold *next;
	struct kprobe_blacklist_entry entry;
};

static bool is_probed(const struct mercury_symbols *symbols, u8 *from, u8 *to)
{
	bool found = false;

	preempt_disable();
	for (; from < to && !found; from++)
		found = symbols->get_kprobe(from);
	preempt_enable();
	return found;
}

int mercury_hold(struct mercury_hold **list, const struct mercury_symbols *symbols, u8 *at,
		 size_t n)
{
	struct mercury_hold *hold;
	u8 *from = at - JUMP_REACH;
	int error = 0;

	/* A kernel without kprobes. */
	if (!symbols->kprobe_mutex || !symbols->kprobe_blacklist || !symbols->get_kprobe)
		return 0;
	hold = kzalloc(sizeof(*hold), GFP_KERNEL);
	if (!hold)
		return -ENOMEM;
	mutex_lock(symbols->kprobe_mutex);
	if (is_probed(symbols, from, at + n)) {
		error = -EBUSY;
	} else {
		hold->entry.start_addr = (unsigned long)from;
		hold->entry.end_addr = (unsigned long)(at + n);
		list_add_tail_rcu(&hold->entry.list, symbols->kprobe_blacklist);
	}
	mutex_unlock(symbols->kprobe_mutex);
	if (error) {
		kfree(hold);
		return error;
	}
	hold->next = *list;
	*list = hold;
	return 0;
}

void mercury_release_holds(struct mercury_hold **list, const struct mercury_symbols *symbols)
{
	struct mercury_hold *hold;

	if (!*list)
		return;
	mutex_lock(symbols->kprobe_mutex);
	for (hold = *list; hold; hold = hold->next)
		list_del_rcu(&hold->entry.list);
	mutex_unlock(symbols->kprobe_mutex);
	/* The kernel reads the list with preemption disabled. */
	synchronize_rcu();
	while (*list) {
		hold = *list;
		*list = hold->next;
		kfree(hold);
	}
}
