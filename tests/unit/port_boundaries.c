// SPDX-License-Identifier: GPL-2.0-only
/*
 * One NMI, and one machine check, behind every operation of all that the VMM does: calls, switches,
 * exits, and each of them failing. It reaches Linux exactly once: by Linux's own IDT, injected, or
 * owed by the gate.
 */
#include "unit.h"

#include "call.h"
#include "fake.h"
#include "mercury/pool.h"
#include "vmx/event.h"
#include "x86/cr.h"
#include "x86/msr.h"
#include "x86/mtrr.h"
#include "x86/paging.h"
#include "x86/vector.h"
#include "x86/vmx.h"

#define BEYOND (UINT64_C(64) << 30) /* not mapped at load                                         */
#define HIDDEN UINT64_C(0x200000)

struct scenario {
	const char *name;
	void (*prepare)(void);
	enum fake_outcome (*run)(void);
	enum fake_outcome outcome;
	unsigned int nmis, mcs; /* that reach Linux in any case                                   */
};

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
	mercury_boot.hidden[0] = (struct mercury_range){ HIDDEN, HIDDEN + PAGE_2M };
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
	fake_set_field(VMCS_GUEST_PHYSICAL_ADDRESS, HIDDEN);
	assert_int_equal(fake_exit(VMX_REASON_EPT_VIOLATION, VMX_QUAL_EPT_WRITE, 2), FAKE_VIRTUAL);
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
	fake_set_field(VMCS_GUEST_PHYSICAL_ADDRESS, HIDDEN);
	return fake_exit(VMX_REASON_EPT_VIOLATION, VMX_QUAL_EPT_WRITE, 2);
}

/* The exit that a VM entry which fails later than the first becomes. */
static enum fake_outcome enter_again(void)
{
	return fake_exit(VMX_REASON_CPUID, 0, 2);
}

