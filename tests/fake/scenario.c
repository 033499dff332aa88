// SPDX-License-Identifier: GPL-2.0-only
/* The scenarios: where each begins, and what it does. */
#include "unit.h"

#include "call.h"
#include "mercury/pool.h"
#include "mercury/snapshot.h"
#include "scenario.h"
#include "x86/cr.h"
#include "x86/msr.h"
#include "x86/mtrr.h"
#include "x86/paging.h"
#include "x86/vmx.h"

#define BEYOND (UINT64_C(64) << 30) /* not mapped at load                                         */

/* --- Where a scenario begins -------------------------------------------------------------------- */

static const struct fake_options plain_options;

static void booted(void)
{
	fake_machine(&plain_options);
	fake_boot();
}

static void voted(void)
{
	booted();
	assert_int_equal(fake_gate(MERCURY_CALL_AUDIT, 0, 0), FAKE_RETURNED);
	assert_int_equal(fake.error, MERCURY_E_OK);
}

static void voted_in_vain(void)
{
	voted();
	fake.entry_fails = true;
}

static void voted_to_fail(void)
{
	voted();
	fake.launch_fails = true;
}

static void virtual_linux(void)
{
	booted();
	mercury_boot.nr_hidden = 1;
	mercury_boot.hidden[0] =
		(struct mercury_range){ SCENARIO_HIDDEN, SCENARIO_HIDDEN + PAGE_2M };
	fake_vmm_cpu()->mode = MODE_NATIVE;
	assert_int_equal(fake_gate(MERCURY_CALL_HIDE, 0, 0), FAKE_RETURNED);
	assert_int_equal(fake_gate(MERCURY_CALL_PREPARE, 0, 0), FAKE_RETURNED);
	assert_int_equal(fake_enter(), FAKE_VIRTUAL);
}

static void with_msr(void)
{
	virtual_linux();
	fake.cpu.gpr.rcx = 0x10a;
	fake_set_msr(0x10a, 0);
}

static void in_nmi_handler(void)
{
	with_msr();
	fake.cpu.interruptibility = VMX_BLOCKING_NMI;
}

/* What came in the VMM waits until the handler of another NMI is done. */
static void waits(uint32_t events)
{
	in_nmi_handler();
	fake_vmm_cpu()->pending = events;
	assert_int_equal(fake_exit(VMX_REASON_RDMSR, 0, 2), FAKE_VIRTUAL);
	assert_int_equal(fake_vmm_cpu()->waiting, events);
}

static void machine_check_waits(void)
{
	waits(PENDING_MC);
}

static void nmi_waits(void)
{
	waits(PENDING_NMI);
}

static void both_wait(void)
{
	waits(PENDING_NMI | PENDING_MC);
}

static void behind_mov_ss(void)
{
	with_msr();
	fake.cpu.interruptibility = VMX_BLOCKING_MOV_SS;
}

static void behind_sti(void)
{
	with_msr();
	fake.cpu.interruptibility = VMX_BLOCKING_STI;
	fake.cpu.rflags |= RFLAGS_IF;
}

static void in_user_space(void)
{
	virtual_linux();
	fake.cpu.ss.ar |= SEGMENT_AR_DPL;
	fake.cpu.cs.selector = 0x33;
}

static void behind_syscall(void)
{
	virtual_linux();
	fake.cpu.gpr.rsp = 0x7ffc12345678;
}

static void seeing_vmxe(void)
{
	virtual_linux();
	fake_set_field(VMCS_CR4_READ_SHADOW, fake_field(VMCS_CR4_READ_SHADOW) | CR4_VMXE);
	fake.cpu.gpr.r9 = fake.cpu.cr4 & ~CR4_VMXE;
}

static void writing_mtrrs(void)
{
	virtual_linux();
	fake.cpu.gpr.rcx = MSR_IA32_MTRR_DEF_TYPE;
	fake.cpu.gpr.rax = MTRR_DEF_TYPE_E;
	fake.cpu.gpr.rdx = 0;
}

static void without_memory(void)
{
	writing_mtrrs();
	while (pool_alloc())
		;
	fake.cpu.gpr.rcx = MSR_IA32_MTRR_PHYSMASK(0);
	fake.cpu.gpr.rax = (0x1000000000 - PAGE_4K) | MTRR_PHYSMASK_VALID;
	fake.cpu.gpr.rdx = 0xf;
}

static void xsetbv(void)
{
	virtual_linux();
	fake.cpu.gpr.rcx = 0;
	fake.cpu.gpr.rax = 3;
	fake.cpu.gpr.rdx = 0;
}

static void stepping(void)
{
	virtual_linux();
	fake_set_field(VMCS_GUEST_PHYSICAL_ADDRESS, SCENARIO_HIDDEN);
	assert_int_equal(fake_exit(VMX_REASON_EPT_VIOLATION, VMX_QUAL_EPT_WRITE, 2), FAKE_VIRTUAL);
}

static struct mercury_snapshot meeting;

