// SPDX-License-Identifier: GPL-2.0-only
/* The VMM's log ring, line by line into the kernel log. */
#include <linux/kernel.h>
#include <linux/mutex.h>
#include <linux/printk.h>

#include "mercury.h"

static DEFINE_MUTEX(log_mutex);
static u64 log_read;

/* An alarm is seen on a console that is quiet, too. */
static void print_line(const char *line)
{
	if (*line == *MERCURY_LOG_ALARM)
		pr_crit("vmm: %s\n", line + 1);
	else
		pr_notice("vmm: %s\n", line);
}

static void print_lines(const struct mercury_shared *shared, u64 head)
{
	char line[256];
	unsigned int n = 0;

	for (; log_read != head; log_read++) {
		char c = shared->log[log_read % MERCURY_LOG_SIZE];

		if (c != '\n' && n < sizeof(line) - 1) {
			line[n++] = c;
			continue;
		}
		line[n] = '\0';
		print_line(line);
		n = 0;
	}
}

static void flush(void)
{
	const struct mercury_shared *shared = mercury_shared();
	/* What is written up to the head is seen after it; pairs with src/console.c's release. */
	u64 head = smp_load_acquire(&shared->log_head);

	if (head < log_read)
		log_read = 0;
	if (head - log_read > MERCURY_LOG_SIZE) {
		pr_notice("vmm: (%llu bytes of log lost)\n", head - log_read - MERCURY_LOG_SIZE);
		log_read = head - MERCURY_LOG_SIZE;
	}
	print_lines(shared, head);
}

void mercury_log_flush(void)
{
	mutex_lock(&log_mutex);
	flush();
	mutex_unlock(&log_mutex);
}

/* Whoever holds the mutex does not go on any more; at worst a line comes twice. */
void mercury_log_flush_on_panic(void)
{
	flush();
}
