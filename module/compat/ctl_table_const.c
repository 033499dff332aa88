// SPDX-License-Identifier: GPL-2.0-only
/* Do sysctl handlers take a const table? */
#include <linux/sysctl.h>

int probe(const struct ctl_table *table, int write, void *buffer, size_t *lenp, loff_t *ppos);

proc_handler *handler = probe;
