// SPDX-License-Identifier: GPL-2.0-only
/* The VMM's log ring, line by line into the kernel log; and what comes there too often. */
#include <linux/jhash.h>
#include <linux/kernel.h>
#include <linux/mutex.h>
#include <linux/printk.h>
#include <linux/ratelimit.h>
#include <linux/string.h>

#include "mercury.h"

static DEFINE_MUTEX(log_mutex);
static u64 log_read;

/* --- What comes too often ----------------------------------------------------------------------- */

/* Each sentence has a limit of its own: no flood of one hides another. */
#define SENTENCES 16
static struct {
	u32 hash;
	struct ratelimit_state limit;
} told[SENTENCES];

bool mercury_log_limit(const char *sentence)
{
	static unsigned int oldest;
	u32 hash = jhash(sentence, strlen(sentence), 0);
	unsigned int i;

	for (i = 0; i < SENTENCES; i++)
		if (told[i].hash == hash)
			return __ratelimit(&told[i].limit);
	i = oldest++ % SENTENCES;
	told[i].hash = hash;
	ratelimit_default_init(&told[i].limit);
	return __ratelimit(&told[i].limit);
}

/* --- The ring ----------------------------------------------------------------------------------- */

/* An alarm is seen on a console that is quiet, too, and never left out. */
static void print_line(const char *line, bool all)
{
	if (*line == *MERCURY_LOG_ALARM)
		pr_crit("vmm: %s\n", line + 1);
	else if (all)
		pr_notice("vmm: %s\n", line);
}

static void print_lines(const struct mercury_shared *shared, u64 head, bool all)
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
		print_line(line, all);
		n = 0;
	}
}

static void flush(bool all)
{
	const struct mercury_shared *shared = mercury_shared();
	/* What is written up to the head is seen after it; pairs with src/console.c's release. */
	u64 head = smp_load_acquire(&shared->log_head);

	if (head - log_read > MERCURY_LOG_SIZE) {
		pr_notice_ratelimited("vmm: %llu bytes of log were lost: see what is left\n",
				      head - log_read - MERCURY_LOG_SIZE);
		log_read = head - MERCURY_LOG_SIZE;
	}
	print_lines(shared, head, all);
}

void mercury_log_flush(bool all)
{
	mutex_lock(&log_mutex);
	flush(all);
	mutex_unlock(&log_mutex);
}

void mercury_log_forget(void)
{
	log_read = 0;
}

/* Whoever holds the mutex does not go on any more; at worst a line comes twice. */
void mercury_log_flush_on_panic(void)
{
	flush(true);
}
