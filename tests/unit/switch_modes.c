// SPDX-License-Identifier: GPL-2.0-only
/* The mode machine against the calls: what vmm_dispatch() lets through, for every mode and call. */
#include "unit.h"

#include "call.h"
#include "fake.h"
#include "x86/cr.h"
#include "x86/vmx.h"

#define CALL(name) (1u << MERCURY_CALL_##name)

/*
 * cpu.mode: "nothing of this CPU is set up", "its stack and tables are", ... "Linux runs virtual".
 */
static const unsigned int allowed[MODE_NR] = {
	[MODE_COLD] = CALL(INIT) | CALL(INIT_CPU) | CALL(MAP) | CALL(HIDE),
	[MODE_NATIVE] = CALL(INIT_CPU) | CALL(MAP) | CALL(HIDE) | CALL(PREPARE) | CALL(AUDIT) |
			CALL(LOOKUP) | CALL(THAW) | CALL(FLUSH) | CALL(RECLAIM) | CALL(GIVE_BACK),
	[MODE_PREPARED] = CALL(INIT_CPU) | CALL(PREPARE) | CALL(AUDIT) | CALL(LOOKUP) | CALL(THAW) |
			  CALL(FLUSH) | CALL(RECLAIM) | CALL(GIVE_BACK),
	[MODE_READY] = CALL(INIT_CPU) | CALL(AUDIT) | CALL(DISCARD) | CALL(ENTER) | CALL(LOOKUP) |
		       CALL(THAW) | CALL(FLUSH) | CALL(RECLAIM) | CALL(GIVE_BACK),
	[MODE_VIRTUAL] = CALL(LEAVE) | CALL(HIDDEN) | CALL(LOOKUP) | CALL(FREEZE) | CALL(THAW) |
			 CALL(FLUSH) | CALL(RECLAIM) | CALL(LEND) | CALL(GIVE_BACK),
};

static int native_linux(void **unused)
{
	const struct fake_options options = { 0 };

	(void)unused;
	fake_machine(&options);
	fake_boot();
	return 0;
}

/* A call that does not fit is answered BAD_STATE, and neither the CPU nor its mode is touched. */
static void calls_that_do_not_fit(void **unused)
{
	struct cpu *cpu = fake_vmm_cpu();
	unsigned int mode, call, refused = 0;

	(void)unused;
	for (mode = 0; mode < MODE_NR; mode++) {
		for (call = 0; call < MERCURY_CALL_NR; call++) {
			unsigned int ops = fake.ops;

			if (allowed[mode] & 1u << call)
				continue;
			cpu->mode = mode;
			assert_int_equal(vmm_dispatch(cpu, call, 0, 0), MERCURY_E_BAD_STATE);
			assert_int_equal(cpu->mode, mode);
			assert_int_equal(fake.ops, ops);
			refused++;
		}
	}
	assert_true(refused > 25);
}

/* "the VMM does not know this call": in every mode. */
static void calls_that_do_not_exist(void **unused)
{
	static const unsigned int none[] = { MERCURY_CALL_NR, MERCURY_CALL_NR + 1, 1u << 31, ~0u };
	struct cpu *cpu = fake_vmm_cpu();
	unsigned int mode, i;

	(void)unused;
	for (mode = 0; mode < MODE_NR; mode++) {
		for (i = 0; i < sizeof(none) / sizeof(none[0]); i++) {
			cpu->mode = mode;
			assert_int_equal(vmm_dispatch(cpu, none[i], 0, 0), MERCURY_E_BAD_CALL);
			assert_int_equal(cpu->mode, mode);
		}
	}
}

static void assert_call(enum mercury_call call, uint64_t error, enum mode mode)
{
	assert_int_equal(fake_gate(call, 0, 0), FAKE_RETURNED);
	assert_int_equal(fake.error, error);
	assert_int_equal(fake_vmm_cpu()->mode, mode);
}

/* Each call that fits does what it says, and the mode follows. */
static void modes_follow_the_calls(void **unused)
{
	(void)unused;
	assert_int_equal(fake_vmm_cpu()->mode, MODE_PREPARED);
	assert_call(MERCURY_CALL_PREPARE, MERCURY_E_OK, MODE_PREPARED);
	assert_call(MERCURY_CALL_AUDIT, MERCURY_E_OK, MODE_READY);
	assert_call(MERCURY_CALL_DISCARD, MERCURY_E_OK, MODE_PREPARED);
	assert_call(MERCURY_CALL_AUDIT, MERCURY_E_OK, MODE_READY);
	assert_call(MERCURY_CALL_AUDIT, MERCURY_E_OK, MODE_READY);
	assert_int_equal(fake_gate(MERCURY_CALL_ENTER, 0, 0), FAKE_VIRTUAL);
	assert_int_equal(fake_vmm_cpu()->mode, MODE_VIRTUAL);
	assert_int_equal(fake_vmcall(MERCURY_CALL_HIDDEN, 0, 0), FAKE_VIRTUAL);
	assert_int_equal(fake.error, MERCURY_E_OK);
	assert_int_equal(cpu_shared(fake_vmm_cpu())->hidden[7].limit, 0x206f);
	assert_int_equal(fake_vmm_cpu()->mode, MODE_VIRTUAL);
	assert_int_equal(fake_vmcall(MERCURY_CALL_LEAVE, 0, 0), FAKE_NATIVE);
	assert_int_equal(fake_vmm_cpu()->mode, MODE_PREPARED);
}

