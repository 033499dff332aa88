// SPDX-License-Identifier: GPL-2.0-only
/* The policy on CPU features, row by row, on a faked CPU. */
#include "unit.h"

#include "insn.h"
#include "vmx/capability.h"
#include "vmx/require.h"

/* --- The fake CPU: CPUID by leaf, CR4, MSRs --------------------------------------------------- */

struct bit {
	uint32_t leaf, subleaf;
	char reg; /* a, b, c, d; 0: no such bit                                                   */
	unsigned int bit;
};

static struct {
	uint32_t highest_basic, highest_extended, highest_7;
	const struct bit *shown; /* one feature, beside VMX                                       */
	bool garbage;            /* leaves that do not exist answer with all bits set             */
	bool td_guest;
	char td_wrong; /* a register of the trust domain's name that has another one's            */
	const char *outer; /* the hypervisor that the machine is a guest of                       */
	uint64_t cr4, rtit_ctl;
	uint32_t secondary;
} cpu;

static void setup_cpu(void)
{
	memset(&cpu, 0, sizeof(cpu));
	cpu.highest_basic = 0x21;
	cpu.highest_extended = 0x80000008;
	cpu.highest_7 = 2;
	/* A 6.12 kernel on a Skylake with PTI and PCIDs, without CR4.VMXE. */
	cpu.cr4 = 0x7706f0;
	cpu.secondary = UINT32_MAX;
}

static int fresh_cpu(void **state)
{
	(void)state;
	setup_cpu();
	return 0;
}

static void show(struct cpuid_regs *r, char reg, unsigned int bit)
{
	uint32_t *const regs[] = { &r->eax, &r->ebx, &r->ecx, &r->edx };

	*regs[reg - 'a'] |= 1u << bit;
}

static bool exists(uint32_t leaf, uint32_t subleaf)
{
	if (leaf == 7)
		return cpu.highest_basic >= 7 && subleaf <= cpu.highest_7;
	return leaf <= (leaf >> 31 ? cpu.highest_extended : cpu.highest_basic);
}

/* SDM vol. 2, CPUID: beyond the highest leaf come the data of the highest basic one. */
void insn_cpuid(uint32_t leaf, uint32_t subleaf, struct cpuid_regs *r)
{
	*r = (struct cpuid_regs){ 0 };
	if (cpu.outer && leaf == 1)
		show(r, 'c', 31);
	if (cpu.outer && leaf == 0x40000000) {
		r->eax = leaf;
		memcpy(&r->ebx, cpu.outer, 4);
		memcpy(&r->ecx, cpu.outer + 4, 4);
		memcpy(&r->edx, cpu.outer + 8, 4);
	}
	if (leaf >> 28 == 4)
		return;
	if (!exists(leaf, subleaf)) {
		assert_true(cpu.garbage);
		*r = (struct cpuid_regs){ UINT32_MAX, UINT32_MAX, UINT32_MAX, UINT32_MAX };
		return;
	}
	if (leaf == 0)
		r->eax = cpu.highest_basic;
	else if (leaf == 0x80000000)
		r->eax = cpu.highest_extended;
	else if (leaf == 0x80000008)
		r->eax = 0x302e;
	else if (leaf == 7 && subleaf == 0)
		r->eax = cpu.highest_7;
	else if (leaf == 1)
		show(r, 'c', 5);
	else if (leaf == 0x21 && cpu.td_guest)
		/* Intel TDX Module ABI, CPUID 21H: "IntelTDX    " in EBX, EDX, ECX */
		*r = (struct cpuid_regs){ 0, 0x65746e49, 0x20202020, 0x5844546c };
	if (leaf == 0x21 && cpu.td_wrong)
		show(r, cpu.td_wrong, 31);
	if (cpu.shown && cpu.shown->reg && cpu.shown->leaf == leaf && cpu.shown->subleaf == subleaf)
		show(r, cpu.shown->reg, cpu.shown->bit);
}

bool insn_rdmsr_safe(uint32_t msr, uint64_t *value)
{
	static const struct {
		uint32_t msr;
		uint64_t value;
	} constants[] = {
		{ 0x03a, 5 }, /* feature control: locked, VMX outside SMX                         */
		{ 0x480, UINT64_C(0x00da040000000012) },
		{ 0x48d, 0x0000007f00000016 }, /* the TRUE words of a Haswell                     */
		{ 0x48e, 0xfff9fffe04006172 },
		{ 0x48f, 0x007fffff00036dfb },
		{ 0x490, 0x0000ffff000011fb },
		{ 0xc0000080, 0xd01 },
	};
	size_t i;

	*value = 0;
	for (i = 0; i < sizeof(constants) / sizeof(constants[0]); i++)
		if (constants[i].msr == msr)
			*value = constants[i].value;
	if (msr == 0x48b)
		*value = (uint64_t)cpu.secondary << 32;
	else if (msr == 0x570)
		*value = cpu.rtit_ctl;
	return true;
}