static void gathering(void)
{
	virtual_linux();
	meeting = (struct mercury_snapshot){ .bound = 100,
					     .kept_max = 1,
					     .cpus = 1,
					     .nr_ram = 1,
					     .ram = { { 0, PAGE_1G } },
					     .end = PAGE_1G,
					     .directory = UINT64_MAX,
					     .phase = MERCURY_SNAPSHOT_GATHERS };
	snapshot_init(&meeting, &machine_p2m);
}

static void frozen(void)
{
	gathering();
	assert_int_equal(fake_vmcall(MERCURY_CALL_FREEZE, 0, 0), FAKE_VIRTUAL);
	assert_int_equal(fake.error, MERCURY_E_OK);
}

static void not_launched(void)
{
	virtual_linux();
	fake.vmcs.launched = false;
}

static void not_enterable(void)
{
	virtual_linux();
	fake_set_field(VMCS_VMCS_LINK_POINTER, 0);
}

/* --- What it does ------------------------------------------------------------------------------- */

#define CALL(name)                                                                                 \
	static enum fake_outcome call_##name(void)                                                 \
	{                                                                                          \
		return fake_gate(MERCURY_CALL_##name, 0, 0);                                       \
	}
#define VMCALL(name)                                                                               \
	static enum fake_outcome vmcall_##name(void)                                               \
	{                                                                                          \
		return fake_vmcall(MERCURY_CALL_##name, 0, 0);                                     \
	}
#define EXIT(name, reason, qualification, length)                                                  \
	static enum fake_outcome exit_##name(void)                                                 \
	{                                                                                          \
		return fake_exit(VMX_REASON_##reason, qualification, length);                      \
	}

CALL(PREPARE)
CALL(AUDIT)
CALL(DISCARD)
CALL(LOOKUP)
CALL(ENTER)
VMCALL(LEAVE)
VMCALL(HIDDEN)
VMCALL(LOOKUP)
VMCALL(NR)
VMCALL(FREEZE)
VMCALL(THAW)
VMCALL(FLUSH)
EXIT(cpuid, CPUID, 0, 2)
EXIT(rdmsr, RDMSR, 0, 2)
EXIT(wrmsr, WRMSR, 0, 2)
EXIT(vmread, VMREAD, 0, 3)
EXIT(invd, INVD, 0, 2)
EXIT(xsetbv, XSETBV, 0, 3)
EXIT(vmxoff, VMXOFF, 0, 3)
EXIT(mov_cr4, CR_ACCESS, 9 << 8 | 4, 3)
EXIT(monitor_trap_flag, MONITOR_TRAP_FLAG, 0, 0)
EXIT(unknown, EPT_MISCONFIGURATION, 0, 0)

static enum fake_outcome first_touch(void)
{
	fake_set_field(VMCS_GUEST_PHYSICAL_ADDRESS, BEYOND);
	return fake_exit(VMX_REASON_EPT_VIOLATION, VMX_QUAL_EPT_READ, 2);
}

static enum fake_outcome hidden_write(void)
{
	fake_set_field(VMCS_GUEST_PHYSICAL_ADDRESS, SCENARIO_HIDDEN);
	return fake_exit(VMX_REASON_EPT_VIOLATION, VMX_QUAL_EPT_WRITE, 2);
}

/* Down to the page: until no list for its old content is found, and the snapshot is broken. */
static enum fake_outcome first_writes(void)
{
	enum fake_outcome outcome = FAKE_VIRTUAL;

	fake_set_field(VMCS_GUEST_PHYSICAL_ADDRESS, 5 * PAGE_4K);
	while (outcome == FAKE_VIRTUAL && meeting.phase == MERCURY_SNAPSHOT_FROZEN)
		outcome = fake_exit(VMX_REASON_EPT_VIOLATION, VMX_QUAL_EPT_WRITE, 2);
	return outcome;
}

static void written(void)
{
	frozen();
	assert_int_equal(first_writes(), FAKE_VIRTUAL);
}

/* The exit that a VM entry which fails later than the first becomes. */
static enum fake_outcome enter_again(void)
{
	return fake_exit(VMX_REASON_CPUID, 0, 2);
}

const struct scenario scenarios[] = {
	{ "prepare", booted, call_PREPARE, FAKE_RETURNED, 0, 0, false, false },
	{ "vote", booted, call_AUDIT, FAKE_RETURNED, 0, 0, false, false },
	{ "discard", voted, call_DISCARD, FAKE_RETURNED, 0, 0, false, false },
	{ "lookup, native", booted, call_LOOKUP, FAKE_RETURNED, 0, 0, false, false },
	{ "enter", voted, call_ENTER, FAKE_VIRTUAL, 0, 0, false, false },
	{ "enter, VMLAUNCH fails", voted_to_fail, call_ENTER, FAKE_NATIVE, 0, 0, false, false },
	{ "enter, the VM entry fails", voted_in_vain, call_ENTER, FAKE_NATIVE, 0, 0, false, false },
	{ "leave", virtual_linux, vmcall_LEAVE, FAKE_NATIVE, 0, 0, false, false },
	{ "leave in an NMI handler", in_nmi_handler, vmcall_LEAVE, FAKE_NATIVE, 0, 0, false,
	  false },
	{ "leave behind MOV SS", behind_mov_ss, vmcall_LEAVE, FAKE_NATIVE, 0, 0, false, false },
	{ "leave behind a hidden write", stepping, vmcall_LEAVE, FAKE_NATIVE, 0, 0, false, false },
	{ "hidden state", virtual_linux, vmcall_HIDDEN, FAKE_VIRTUAL, 0, 0, false, false },
	{ "lookup, virtual", virtual_linux, vmcall_LOOKUP, FAKE_VIRTUAL, 0, 0, false, false },
	{ "no such call", virtual_linux, vmcall_NR, FAKE_VIRTUAL, 0, 0, false, false },
	{ "CPUID", virtual_linux, exit_cpuid, FAKE_VIRTUAL, 0, 0, false, false },
	{ "CPUID in user space", in_user_space, exit_cpuid, FAKE_VIRTUAL, 0, 0, false, false },
	{ "RDMSR", with_msr, exit_rdmsr, FAKE_VIRTUAL, 0, 0, false, false },
	{ "RDMSR in an NMI handler", in_nmi_handler, exit_rdmsr, FAKE_VIRTUAL, 0, 0, false, false },
	{ "RDMSR, a machine check waits", machine_check_waits, exit_rdmsr, FAKE_VIRTUAL, 0, 1,
	  false, false },
	{ "RDMSR, an NMI waits", nmi_waits, exit_rdmsr, FAKE_VIRTUAL, 1, 0, false, false },
	{ "leave, both wait", both_wait, vmcall_LEAVE, FAKE_NATIVE, 1, 1, false, false },
	{ "RDMSR, both wait", both_wait, exit_rdmsr, FAKE_VIRTUAL, 1, 1, false, false },
	{ "#UD behind MOV SS", behind_mov_ss, exit_vmread, FAKE_VIRTUAL, 0, 0, false, false },
	{ "#UD behind STI", behind_sti, exit_vmread, FAKE_VIRTUAL, 0, 0, false, false },
	{ "#UD in an NMI handler", in_nmi_handler, exit_vmread, FAKE_VIRTUAL, 0, 0, false, false },
	{ "RDMSR, #GP", virtual_linux, exit_rdmsr, FAKE_VIRTUAL, 0, 0, false, false },
	{ "WRMSR, MTRRs change", writing_mtrrs, exit_wrmsr, FAKE_VIRTUAL, 0, 0, false, false },
	{ "WRMSR, MTRRs cannot change", without_memory, exit_wrmsr, FAKE_NATIVE, 0, 0, false,
	  false },
	{ "VMREAD", virtual_linux, exit_vmread, FAKE_VIRTUAL, 0, 0, false, false },
	{ "INVD", virtual_linux, exit_invd, FAKE_VIRTUAL, 0, 0, false, false },
	{ "XSETBV", xsetbv, exit_xsetbv, FAKE_VIRTUAL, 0, 0, false, false },
	{ "VMXOFF", seeing_vmxe, exit_vmxoff, FAKE_NATIVE, 0, 0, false, false },
	{ "MOV CR4 clears VMXE", seeing_vmxe, exit_mov_cr4, FAKE_NATIVE, 0, 0, false, true },
	{ "first touch", virtual_linux, first_touch, FAKE_VIRTUAL, 0, 0, false, false },
	{ "hidden write", virtual_linux, hidden_write, FAKE_VIRTUAL, 0, 0, false, false },
	{ "hidden write, second half", stepping, exit_monitor_trap_flag, FAKE_VIRTUAL, 0, 0, false,
	  false },
	{ "freeze", gathering, vmcall_FREEZE, FAKE_VIRTUAL, 0, 0, false, false },
	{ "first writes", frozen, first_writes, FAKE_VIRTUAL, 0, 0, false, false },
	{ "thaw", written, vmcall_THAW, FAKE_VIRTUAL, 0, 0, false, false },
	{ "flush", written, vmcall_FLUSH, FAKE_VIRTUAL, 0, 0, false, false },
	{ "unknown exit", virtual_linux, exit_unknown, FAKE_NATIVE, 0, 0, false, false },
	{ "unknown exit in an NMI handler", in_nmi_handler, exit_unknown, FAKE_NATIVE, 0, 0, false,
	  false },
	{ "unknown exit in user space", in_user_space, exit_unknown, FAKE_NATIVE, 1, 0, false,
	  false },
	{ "unknown exit behind SYSCALL", behind_syscall, exit_unknown, FAKE_VIRTUAL, 1, 0, true,
	  false },
	{ "VMRESUME fails", not_launched, exit_cpuid, FAKE_NATIVE, 0, 0, true, false },
	{ "a later VM entry fails", not_enterable, enter_again, FAKE_NATIVE, 0, 0, true, false },
};

const unsigned int nr_scenarios = sizeof(scenarios) / sizeof(scenarios[0]);

const struct scenario *scenario(const char *name)
{
	unsigned int i;

	for (i = 0; i < nr_scenarios; i++)
		if (!strcmp(scenarios[i].name, name))
			return &scenarios[i];
	fail_msg("no scenario is named '%s'", name);
	return NULL;
}
