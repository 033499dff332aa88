// SPDX-License-Identifier: GPL-2.0-only
/* Does native_write_msr() take the value whole, not as two halves? */
#include <asm/msr.h>

void probe(u64 value);

void probe(u64 value)
{
	native_write_msr(MSR_IA32_SYSENTER_CS, value);
}
