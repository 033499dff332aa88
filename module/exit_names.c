// SPDX-License-Identifier: GPL-2.0-only
/* Names of VM exits, from the kernel's own public table. */
#include <linux/kernel.h>
#include <uapi/asm/vmx.h>

#include "exit_names.h"

static const struct {
	unsigned int reason;
	const char *name;
} reasons[] = { VMX_EXIT_REASONS };

const char *mercury_exit_name(unsigned int reason)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(reasons); i++)
		if (reasons[i].reason == reason)
			return reasons[i].name;
	return "other";
}
