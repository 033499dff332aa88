// SPDX-License-Identifier: GPL-2.0-only
/*
 * Native, virtual, native: every item of Linux's state is bit-equal before and after each gate.
 * Rule: "task-independent and task-dependent items bit-equal immediately before and after the
 * gate".
 */
#include "unit.h"

#include "fake.h"
#include "x86/cr.h"
#include "x86/msr.h"
#include "x86/vmx.h"

#define SEGMENT_REGISTERS(F) F(es) F(cs) F(ss) F(ds) F(fs) F(gs) F(ldtr) F(tr)

static void assert_segment_equal(const char *name, const struct segment *a, const struct segment *b)
{
	/* The rest of an unusable segment register is undefined but for the bases of FS and GS. */
	if (a->selector != b->selector || a->ar != b->ar || a->base != b->base ||
	    (!(a->ar & SEGMENT_AR_UNUSABLE) && a->limit != b->limit))
		fail_msg("%s: selector %x ar %x limit %x base %lx became %x %x %x %lx", name,
			 a->selector, a->ar, a->limit, a->base, b->selector, b->ar, b->limit,
			 b->base);
}

/* What a call does not preserve is not compared: rax, rcx, rdx, rsi, rdi, r8 to r11. */
static void assert_callee_saved_equal(const struct regs *a, const struct regs *b)
{
	assert_int_equal(a->rbx, b->rbx);
	assert_int_equal(a->rsp, b->rsp);
	assert_int_equal(a->rbp, b->rbp);
	assert_int_equal(a->r12, b->r12);
	assert_int_equal(a->r13, b->r13);
	assert_int_equal(a->r14, b->r14);
	assert_int_equal(a->r15, b->r15);
}

struct snapshot {
	struct fake_cpu cpu;
	uint64_t debugctl, sysenter_cs, sysenter_esp, sysenter_eip;
	uint64_t gdt[16];
};

static struct snapshot take(void)
{
	struct snapshot s = { .cpu = fake.cpu };

	s.debugctl = fake_get_msr(MSR_IA32_DEBUGCTL);
	s.sysenter_cs = fake_get_msr(MSR_IA32_SYSENTER_CS);
	s.sysenter_esp = fake_get_msr(MSR_IA32_SYSENTER_ESP);
	s.sysenter_eip = fake_get_msr(MSR_IA32_SYSENTER_EIP);
	memcpy(s.gdt, linux_at(LINUX_GDT), sizeof(s.gdt));
	return s;
}

static void assert_same(const struct snapshot *a, const struct snapshot *b)
{
	assert_callee_saved_equal(&a->cpu.gpr, &b->cpu.gpr);
	assert_int_equal(a->cpu.rflags, b->cpu.rflags);
	assert_int_equal(a->cpu.cr0, b->cpu.cr0);
	assert_int_equal(a->cpu.cr3, b->cpu.cr3);
	assert_int_equal(a->cpu.dr7, b->cpu.dr7);
	assert_int_equal(a->cpu.xcr0, b->cpu.xcr0);
	assert_int_equal(a->cpu.gdtr.base, b->cpu.gdtr.base);
	assert_int_equal(a->cpu.gdtr.limit, b->cpu.gdtr.limit);
	assert_int_equal(a->cpu.idtr.base, b->cpu.idtr.base);
	assert_int_equal(a->cpu.idtr.limit, b->cpu.idtr.limit);
#define F(name) assert_segment_equal(#name, &a->cpu.name, &b->cpu.name);
	SEGMENT_REGISTERS(F)
#undef F
	assert_int_equal(a->debugctl, b->debugctl);
	assert_int_equal(a->sysenter_cs, b->sysenter_cs);
	assert_int_equal(a->sysenter_esp, b->sysenter_esp);
	assert_int_equal(a->sysenter_eip, b->sysenter_eip);
	assert_memory_equal(a->gdt, b->gdt, sizeof(a->gdt));
}

/* Linux as it is now goes virtual; equal but for CR4.VMXE, which Linux sees in its read shadow. */
static void enter_equal(void)
{
	struct snapshot before = take(), after;

	assert_int_equal(fake_enter(), FAKE_VIRTUAL);
	assert_int_equal(fake.error, MERCURY_E_OK);
	after = take();
	assert_same(&before, &after);
	assert_int_equal(after.cpu.cr4, before.cpu.cr4 | CR4_VMXE);
	assert_int_equal(fake_field(VMCS_CR4_READ_SHADOW), before.cpu.cr4);
	assert_int_equal(after.cpu.rip, (uint64_t)linux_at(LINUX_RETURN));
	assert_int_equal(after.cpu.gpr.rdx, 0);
	assert_int_equal(fake_vmm_cpu()->mode, MODE_VIRTUAL);
	assert_int_equal(cpu_shared(fake_vmm_cpu())->is_virtual, 1);
}

