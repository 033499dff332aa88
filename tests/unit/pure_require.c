// SPDX-License-Identifier: GPL-2.0-only
/* What VT-x itself must be like: a machine that is accepted, then each row broken alone. */
#include "unit.h"

#include "insn.h"
#include "vmx/require.h"
#include "x86/cpuid.h"
#include "x86/cr.h"
#include "x86/msr.h"

/* CR4 of a 6.12 kernel on a Skylake with PTI and PCIDs; EFER with SCE, LME, LMA, NXE. */
#define CR4_LINUX UINT64_C(0x7726f0)
#define EFER_LINUX UINT64_C(0xd01)

static struct vmx_facts accepted(void)
{
	return (struct vmx_facts){
		.value = {
			[FACT_VMX] = 1,
			[FACT_FEATURE_CONTROL] = 0x5,
			[FACT_EFER] = EFER_LINUX,
			[FACT_VMX_BASIC] = 0x00da040000000012,
			[FACT_CR4] = CR4_LINUX & ~CR4_VMXE,
		},
		.features.maxphyaddr = 46,
	};
}

static void must_refuse(const struct vmx_facts *facts, const char *word)
{
	const char *sentence = vmx_unmet(facts);

	if (!sentence || !strstr(sentence, word))
		fail_msg("expected a sentence with '%s', got '%s'", word,
			 sentence ? sentence : "(accepted)");
}

static void a_good_machine_is_accepted(void **state)
{
	struct vmx_facts f = accepted();

	(void)state;
	assert_null(vmx_unmet(&f));
	/* CR4.VMXE is the audit's business: it is another question who set it. */
	f.value[FACT_CR4] |= CR4_VMXE;
	assert_null(vmx_unmet(&f));
}

/* Each row: bits to clear and to set in one fact, and a word that only its sentence has. */
static void each_requirement(void **state)
{
	static const struct {
		enum vmx_fact fact;
		uint64_t clear, set;
		const char *word;
	} rows[] = {
		/* SDM vol. 3, 24.6, Discovering Support for VMX: CPUID.1:ECX.VMX[bit 5] = 1 */
		{ FACT_VMX, 1, 0, "no VT-x" },
		/* 24.7, Enabling and Entering VMX Operation: lock 0: VMXON faults; off: faults */
		{ FACT_FEATURE_CONTROL, 1, 0, "not locked" },
		{ FACT_FEATURE_CONTROL, 5, 0, "not locked" },
		{ FACT_FEATURE_CONTROL, 4, 0, "locked off" },
		{ FACT_FEATURE_CONTROL, 4, 2, "locked off" },
		/* A.1, Basic VMX Information: bit 55 TRUE MSRs; 53:50 memory type, 6 write-back */
		{ FACT_VMX_BASIC, UINT64_C(1) << 55, 0, "TRUE" },
		{ FACT_VMX_BASIC, UINT64_C(0xf) << 50, 0, "write-back" },
		{ FACT_VMX_BASIC, 0, UINT64_C(1) << 50, "write-back" },
		/* 2.2.1, Extended Feature Enable Register: the transition root uses XD */
		{ FACT_EFER, 1u << 11, 0, "EFER.NXE" },
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct vmx_facts f = accepted();

		f.value[rows[i].fact] = (f.value[rows[i].fact] & ~rows[i].clear) | rows[i].set;
		must_refuse(&f, rows[i].word);
	}
}

/* SDM vol. 3, 29.3.2, EPT Translation Mechanism: 4-level EPT translates 48 bits. */
static void physical_addresses_up_to_48_bits(void **state)
{
	struct vmx_facts f = accepted();
	unsigned int width;

	(void)state;
	for (width = 32; width <= 52; width++) {
		f.features.maxphyaddr = width;
		if (width <= 48)
			assert_null(vmx_unmet(&f));
		else
			must_refuse(&f, "MAXPHYADDR");
	}
}

/* No VT-x is said first: without it the VMX MSRs do not exist and say nothing. */
static void the_first_reason_comes_first(void **state)
{
	struct vmx_facts f = { .value = { [FACT_CR4] = UINT64_MAX } };

	(void)state;
	must_refuse(&f, "no VT-x");
	f.value[FACT_VMX] = 1;
	must_refuse(&f, "not locked");
	/* Then features that are in use: their sentence tells more than that a bit is not known. */
	f = accepted();
	f.value[FACT_CR4] = UINT64_MAX;
	must_refuse(&f, "5-level");
}

/* --- Gathering -------------------------------------------------------------------------------- */

static bool has_vmx_msrs;

void insn_cpuid(uint32_t leaf, uint32_t subleaf, struct cpuid_regs *out)
{
	(void)subleaf;
	*out = (struct cpuid_regs){ 0 };
	if (leaf == 0)
		out->eax = 0x16;
	else if (leaf == 1)
		out->ecx = 1u << 5;
	else if (leaf == 0x80000000)
		out->eax = 0x80000008;
	else if (leaf == 0x80000008)
		out->eax = 0x3027;
}

bool insn_rdmsr_safe(uint32_t msr, uint64_t *value)
{
	*value = 0x55550000 | msr;
	return has_vmx_msrs;
}

uint64_t insn_rdmsr(uint32_t msr)
{
	assert_int_equal(msr, MSR_IA32_EFER);
	return EFER_LINUX;
}

uint64_t insn_read_cr4(void)
{
	return CR4_LINUX;
}

/* Reading must not fault where an MSR is missing: then the fact is 0, which the table refuses. */
static void facts_are_read_from_where_they_are(void **state)
{
	struct vmx_facts f;

	(void)state;
	has_vmx_msrs = true;
	vmx_facts_read(&f);
	assert_int_equal(f.value[FACT_VMX], 1);
	assert_int_equal(f.value[FACT_FEATURE_CONTROL], 0x5555003a);
	assert_int_equal(f.value[FACT_EFER], EFER_LINUX);
	assert_int_equal(f.value[FACT_RTIT_CTL], 0x55550570);
	assert_int_equal(f.features.maxphyaddr, 39);
	assert_int_equal(f.value[FACT_VMX_BASIC], 0x55550480);
	assert_int_equal(f.value[FACT_CR4], CR4_LINUX);
	has_vmx_msrs = false;
	vmx_facts_read(&f);
	assert_int_equal(f.value[FACT_FEATURE_CONTROL], 0);
	assert_int_equal(f.value[FACT_RTIT_CTL], 0);
	assert_int_equal(f.value[FACT_VMX_BASIC], 0);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(a_good_machine_is_accepted),
	cmocka_unit_test(each_requirement),
	cmocka_unit_test(physical_addresses_up_to_48_bits),
	cmocka_unit_test(the_first_reason_comes_first),
	cmocka_unit_test(facts_are_read_from_where_they_are),
};

UNIT_MAIN(tests)