uint64_t insn_rdmsr(uint32_t msr)
{
	uint64_t value;

	insn_rdmsr_safe(msr, &value);
	return value;
}

uint64_t insn_read_cr4(void)
{
	return cpu.cr4;
}

/* --- What is asked of it ---------------------------------------------------------------------- */

static const char *refusal(void)
{
	struct vmx_facts facts;

	vmx_facts_read(&facts);
	return vmx_unmet(&facts);
}

/* The secondary word chosen, or NULL and the obstacle; no EPT or VPID, which the fake lacks. */
static const char *choose(uint32_t *secondary)
{
	static struct vmx_obstacle obstacle;
	struct vmx_capability capability;
	struct vmx_controls controls;
	struct vmx_features features;

	vmx_capability_read(&capability);
	vmx_features_read(&features);
	if (!vmx_controls_negotiate(&capability, &features, true, &controls, &obstacle)) {
		assert_false(obstacle.forced);
		assert_string_equal(obstacle.word, "secondary controls");
		return obstacle.name;
	}
	*secondary = controls.secondary;
	return NULL;
}

static void must_choose(const char *row, uint32_t expected)
{
	const char *missing, *sentence = refusal();
	uint32_t secondary = 0;

	if (sentence)
		fail_msg("%s: refused: %s", row, sentence);
	missing = choose(&secondary);
	if (missing)
		fail_msg("%s: asks for %s", row, missing);
	if (secondary != expected)
		fail_msg("%s: secondary controls %x, not %x", row, secondary, expected);
}

static void must_refuse(const char *row, const char *word)
{
	const char *sentence = refusal();

	if (!sentence || !strstr(sentence, word))
		fail_msg("%s: expected a sentence with '%s', got '%s'", row, word,
			 sentence ? sentence : "(accepted)");
}

/* --- Rows that ask for a control -------------------------------------------------------------- */

/* SDM vol. 2, 3.3, CPUID; vol. 3, 25.6.2, table of secondary controls, and 26.3: #UD if 0 */
static const struct {
	const char *name;
	struct bit cpuid;
	unsigned int control;
	const char *control_name;
} with_control[] = {
	{ "RDTSCP", { 0x80000001, 0, 'd', 27 }, 3, "ENABLE_RDTSCP" },
	{ "RDPID", { 7, 0, 'c', 22 }, 3, "ENABLE_RDTSCP" },
	{ "INVPCID", { 7, 0, 'b', 10 }, 12, "ENABLE_INVPCID" },
	{ "XSAVES", { 0xd, 1, 'a', 3 }, 20, "ENABLE_XSAVES_XRSTORS" },
	{ "WAITPKG", { 7, 0, 'c', 5 }, 26, "ENABLE_USER_WAIT_AND_PAUSE" },
	{ "PCONFIG", { 7, 0, 'd', 18 }, 27, "ENABLE_PCONFIG" },
};

static void control_there_is_chosen(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(with_control) / sizeof(with_control[0]); i++) {
		setup_cpu();
		must_choose(with_control[i].name, 0);
		cpu.shown = &with_control[i].cpuid;
		must_choose(with_control[i].name, 1u << with_control[i].control);
	}
}

static void control_missing_is_refused_by_name(void **state)
{
	uint32_t secondary;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(with_control) / sizeof(with_control[0]); i++) {
		const char *missing;

		setup_cpu();
		cpu.secondary = ~(1u << with_control[i].control);
		must_choose(with_control[i].name, 0);
		cpu.shown = &with_control[i].cpuid;
		missing = choose(&secondary);
		if (!missing)
			fail_msg("%s: accepted without its control", with_control[i].name);
		assert_string_equal(missing, with_control[i].control_name);
	}
}

/* --- Rows that are refused while in use ------------------------------------------------------- */

