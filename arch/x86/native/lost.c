// SPDX-License-Identifier: GPL-2.0-only
/* The last way back: into the module, which panics. It needs nothing of what Linux did here. */
#include <stdbool.h>

#include "call.h"
#include "insn.h"
#include "lost.h"
#include "native.h"
#include "x86/msr.h"
#include "x86/paging.h"

/*
 * A transition root as it was when the last CPU was set up. One in use may have been filled from page
 * tables without Linux's kernel; and Linux never frees what the kernel half points to.
 */
static uint64_t root[PAGING_ENTRIES];

static bool stack_is_taken;

void native_capture_home(struct cpu *cpu)
{
	insn_sgdt(&cpu->home.gdtr);
	cpu->home.idtr = cpu->linux_idt;
	cpu->home.tr = insn_str();
	cpu->home.gs_base = insn_rdmsr(MSR_IA32_GS_BASE);
	__builtin_memcpy(root, cpu_slot(cpu, MERCURY_CPU_ROOT), sizeof(root));
}

_Noreturn void native_lost(struct cpu *cpu)
{
	const struct home *home = &cpu->home;
	const struct leave_frame frame = {
		.tail = mercury_boot.lost,
		/* As if called, from nowhere. */
		.rsp = mercury_boot.lost_stack - sizeof(uint64_t),
	};

	if (__atomic_exchange_n(&stack_is_taken, true, __ATOMIC_RELAXED))
		insn_stop();
	cpu_shared(cpu)->is_virtual = 0;
	__builtin_memcpy(cpu_slot(cpu, MERCURY_CPU_ROOT), root, sizeof(root));
	insn_write_cr3(cpu_transition_cr3(cpu));
	native_load_tables(cpu, &home->gdtr, home->tr, 0);
	insn_load_es(0);
	insn_load_ds(0);
	insn_load_fs(0);
	insn_load_gs(0);
	insn_load_ss(VMM_DS);
	insn_wrmsr(MSR_IA32_GS_BASE, home->gs_base);
	insn_lidt(&home->idtr);
	insn_leave(&cpu->regs, &frame);
}
