// SPDX-License-Identifier: GPL-2.0-only
/*
 * While virtual, look every second whether a CPU has gone native by itself (an exit without an
 * answer, an MTRR written): say so at once and let the others follow. It wakes a CPU that is idle, for
 * whoever waits for that. While native nothing runs.
 */
#include <linux/workqueue.h>

#include "mercury.h"

static void look(struct work_struct *work)
{
	mercury_check_mode();
}

static DECLARE_DELAYED_WORK(watch, look);

void mercury_watch(bool on)
{
	if (on)
		schedule_delayed_work(&watch, HZ);
	else
		cancel_delayed_work(&watch);
}

void mercury_watch_stop(void)
{
	cancel_delayed_work_sync(&watch);
}
