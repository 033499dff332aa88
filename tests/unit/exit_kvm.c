// SPDX-License-Identifier: GPL-2.0-only
/* Virtual on a machine that is a guest of KVM's: Linux goes on to use what KVM offers. */
#include "unit.h"

#include "fake.h"
#include "outer.h"
#include "x86/cpuid.h"
#include "x86/vector.h"
#include "x86/vmx.h"

#define STEAL_TIME ((uint64_t)steal_time | KVM_STEAL_TIME_ENABLED)
#define ASYNC_PF (UINT64_C(0x7f002000) | KVM_ASYNC_PF_ENABLED | KVM_ASYNC_PF_AS_VMEXIT)
#define HYPERCALL_KICK_CPU 5

static uint8_t steal_time[64] __attribute__((aligned(64)));
static uint64_t rip;

/* Linux is native, and uses both. */
static int native_linux(void **unused)
{
	const struct fake_options options = { .kvm = true };

	(void)unused;
	fake_machine(&options);
	fake_set_msr(KVM_MSR_STEAL_TIME, STEAL_TIME);
	fake_set_msr(KVM_MSR_ASYNC_PF, ASYNC_PF);
	fake_boot();
	return 0;
}

static int virtual_linux(void **unused)
{
	native_linux(unused);
	assert_int_equal(fake_enter(), FAKE_VIRTUAL);
	rip = fake.cpu.rip;
	return 0;
}

static void to_user(uint64_t cs_ar)
{
	fake.cpu.ss.ar = 0xc0f3;
	fake.cpu.cs.ar = (uint32_t)cs_ar;
	fake.cpu.cs.selector = 0x33;
}

static void hypercall(void)
{
	fake.cpu.gpr.rax = HYPERCALL_KICK_CPU;
	fake.cpu.gpr.rbx = 0x10;
	fake.cpu.gpr.rcx = 0x200;
	fake.cpu.gpr.rdx = 0x3000;
	fake.cpu.gpr.rsi = 0x40000;
	assert_int_equal(fake_exit(VMX_REASON_VMCALL, 0, 3), FAKE_VIRTUAL);
	assert_false(fake.injected & VMX_EVENT_VALID);
	assert_int_equal(fake.cpu.rip, rip + 3);
}

/* hypercalls.rst: "the return value will be placed in rax. No other registers will be clobbered". */
static void linuxs_hypercall_is_passed_on(void **unused)
{
	(void)unused;
	hypercall();
	assert_int_equal(fake.cpu.gpr.rax, 0x43215);
	assert_int_equal(fake.cpu.gpr.rbx, 0x10);
	assert_int_equal(fake.cpu.gpr.rcx, 0x200);
	assert_int_equal(fake.cpu.gpr.rdx, 0x3000);
	assert_int_equal(fake.cpu.gpr.rsi, 0x40000);
}

/* KVM answers "-KVM_EPERM" wherever CPL is not 0; the VMM's own CPL is 0, and the program's would not be asked. */
static void a_programs_hypercall_is_not(void **unused)
{
	(void)unused;
	to_user(0xa0fb);
	hypercall();
	assert_int_equal(fake.cpu.gpr.rax, UINT64_MAX);
	rip = fake.cpu.rip;
	to_user(0xc0fb);
	fake.cpu.rip = rip = 0x1000;
	hypercall();
	assert_int_equal(fake.cpu.gpr.rax, UINT32_MAX);
}

static void ask(uint32_t leaf)
{
	fake.cpu.gpr.rax = leaf;
	fake.cpu.gpr.rcx = 0;
	assert_int_equal(fake_exit(VMX_REASON_CPUID, 0, 2), FAKE_VIRTUAL);
}

static void assert_signature(const char *wanted)
{
	char text[13] = "";

	memcpy(text, &fake.cpu.gpr.rbx, 4);
	memcpy(text + 4, &fake.cpu.gpr.rcx, 4);
	memcpy(text + 8, &fake.cpu.gpr.rdx, 4);
	assert_string_equal(text, wanted);
}

/* Linux asks for KVM's features whenever a CPU comes up. */
static void kvms_leaves_stay_and_ours_follow(void **unused)
{
	(void)unused;
	ask(CPUID_LEAF_HYPERVISOR);
	assert_signature("KVMKVMKVM");
	ask(CPUID_LEAF_HYPERVISOR + 1);
	assert_int_equal(fake.cpu.gpr.rax, FAKE_KVM_FEATURES);
	ask(CPUID_LEAF_HYPERVISOR + 0x100);
	assert_signature("MercuryVMMv1");
	assert_int_equal(fake.cpu.gpr.rax, CPUID_LEAF_HYPERVISOR + 0x101);
	ask(CPUID_LEAF_HYPERVISOR + 0x101);
	assert_int_equal(fake.cpu.gpr.rax, MERCURY_ABI_VERSION);
}

