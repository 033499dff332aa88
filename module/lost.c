// SPDX-License-Identifier: GPL-2.0-only
/*
 * A CPU that the VMM could not give back: it failed, and failed again on the way. What Linux did there is
 * lost, with whatever locks it held, so the machine cannot go on. What happens then is what the
 * administrator has chosen for a panic: a crash dump, a restart, or to stand still.
 */
#include <linux/kernel.h>
#include <linux/panic.h>
#include <linux/smp.h>
#include <linux/thread_info.h>

#include "mercury.h"

/* One for all CPUs: the VMM lets one in. */
static u8 stack[THREAD_SIZE] __aligned(16);

u64 mercury_lost_stack(void)
{
	return (u64)(stack + sizeof(stack));
}

void mercury_lost(void)
{
	unsigned int cpu = smp_processor_id();
	const char *text = mercury_cpu_shared(cpu)->text;

	mercury_log_flush_on_panic();
	/* Its next step is for a machine that goes on. */
	panic("mercury: what CPU %u did is lost: %.*s; keep the dump, report it", cpu,
	      (int)strcspn(text, ";"), text);
}