/* SDM vol. 3, 2.5, Control Registers; FRED Specification: CR4 bit 32 */
static const struct {
	const char *name;
	struct bit cpuid;
	unsigned int cr4_bit;
	const char *word;
} refused_in_cr4[] = {
	{ "LA57", { 7, 0, 'c', 16 }, 12, "boot with no5lvl" },
	{ "CET_IBT", { 7, 0, 'd', 20 }, 23, "boot with ibt=off clearcpuid=519" },
	{ "CET_SS", { 7, 0, 'c', 7 }, 23, "boot with ibt=off clearcpuid=519" },
	{ "CET_SSS", { 7, 1, 'd', 18 }, 23, "boot with ibt=off clearcpuid=519" },
	{ "PKS", { 7, 0, 'c', 31 }, 24, "CR4.PKS" },
	{ "UINTR", { 7, 0, 'd', 5 }, 25, "CR4.UINTR" },
	{ "FRED", { 7, 1, 'a', 17 }, 32, "boot with fred=off" },
	{ "LASS", { 7, 1, 'a', 6 }, 27, "boot with clearcpuid=lass" },
	{ "LAM_SUP", { 7, 1, 'a', 26 }, 28, "CR4.LAM_SUP" },
	{ "KL", { 7, 0, 'c', 23 }, 19, "CR4.KL" },
	{ "SMX", { 1, 0, 'c', 6 }, 14, "CR4.SMXE" },
};

static void refused_while_its_bit_of_cr4_is_set(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(refused_in_cr4) / sizeof(refused_in_cr4[0]); i++) {
		setup_cpu();
		cpu.shown = &refused_in_cr4[i].cpuid;
		must_choose(refused_in_cr4[i].name, 0);
		cpu.cr4 |= UINT64_C(1) << refused_in_cr4[i].cr4_bit;
		must_refuse(refused_in_cr4[i].name, refused_in_cr4[i].word);
		/* Whatever CPUID says. */
		cpu.shown = NULL;
		must_refuse(refused_in_cr4[i].name, refused_in_cr4[i].word);
	}
}

/* SDM vol. 3, 33.2.8.2, IA32_RTIT_CTL: TraceEn is bit 0; the other bits only configure. */
static void refused_while_pt_traces(void **state)
{
	const struct bit pt = { 7, 0, 'b', 25 };

	(void)state;
	cpu.shown = &pt;
	cpu.rtit_ctl = ~UINT64_C(1);
	must_choose("PT", 0);
	cpu.rtit_ctl = 1;
	must_refuse("PT", "Intel PT is tracing");
}

/* Its use cannot be seen: what CPUID shows may be used at any time. */
static void refused_where_cpuid_shows_it(void **state)
{
	const struct bit msrlist = { 7, 1, 'a', 27 };
	uint32_t secondary = 0;

	(void)state;
	must_choose("MSRLIST", 0);
	cpu.shown = &msrlist;
	must_refuse("MSRLIST", "RDMSRLIST and WRMSRLIST");
	assert_null(choose(&secondary));
	assert_int_equal(secondary, 0);
}

static void refused_in_a_trust_domain(void **state)
{
	(void)state;
	must_choose("TDX", 0);
	cpu.td_guest = true;
	must_refuse("TDX", "TDX trust domain");
	for (cpu.td_wrong = 'b'; cpu.td_wrong <= 'd'; cpu.td_wrong++)
		must_choose("TDX", 0);
	cpu.td_wrong = 0;
	/* The leaf does not exist: what is there instead says nothing. */
	cpu.highest_basic = 0x20;
	cpu.garbage = true;
	must_choose("TDX", 0);
}

/* KVM is the one that is known to serve Linux under a VMM. */
static void refused_as_the_guest_of_some_hypervisors(void **state)
{
	(void)state;
	must_choose("XEN", 0);
	cpu.outer = "KVMKVMKVM\0\0\0";
	must_choose("XEN", 0);
	cpu.outer = "XenVMMXenVMM";
	must_refuse("XEN", "Xen flushes");
	cpu.outer = "Microsoft Hv";
	must_refuse("HYPERV", "Hyper-V flushes");
	cpu.outer = "VMwareVMware";
	must_refuse("NESTED", "is not known");
}

/* --- Rows that need nothing ------------------------------------------------------------------- */

