// SPDX-License-Identifier: GPL-2.0-only
/* What the portable core asks of the machine's caches of the P2M. */
#include "mercury/machine.h"

#include "vmx.h"

bool machine_flush(void)
{
	return vmx_flush();
}
