// SPDX-License-Identifier: GPL-2.0-only
/* Is the size of a sysctl table passed to its registration? */
#include <linux/sysctl.h>

void *probe(struct ctl_table *table);

void *probe(struct ctl_table *table)
{
	return register_sysctl_sz("probe", table, 1);
}
