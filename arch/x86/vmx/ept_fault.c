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
#include "vmx.h"
#include "x86/paging.h"
#include "x86/vmx.h"

#define GFN(pa) ((pa) / PAGE_4K)

static void set_stepping(struct cpu *cpu, uint64_t pa_plus_1)
{
	cpu->stepping = pa_plus_1;
	cpu->primary_controls = pa_plus_1 ?
					cpu->primary_controls | VMX_PRIMARY_MONITOR_TRAP_FLAG :
					cpu->primary_controls & ~VMX_PRIMARY_MONITOR_TRAP_FLAG;
	insn_vmwrite(VMCS_PRIMARY_PROC_CONTROLS, cpu->primary_controls);
}

/* Memory beyond what was mapped at load: device ranges above RAM, mapped as the MTRRs say. */
static bool first_touch(uint64_t pa)
{
	uint64_t start = pa & ~(PAGE_2M - 1);

	return p2m_map_identity(&machine_p2m, start, start + PAGE_2M) == MERCURY_E_OK;
}

bool ept_violation(struct cpu *cpu, uint64_t pa, bool is_write)
{
	struct p2m_page page;

	if (!machine_p2m.root)
		return false;
	if (!p2m_lookup(&machine_p2m, GFN(pa), &page))
		return first_touch(pa);
	/* Another CPU has resolved it meanwhile: just try again. */
	if (page.access == P2M_ALL)
		return true;
	if (!is_write || cpu->stepping || !p2m_let_drop(&machine_p2m, GFN(pa)))
		return false;
	cpu_shared(cpu)->dropped_writes++;
	set_stepping(cpu, pa + 1);
	return true;
}

void ept_stop_stepping(struct cpu *cpu)
{
	if (!cpu->stepping)
		return;
	p2m_rehide(&machine_p2m, GFN(cpu->stepping - 1));
	set_stepping(cpu, 0);
}

void ept_stepped(struct cpu *cpu)
{
	ept_stop_stepping(cpu);
	vmx_wipe_sink();
	vmx_flush();
}