/* arch_prctl(2), ARCH_SET_CPUID: "a SIGSEGV is delivered" for each CPUID of that thread; the kernel's go on. */
static void a_programs_cpuid_faults_where_linux_wants_it(void **unused)
{
	(void)unused;
	fake_set_msr(KVM_MSR_MISC_FEATURES_ENABLES, KVM_CPUID_FAULT);
	ask(0);
	assert_int_equal(fake.cpu.rip, rip + 2);
	to_user(0xa0fb);
	ask(0);
	assert_int_equal(VMX_EVENT_VECTOR(fake.injected), VECTOR_GP);
	assert_int_equal(fake.injected_error, 0);
	assert_int_equal(fake.cpu.rip, rip + 2);
	assert_int_equal(fake.cpu.gpr.rax, 0);
	fake_set_msr(KVM_MSR_MISC_FEATURES_ENABLES, 0);
	ask(0);
	assert_int_equal(fake.cpu.rip, rip + 4);
	/* So it is never answered without being asked for. */
	assert_int_equal(fake_vmm_cpu()->fast_exit, CPU_NO_FAST_EXIT);
}

/* On the bare machine the processor itself has asked, in front of the exit. */
static void but_not_on_the_bare_machine(void **unused)
{
	const struct fake_options options = { 0 };

	(void)unused;
	fake_machine(&options);
	fake_set_msr(KVM_MSR_MISC_FEATURES_ENABLES, KVM_CPUID_FAULT);
	fake_boot();
	assert_int_equal(fake_enter(), FAKE_VIRTUAL);
	assert_int_equal(fake_vmm_cpu()->fast_exit, VMX_REASON_CPUID);
	rip = fake.cpu.rip;
	to_user(0xa0fb);
	ask(0);
	assert_int_equal(fake.cpu.rip, rip + 2);
}

static void write_msr(uint32_t msr, uint64_t value)
{
	fake.cpu.gpr.rcx = msr;
	fake.cpu.gpr.rax = (uint32_t)value;
	fake.cpu.gpr.rdx = value >> 32;
	assert_int_equal(fake_exit(VMX_REASON_WRMSR, 0, 2), FAKE_VIRTUAL);
}

static void assert_reads(uint32_t msr, uint64_t value)
{
	fake.cpu.gpr.rcx = msr;
	fake.cpu.gpr.rax = fake.cpu.gpr.rdx = UINT64_MAX;
	assert_int_equal(fake_exit(VMX_REASON_RDMSR, 0, 2), FAKE_VIRTUAL);
	assert_int_equal(fake.cpu.gpr.rax | fake.cpu.gpr.rdx << 32, value);
}

static void assert_msrs(uint64_t steal_time, uint64_t async_pf)
{
	assert_int_equal(fake_get_msr(KVM_MSR_STEAL_TIME), steal_time);
	assert_int_equal(fake_get_msr(KVM_MSR_ASYNC_PF), async_pf);
}

static void what_kvm_does_behind_our_back_is_put_off(void **unused)
{
	(void)unused;
	assert_msrs(STEAL_TIME & ~KVM_STEAL_TIME_ENABLED, ASYNC_PF & ~KVM_ASYNC_PF_AS_VMEXIT);
	assert_reads(KVM_MSR_STEAL_TIME, STEAL_TIME);
	assert_reads(KVM_MSR_ASYNC_PF, ASYNC_PF);
	assert_int_equal(fake_vmcall(MERCURY_CALL_LEAVE, 0, 0), FAKE_NATIVE);
	assert_msrs(STEAL_TIME, ASYNC_PF);
}

/* As when a CPU goes and another kernel starts: what Linux wrote last is what it has natively. */
/* Others would leave it to KVM to flush this CPU's TLB. */
static void no_cpu_seems_preempted(void **unused)
{
	uint8_t before[sizeof(steal_time)];

	native_linux(unused);
	memset(steal_time, 0xff, sizeof(steal_time));
	memcpy(before, steal_time, sizeof(before));
	before[KVM_STEAL_TIME_PREEMPTED] = 0;
	assert_int_equal(fake_enter(), FAKE_VIRTUAL);
	assert_memory_equal(steal_time, before, sizeof(before));
}

