// SPDX-License-Identifier: GPL-2.0-only
/* The VM exit's assembly, step by step: CPUID's fast path, the way to C, NMIs at every instruction. */
#include <stdio.h>

#include "unit.h"

#include "step.h"
#include "x86/cpuid.h"
#include "x86/cr.h"
#include "x86/vmx.h"

#define RIP UINT64_C(0xffffffff81000000)
#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

/* The budget: "CPUID exit <= 30 of ours". VMRESUME is the processor's part. */
#define CPUID_BUDGET 30

static uint64_t garbage(unsigned int i)
{
	return UINT64_C(0x123456789abcdef1) * (i + 1);
}

/* The guest's CPUID with that leaf has exited; nothing is special. */
static void cpuid_exits(uint32_t leaf)
{
	unsigned int i;

	step_reset();
	for (i = 0; i < 16; i++)
		step.guest.by_number[i] = garbage(i);
	step.guest.rax = (garbage(0) & ~(uint64_t)UINT32_MAX) | leaf;
	step.guest.rsp = 0;
	step_cpu()->fast_exit = VMX_REASON_CPUID;
	step.vmcs[VMCS_EXIT_REASON] = VMX_REASON_CPUID;
	step.vmcs[VMCS_EXIT_INSTRUCTION_LENGTH] = 2;
	step.vmcs[VMCS_GUEST_RIP] = RIP;
	step.vmcs[VMCS_GUEST_RFLAGS] = RFLAGS_FIXED1 | RFLAGS_IF | RFLAGS_ZF;
}

static uint64_t cpuids(void)
{
	return cpu_shared(step_cpu())->exits[VMX_REASON_CPUID];
}

/* What CPUID makes of the guest's registers. */
static struct regs answered(struct regs r)
{
	struct cpuid_regs out = step_cpuid((uint32_t)r.rax, (uint32_t)r.rcx);

	r.rax = out.eax;
	r.rbx = out.ebx;
	r.rcx = out.ecx;
	r.rdx = out.edx;
	return r;
}

static void assert_registers(const struct regs *got, const struct regs *expected)
{
	unsigned int i;

	for (i = 0; i < 16; i++)
		if (got->by_number[i] != expected->by_number[i])
			fail_msg("register %u is %lx, not %lx (NMI in front of %d)", i,
				 got->by_number[i], expected->by_number[i], step.nmi_at);
}

/* The guest goes on behind its CPUID, which was executed and counted once; C was not asked. */
static void assert_answered(const struct regs *before)
{
	const struct regs expected = answered(*before);

	assert_int_equal(step.resumed, 1);
	assert_int_equal(step.handled, 0);
	assert_registers(&step.guest, &expected);
	assert_int_equal(step.vmcs[VMCS_GUEST_RIP], RIP + step.vmcs[VMCS_EXIT_INSTRUCTION_LENGTH]);
	assert_int_equal(cpuids(), 1);
	assert_true(step_cpu()->entered);
}

static void answer(uint32_t leaf)
{
	struct regs before;

	cpuid_exits(leaf);
	before = step.guest;
	step_exit();
	assert_answered(&before);
}

/* "fast path for CPUID first in the exit stub, no C call" */
static void an_ordinary_leaf_takes_30_instructions(void **unused)
{
	static const uint32_t leaves[] = {
		0,          2,          4,          6,          8,          9,          0xa,
		0xb,        0xd,        0x14,       0x1f,       0x20,       0x0fffffff, 0x80000000,
		0x80000002, 0x80000004, 0x80000006, 0x80000008, 0x80000009, 0x8fffffff,
	};
	unsigned int i;

	(void)unused;
	for (i = 0; i < ARRAY_SIZE(leaves); i++) {
		answer(leaves[i]);
		assert_int_equal(step.injected, 0);
		assert_in_range(step.instructions, 1, CPUID_BUDGET);
	}
	/* For `make bench-switch`. */
	printf("# CPUID exit: %d instructions of ours\n", step.instructions);
}

/* The instruction's length is the VMCS's: prefixes count. */
static void the_length_is_the_instructions(void **unused)
{
	struct regs before;

	(void)unused;
	cpuid_exits(0);
	step.vmcs[VMCS_EXIT_INSTRUCTION_LENGTH] = 15;
	before = step.guest;
	step_exit();
	assert_answered(&before);
}

/* C is asked, with all registers where it looks for them, and nothing has been done before. */
static void assert_asked(const struct regs *before)
{
	assert_int_equal(step.handled, 1);
	assert_int_equal(step.resumed, 1);
	assert_registers(&step.saved, before);
	assert_registers(&step.guest, before);
	assert_int_equal(cpuids(), 0);
	assert_false(step_cpu()->entered);
}

static void ask(uint64_t rip)
{
	struct regs before = step.guest;

	step.vmcs[VMCS_GUEST_RIP] = rip;
	step_exit();
	assert_asked(&before);
	assert_int_equal(step.vmcs[VMCS_GUEST_RIP], rip);
}

