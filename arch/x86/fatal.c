// SPDX-License-Identifier: GPL-2.0-only
/* When the VMM itself fails: the ways back to Linux, one after the other. */
#include "call.h"
#include "fatal.h"
#include "insn.h"
#include "mercury/pool.h"
#include "mercury/snapshot.h"
#include "mercury/switch.h"
#include "native/lost.h"
#include "native/native.h"

static bool broken;

void vmm_break(void)
{
	__atomic_store_n(&broken, true, __ATOMIC_RELEASE);
	/* Whoever holds their locks may be the one that failed. */
	p2m_abandon(&machine_p2m);
	pool_abandon();
	snapshot_break();
}

bool vmm_is_broken(void)
{
	return __atomic_load_n(&broken, __ATOMIC_ACQUIRE);
}

/* Linux's descriptor tables and page tables are as the call found them, but for the IDT. */
static _Noreturn void abort_call(struct cpu *cpu)
{
	vmm_stop_virtual(cpu);
	cpu_shared(cpu)->is_virtual = 0;
	if (cpu->mode > MODE_PREPARED)
		cpu->mode = MODE_PREPARED;
	insn_abort_call(cpu, MERCURY_E_FAULT);
}

_Noreturn void vmm_fatal(struct cpu *cpu)
{
	enum cpu_task task = cpu->task;

	vmm_break();
	switch (task) {
	case TASK_CALL:
		cpu->task = TASK_LAST;
		abort_call(cpu);
	case TASK_EXIT:
		/* Until the state has been read there is none to return to; the backend's leave() knows. */
		cpu->task = TASK_LAST;
		vmm_force_native(cpu);
		/* Linux has no stack there, and an NMI would take a VM entry. */
		break;
	case TASK_RETURN:
		cpu->task = TASK_LAST;
		vmm_stop_virtual(cpu);
		state_set_result(cpu->returns, MERCURY_E_FAULT);
		vo_native.load(cpu, cpu->returns);
		break;
	case TASK_LAST:
		break;
	case TASK_LOST:
		insn_stop();
	}
	cpu->task = TASK_LOST;
	vmm_stop_virtual(cpu);
	native_lost(cpu);
}