static const struct scenario scenarios[] = {
	{ "prepare", booted, call_PREPARE, FAKE_RETURNED, 0, 0 },
	{ "vote", booted, call_AUDIT, FAKE_RETURNED, 0, 0 },
	{ "discard", voted, call_DISCARD, FAKE_RETURNED, 0, 0 },
	{ "lookup, native", booted, call_LOOKUP, FAKE_RETURNED, 0, 0 },
	{ "enter", voted, call_ENTER, FAKE_VIRTUAL, 0, 0 },
	{ "enter, VMLAUNCH fails", voted_to_fail, call_ENTER, FAKE_NATIVE, 0, 0 },
	{ "enter, the VM entry fails", voted_in_vain, call_ENTER, FAKE_NATIVE, 0, 0 },
	{ "leave", virtual_linux, vmcall_LEAVE, FAKE_NATIVE, 0, 0 },
	{ "leave in an NMI handler", in_nmi_handler, vmcall_LEAVE, FAKE_NATIVE, 0, 0 },
	{ "leave behind MOV SS", behind_mov_ss, vmcall_LEAVE, FAKE_NATIVE, 0, 0 },
	{ "leave behind a hidden write", stepping, vmcall_LEAVE, FAKE_NATIVE, 0, 0 },
	{ "hidden state", virtual_linux, vmcall_HIDDEN, FAKE_VIRTUAL, 0, 0 },
	{ "lookup, virtual", virtual_linux, vmcall_LOOKUP, FAKE_VIRTUAL, 0, 0 },
	{ "no such call", virtual_linux, vmcall_NR, FAKE_VIRTUAL, 0, 0 },
	{ "CPUID", virtual_linux, exit_cpuid, FAKE_VIRTUAL, 0, 0 },
	{ "CPUID in user space", in_user_space, exit_cpuid, FAKE_VIRTUAL, 0, 0 },
	{ "RDMSR", with_msr, exit_rdmsr, FAKE_VIRTUAL, 0, 0 },
	{ "RDMSR in an NMI handler", in_nmi_handler, exit_rdmsr, FAKE_VIRTUAL, 0, 0 },
	{ "RDMSR, a machine check waits", machine_check_waits, exit_rdmsr, FAKE_VIRTUAL, 0, 1 },
	{ "RDMSR, an NMI waits", nmi_waits, exit_rdmsr, FAKE_VIRTUAL, 1, 0 },
	{ "leave, both wait", both_wait, vmcall_LEAVE, FAKE_NATIVE, 1, 1 },
	{ "RDMSR, both wait", both_wait, exit_rdmsr, FAKE_VIRTUAL, 1, 1 },
	{ "#UD behind MOV SS", behind_mov_ss, exit_vmread, FAKE_VIRTUAL, 0, 0 },
	{ "#UD behind STI", behind_sti, exit_vmread, FAKE_VIRTUAL, 0, 0 },
	{ "#UD in an NMI handler", in_nmi_handler, exit_vmread, FAKE_VIRTUAL, 0, 0 },
	{ "RDMSR, #GP", virtual_linux, exit_rdmsr, FAKE_VIRTUAL, 0, 0 },
	{ "WRMSR, MTRRs change", writing_mtrrs, exit_wrmsr, FAKE_VIRTUAL, 0, 0 },
	{ "WRMSR, MTRRs cannot change", without_memory, exit_wrmsr, FAKE_NATIVE, 0, 0 },
	{ "VMREAD", virtual_linux, exit_vmread, FAKE_VIRTUAL, 0, 0 },
	{ "INVD", virtual_linux, exit_invd, FAKE_VIRTUAL, 0, 0 },
	{ "XSETBV", xsetbv, exit_xsetbv, FAKE_VIRTUAL, 0, 0 },
	{ "VMXOFF", seeing_vmxe, exit_vmxoff, FAKE_NATIVE, 0, 0 },
	{ "MOV CR4 clears VMXE", seeing_vmxe, exit_mov_cr4, FAKE_NATIVE, 0, 0 },
	{ "first touch", virtual_linux, first_touch, FAKE_VIRTUAL, 0, 0 },
	{ "hidden write", virtual_linux, hidden_write, FAKE_VIRTUAL, 0, 0 },
	{ "hidden write, second half", stepping, exit_monitor_trap_flag, FAKE_VIRTUAL, 0, 0 },
	{ "unknown exit", virtual_linux, exit_unknown, FAKE_NATIVE, 0, 0 },
	{ "unknown exit in an NMI handler", in_nmi_handler, exit_unknown, FAKE_NATIVE, 0, 0 },
	{ "unknown exit in user space", in_user_space, exit_unknown, FAKE_NATIVE, 1, 0 },
	{ "unknown exit behind SYSCALL", behind_syscall, exit_unknown, FAKE_VIRTUAL, 1, 0 },
	{ "VMRESUME fails", not_launched, exit_cpuid, FAKE_NATIVE, 0, 0 },
	{ "a later VM entry fails", not_enterable, enter_again, FAKE_NATIVE, 0, 0 },
};

/* --- Each boundary ------------------------------------------------------------------------------ */

/* Linux goes on until it has taken what waits: an NMI's handler ends, the shadow of STI passes. */
static void settle(void)
{
	unsigned int i;

	for (i = 0; i < 8 && fake.cpu.mode == FAKE_GUEST; i++) {
		uint64_t primary = fake_field(VMCS_PRIMARY_PROC_CONTROLS);

		fake.cpu.interruptibility = 0;
		if (fake.nmi_exit) {
			fake.nmi_exit = false;
			assert_int_equal(fake_exit(VMX_REASON_EXCEPTION_OR_NMI, 0, 0),
					 FAKE_VIRTUAL);
		} else if (primary & VMX_PRIMARY_NMI_WINDOW_EXITING) {
			assert_int_equal(fake_exit(VMX_REASON_NMI_WINDOW, 0, 0), FAKE_VIRTUAL);
		} else if (primary & VMX_PRIMARY_INTERRUPT_WINDOW_EXITING) {
			assert_int_equal(fake_exit(VMX_REASON_INTERRUPT_WINDOW, 0, 0),
					 FAKE_VIRTUAL);
		} else {
			return;
		}
	}
	assert_true(i < 8);
}

struct ops {
	unsigned int start, end;
};

/* The scenario with what it is made to fail at and where the event comes. */
static struct ops run(const struct scenario *s, int fail_at, int event_at, uint32_t event)
{
	struct ops ops;

