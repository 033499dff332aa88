// SPDX-License-Identifier: GPL-2.0-only
/* The choice of VMX controls: what is required, what features ask for, what a CPU insists on. */
#include "unit.h"

#include "insn.h"
#include "vmx/capability.h"
#include "x86/cpuid.h"
#include "x86/msr.h"
#include "x86/vmx.h"

/* The five words by number, as in the capability MSRs. */
enum word { PIN, PRIMARY, SECONDARY, EXIT, ENTRY, WORDS };

static const char *const word_names[WORDS] = {
	"pin-based controls", "primary controls", "secondary controls",
	"exit controls",      "entry controls",
};

static uint64_t *capability_word(struct vmx_capability *c, enum word w)
{
	uint64_t *const words[WORDS] = { &c->pin, &c->primary, &c->secondary, &c->exit, &c->entry };

	return words[w];
}

/* SDM vol. 3, A.2: the default1 bits; what TRUE MSRs report as fixed to 1 is a subset of them. */
#define PIN_DEFAULT1 0x00000016u
#define PRIMARY_DEFAULT1 0x0401e172u
#define EXIT_DEFAULT1 0x00036dffu
#define ENTRY_DEFAULT1 0x000011ffu

#define WORD(allowed1, allowed0) ((uint64_t)(allowed1) << 32 | (allowed0))

/*
 * A Haswell: TRUE MSRs, so that CR3 load and store exiting (primary 15 and 16) and the debug
 * controls (exit 2, entry 2) are not fixed to 1; EPT with 2 MiB and 1 GiB pages, VPID.
 */
static struct vmx_capability haswell(void)
{
	return (struct vmx_capability){
		.basic = 0x00da040000000012 | VMX_BASIC_TRUE_CONTROLS,
		.pin = WORD(0x0000007f, 0x00000016),
		.primary = WORD(0xfff9fffe, 0x04006172),
		.secondary = WORD(0x00007cff, 0),
		.exit = WORD(0x007fffff, 0x00036dfb),
		.entry = WORD(0x0000ffff, 0x000011fb),
		.ept_vpid = 0x00000f0106334141,
	};
}

static struct vmx_features features_of_haswell(void)
{
	return (struct vmx_features){
		.has = { [CPUID_FEATURE_RDTSCP] = true, [CPUID_FEATURE_INVPCID] = true },
		.maxphyaddr = 39,
	};
}

static void must_choose(const struct vmx_capability *c, const struct vmx_features *f, bool ept,
			struct vmx_controls *out)
{
	struct vmx_obstacle o = { 0 };

	if (!vmx_controls_negotiate(c, f, ept, out, &o))
		fail_msg("%s: %s %s", o.word, o.name, o.forced ? "forced" : "missing");
}

static void must_refuse(const struct vmx_capability *c, const struct vmx_features *f, bool ept,
			enum word word, const char *name, bool forced)
{
	struct vmx_controls out;
	struct vmx_obstacle o = { 0 };

	if (vmx_controls_negotiate(c, f, ept, &out, &o))
		fail_msg("%s %s: accepted", word_names[word], name);
	assert_string_equal(o.word, word_names[word]);
	assert_string_equal(o.name, name);
	assert_int_equal(o.forced, forced);
}

/*
 * The whole choice on a known CPU, as literal numbers. Exits asked for: none but what cannot be
 * avoided (MSR bitmaps are on, so that MSRs do not exit); what is needed for an injection's moment
 * is off.
 */
static void the_choice_on_haswell(void **state)
{
	const struct vmx_capability c = haswell();
	const struct vmx_features f = features_of_haswell();
	struct vmx_controls out;

	(void)state;
	must_choose(&c, &f, true, &out);
	assert_int_equal(out.pin, 0x00000016);
	assert_int_equal(out.primary, 0x04006172 | 1u << 28 | 1u << 31);
	assert_int_equal(out.secondary, 1u << 1 | 1u << 3 | 1u << 5 | 1u << 12);
	assert_int_equal(out.exit, 0x00036dfb | 1u << 2 | 1u << 9);
	assert_int_equal(out.entry, 0x000011fb | 1u << 2 | 1u << 9);
	must_choose(&c, &f, false, &out);
	assert_int_equal(out.secondary, 1u << 3 | 1u << 5 | 1u << 12);
}

/*
 * A CPU with nothing but what is required, and nothing forced: reserved bits stay as it wants them.
 */
