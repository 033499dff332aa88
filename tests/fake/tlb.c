// SPDX-License-Identifier: GPL-2.0-only
/* The TLB: translations cached before, what each instruction drops, what could still be used. */
#include <stddef.h>

#include "fake.h"
#include "x86/cr.h"
#include "x86/vmx.h"

void tlb_cache(struct fake_translation t)
{
	unsigned int i;

	for (i = 0; i < FAKE_TLB_SIZE && fake.tlb[i].valid; i++)
		;
	if (i == FAKE_TLB_SIZE)
		__builtin_trap();
	t.valid = true;
	fake.tlb[i] = t;
}

/* Has the test made this flush fail to happen? */
static bool dropped(void)
{
	int n = fake.flushes++ - fake.drop_flush;

	return fake.drop_flush != FAKE_NEVER && n >= 0 && n < fake.drop_flushes;
}

/* SDM vol. 3, 4.10.4.1, Operations that Invalidate TLBs and Paging-Structure Caches */
void tlb_mov_cr3(uint64_t value)
{
	uint16_t pcid = fake.cpu.cr4 & CR4_PCIDE ? value & CR3_PCID : 0;
	unsigned int i;

	if (value & CR3_NOFLUSH)
		return;
	for (i = 0; i < FAKE_TLB_SIZE; i++)
		if (fake.tlb[i].vpid == 0 && fake.tlb[i].pcid == pcid && !fake.tlb[i].global)
			fake.tlb[i].valid = false;
}

void tlb_mov_cr4(uint64_t old, uint64_t value)
{
	unsigned int i;

	if (!((old ^ value) & CR4_PGE) || dropped())
		return;
	for (i = 0; i < FAKE_TLB_SIZE; i++)
		if (fake.tlb[i].vpid == 0)
			fake.tlb[i].valid = false;
}

/* SDM vol. 3, 29.4.3.1, Operations that Invalidate Cached Mappings */
void tlb_invept_all(void)
{
	unsigned int i;

	if (dropped())
		return;
	for (i = 0; i < FAKE_TLB_SIZE; i++)
		if (fake.tlb[i].kind != MAP_LINEAR)
			fake.tlb[i].valid = false;
}

void tlb_invvpid_all(void)
{
	unsigned int i;

	if (dropped())
		return;
	for (i = 0; i < FAKE_TLB_SIZE; i++)
		if (fake.tlb[i].kind != MAP_GUEST_PHYSICAL && fake.tlb[i].vpid)
			fake.tlb[i].valid = false;
}

const struct fake_translation *tlb_usable(void)
{
	bool guest = fake.cpu.mode == FAKE_GUEST;
	uint32_t secondary = guest ? (uint32_t)fake_field(VMCS_SECONDARY_PROC_CONTROLS) : 0;
	uint16_t vpid = secondary & VMX_SECONDARY_ENABLE_VPID ? fake_field(VMCS_VPID) : 0;
	bool ept = secondary & VMX_SECONDARY_ENABLE_EPT;
	unsigned int i;

	for (i = 0; i < FAKE_TLB_SIZE; i++) {
		const struct fake_translation *t = &fake.tlb[i];

		if (!t->valid || (t->kind != MAP_GUEST_PHYSICAL && t->vpid != vpid))
			continue;
		if (t->kind == MAP_LINEAR ? !ept : ept && t->eptp == fake_field(VMCS_EPT_POINTER))
			return t;
	}
	return NULL;
}