	s->prepare();
	ops.start = fake.ops;
	fake.fallible = 0;
	fake.fail_at = fail_at;
	fake.linux_nmis = fake.linux_mcs = 0;
	fake.event = event;
	fake.event_at = event_at == FAKE_NEVER ? FAKE_NEVER : (int)ops.start + event_at;
	if (s->run() != s->outcome)
		fail_msg("%s: went on in another way, operation %d failing", s->name, fail_at);
	ops.end = fake.ops;
	fake.fail_at = FAKE_NEVER;
	settle();
	return ops;
}

static void one_event(const struct scenario *s, int fail_at, unsigned int i, bool mc)
{
	const struct ops ops = run(s, fail_at, (int)i, mc ? PENDING_MC : PENDING_NMI);
	/* Of a kind they are one while the first is pending. */
	const unsigned int nmis = mc || s->nmis ? s->nmis : 1, mcs = mc || s->mcs ? 1 : 0;

	if (fake.linux_nmis < nmis || fake.linux_nmis > s->nmis + !mc || fake.linux_mcs < mcs ||
	    fake.linux_mcs > s->mcs + mc)
		fail_msg("%s, operation %d failing: %s behind operation %u (kind %d): Linux took %u "
			 "NMIs, %u machine checks",
			 s->name, fail_at, mc ? "#MC" : "NMI", i, fake.log[ops.start + i].kind,
			 fake.linux_nmis, fake.linux_mcs);
	assert_int_equal(fake_vmm_cpu()->pending, 0);
	assert_int_equal(fake_vmm_cpu()->waiting, 0);
}

static unsigned int event_at_each_operation(const struct scenario *s)
{
	const struct ops ops = run(s, FAKE_NEVER, FAKE_NEVER, PENDING_NMI);
	unsigned int i, n = ops.end - ops.start;

	assert_int_equal(fake.linux_nmis, s->nmis);
	assert_int_equal(fake.linux_mcs, s->mcs);
	assert_true(n > 0);
	for (i = 0; i < n; i++) {
		one_event(s, FAKE_NEVER, i, false);
		one_event(s, FAKE_NEVER, i, true);
	}
	return n;
}

/* With operation `fail_at` failing. What is before it was seen without; the two events take turns. */
static void event_behind_the_failing(const struct scenario *s, int fail_at)
{
	const struct ops ops = run(s, fail_at, FAKE_NEVER, PENDING_NMI);
	unsigned int i = 0, n = ops.end - ops.start;

	while (fake.log[ops.start + i].ok)
		i++;
	for (i = i ? i - 1 : 0; i < n; i++)
		one_event(s, fail_at, i, (i + (unsigned int)fail_at) % 2);
}

/* "NMI: never lost"; "#MC in root goes on to Linux". */
static void nothing_is_lost_or_doubled(void **unused)
{
	unsigned int i, boundaries = 0;

	(void)unused;
	for (i = 0; i < sizeof(scenarios) / sizeof(scenarios[0]); i++)
		boundaries += event_at_each_operation(&scenarios[i]);
	assert_true(boundaries > 1500);
}

static void nor_where_preparing_fails(void **unused)
{
	const struct scenario s = { "prepare", booted, call_PREPARE, FAKE_RETURNED, 0, 0 };
	int i, fallible;

	(void)unused;
	booted();
	fake.fallible = 0;
	call_PREPARE();
	fallible = fake.fallible;
	assert_true(fallible > 30);
	for (i = 0; i < fallible; i++)
		event_behind_the_failing(&s, i);
}

/* All but VMLAUNCH, before which an event is one more operation: that stands above. */
static void nor_where_entering_fails(void **unused)
{
	const struct scenario s = { "enter", voted, call_ENTER, FAKE_NATIVE, 0, 0 };
	int i, fallible;

	(void)unused;
	voted();
	fake.fallible = 0;
	call_ENTER();
	fallible = fake.fallible;
	assert_true(fallible > 50);
	for (i = 0; i < fallible - 1; i++)
		event_behind_the_failing(&s, i);
}

static void nor_where_vmclear_fails(void **unused)
{
	const struct scenario s = { "leave", virtual_linux, vmcall_LEAVE, FAKE_NATIVE, 0, 0 };

	(void)unused;
	event_behind_the_failing(&s, 0);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(nothing_is_lost_or_doubled),
	cmocka_unit_test(nor_where_preparing_fails),
	cmocka_unit_test(nor_where_entering_fails),
	cmocka_unit_test(nor_where_vmclear_fails),
};

UNIT_MAIN(tests)
