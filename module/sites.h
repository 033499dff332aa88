/* SPDX-License-Identifier: GPL-2.0-only */
/* Linux's code while ring 1 is entered: operations of which ring 1 has an implementation of its own. */
#ifndef MODULE_SITES_H
#define MODULE_SITES_H

#include <linux/kprobes.h>
#include <linux/percpu-defs.h>
#include <linux/types.h>

#include "uapi/mercury_sites.h"

/* For sites_hooks.S: where the VMM notes the address of this CPU's last page fault. */
DECLARE_PER_CPU(const u64 *, mercury_cr2);

/* For the same: where error_entry returns to in the page fault's handler. */
extern const u8 *mercury_page_fault_entered;

struct mercury_symbols;
struct seq_file;

/*
 * Process context, native, without the hotplug lock: whoever holds the kernel's mutex of kprobes may wait for
 * that. Read this kernel's table, unless it is read; there may be none. No kprobe is set on its sites from now on,
 * and those that have one are found, each time.
 */
void mercury_sites_load(const struct mercury_symbols *symbols);
void mercury_sites_free(void);

/*
 * Under the hotplug lock, around what follows: nobody else changes the kernel's code. On the way to
 * virtual mode what cannot be patched now is found.
 */
void mercury_sites_begin(bool to_virtual);
void mercury_sites_end(bool to_virtual);

/*
 * On every CPU at once, interrupts off, all native: when `cpus` have come the last one writes. And back:
 * nothing, if one of them is still virtual.
 */
void mercury_sites_patch(unsigned int cpus);
void mercury_sites_restore(unsigned int cpus);

/* This CPU, native, is about to enter; this one is native. */
void mercury_sites_enter(void);
void mercury_sites_left(void);

/* Bits of CR4 that must be clear as long as the code is patched. */
u64 mercury_sites_hidden_cr4(void);

/* What is patched, or why nothing is. */
void mercury_sites_show(struct seq_file *m);

/* --- sites_table.c -------------------------------------------------------------------------------- */

/* Why these bytes are no table of this kernel's, each of whose sites is in the kernel's code; or NULL. */
const char *mercury_sites_check(const void *table, size_t size,
				const struct mercury_symbols *symbols);

/* --- sites_make.c --------------------------------------------------------------------------------- */

/* The table as it is in memory, and the first byte of the kernel's .text. */
struct mercury_site_table {
	u8 *text;
	const struct mercury_site *sites;
	u32 count;
};

/* The first of its kind, or NULL. */
const struct mercury_site *mercury_site_of(const struct mercury_site_table *t,
					   enum mercury_site_kind kind);

/* What keeps kprobes off a place: sites_hold.c. */
struct mercury_hold {
	struct kprobe_blacklist_entry entry; /* zeroed: not on the list */
};

/* What is to be written, in place of what. */
struct mercury_patch {
	u8 *at;
	u8 old[MERCURY_CAVE_BYTES], new[MERCURY_CAVE_BYTES];
	u8 length, kind;
	bool is_probed;
	bool is_held; /* somebody else has changed it, or may: it stays as it is                   */
	struct mercury_hold hold;
};

/* Whether anything is written there, on this CPU; and what. */
bool mercury_is_written(const struct mercury_site *site);
void mercury_make_patch(struct mercury_patch *p, const struct mercury_site_table *t,
			const struct mercury_site *site);

/* The ways from our hooks back into Linux's code. Natively. */
void mercury_fill_hooks(const struct mercury_site_table *t);

/* In sites_hooks.S: over what is read only; natively, interrupts off. */
void mercury_write_text(void *to, const void *from, size_t n);

/* --- sites_vectors.c ------------------------------------------------------------------------------ */

/*
 * A bit for each of 256 vectors whose handler calls error_entry; `call_in` finds the call in its code, or
 * NULL. Returned: the call of the page fault's, or NULL.
 */
const u8 *mercury_sites_vectors(u32 *vectors, const u8 *(*call_in)(const u8 *from, const u8 *to));

/* --- sites_quiet.c: no NMI while code is written -------------------------------------------------- */

/* Natively, in process context, before the others. */
void mercury_quiet_load(void);

/*
 * On this CPU, native, interrupts off: between the two, NMIs and machine checks are noted only; Linux's handlers
 * have run when the latter returns. It is serializing: what others have written before is what is executed behind
 * it.
 */
void mercury_quiet_begin(void);
void mercury_quiet_end(void);

/* --- sites_hold.c: no kprobe on what is patched --------------------------------------------------- */

/* Around those below; in process context, without the hotplug lock. */
void mercury_hold_lock(const struct mercury_symbols *symbols);
void mercury_hold_unlock(const struct mercury_symbols *symbols);

/*
 * From now on no kprobe is set on these `n` bytes nor where its jump would reach them: a kprobe keeps a copy
 * of what it finds, which would be ours. False: there is one now.
 */
bool mercury_hold(struct mercury_hold *hold, const struct mercury_symbols *symbols, u8 *at,
		  size_t n);

/* Behind the lock it is the kernel's to read for one more grace period of RCU. */
void mercury_hold_release(struct mercury_hold *hold);

#endif