static void what_linux_writes_meanwhile_counts(void **unused)
{
	(void)unused;
	write_msr(KVM_MSR_STEAL_TIME, 0);
	write_msr(KVM_MSR_ASYNC_PF, ASYNC_PF | KVM_ASYNC_PF_SEND_ALWAYS | 0x10000);
	assert_msrs(0, (ASYNC_PF & ~KVM_ASYNC_PF_AS_VMEXIT) | 0x10000);
	assert_reads(KVM_MSR_STEAL_TIME, 0);
	assert_int_equal(fake_vmcall(MERCURY_CALL_LEAVE, 0, 0), FAKE_NATIVE);
	assert_msrs(0, ASYNC_PF | KVM_ASYNC_PF_SEND_ALWAYS | 0x10000);
}

static void a_value_that_kvm_refuses_is_gp(void **unused)
{
	(void)unused;
	fake.wrmsr_faults = true;
	write_msr(KVM_MSR_STEAL_TIME, 0x1e);
	assert_int_equal(VMX_EVENT_VECTOR(fake.injected), VECTOR_GP);
	fake.wrmsr_faults = false;
	assert_reads(KVM_MSR_STEAL_TIME, STEAL_TIME);
}

static void without_the_msrs_nothing_is_done(void **unused)
{
	(void)unused;
	fake_remove_msr(KVM_MSR_STEAL_TIME);
	fake_remove_msr(KVM_MSR_ASYNC_PF);
	assert_int_equal(fake_enter(), FAKE_VIRTUAL);
	fake.cpu.gpr.rcx = KVM_MSR_STEAL_TIME;
	assert_int_equal(fake_exit(VMX_REASON_RDMSR, 0, 2), FAKE_VIRTUAL);
	assert_int_equal(VMX_EVENT_VECTOR(fake.injected), VECTOR_GP);
	assert_int_equal(fake_vmcall(MERCURY_CALL_LEAVE, 0, 0), FAKE_NATIVE);
}

/* Whatever fails between VMXON and the guest, and when a CPU goes native by itself. */
static void every_way_back_restores(void **unused)
{
	int failing;

	for (failing = 0; failing < 200; failing++) {
		native_linux(unused);
		fake.fail_at = fake.fallible + failing;
		if (fake_enter() == FAKE_VIRTUAL)
			break;
		assert_msrs(STEAL_TIME, ASYNC_PF);
	}
	assert_in_range(failing, 10, 199);
	native_linux(unused);
	fake.entry_fails = true;
	assert_int_not_equal(fake_enter(), FAKE_VIRTUAL);
	assert_msrs(STEAL_TIME, ASYNC_PF);
	virtual_linux(unused);
	fake_set_field(VMCS_HOST_TR_SELECTOR, 0x20);
	fake.vmcs.launched = false;
	assert_int_equal(fake_exit(VMX_REASON_CPUID, 0, 2), FAKE_NATIVE);
	assert_msrs(STEAL_TIME, ASYNC_PF);
}

/* How many of `run` gave Linux the bare machine, with an exception of the VMM's own behind each operation. */
static int restored_after_a_fault(int (*prepare)(void **), enum fake_outcome (*run)(void))
{
	int given_back = 0;
	unsigned int i;

	for (i = 0;; i++) {
		enum fake_outcome outcome;

		prepare(NULL);
		fake.fault_at = (int)(fake.ops + i);
		fake.faults = 1;
		outcome = run();
		if (fake.fault_at != FAKE_NEVER)
			break;
		if (outcome == FAKE_LOST)
			continue;
		assert_msrs(STEAL_TIME, ASYNC_PF);
		given_back++;
	}
	return given_back;
}

static enum fake_outcome leave(void)
{
	return fake_vmcall(MERCURY_CALL_LEAVE, 0, 0);
}

static void a_broken_vmm_restores(void **unused)
{
	(void)unused;
	assert_in_range(restored_after_a_fault(native_linux, fake_enter), 20, 999);
	assert_in_range(restored_after_a_fault(virtual_linux, leave), 20, 999);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test_setup(linuxs_hypercall_is_passed_on, virtual_linux),
	cmocka_unit_test_setup(a_programs_hypercall_is_not, virtual_linux),
	cmocka_unit_test_setup(kvms_leaves_stay_and_ours_follow, virtual_linux),
	cmocka_unit_test_setup(a_programs_cpuid_faults_where_linux_wants_it, virtual_linux),
	cmocka_unit_test(but_not_on_the_bare_machine),
	cmocka_unit_test_setup(what_kvm_does_behind_our_back_is_put_off, virtual_linux),
	cmocka_unit_test(no_cpu_seems_preempted),
	cmocka_unit_test_setup(what_linux_writes_meanwhile_counts, virtual_linux),
	cmocka_unit_test_setup(a_value_that_kvm_refuses_is_gp, virtual_linux),
	cmocka_unit_test_setup(without_the_msrs_nothing_is_done, native_linux),
	cmocka_unit_test(every_way_back_restores),
	cmocka_unit_test(a_broken_vmm_restores),
};

UNIT_MAIN(tests)
