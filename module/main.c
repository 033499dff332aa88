// SPDX-License-Identifier: GPL-2.0-only
/* Load and unload: parameters, and the order in which everything comes and goes. */
#include <linux/module.h>
#include <linux/moduleparam.h>
#include <linux/printk.h>
#include <linux/sizes.h>
#include <linux/string.h>

#include "mercury.h"

static char *backend = "auto";
module_param(backend, charp, 0444);
MODULE_PARM_DESC(backend, "how to run Linux virtual: auto (default), vmx, ring1");

static char *ept = "auto";
module_param(ept, charp, 0444);
MODULE_PARM_DESC(ept, "use EPT under VT-x: auto (default), off (nothing is hidden then)");

static unsigned int snapshot_gib = 1;
module_param(snapshot_gib, uint, 0444);
MODULE_PARM_DESC(snapshot_gib, "tables for a snapshot while so many GiB are written all over (1)");

static bool patch = true;
module_param(patch, bool, 0644);
MODULE_PARM_DESC(patch,
		 "ring 1: patch Linux's code while virtual, by mercury-sites' table (default 1)");

module_param_named(verify, mercury_verify, bool, 0644);
MODULE_PARM_DESC(verify, "compare all of Linux's state across every switch (default 0)");

static bool usable;

bool mercury_patch_wanted(void)
{
	return READ_ONCE(patch);
}

bool mercury_ept_wanted(void)
{
	return !strcmp(ept, "auto");
}

u64 mercury_snapshot_ram(void)
{
	return (u64)snapshot_gib * SZ_1G;
}

bool mercury_usable(void)
{
	return usable;
}

const char *mercury_backend(void)
{
	return usable ? mercury_chosen()->name : "none";
}

static int check_parameters(void)
{
	if (strcmp(backend, "auto") && strcmp(backend, "vmx") && strcmp(backend, "ring1")) {
		pr_err("backend=%s is none; give auto, vmx or ring1\n", backend);
		return -EINVAL;
	}
	if (strcmp(ept, "auto") && strcmp(ept, "off")) {
		pr_err("ept=%s is neither; give auto or off\n", ept);
		return -EINVAL;
	}
	return 0;
}

static int __init start_vmm(const struct mercury_header *header)
{
	int error = mercury_window_build(header);

	if (error)
		return error;
	error = mercury_state_start();
	if (error)
		goto free_window;
	error = mercury_switch_start();
	if (error)
		goto stop_state;
	error = mercury_chosen()->start();
	if (error)
		goto stop_switch;
	error = mercury_vmm_start() ?: mercury_events_start();
	mercury_log_flush(true);
	if (error)
		goto stop_backend;
	usable = true;
	return 0;

stop_backend:
	mercury_chosen()->stop();
stop_switch:
	mercury_switch_stop();
stop_state:
	mercury_state_stop();
free_window:
	mercury_window_free();
	return error;
}

static void stop_vmm(void)
{
	if (!usable)
		return;
	mercury_switch_stop();
	mercury_state_conclude();
	mercury_events_stop();
	mercury_chosen()->stop();
	mercury_state_stop();
	mercury_log_flush(true);
	mercury_tables_drop();
	mercury_window_free();
	usable = false;
}

/* The first that this machine can, or the one asked for by name. */
static int __init start_first(const struct mercury_header *header)
{
	const struct mercury_backend *const *b;
	int error = -ENODEV;

	for (b = mercury_backends; *b && error == -ENODEV; b++) {
		if (strcmp(backend, "auto") && strcmp(backend, (*b)->name))
			continue;
		mercury_choose(*b);
		error = start_vmm(header);
		if (error == -ENODEV)
			mercury_keep_backend_reason();
	}
	/* Why the better ones cannot be had is in the log. */
	if (!error)
		mercury_forget_reason();
	return error;
}

/* Without a backend the files still come, to say why; unless one was asked for by name. */
static int __init start_backend(void)
{
	const struct mercury_header *header = mercury_image_check();
	int error = header ? start_first(header) : -ENOEXEC;

	if (error != -ENODEV || strcmp(backend, "auto"))
		return error;
	mercury_refuse("%s", mercury_backend_reason());
	pr_warn("no usable backend: Linux stays native; see sysctl mercury.status for why\n");
	return 0;
}

/*
 * /proc/mercury comes last: who sleeps in its poll() is not taken out by remove_proc_entry(), and a module
 * whose init fails goes whoever holds it. The device is there before a mode can be written.
 */
static int start_files(void)
{
	int error = usable ? mercury_snapshot_start() : 0;

	if (error)
		return error;
	error = mercury_sysctl_start();
	if (error)
		goto stop_snapshot;
	error = mercury_proc_start();
	if (error)
		goto stop_sysctl;
	return 0;

stop_sysctl:
	mercury_sysctl_stop();
stop_snapshot:
	if (usable)
		mercury_snapshot_stop();
	return error;
}

static void stop_files(void)
{
	mercury_proc_stop();
	mercury_sysctl_stop();
	if (usable)
		mercury_snapshot_stop();
}

static int __init mercury_init(void)
{
	int error = check_parameters();

	if (error)
		return error;
	error = start_backend();
	if (error)
		return error;
	error = start_files();
	if (error) {
		stop_vmm();
		return error;
	}
	if (!usable)
		return 0;
	mercury_debugfs_start();
	pr_info("loaded, backend %s; sysctl mercury.mode=virtual to switch\n", mercury_backend());
	return 0;
}

static void __exit mercury_exit(void)
{
	mercury_debugfs_stop();
	stop_files();
	stop_vmm();
}

module_init(mercury_init);
module_exit(mercury_exit);

MODULE_DESCRIPTION("Mercury: self-virtualization for Linux");
MODULE_VERSION(MERCURY_VERSION);
MODULE_LICENSE("GPL");
