// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a running Linux does: CPUs come and go, the machine sleeps, hibernates, reboots. A CPU that
 * goes is native first, one that comes joins the machine's mode; for all else the whole machine goes
 * native, and after sleep back to where it was.
 */
#include <linux/cpuhotplug.h>
#include <linux/notifier.h>
#include <linux/printk.h>
#include <linux/reboot.h>
#include <linux/suspend.h>

#include "mercury.h"

/* --- CPU hotplug: on that CPU, under the hotplug lock; never takes the switch mutex -------------- */

static int on_cpu_online(unsigned int cpu)
{
	mercury_state_keep();
	return mercury_prepare_cpu(cpu) ?: mercury_cpu_to_machine_mode();
}

static int on_cpu_offline(unsigned int cpu)
{
	return mercury_cpu_to_native();
}

static enum cpuhp_state hotplug_state;

/* --- Sleep -------------------------------------------------------------------------------------- */

static enum mercury_mode mode_before_sleep;

static int to_native_for(const char *what)
{
	int error = mercury_set_mode(MERCURY_NATIVE);

	if (error)
		pr_alert("%s: the machine did not go native (%d)\n", what, error);
	return notifier_from_errno(error);
}

static int on_sleep(struct notifier_block *block, unsigned long event, void *unused)
{
	switch (event) {
	case PM_SUSPEND_PREPARE:
	case PM_HIBERNATION_PREPARE:
	case PM_RESTORE_PREPARE:
		mode_before_sleep = mercury_mode();
		return to_native_for("sleep");
	case PM_POST_SUSPEND:
	case PM_POST_HIBERNATION:
	case PM_POST_RESTORE:
		/* The others came online again; this one kept what sleep may have destroyed. */
		mercury_prepare_cpu(0);
		if (mercury_set_mode(mode_before_sleep))
			pr_warn("after sleep: the machine stays native\n");
		return NOTIFY_OK;
	}
	return NOTIFY_DONE;
}

static struct notifier_block sleep_block = { .notifier_call = on_sleep };

/* --- Reboot, power off, kexec: firmware and the next kernel expect no VMX operation -------------- */

static int on_reboot(struct notifier_block *block, unsigned long event, void *unused)
{
	return to_native_for("reboot");
}

static struct notifier_block reboot_block = { .notifier_call = on_reboot };

int mercury_events_start(void)
{
	int state = cpuhp_setup_state(CPUHP_AP_ONLINE_DYN, "mercury:online", on_cpu_online,
				      on_cpu_offline);

	if (state < 0)
		return state;
	hotplug_state = state;
	register_pm_notifier(&sleep_block);
	register_reboot_notifier(&reboot_block);
	return 0;
}

void mercury_events_stop(void)
{
	unregister_reboot_notifier(&reboot_block);
	unregister_pm_notifier(&sleep_block);
	cpuhp_remove_state_nocalls(hotplug_state);
}