static void the_least_that_is_accepted(void **state)
{
	const struct vmx_capability c = {
		.pin = WORD(1u << 3 | 1u << 5, 0),
		.primary = WORD(1u << 2 | 1u << 22 | 1u << 28, 0),
		.exit = WORD(1u << 2 | 1u << 9, 0),
		.entry = WORD(1u << 2 | 1u << 9, 0),
	};
	const struct vmx_features f = { 0 };
	struct vmx_controls out;

	(void)state;
	must_choose(&c, &f, true, &out);
	assert_int_equal(out.pin, 0);
	assert_int_equal(out.primary, 1u << 28);
	assert_int_equal(out.secondary, 0);
	assert_int_equal(out.exit, 1u << 2 | 1u << 9);
	assert_int_equal(out.entry, 1u << 2 | 1u << 9);
}

/*
 * Each required bit missing: SDM vol. 3, A.3.1: "If bit 32+X is 0, ... control X must be 0".
 * Reasons: pin 3 and 5 with primary 22 open an NMI window (27.2.1.1: virtual NMIs need NMI exiting,
 * the window needs virtual NMIs); primary 2 opens one for an interrupt or #MC; 27 steps over a
 * dropped write; 28 keeps MSRs from exiting, 31 switches the secondary word on; exit 2, entry 2
 * carry DR7 and DEBUGCTL; exit 9, entry 9 are 64-bit mode.
 */
static void each_required_bit_missing(void **state)
{
	static const struct {
		enum word word;
		unsigned int bit;
		const char *name;
	} rows[] = {
		{ PIN, 3, "NMI_EXITING" },
		{ PIN, 5, "VIRTUAL_NMIS" },
		{ PRIMARY, 2, "INTERRUPT_WINDOW_EXITING" },
		{ PRIMARY, 22, "NMI_WINDOW_EXITING" },
		{ PRIMARY, 27, "MONITOR_TRAP_FLAG" },
		{ PRIMARY, 28, "USE_MSR_BITMAPS" },
		{ PRIMARY, 31, "ACTIVATE_SECONDARY_CONTROLS" },
		{ EXIT, 2, "SAVE_DEBUG_CONTROLS" },
		{ EXIT, 9, "HOST_ADDRESS_SPACE_SIZE" },
		{ ENTRY, 2, "LOAD_DEBUG_CONTROLS" },
		{ ENTRY, 9, "IA32E_MODE_GUEST" },
	};
	const struct vmx_features f = features_of_haswell();
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct vmx_capability c = haswell();

		*capability_word(&c, rows[i].word) &= ~(UINT64_C(1) << (32 + rows[i].bit));
		must_refuse(&c, &f, true, rows[i].word, rows[i].name, false);
	}
}

/* The monitor trap flag serves the EPT's hidden pages only. */
static void no_trap_flag_needed_without_ept(void **state)
{
	struct vmx_capability c = haswell();
	const struct vmx_features f = features_of_haswell();
	struct vmx_controls out;

	(void)state;
	c.primary &= ~(UINT64_C(1) << (32 + 27));
	must_choose(&c, &f, false, &out);
}

/*
 * A bit that the CPU insists on and that is not handled. SDM vol. 3, A.2: reserved default1 bits
 * are harmless at 1; those with a meaning are not, and a default0 bit that is forced is nothing we
 * know.
 */
static void check_forced(enum word word, uint32_t default1, uint32_t handled, bool ept)
{
	static const char *const names[WORDS][32] = {
#define NAME(name, bit) [bit] = #name,
		{ VMX_PIN_CONTROLS(NAME) },       { VMX_PRIMARY_CONTROLS(NAME) },
		{ VMX_SECONDARY_CONTROLS(NAME) }, { VMX_EXIT_CONTROLS(NAME) },
		{ VMX_ENTRY_CONTROLS(NAME) },
#undef NAME
	};
	const struct vmx_features f = features_of_haswell();
	unsigned int bit;

	for (bit = 0; bit < 32; bit++) {
		const char *name = names[word][bit];
		struct vmx_capability c = haswell();
		struct vmx_controls out;

		*capability_word(&c, word) |= WORD(1u << bit, 1u << bit);
		if (handled & 1u << bit || (default1 & 1u << bit && !name))
			must_choose(&c, &f, ept, &out);
		else
			must_refuse(&c, &f, ept, word, name ? name : "reserved", true);
	}
}

static void each_forced_bit(void **state)
{
	const uint32_t debug_and_64 = 1u << 2 | 1u << 9;

	(void)state;
	check_forced(SECONDARY, 0, 1u << 1 | 1u << 3 | 1u << 5 | 1u << 12, true);
	check_forced(SECONDARY, 0, 1u << 3 | 1u << 5 | 1u << 12, false);
	check_forced(EXIT, EXIT_DEFAULT1, debug_and_64, true);
	check_forced(ENTRY, ENTRY_DEFAULT1, debug_and_64, true);
}