static const struct {
	const char *name;
	struct bit cpuid;
	uint64_t cr4;
} supported[] = {
	{ "BASE", { 0 }, 0x1ff },
	{ "SSE", { 0 }, 0x600 },
	{ "UMIP", { 7, 0, 'c', 2 }, 1u << 11 },
	{ "VMX", { 1, 0, 'c', 5 }, 1u << 13 },
	{ "FSGSBASE", { 7, 0, 'b', 0 }, 1u << 16 },
	{ "PCID", { 1, 0, 'c', 17 }, 1u << 17 },
	{ "XSAVE", { 1, 0, 'c', 26 }, 1u << 18 },
	{ "SMEP", { 7, 0, 'b', 7 }, 1u << 20 },
	{ "SMAP", { 7, 0, 'b', 20 }, 1u << 21 },
	{ "PKU", { 7, 0, 'c', 3 }, 1u << 22 },
	{ "ENQCMD", { 7, 0, 'c', 29 }, 0 },
	{ "AMX", { 7, 0, 'd', 24 }, 0 },
	{ "XFD", { 0xd, 1, 'a', 4 }, 0 },
	{ "MPX", { 7, 0, 'b', 14 }, 0 },
	{ "LAM", { 7, 1, 'a', 26 }, 0 },
	{ "SGX", { 7, 0, 'b', 2 }, 0 },
	{ "SGX_LC", { 7, 0, 'c', 30 }, 0 },
	{ "TME", { 7, 0, 'c', 13 }, 0 },
	{ "RTM", { 7, 0, 'b', 11 }, 0 },
	{ "BUS_LOCK_DETECT", { 7, 0, 'c', 24 }, 0 },
	{ "PEBS", { 1, 0, 'd', 21 }, 0 },
	{ "ARCH_LBR", { 7, 0, 'd', 19 }, 0 },
	{ "HRESET", { 7, 1, 'a', 22 }, 0 },
	{ "LKGS", { 7, 1, 'a', 18 }, 0 },
	{ "WRMSRNS", { 7, 1, 'a', 19 }, 0 },
	{ "WBNOINVD", { 0x80000008, 0, 'b', 9 }, 0 },
	{ "MONITOR", { 1, 0, 'c', 3 }, 0 },
	{ "X2APIC", { 1, 0, 'c', 21 }, 0 },
	{ "SPEC_CTRL", { 7, 0, 'd', 26 }, 0 },
};

/* On and in use: nothing is said, and no control is asked for, even of a CPU that has none. */
static void supported_asks_for_nothing(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(supported) / sizeof(supported[0]); i++) {
		setup_cpu();
		cpu.cr4 = 1u << 5;
		must_choose(supported[i].name, 0);
		cpu.shown = &supported[i].cpuid;
		cpu.cr4 |= supported[i].cr4;
		must_choose(supported[i].name, 0);
		cpu.secondary = 0;
		must_choose(supported[i].name, 0);
	}
}

/* --- The table as a whole --------------------------------------------------------------------- */

#define ROW(name, cpuid, control, where, bits, verdict, sentence) { #name, #cpuid, bits },
static const struct {
	const char *name, *cpuid;
	uint64_t bits;
} rows[] = { VMX_FEATURES(ROW) };

#define ROWS (sizeof(rows) / sizeof(rows[0]))

static bool is(const char *a, const char *b)
{
	return !strcmp(a, b);
}

/* Those with a test of their own. */
static const struct {
	const char *name;
	struct bit cpuid;
} others[] = {
	{ "PT", { 7, 0, 'b', 25 } },
	{ "MSRLIST", { 7, 1, 'a', 27 } },
	{ "TDX", { 0 } },
	{ "XEN", { 0 } },
	{ "HYPERV", { 0 } },
	{ "NESTED", { 0 } },
};

#define TESTED                                                                                     \
	(sizeof(with_control) / sizeof(with_control[0]) +                                          \
	 sizeof(refused_in_cr4) / sizeof(refused_in_cr4[0]) +                                      \
	 sizeof(supported) / sizeof(supported[0]) + sizeof(others) / sizeof(others[0]))

