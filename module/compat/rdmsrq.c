// SPDX-License-Identifier: GPL-2.0-only
/* Is it rdmsrq() that reads an MSR whole, and not rdmsrl()? */
#include <asm/msr.h>

int probe(u64 *value);

int probe(u64 *value)
{
	rdmsrq(MSR_IA32_SYSENTER_CS, *value);
	return rdmsrq_safe(MSR_IA32_SYSENTER_CS, value);
}