/* docs/exits.md, CPUID: leaves of which Linux sees something else. */
static void leaves_that_the_vmm_changes_go_to_c(void **unused)
{
	static const uint32_t leaves[] = {
		CPUID_LEAF_FEATURES,        CPUID_LEAF_EXTENDED_FEATURES, CPUID_LEAF_EXTENDED_1,
		CPUID_LEAF_HYPERVISOR,      CPUID_LEAF_HYPERVISOR + 1,    UINT32_C(0x48000000),
		CPUID_LEAF_HYPERVISOR_LAST,
	};
	unsigned int i;

	(void)unused;
	for (i = 0; i < ARRAY_SIZE(leaves); i++) {
		cpuid_exits(leaves[i]);
		ask(RIP);
	}
}

/* "exit reason checked whole": SDM vol. 3, 25.9.1, Basic VM-Exit Information, bits 16 to 31. */
static void other_reasons_go_to_c(void **unused)
{
	unsigned int i;

	(void)unused;
	for (i = 0; i < VMX_REASON_COUNT; i++) {
		cpuid_exits(0);
		step.vmcs[VMCS_EXIT_REASON] = i;
		if (i != VMX_REASON_CPUID)
			ask(RIP);
	}
	for (i = 4; i < 32; i++) {
		cpuid_exits(0);
		step.vmcs[VMCS_EXIT_REASON] |= UINT64_C(1) << i;
		ask(RIP);
	}
}

/* After an emulated instruction blocking by STI and MOV SS ends, and TF gives its #DB: C's work. On KVM all is. */
static void what_has_consequences_goes_to_c(void **unused)
{
	unsigned int bit;

	(void)unused;
	for (bit = 0; bit < 5; bit++) {
		cpuid_exits(0);
		step.vmcs[VMCS_GUEST_INTERRUPTIBILITY] = UINT64_C(1) << bit;
		ask(RIP);
	}
	cpuid_exits(0);
	step.vmcs[VMCS_GUEST_RFLAGS] |= RFLAGS_TF;
	ask(RIP);
	cpuid_exits(0);
	step_cpu()->fast_exit = CPU_NO_FAST_EXIT;
	ask(RIP);
}

/* In 32-bit code RIP wraps: where it leaves 4 GiB C asks which code it is. */
static void crossing_4_gib_goes_to_c(void **unused)
{
	(void)unused;
	cpuid_exits(0);
	ask(0xfffffffe);
	cpuid_exits(0);
	ask(UINT64_C(0x7ffffffff));
	answer(0);
}

/* An event that waits is injected with this VM entry. */
static void a_pending_event_is_injected(void **unused)
{
	const struct regs *before = &step.guest;
	struct regs expected;

	(void)unused;
	cpuid_exits(0);
	expected = answered(*before);
	step_cpu()->pending = PENDING_MC;
	step_exit();
	assert_int_equal(step.injected, 1);
	assert_int_equal(step.resumed, 1);
	assert_registers(&step.saved, &expected);
	assert_registers(&step.guest, &expected);
	assert_int_equal(cpuids(), 1);
}

/* VMfail of either VMRESUME: C finds the guest's registers, of behind CPUID. */
static void a_failed_resume_is_reported(void **unused)
{
	struct regs expected;

	(void)unused;
	cpuid_exits(0);
	expected = answered(step.guest);
	step.resume_fails = true;
	step_exit();
	assert_int_equal(step.failed, 1);
	assert_registers(&step.saved, &expected);

	cpuid_exits(0);
	expected = step.guest;
	step.vmcs[VMCS_EXIT_REASON] = VMX_REASON_INVD;
	step.resume_fails = true;
	step_exit();
	assert_int_equal(step.handled, 1);
	assert_int_equal(step.failed, 1);
	assert_registers(&step_cpu()->regs, &expected);
}

/*
 * "NMI in root: the handler marks it ... If RIP lies between the pending check and VMLAUNCH or
 * VMRESUME, it rewinds to the check". It comes once, at any instruction, and the VM entry never
 * overlooks it (do_vmresume() in step.c looks).
 */
static void an_nmi_at_any_instruction_is_injected(void **unused)
{
	static const uint32_t reasons[] = { VMX_REASON_CPUID, VMX_REASON_INVD };
	struct regs before;
	unsigned int i;
	int at;

	(void)unused;
	for (i = 0; i < ARRAY_SIZE(reasons); i++) {
		for (at = 0;; at++) {
			cpuid_exits(0);
			step.vmcs[VMCS_EXIT_REASON] = reasons[i];
			step.nmi_at = at;
			before = step.guest;
			step_exit();
			if (reasons[i] == VMX_REASON_CPUID)
				assert_answered(&before);
			else
				assert_asked(&before);
			assert_int_equal(step.injected, step.nmi_came);
			assert_int_equal(cpu_shared(step_cpu())->nmis_in_root, step.nmi_came);
			if (!step.nmi_came)
				break;
		}
		assert_true(at > CPUID_BUDGET / 2);
	}
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(an_ordinary_leaf_takes_30_instructions),
	cmocka_unit_test(the_length_is_the_instructions),
	cmocka_unit_test(leaves_that_the_vmm_changes_go_to_c),
	cmocka_unit_test(other_reasons_go_to_c),
	cmocka_unit_test(what_has_consequences_goes_to_c),
	cmocka_unit_test(crossing_4_gib_goes_to_c),
	cmocka_unit_test(a_pending_event_is_injected),
	cmocka_unit_test(a_failed_resume_is_reported),
	cmocka_unit_test(an_nmi_at_any_instruction_is_injected),
};

UNIT_MAIN(tests)
