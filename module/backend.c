// SPDX-License-Identifier: GPL-2.0-only
/* The ways of running Linux virtual, and the one in use. */
#include <asm/perf_event.h>

#include "exit_names.h"
#include "gate.h"
#include "mercury.h"

static int nothing(void)
{
	return 0;
}

static void nothing_done(void)
{
}

/*
 * Where Intel PT cannot trace VMX operation (IA32_VMX_MISC[14] is 0) enabling it there is #GP: Linux is told, as by
 * KVM, and starts no trace meanwhile. SDM vol. 3, A.6, Miscellaneous Data
 */
static void vmx_enters(void)
{
	intel_pt_handle_vmx(1);
}

static void vmx_left(void)
{
	intel_pt_handle_vmx(0);
}

static const struct mercury_backend vmx = {
	.name = "vmx",
	.title = "VT-x",
	.id = MERCURY_BACKEND_VMX,
	.takes_vmxe = true,
	.start = nothing,
	.stop = nothing_done,
	.open = nothing,
	.close = nothing_done,
	.call = mercury_gate_vmcall,
	.enters = vmx_enters,
	.left = vmx_left,
	.counts = "exits",
	.count_name = mercury_exit_name,
};

const struct mercury_backend *const mercury_backends[] = { &vmx, &mercury_ring1, NULL };

static const struct mercury_backend *chosen;

const struct mercury_backend *mercury_chosen(void)
{
	return chosen;
}

void mercury_choose(const struct mercury_backend *backend)
{
	chosen = backend;
}