static const struct bit *bit_of_row(const char *name)
{
	size_t i;

	for (i = 0; i < sizeof(with_control) / sizeof(with_control[0]); i++)
		if (is(with_control[i].name, name))
			return &with_control[i].cpuid;
	for (i = 0; i < sizeof(refused_in_cr4) / sizeof(refused_in_cr4[0]); i++)
		if (is(refused_in_cr4[i].name, name))
			return &refused_in_cr4[i].cpuid;
	for (i = 0; i < sizeof(supported) / sizeof(supported[0]); i++)
		if (is(supported[i].name, name))
			return &supported[i].cpuid;
	for (i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		if (is(others[i].name, name))
			return &others[i].cpuid;
	return NULL;
}

/* Literals above, the table here: the same bit of CPUID; no row without a test, nor the reverse. */
static void each_row_is_tested_at_its_bit_of_cpuid(void **state)
{
#define SOURCE(name, leaf, subleaf, reg, bit) { #name, leaf, subleaf, #reg, bit },
	static const struct {
		const char *name;
		uint32_t leaf, subleaf;
		const char *reg;
		unsigned int bit;
	} sources[] = { CPUID_FEATURES(SOURCE) };
#undef SOURCE
	size_t i, j;

	(void)state;
	assert_int_equal(ROWS, TESTED);
	for (i = 0; i < ROWS; i++) {
		const struct bit *b = bit_of_row(rows[i].name);
		bool found = is(rows[i].cpuid, "NONE") && b && !b->reg;

		if (!b)
			fail_msg("%s has no test", rows[i].name);
		for (j = 0; j < CPUID_FEATURE_COUNT && !found; j++)
			found = is(sources[j].name, rows[i].cpuid) && sources[j].leaf == b->leaf &&
				sources[j].subleaf == b->subleaf && sources[j].bit == b->bit &&
				sources[j].reg[1] - 'A' == b->reg - 'a';
		if (!found)
			fail_msg("%s is not tested at CPUID's %s", rows[i].name, rows[i].cpuid);
	}
}

/* Features that share a bit of CR4 do not hide each other's rows. */
static void each_refused_row_has_its_bit_of_cr4(void **state)
{
	size_t i, j;

	(void)state;
	for (i = 0; i < sizeof(refused_in_cr4) / sizeof(refused_in_cr4[0]); i++)
		for (j = 0; j < ROWS; j++)
			if (is(rows[j].name, refused_in_cr4[i].name))
				assert_int_equal(rows[j].bits,
						 UINT64_C(1) << refused_in_cr4[i].cr4_bit);
}

/* A bit of CR4 that has no row is a feature nobody thought of. */
static void unknown_bits_of_cr4(void **state)
{
	const uint64_t known = UINT64_C(0x11bff7fff);
	unsigned int bit;

	(void)state;
	for (bit = 0; bit < 64; bit++) {
		const char *sentence;

		setup_cpu();
		cpu.cr4 |= UINT64_C(1) << bit;
		sentence = refusal();
		if (known >> bit & 1)
			assert_true(!sentence || !strstr(sentence, "does not know"));
		else
			must_refuse("CR4", "does not know");
	}
	assert_int_equal(VMX_CR4_SUPPORTED | VMX_CR4_REFUSED, known);
	assert_int_equal(VMX_CR4_REFUSED, UINT64_C(0x11b885000));
}

/* Where a leaf is missing, nothing of what CPUID answers is taken for a feature. */
static void leaves_that_do_not_exist(void **state)
{
	struct vmx_features f;
	unsigned int i, n = 0;

	(void)state;
	cpu.garbage = true;
	cpu.highest_basic = 1;
	cpu.highest_extended = 0x80000000;
	vmx_features_read(&f);
	for (i = 0; i < CPUID_FEATURE_COUNT; i++)
		n += f.has[i];
	assert_int_equal(n, 1);
	assert_true(f.has[CPUID_FEATURE_VMX]);
	assert_false(f.td_guest);
	assert_int_equal(f.maxphyaddr, 36);
	/* Leaf 7 without subleaf 1. */
	cpu.highest_basic = 7;
	cpu.highest_7 = 0;
	vmx_features_read(&f);
	assert_false(f.has[CPUID_FEATURE_MSRLIST] || f.has[CPUID_FEATURE_CET_SSS]);
	cpu.highest_extended = 0x80000008;
	vmx_features_read(&f);
	assert_int_equal(f.maxphyaddr, 46);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(control_there_is_chosen),
	cmocka_unit_test(control_missing_is_refused_by_name),
	cmocka_unit_test(refused_while_its_bit_of_cr4_is_set),
	cmocka_unit_test_setup(refused_while_pt_traces, fresh_cpu),
	cmocka_unit_test_setup(refused_where_cpuid_shows_it, fresh_cpu),
	cmocka_unit_test_setup(refused_in_a_trust_domain, fresh_cpu),
	cmocka_unit_test_setup(refused_as_the_guest_of_some_hypervisors, fresh_cpu),
	cmocka_unit_test(supported_asks_for_nothing),
	cmocka_unit_test(each_row_is_tested_at_its_bit_of_cpuid),
	cmocka_unit_test(each_refused_row_has_its_bit_of_cr4),
	cmocka_unit_test(unknown_bits_of_cr4),
	cmocka_unit_test_setup(leaves_that_do_not_exist, fresh_cpu),
};

UNIT_MAIN(tests)
