// SPDX-License-Identifier: GPL-2.0-only
/*
 * EPT violations. A write to the hidden window is dropped without decoding the instruction: its page
 * is pointed to a sink for one single-stepped instruction. Another CPU may see the sink meanwhile,
 * which holds nothing but what Linux itself wrote there.
 */
#include "call.h"
#include "cpu.h"
#include "ept_fault.h"
#include "insn.h"
#include "mercury/console.h"
#include "mercury/snapshot.h"
#include "vmx.h"
#include "x86/paging.h"
#include "x86/vmx.h"

#define GFN(pa) ((pa) / PAGE_4K)

static void set_trap_flag(struct cpu *cpu, bool on)
{
	cpu->primary_controls = on ? cpu->primary_controls | VMX_PRIMARY_MONITOR_TRAP_FLAG :
				     cpu->primary_controls & ~VMX_PRIMARY_MONITOR_TRAP_FLAG;
	insn_vmwrite(VMCS_PRIMARY_PROC_CONTROLS, cpu->primary_controls);
}

/* Remember the page for when the instruction is done. False: more pages than a write can lie on. */
static bool step_on(struct cpu *cpu, uint64_t pa)
{
	unsigned int i;

	for (i = 0; i < 2; i++) {
		if (cpu->stepping[i] && cpu->stepping[i] != pa + 1)
			continue;
		cpu->stepping[i] = pa + 1;
		return true;
	}
	return false;
}

/*
 * Memory beyond what was mapped at load: device ranges above RAM, mapped as the MTRRs say. As much as
 * one entry can map but no more than is empty: around it things may be mapped that must stay.
 */
static bool first_touch(uint64_t pa, uint32_t empty_order)
{
	uint32_t largest = machine_p2m.format->max_order;
	uint64_t size = PAGE_4K << (empty_order < largest ? empty_order : largest);
	uint64_t start = pa & ~(size - 1);

	if (p2m_map_identity(&machine_p2m, start, start + size) == MERCURY_E_OK)
		return true;
	console_line("no page left in the pool to map %lx: load the module with a larger snapshot_gib",
		     pa);
	return false;
}

bool ept_violation(struct cpu *cpu, uint64_t pa, bool is_write, uint64_t process)
{
	struct p2m_page page;

	if (!machine_p2m.root)
		return false;
	if (is_write && snapshot_first_write(cpu, GFN(pa), process))
		return true;
	if (!p2m_lookup(&machine_p2m, GFN(pa), &page))
		return first_touch(pa, page.order);
	/* Another CPU has resolved it meanwhile: just try again. */
	if (page.access == P2M_ALL)
		return true;
	if (!is_write || !p2m_let_drop(&machine_p2m, GFN(pa)) || !step_on(cpu, pa))
		return false;
	cpu_shared(cpu)->dropped_writes++;
	set_trap_flag(cpu, true);
	return true;
}

void ept_stop_stepping(struct cpu *cpu)
{
	unsigned int i;

	if (!cpu->stepping[0])
		return;
	for (i = 0; i < 2 && cpu->stepping[i]; i++)
		p2m_rehide(&machine_p2m, GFN(cpu->stepping[i] - 1));
	cpu->stepping[0] = cpu->stepping[1] = 0;
	set_trap_flag(cpu, false);
}

void ept_stepped(struct cpu *cpu)
{
	ept_stop_stepping(cpu);
	vmx_wipe_sink();
	vmx_flush();
}