static void leave_equal(uint64_t cr4)
{
	struct snapshot before = take(), after;

	assert_int_equal(fake_vmcall(MERCURY_CALL_LEAVE, 0, 0), FAKE_NATIVE);
	assert_int_equal(fake.error, MERCURY_E_OK);
	after = take();
	assert_same(&before, &after);
	assert_int_equal(after.cpu.cr4, cr4);
	assert_int_equal(after.cpu.rip, before.cpu.rip + 3);
	assert_int_equal(after.cpu.mode, FAKE_OFF);
	assert_int_equal(fake_vmm_cpu()->mode, MODE_PREPARED);
	assert_int_equal(cpu_shared(fake_vmm_cpu())->is_virtual, 0);
	assert_int_equal(fake.owed, 0);
}

static void round_trip(void)
{
	uint64_t cr4 = fake.cpu.cr4;

	enter_equal();
	fake.cpu.gpr.rcx = 0x1111;
	fake.cpu.gpr.r11 = 0x2222;
	leave_equal(cr4);
	assert_int_equal(fake.cpu.gpr.rcx, 0x1111);
	assert_int_equal(fake.cpu.gpr.r11, 0x2222);
}

static void machine(bool pcide)
{
	const struct fake_options options = { .pcide = pcide };

	fake_machine(&options);
	fake_boot();
}

static int fresh(void **unused)
{
	(void)unused;
	machine(false);
	return 0;
}

/* As Linux stands in the kernel: null data selectors, SS 0x18; several times over. */
static void plain(void **unused)
{
	int i;

	(void)unused;
	for (i = 0; i < 3; i++)
		round_trip();
}

/*
 * "HOST_CR4 keeps Linux's PCIDE": and CR3 keeps its PCID; bit 63 of MOV CR3 is #GP without PCIDE.
 */
static void with_pcids(void **unused)
{
	(void)unused;
	machine(true);
	round_trip();
	round_trip();
	assert_int_equal(fake.cpu.cr3 & CR3_PCID, 5);
}

/* Interrupts from user space leave a null SS in the kernel. */
static void null_ss(void **unused)
{
	(void)unused;
	assert_true(fake_load_segment(&fake.cpu.ss, 0));
	round_trip();
	assert_int_equal(fake.cpu.ss.selector, 0);
}

/* The task's selectors, in the GDT and, for GS, in the LDT that LLDT loads before. */
static void data_selectors_and_ldt(void **unused)
{
	(void)unused;
	fake_load_system(&fake.cpu.ldtr, 8 * 10);
	fake_load_segment(&fake.cpu.ds, 0x2b);
	fake_load_segment(&fake.cpu.es, 0x2b);
	fake_load_segment(&fake.cpu.fs, 8 * 12 + 3);
	fake_load_segment(&fake.cpu.gs, 8 * 1 + 7);
	assert_int_equal(fake.cpu.gs.selector & 4, 4);
	fake.cpu.fs.base = 0x7fff12345678;
	fake.cpu.gs.base = 0xffff888100000000;
	round_trip();
	assert_int_equal(fake.cpu.ldtr.selector, 8 * 10);
}

/*
 * VM exit sets the limit of TR to 67h; the descriptor brings Linux's back, and is busy as before.
 */
static void tr_limit_and_busy_bit(void **unused)
{
	(void)unused;
	round_trip();
	assert_int_equal(fake.cpu.tr.limit, 0x206f);
	assert_int_equal(fake.cpu.tr.ar & SEGMENT_AR_TYPE, SEGMENT_TYPE_TSS_BUSY);
	assert_int_equal(((uint8_t *)linux_at(LINUX_GDT))[8 * 8 + 5] & 0xf, SEGMENT_TYPE_TSS_BUSY);
}

