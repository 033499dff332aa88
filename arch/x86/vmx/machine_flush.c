// SPDX-License-Identifier: GPL-2.0-only
/* What the portable core asks of the machine's caches: of the P2M, and of what is lent to the VMM. */
#include "mercury/machine.h"

#include "insn.h"
#include "vmx.h"

bool machine_flush(void)
{
	insn_write_cr3(insn_read_cr3());
	return vmx_flush();
}
