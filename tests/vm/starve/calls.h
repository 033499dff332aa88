/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Every function by which mercury-vmx takes what it has to give back, with the one that gives it back:
 * C(what, how taking fails, taken by, given back by, may that be called with nothing). No kernel has
 * all of them. What a snapshot keeps in an xarray is not seen.
 */
#define STARVE_CALLS(C)                                                                            \
	C("pages", POINTER, alloc_pages, __free_pages, true)                                       \
	C("pages", POINTER, alloc_pages_noprof, __free_pages, true)                                \
	C("page", POINTER, get_zeroed_page, free_pages, true)                                      \
	C("page", POINTER, get_zeroed_page_noprof, free_pages, true)                               \
	C("kmalloc", POINTER, __kmalloc, kfree, true)                                              \
	C("kmalloc", POINTER, __kmalloc_noprof, kfree, true)                                       \
	C("kmalloc", POINTER, kmalloc_trace, kfree, true)                                          \
	C("kmalloc", POINTER, __kmalloc_cache_noprof, kfree, true)                                 \
	C("kvmalloc", POINTER, kvmalloc_node, kvfree, true)                                        \
	C("kvmalloc", POINTER, __kvmalloc_node_noprof, kvfree, true)                               \
	C("vmalloc", POINTER, vzalloc, vfree, true)                                                \
	C("vmalloc", POINTER, vzalloc_noprof, vfree, true)                                         \
	C("percpu", POINTER, __alloc_percpu, free_percpu, true)                                    \
	C("percpu", POINTER, pcpu_alloc_noprof, free_percpu, true)                                 \
	C("nmi", ERRNO, __register_nmi_handler, unregister_nmi_handler, false)                     \
	C("kprobe", ERRNO, register_kprobe, unregister_kprobe, false)                              \
	C("hotplug", ERRNO, __cpuhp_setup_state, __cpuhp_remove_state, false)                      \
	C("die", NEVER, register_die_notifier, unregister_die_notifier, false)                     \
	C("reboot", NEVER, register_reboot_notifier, unregister_reboot_notifier, false)            \
	C("sleep", NEVER, register_pm_notifier, unregister_pm_notifier, false)                     \
	C("proc", POINTER, proc_create, remove_proc_entry, false)                                  \
	C("sysctl", POINTER, register_sysctl, unregister_sysctl_table, true)                       \
	C("sysctl", POINTER, register_sysctl_sz, unregister_sysctl_table, true)                    \
	C("device", ERRNO, misc_register, misc_deregister, false)                                  \
	C("debugfs", ERROR_POINTER, debugfs_create_dir, debugfs_remove, true)