/* What Linux changes while virtual, it has natively. */
static void changes_while_virtual_are_kept(void **unused)
{
	uint64_t cr4 = fake.cpu.cr4;

	(void)unused;
	enter_equal();
	fake.cpu.cr0 ^= CR0_TS | CR0_AM;
	fake.cpu.cr4 ^= CR4_TSD | CR4_PCE;
	fake.cpu.dr7 = 0x5ff;
	fake.cpu.fs.base = 0x1000;
	fake.cpu.rflags |= RFLAGS_AC;
	fake.cpu.gdtr.limit = 8 * 14 - 1;
	fake_set_msr(MSR_IA32_DEBUGCTL, 0x41);
	fake_load_segment(&fake.cpu.ds, 0x2b);
	leave_equal(cr4 ^ (CR4_TSD | CR4_PCE));
	round_trip();
}

static void steady(bool other)
{
	fake.cpu.dr7 = other ? 0x5ff : 0x400;
	fake.cpu.gdtr.limit = 8 * (other ? 14 : 16) - 1;
	fake_set_msr(MSR_IA32_DEBUGCTL, other ? 0x41 : 0);
	fake_set_msr(MSR_IA32_SYSENTER_CS, other ? 0 : 0x10);
	fake_set_msr(MSR_IA32_SYSENTER_ESP, other ? 0xfffffe0000008000 : 0xfffffe0000003000);
	fake_set_msr(MSR_IA32_SYSENTER_EIP, other ? 0x1234 : 0xffffffff81000000);
	fake_load_segment(&fake.cpu.ds, other ? 0x2b : 0);
	fake_load_segment(&fake.cpu.es, other ? 0x2b : 0);
	fake_load_segment(&fake.cpu.fs, other ? 8 * 12 + 3 : 0);
	fake_load_segment(&fake.cpu.gs, other ? 0x2b : 0);
	fake.cpu.fs.base = fake.cpu.gs.base = 0;
	if (other)
		fake_load_system(&fake.cpu.ldtr, 8 * 10);
	else
		fake.cpu.ldtr = (struct segment){ .ar = SEGMENT_AR_UNUSABLE };
}

static unsigned int vmwrites_of_enter(void)
{
	unsigned int n = 0, from = fake.ops;

	enter_equal();
	for (; from < fake.ops; from++)
		n += fake.log[from].kind == OP_VMWRITE;
	return n;
}

/*
 * An enter writes what differs from what the last leave read: changed natively, changed while virtual
 * and changed back natively, or behind a CPU that went native without a leave.
 */
static void what_differs_from_the_leave_is_written(void **unused)
{
	uint64_t cr4 = fake.cpu.cr4;
	unsigned int all, few;

	(void)unused;
	steady(false);
	all = vmwrites_of_enter();
	leave_equal(cr4);
	few = vmwrites_of_enter();
	assert_in_range(few, 1, 40);
	assert_in_range(all, few + 1, 60);
	steady(true);
	leave_equal(cr4);
	steady(false);
	enter_equal();
	leave_equal(cr4);
	steady(true);
	enter_equal();
	leave_equal(cr4);
	assert_int_equal(fake_gate(MERCURY_CALL_PREPARE, 0, 0), FAKE_RETURNED);
	assert_in_range(vmwrites_of_enter(), few + 10, 60);
	leave_equal(cr4);
}

/* CR4.PGE off while virtual: the flush on leave must not leave it on. */
static void pge_off_while_virtual(void **unused)
{
	uint64_t cr4 = fake.cpu.cr4;

	(void)unused;
	enter_equal();
	fake.cpu.cr4 &= ~CR4_PGE;
	leave_equal(cr4 & ~CR4_PGE);
}

static unsigned int sysenter_writes(unsigned int from)
{
	unsigned int n = 0;

	for (; from < fake.ops; from++)
		n += fake.log[from].kind == OP_WRMSR && fake.log[from].a >= MSR_IA32_SYSENTER_CS &&
		     fake.log[from].a <= MSR_IA32_SYSENTER_EIP;
	return n;
}

/* "The host keeps Linux's SYSENTER MSRs, so that a leave need not write them" */
static void sysenter_unchanged_is_not_written(void **unused)
{
	(void)unused;
	round_trip();
	assert_int_equal(sysenter_writes(0), 0);
}

/* ... and if Linux changes them while virtual or while native, they are right all the same. */
static void sysenter_changed(void **unused)
{
	uint64_t cr4 = fake.cpu.cr4;

	(void)unused;
	enter_equal();
	fake_set_msr(MSR_IA32_SYSENTER_ESP, 0xfffffe0000008000);
	leave_equal(cr4);
	fake_set_msr(MSR_IA32_SYSENTER_CS, 0);
	fake_set_msr(MSR_IA32_SYSENTER_EIP, 0x1234);
	round_trip();
	round_trip();
}