/* A vote that fails takes the one before back: MODE_PREPARED, so that ENTER is refused. */
static void failed_vote_revokes(void **unused)
{
	(void)unused;
	assert_call(MERCURY_CALL_AUDIT, MERCURY_E_OK, MODE_READY);
	fake.cpu.cr4 |= CR4_VMXE;
	assert_call(MERCURY_CALL_AUDIT, MERCURY_E_OWNED, MODE_PREPARED);
	assert_call(MERCURY_CALL_ENTER, MERCURY_E_BAD_STATE, MODE_PREPARED);
}

#define T(name) cmocka_unit_test_setup(name, native_linux)
/* A CPU that comes back is set up anew: "prepare/discard: allocate and build; reversible". */
static void cpu_that_comes_back_is_built_anew(void **unused)
{
	struct cpu *cpu = fake_vmm_cpu();
	const struct mercury_cpu_boot boot = { cpu->gdt_rw, cpu->root_pa, cpu->vmcs_pa,
					       cpu->vmxon_pa };

	(void)unused;
	assert_int_equal(cpu_shared(cpu)->is_warm, 1);
	assert_int_equal(fake_gate(MERCURY_CALL_INIT_CPU, 0, (uint64_t)&boot), FAKE_RETURNED);
	assert_int_equal(cpu->mode, MODE_NATIVE);
	assert_int_equal(cpu_shared(cpu)->is_warm, 0);
	assert_int_equal(fake_gate(MERCURY_CALL_PREPARE, 0, 0), FAKE_RETURNED);
	assert_int_equal(cpu_shared(cpu)->is_warm, 1);
	assert_int_equal(fake_enter(), FAKE_VIRTUAL);
}

/* One whose preparation failed is prepared by its vote, which says why if it fails again. */
static void vote_prepares_what_was_not(void **unused)
{
	struct cpu *cpu = fake_vmm_cpu();
	const struct mercury_cpu_boot boot = { cpu->gdt_rw, cpu->root_pa, cpu->vmcs_pa,
					       cpu->vmxon_pa };

	(void)unused;
	assert_int_equal(fake_gate(MERCURY_CALL_INIT_CPU, 0, (uint64_t)&boot), FAKE_RETURNED);
	fake.fail_at = fake.fallible;
	assert_call(MERCURY_CALL_PREPARE, MERCURY_E_VMXON, MODE_NATIVE);
	fake.fail_at = fake.fallible;
	assert_call(MERCURY_CALL_AUDIT, MERCURY_E_VMXON, MODE_PREPARED);
	fake.fail_at = FAKE_NEVER;
	assert_call(MERCURY_CALL_AUDIT, MERCURY_E_OK, MODE_READY);
	assert_int_equal(fake_enter(), FAKE_VIRTUAL);
}

/* So is one whose vote nobody took back, for it did not answer. */
static void vote_ends_with_set_up(void **unused)
{
	struct cpu *cpu = fake_vmm_cpu();
	const struct mercury_cpu_boot boot = { cpu->gdt_rw, cpu->root_pa, cpu->vmcs_pa,
					       cpu->vmxon_pa };

	(void)unused;
	assert_int_equal(fake_gate(MERCURY_CALL_AUDIT, 0, 0), FAKE_RETURNED);
	assert_int_equal(cpu->mode, MODE_READY);
	assert_int_equal(fake_gate(MERCURY_CALL_INIT_CPU, 0, (uint64_t)&boot), FAKE_RETURNED);
	assert_int_equal(cpu->mode, MODE_NATIVE);
	assert_int_equal(cpu_shared(cpu)->is_warm, 0);
}

static const struct CMUnitTest tests[] = {
	T(vote_ends_with_set_up),
	T(vote_prepares_what_was_not),
	T(calls_that_do_not_fit),
	T(calls_that_do_not_exist),
	T(modes_follow_the_calls),
	T(failed_vote_revokes),
	T(cpu_that_comes_back_is_built_anew),
};

UNIT_MAIN(tests)
