// SPDX-License-Identifier: GPL-2.0-only
/* Why the last command was refused, and why there is no backend: kept for whoever asks. */
#include <linux/kernel.h>
#include <linux/spinlock.h>
#include <linux/string.h>

#include "mercury.h"

static DEFINE_SPINLOCK(reason_lock);
static char reason[MERCURY_REASON] = "none";
static char backend_reason[MERCURY_REASON]; /* of one backend after the other */

void mercury_refuse(const char *format, ...)
{
	va_list arguments;

	spin_lock(&reason_lock);
	va_start(arguments, format);
	vscnprintf(reason, sizeof(reason), format, arguments);
	va_end(arguments);
	spin_unlock(&reason_lock);
}

void mercury_forget_reason(void)
{
	mercury_refuse("none");
}

void mercury_last_error(char *text, size_t size)
{
	spin_lock(&reason_lock);
	strscpy(text, reason, size);
	spin_unlock(&reason_lock);
}

void mercury_keep_backend_reason(void)
{
	size_t used = strlen(backend_reason);

	if (used)
		used += scnprintf(backend_reason + used, sizeof(backend_reason) - used, "; ");
	mercury_last_error(backend_reason + used, sizeof(backend_reason) - used);
}

const char *mercury_backend_reason(void)
{
	return backend_reason;
}