/* One changes and changes back: what the host was given last is what is remembered of it, of each. */
static void sysenter_changed_and_back(void **unused)
{
	const uint32_t msrs[] = { MSR_IA32_SYSENTER_CS, MSR_IA32_SYSENTER_ESP,
				  MSR_IA32_SYSENTER_EIP };
	size_t i;

	(void)unused;
	for (i = 0; i < sizeof(msrs) / sizeof(msrs[0]); i++) {
		uint64_t first = fake_get_msr(msrs[i]);

		round_trip();
		fake_set_msr(msrs[i], first + 8);
		round_trip();
		fake_set_msr(msrs[i], first);
		round_trip();
	}
}

/*
 * "CR4.VMXE agrees everywhere": set by Linux itself between vote and switch, shown while virtual.
 */
static void vmxe_set_by_linux_is_shown_and_kept(void **unused)
{
	(void)unused;
	assert_int_equal(fake_gate(MERCURY_CALL_AUDIT, 0, 0), FAKE_RETURNED);
	assert_int_equal(fake.error, MERCURY_E_OK);
	fake.cpu.cr4 |= CR4_VMXE;
	assert_int_equal(fake_gate(MERCURY_CALL_ENTER, 0, 0), FAKE_VIRTUAL);
	assert_true(fake_field(VMCS_CR4_READ_SHADOW) & CR4_VMXE);
	leave_equal(fake.cpu.cr4);
	assert_true(fake.cpu.cr4 & CR4_VMXE);
}

/* A selector whose descriptor went away while virtual gets null, as Linux's own loads do. */
static void vanished_descriptor_gives_null(void **unused)
{
	(void)unused;
	fake_load_segment(&fake.cpu.fs, 8 * 12 + 3);
	enter_equal();
	linux_set_descriptor(12, 0);
	fake.cpu.fs.base = 0x7000;
	assert_int_equal(fake_vmcall(MERCURY_CALL_LEAVE, 0, 0), FAKE_NATIVE);
	assert_int_equal(fake.cpu.fs.selector, 0);
	assert_int_equal(fake.cpu.fs.base, 0x7000);
}

/*
 * state.h, returns_result: "Linux stands at a call and finds its result in rax"; else RAX is its own.
 */
static void rax_is_a_result_only_of_the_call(void **unused)
{
	(void)unused;
	enter_equal();
	fake.cpu.gpr.rax = 0x4711;
	assert_int_equal(fake_exit(VMX_REASON_IO_INSTRUCTION, 0, 2), FAKE_NATIVE);
	assert_int_equal(fake.cpu.gpr.rax, 0x4711);
	enter_equal();
	assert_int_equal(fake_vmcall(MERCURY_CALL_LEAVE, 0, 0), FAKE_NATIVE);
	/* The call before must not show in a later episode. */
	enter_equal();
	fake.cpu.gpr.rax = 0x4712;
	assert_int_equal(fake_exit(VMX_REASON_IO_INSTRUCTION, 0, 2), FAKE_NATIVE);
	assert_int_equal(fake.cpu.gpr.rax, 0x4712);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test_setup(plain, fresh),
	cmocka_unit_test_setup(with_pcids, fresh),
	cmocka_unit_test_setup(null_ss, fresh),
	cmocka_unit_test_setup(data_selectors_and_ldt, fresh),
	cmocka_unit_test_setup(tr_limit_and_busy_bit, fresh),
	cmocka_unit_test_setup(changes_while_virtual_are_kept, fresh),
	cmocka_unit_test_setup(what_differs_from_the_leave_is_written, fresh),
	cmocka_unit_test_setup(pge_off_while_virtual, fresh),
	cmocka_unit_test_setup(sysenter_unchanged_is_not_written, fresh),
	cmocka_unit_test_setup(sysenter_changed, fresh),
	cmocka_unit_test_setup(sysenter_changed_and_back, fresh),
	cmocka_unit_test_setup(vmxe_set_by_linux_is_shown_and_kept, fresh),
	cmocka_unit_test_setup(vanished_descriptor_gives_null, fresh),
	cmocka_unit_test_setup(rax_is_a_result_only_of_the_call, fresh),
};

UNIT_MAIN(tests)
