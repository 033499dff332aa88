// SPDX-License-Identifier: GPL-2.0-only
/* The MTRRs: read, and asked for the type of a range. */
#include "insn.h"
#include "mtrr.h"
#include "x86/cpuid.h"
#include "x86/msr.h"
#include "x86/mtrr.h"
#include "x86/paging.h"

static const uint32_t fixed_msrs[MTRR_FIXED_REGISTERS] = {
	MSR_IA32_MTRR_FIX64K_00000, MSR_IA32_MTRR_FIX16K_80000, MSR_IA32_MTRR_FIX16K_A0000,
	MSR_IA32_MTRR_FIX4K_C0000,  MSR_IA32_MTRR_FIX4K_C8000,  MSR_IA32_MTRR_FIX4K_D0000,
	MSR_IA32_MTRR_FIX4K_D8000,  MSR_IA32_MTRR_FIX4K_E0000,  MSR_IA32_MTRR_FIX4K_E8000,
	MSR_IA32_MTRR_FIX4K_F0000,  MSR_IA32_MTRR_FIX4K_F8000,
};

bool mtrr_is_msr(uint32_t msr)
{
	uint32_t i;

	/* Between and behind them lie other MSRs: IA32_MCi_CTL2, IA32_PAT. */
	for (i = 0; i < MTRR_FIXED_REGISTERS; i++)
		if (msr == fixed_msrs[i])
			return true;
	return msr == MSR_IA32_MTRR_DEF_TYPE ||
	       (msr >= MSR_IA32_MTRR_PHYSBASE0 &&
		msr < MSR_IA32_MTRR_PHYSBASE(MTRRCAP_VCNT(insn_rdmsr(MSR_IA32_MTRRCAP))));
}

void mtrr_read(struct mtrr_state *mtrr)
{
	struct cpuid_regs r;
	uint64_t cap;
	uint32_t i;

	/* Padding too: states are compared as memory. */
	__builtin_memset(mtrr, 0, sizeof(*mtrr));
	insn_cpuid(CPUID_LEAF_ADDRESS_SIZES, 0, &r);
	mtrr->maxphyaddr = CPUID_MAXPHYADDR(r.eax);
	insn_cpuid(CPUID_LEAF_FEATURES, 0, &r);
	if (!(r.edx & CPUID_MTRR))
		return;
	cap = insn_rdmsr(MSR_IA32_MTRRCAP);
	mtrr->def_type = insn_rdmsr(MSR_IA32_MTRR_DEF_TYPE);
	mtrr->has_fixed = cap & MTRRCAP_FIX;
	for (i = 0; mtrr->has_fixed && i < MTRR_FIXED_REGISTERS; i++)
		mtrr->fixed[i] = insn_rdmsr(fixed_msrs[i]);
	mtrr->variable = MTRRCAP_VCNT(cap);
	if (mtrr->variable > MTRR_MAX_VARIABLE)
		mtrr->variable = MTRR_MAX_VARIABLE;
	for (i = 0; i < mtrr->variable; i++) {
		mtrr->base[i] = insn_rdmsr(MSR_IA32_MTRR_PHYSBASE(i));
		mtrr->mask[i] = insn_rdmsr(MSR_IA32_MTRR_PHYSMASK(i));
	}
}

/* Types are the low byte first: 8 ranges of 64 KiB, 16 of 16 KiB, 64 of 4 KiB. */
static uint32_t fixed_type(const struct mtrr_state *mtrr, uint64_t address)
{
	uint64_t index;

	if (address < 0x80000)
		index = address / MTRR_FIX64K_BYTES;
	else if (address < 0xc0000)
		index = 8 + (address - 0x80000) / MTRR_FIX16K_BYTES;
	else
		index = 24 + (address - 0xc0000) / MTRR_FIX4K_BYTES;
	return mtrr->fixed[index / 8] >> index % 8 * 8 & 0xff;
}

/* UC beats all, WT beats WB; what the manual leaves undefined is made UC, which is always safe. */
static uint32_t combine(uint32_t a, uint32_t b)
{
	if (a == b)
		return a;
	if ((a == MEMORY_TYPE_WT && b == MEMORY_TYPE_WB) ||
	    (a == MEMORY_TYPE_WB && b == MEMORY_TYPE_WT))
		return MEMORY_TYPE_WT;
	return MEMORY_TYPE_UC;
}

static uint64_t mask_of(const struct mtrr_state *mtrr, uint32_t i)
{
	return mtrr->mask[i] & MTRR_ADDRESS & (X86_BIT64(mtrr->maxphyaddr) - 1);
}

static bool in_range(const struct mtrr_state *mtrr, uint32_t i, uint64_t address)
{
	return mtrr->mask[i] & MTRR_PHYSMASK_VALID &&
	       !((address ^ mtrr->base[i]) & mask_of(mtrr, i));
}

static uint32_t page_type(const struct mtrr_state *mtrr, uint64_t address)
{
	uint32_t type = MTRR_DEF_TYPE_TYPE(mtrr->def_type), i;
	bool hit = false;

	if (!(mtrr->def_type & MTRR_DEF_TYPE_E))
		return MEMORY_TYPE_UC;
	if (address < MTRR_FIXED_END && mtrr->has_fixed && mtrr->def_type & MTRR_DEF_TYPE_FE)
		return fixed_type(mtrr, address);
	for (i = 0; i < mtrr->variable; i++) {
		uint32_t here = MTRR_PHYSBASE_TYPE(mtrr->base[i]);

		if (!in_range(mtrr, i, address))
			continue;
		type = hit ? combine(type, here) : here;
		hit = true;
	}
	return type;
}

/* Does range i split [start, start + size), a power of two aligned to itself? */
static bool splits(const struct mtrr_state *mtrr, uint32_t i, uint64_t start, uint64_t size)
{
	uint64_t mask = mask_of(mtrr, i);

	if (!(mtrr->mask[i] & MTRR_PHYSMASK_VALID) || !(mask & (size - 1)))
		return false;
	/* Some address bit inside the block is compared; does any address of the block match? */
	return !((start ^ mtrr->base[i]) & mask & ~(size - 1));
}

/* For blocks that are a power of two and aligned to it, as all mappings are. */
static bool block_uniform(const struct mtrr_state *mtrr, uint64_t start, uint64_t size)
{
	uint32_t i;

	if (!(mtrr->def_type & MTRR_DEF_TYPE_E) || size <= PAGE_4K)
		return true;
	if (start < MTRR_FIXED_END && mtrr->has_fixed && mtrr->def_type & MTRR_DEF_TYPE_FE)
		return false;
	for (i = 0; i < mtrr->variable; i++)
		if (splits(mtrr, i, start, size))
			return false;
	return true;
}

/* A block that registers split may still be of one type throughout; look page by page up to here. */
#define LOOK_CLOSER PAGE_2M

bool mtrr_type(const struct mtrr_state *mtrr, uint64_t start, uint64_t size, uint32_t *type)
{
	uint64_t at;

	*type = page_type(mtrr, start);
	if (block_uniform(mtrr, start, size))
		return true;
	if (size > LOOK_CLOSER)
		return false;
	for (at = start; at < start + size; at += PAGE_4K)
		if (page_type(mtrr, at) != *type)
			return false;
	return true;
}