/*
 * The same for the words that hold what is on for an injection's moment only: a CPU that insists on
 * NMI exiting, virtual NMIs, the NMI window or the monitor trap flag would have them on for good.
 */
static void each_forced_bit_of_pin_and_primary(void **state)
{
	(void)state;
	check_forced(PIN, PIN_DEFAULT1, 0, true);
	check_forced(PRIMARY, PRIMARY_DEFAULT1, 1u << 28 | 1u << 31, true);
	check_forced(PRIMARY, PRIMARY_DEFAULT1, 1u << 28 | 1u << 31, false);
}

/*
 * SDM vol. 3, A.3.2: IA32_VMX_PROCBASED_CTLS, without TRUE, reports CR3-load exiting and CR3-store
 * exiting as fixed to 1: Linux would exit at each task switch.
 */
static void the_old_words_are_refused_by_name(void **state)
{
	struct vmx_capability c = haswell();
	const struct vmx_features f = features_of_haswell();

	(void)state;
	c.primary = WORD(0xfff9fffe, PRIMARY_DEFAULT1);
	must_refuse(&c, &f, true, PRIMARY, "CR3_LOAD_EXITING", true);
}

/* --- EPT and VPID ----------------------------------------------------------------------------- */

/*
 * SDM vol. 3, A.10, VPID and EPT Capabilities: 6 page-walk length 4, 14 write-back, 16 2-MByte
 * pages, 20 INVEPT, 26 all-context INVEPT; 32 INVVPID, 42 all-context INVVPID. Each alone missing:
 * no EPT, or no VPID, while the other stays; 1-GByte pages (17) and accessed flags (21) are not
 * needed.
 */
static void what_ept_and_vpid_need(void **state)
{
	const uint64_t ept = 1u << 6 | 1u << 14 | 1u << 16 | 1u << 20 | 1u << 26;
	const uint64_t vpid = UINT64_C(1) << 32 | UINT64_C(1) << 42;
	const struct vmx_features f = features_of_haswell();
	unsigned int bit;

	(void)state;
	for (bit = 0; bit < 64; bit++) {
		struct vmx_capability c = haswell();
		struct vmx_controls out;

		c.ept_vpid = (ept | vpid) & ~(UINT64_C(1) << bit);
		assert_int_equal(vmx_has_ept(&c), !(ept >> bit & 1));
		assert_int_equal(vmx_has_vpid(&c), !(vpid >> bit & 1));
		must_choose(&c, &f, true, &out);
		assert_int_equal(out.secondary >> 1 & 1, !(ept >> bit & 1));
		assert_int_equal(out.secondary >> 5 & 1, !(vpid >> bit & 1));
	}
}

/* The controls themselves must be allowed, too. */
static void ept_and_vpid_need_their_controls(void **state)
{
	struct vmx_capability c = haswell();

	(void)state;
	assert_true(vmx_has_ept(&c) && vmx_has_vpid(&c));
	c.secondary &= ~(UINT64_C(1) << (32 + 1));
	assert_true(!vmx_has_ept(&c) && vmx_has_vpid(&c));
	c = haswell();
	c.secondary &= ~(UINT64_C(1) << (32 + 5));
	assert_true(vmx_has_ept(&c) && !vmx_has_vpid(&c));
}

/*
 * SDM vol. 3, A.7, VMX-Fixed Bits in CR0: a bit of FIXED0 must be 1, a bit not in FIXED1 must be 0.
 */
static void fixed_bits(void **state)
{
	(void)state;
	assert_true(vmx_fixed_ok(0x80050033, 0x80000021, 0xffffffff));
	assert_false(vmx_fixed_ok(0x80050013, 0x80000021, 0xffffffff));
	assert_false(vmx_fixed_ok(0x180050033, 0x80000021, 0xffffffff));
	assert_true(vmx_fixed_ok(0, 0, 0));
	assert_true(vmx_fixed_ok(UINT64_MAX, UINT64_MAX, UINT64_MAX));
	assert_false(vmx_fixed_ok(UINT64_MAX ^ UINT64_C(1) << 63, UINT64_MAX, UINT64_MAX));
}

/* --- Reading ---------------------------------------------------------------------------------- */

static uint64_t basic, procbased_allowed1, procbased2_allowed1;

