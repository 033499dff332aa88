// SPDX-License-Identifier: GPL-2.0-only
/* The MSR bitmap, bit by bit: what exits is what docs/exits.md says, and no more. */
#include "unit.h"

#include "fake.h"
#include "window.h"
#include "x86/msr.h"
#include "x86/mtrr.h"
#include "x86/vmx.h"

#define RANGE 0x2000 /* MSRs in each of the four parts. SDM vol. 3, 25.6.9, MSR-Bitmap Address    */
#define HIGH UINT32_C(0xc0000000)

#define VARIABLE 3 /* ranges; the fake's own are fewer */

/* SDM vol. 4, table 2-2: the MTRRs, and IA32_BIOS_UPDT_TRIG. */
static bool must_exit(uint32_t msr)
{
	return msr == 0x79 || (msr >= 0x200 && msr < 0x200 + 2 * VARIABLE) || msr == 0x250 ||
	       msr == 0x258 || msr == 0x259 || (msr >= 0x268 && msr <= 0x26f) || msr == 0x2ff;
}

static bool bit(uint32_t part, uint32_t msr)
{
	const uint8_t *bitmap = (const uint8_t *)fake_field(VMCS_MSR_BITMAP) + part;

	return bitmap[msr % RANGE / 8] >> msr % 8 & 1;
}

static int prepared(void **unused)
{
	const struct fake_options options = { 0 };
	uint32_t i;

	(void)unused;
	fake_machine(&options);
	fake_set_msr(MSR_IA32_MTRRCAP, VARIABLE);
	for (i = 0; i < 2 * VARIABLE; i++)
		fake_set_msr(0x200 + i, 0);
	fake_boot();
	return 0;
}

static void no_read_exits(void **unused)
{
	uint32_t msr;

	(void)unused;
	for (msr = 0; msr < RANGE; msr++)
		if (bit(0x000, msr) || bit(0x400, msr))
			fail_msg("RDMSR of %x or %x exits", msr, HIGH + msr);
}

static void writes_of_mtrrs_and_microcode_exit(void **unused)
{
	uint32_t msr;

	(void)unused;
	for (msr = 0; msr < RANGE; msr++) {
		if (bit(0x800, msr) != must_exit(msr))
			fail_msg("WRMSR of %x %s", msr, must_exit(msr) ? "does not exit" : "exits");
		if (bit(0xc00, msr))
			fail_msg("WRMSR of %x exits", HIGH + msr);
	}
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test_setup(no_read_exits, prepared),
	cmocka_unit_test_setup(writes_of_mtrrs_and_microcode_exit, prepared),
};

UNIT_MAIN(tests)
