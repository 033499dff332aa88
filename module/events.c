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

/*
 * The rule where that fails. At load: the module does not load. While native nobody needs Mercury: the
 * CPU comes all the same, and the next vote tries again and says why it cannot. While virtual the CPU
 * stays offline: native beside the others it would be what nobody asked for.
 */
static int on_cpu_online(unsigned int cpu)
{
	int error;

	mercury_state_keep(cpu);
	error = mercury_prepare_cpu(cpu) ?: mercury_cpu_to_machine_mode();
	if (!error || !mercury_usable())
		return error;
	if (mercury_mode() == MERCURY_NATIVE)
		return 0;
	pr_err_ratelimited(
		"CPU %u stays offline: the machine is virtual and it cannot join; switch to native to let it come\n",
		cpu);
	return error;
}

static int on_cpu_offline(unsigned int cpu)
{
	return mercury_cpu_to_native();
}

static enum cpuhp_state hotplug_state;

/* --- Sleep -------------------------------------------------------------------------------------- */

/* Whoever refuses is not told that the sleep is off, so that takes back what is done here. */
static int prepare_sleep(enum mercury_holder holder)
{
	int error = mercury_hold_native(holder, "it is about to sleep; wait until it is awake");

	if (error)
		mercury_release(holder);
	return error;
}

static void end_sleep(enum mercury_holder holder)
{
	if (mercury_release(holder))
		pr_warn_ratelimited(
			"after sleep the machine stays native: see last error for why\n");
}

static int on_sleep(struct notifier_block *block, unsigned long event, void *unused)
{
	switch (event) {
	case PM_SUSPEND_PREPARE:
		return notifier_from_errno(prepare_sleep(MERCURY_HOLDER_SUSPEND));
	case PM_HIBERNATION_PREPARE:
	case PM_RESTORE_PREPARE:
		return notifier_from_errno(prepare_sleep(MERCURY_HOLDER_HIBERNATION));
	case PM_POST_SUSPEND:
		end_sleep(MERCURY_HOLDER_SUSPEND);
		return NOTIFY_OK;
	case PM_POST_HIBERNATION:
	case PM_POST_RESTORE:
		end_sleep(MERCURY_HOLDER_HIBERNATION);
		return NOTIFY_OK;
	}
	return NOTIFY_DONE;
}

static struct notifier_block sleep_block = { .notifier_call = on_sleep };

/* --- Reboot, power off, kexec: firmware and the next kernel expect no VMX operation -------------- */

static int on_reboot(struct notifier_block *block, unsigned long event, void *unused)
{
	/* Others want to be notified too, whatever becomes of us. */
	if (mercury_hold_native(MERCURY_HOLDER_FOR_GOOD,
				"it is about to restart; wait until it is up again"))
		pr_alert("reboot: a CPU did not go native; see above for why\n");
	return NOTIFY_DONE;
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
