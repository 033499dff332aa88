/* SPDX-License-Identifier: GPL-2.0-only */
/* The kernel's symbols that it does not export and that ring 1 needs: all of them, here. */
#ifndef MODULE_COMPAT_SYMBOLS_H
#define MODULE_COMPAT_SYMBOLS_H

#include <linux/cpumask.h>
#include <linux/kprobes.h>
#include <linux/list.h>
#include <linux/mm_types.h>
#include <linux/mutex.h>
#include <linux/spinlock.h>
#include <linux/stop_machine.h>

typedef struct kprobe *(*mercury_get_kprobe_fn)(void *address);
typedef int (*mercury_stop_machine_fn)(cpu_stop_fn_t function, void *data,
				       const struct cpumask *cpus);

/* S(name, type, must be there) */
#define MERCURY_SYMBOLS(S)                                                                         \
	S(pgd_list, struct list_head *, true)                                                      \
	S(pgd_lock, spinlock_t *, true)                                                            \
	S(init_mm, struct mm_struct *, true)                                                       \
	S(efi_mm, struct mm_struct *, IS_ENABLED(CONFIG_EFI))                                      \
	S(stop_machine_cpuslocked, mercury_stop_machine_fn, true)                                  \
	S(text_mutex, struct mutex *, true)                                                        \
	S(_text, u8 *, true)                                                                       \
	S(_etext, u8 *, true)                                                                      \
	S(__start_notes, u8 *, true)                                                               \
	S(__stop_notes, u8 *, true)                                                                \
	S(get_kprobe, mercury_get_kprobe_fn, true)                                                 \
	S(kprobe_mutex, struct mutex *, true)                                                      \
	S(kprobe_blacklist, struct list_head *, true)

#define S(name, type, required) type name;
struct mercury_symbols {
	MERCURY_SYMBOLS(S)
};
#undef S

/* NULL, or the name of the first that must be there and is not. */
const char *mercury_symbols_find(struct mercury_symbols *symbols);

#endif