/* Each MSR reads as its own number in the low half; those below 480h or above 490h fault. */
bool insn_rdmsr_safe(uint32_t msr, uint64_t *value)
{
	if (msr < MSR_IA32_VMX_BASIC || msr > MSR_IA32_VMX_TRUE_ENTRY_CTLS)
		return false;
	*value = msr;
	if (msr == MSR_IA32_VMX_BASIC)
		*value = basic;
	if (msr == MSR_IA32_VMX_PROCBASED_CTLS || msr == MSR_IA32_VMX_TRUE_PROCBASED_CTLS)
		*value |= procbased_allowed1 << 32;
	if (msr == MSR_IA32_VMX_PROCBASED_CTLS2)
		*value |= procbased2_allowed1 << 32;
	return true;
}

uint64_t insn_rdmsr(uint32_t msr)
{
	uint64_t value = 0;

	assert_true(insn_rdmsr_safe(msr, &value));
	/* The TRUE ones exist only if IA32_VMX_BASIC says so, the second word if the first does. */
	assert_true(msr < MSR_IA32_VMX_TRUE_PINBASED_CTLS || basic >> 55 & 1);
	assert_true(msr != MSR_IA32_VMX_PROCBASED_CTLS2 || procbased_allowed1 >> 31);
	return value;
}

/* The capabilities are in MSRs alone. */
void insn_cpuid(uint32_t leaf, uint32_t subleaf, struct cpuid_regs *out)
{
	(void)out;
	fail_msg("CPUID %x.%u", leaf, subleaf);
}

/*
 * SDM vol. 3, A.1: IA32_VMX_BASIC bit 55: the TRUE capability MSRs exist, then they are to be used.
 */
static void true_words_where_they_exist(void **state)
{
	struct vmx_capability c;

	(void)state;
	procbased_allowed1 = procbased2_allowed1 = 0;
	basic = UINT64_C(1) << 55;
	vmx_capability_read(&c);
	assert_int_equal(c.basic, basic);
	assert_int_equal(c.pin, 0x48d);
	assert_int_equal(c.primary, 0x48e);
	assert_int_equal(c.exit, 0x48f);
	assert_int_equal(c.entry, 0x490);
	assert_int_equal(c.misc, 0x485);
	assert_int_equal(c.cr0_fixed0, 0x486);
	assert_int_equal(c.cr0_fixed1, 0x487);
	assert_int_equal(c.cr4_fixed0, 0x488);
	assert_int_equal(c.cr4_fixed1, 0x489);
	basic = 0;
	vmx_capability_read(&c);
	assert_int_equal(c.pin, 0x481);
	assert_int_equal(c.primary, 0x482);
	assert_int_equal(c.exit, 0x483);
	assert_int_equal(c.entry, 0x484);
}

/* SDM vol. 3, A.3.3 and A.10: CTLS2 exists with primary 31, EPT_VPID_CAP with secondary 1 or 5. */
static void later_words_only_where_they_exist(void **state)
{
	static const unsigned int bits[] = { 1, 5 };
	struct vmx_capability c;
	unsigned int i;

	(void)state;
	basic = 0;
	procbased_allowed1 = 0;
	procbased2_allowed1 = UINT32_MAX;
	vmx_capability_read(&c);
	assert_int_equal(c.secondary, 0);
	assert_int_equal(c.ept_vpid, 0);
	procbased_allowed1 = 1u << 31;
	procbased2_allowed1 = ~(1u << 1 | 1u << 5);
	vmx_capability_read(&c);
	assert_int_equal((uint32_t)c.secondary, 0x48b);
	assert_int_equal(c.ept_vpid, 0);
	for (i = 0; i < 2; i++) {
		procbased2_allowed1 = 1u << bits[i];
		vmx_capability_read(&c);
		assert_int_equal(c.ept_vpid, 0x48c);
	}
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(the_choice_on_haswell),
	cmocka_unit_test(the_least_that_is_accepted),
	cmocka_unit_test(each_required_bit_missing),
	cmocka_unit_test(no_trap_flag_needed_without_ept),
	cmocka_unit_test(each_forced_bit),
	cmocka_unit_test(each_forced_bit_of_pin_and_primary),
	cmocka_unit_test(the_old_words_are_refused_by_name),
	cmocka_unit_test(what_ept_and_vpid_need),
	cmocka_unit_test(ept_and_vpid_need_their_controls),
	cmocka_unit_test(fixed_bits),
	cmocka_unit_test(true_words_where_they_exist),
	cmocka_unit_test(later_words_only_where_they_exist),
};

UNIT_MAIN(tests)
