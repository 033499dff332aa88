// SPDX-License-Identifier: GPL-2.0-only
/* The table of CPU features, expanded and asked. */
#include <stddef.h>

#include "feature.h"
#include "insn.h"

#define CPUID_FEATURE_NONE CPUID_FEATURE_COUNT
#define VMX_SECONDARY_NONE 0

/* The sentence is kept where somebody will read it. */
#define FEATURE_ROW(name, cpuid, control, where, bits, verdict, sentence)                          \
	{ CPUID_FEATURE_##cpuid, VMX_SECONDARY_##control, FACT_##where, bits,                      \
	  VMX_##verdict == VMX_REFUSED ? (sentence) : NULL },

static const struct feature {
	enum cpuid_feature cpuid;
	uint32_t control;
	enum vmx_fact fact;
	uint64_t bits;
	const char *refusal;
} features[] = { VMX_FEATURES(FEATURE_ROW) };

#define ROWS (sizeof(features) / sizeof(features[0]))

#define CR4_NAMED(name, bit) | X86_BIT64(bit)
_Static_assert((VMX_CR4_SUPPORTED | VMX_CR4_REFUSED) == (UINT64_C(0) CR4_BITS(CR4_NAMED)),
	       "each bit of CR4 that has a name has a row");
_Static_assert(!(VMX_CR4_SUPPORTED & VMX_CR4_REFUSED), "and one verdict");

#define SOURCE(name, leaf, subleaf, reg, bit) { leaf, subleaf, CPUID_##reg, bit },
static const struct source {
	uint32_t leaf, subleaf;
	enum cpuid_register reg;
	unsigned int bit;
} sources[] = { CPUID_FEATURES(SOURCE) };

/* What is highest: a leaf of the basic range, of the extended one, and a subleaf of leaf 7. */
struct highest {
	uint32_t basic, extended, leaf_7;
};

/* "IntelTDX    ", in the order EBX, EDX, ECX. */
#define TDX_SIGNATURE_EBX 0x65746e49
#define TDX_SIGNATURE_EDX 0x5844546c
#define TDX_SIGNATURE_ECX 0x20202020

/* All 0 where the leaf does not exist: CPUID would answer with another's bits. */
static void read_leaf(const struct highest *highest, uint32_t leaf, uint32_t subleaf,
		      struct cpuid_regs *r)
{
	uint32_t last = leaf & CPUID_LEAF_EXTENDED ? highest->extended : highest->basic;

	*r = (struct cpuid_regs){ 0 };
	if (leaf > last || (leaf == CPUID_LEAF_EXTENDED_FEATURES && subleaf > highest->leaf_7))
		return;
	insn_cpuid(leaf, subleaf, r);
}

static void highest_read(struct highest *highest)
{
	struct cpuid_regs r;

	*highest = (struct highest){ 0 };
	insn_cpuid(CPUID_LEAF_BASIC, 0, &r);
	highest->basic = r.eax;
	insn_cpuid(CPUID_LEAF_EXTENDED, 0, &r);
	highest->extended = r.eax;
	read_leaf(highest, CPUID_LEAF_EXTENDED_FEATURES, 0, &r);
	highest->leaf_7 = r.eax;
}

static bool bit_of(const struct cpuid_regs *r, const struct source *s)
{
	const uint32_t regs[] = { r->eax, r->ebx, r->ecx, r->edx };

	return regs[s->reg] >> s->bit & 1;
}

static bool is_td_guest(const struct highest *highest)
{
	struct cpuid_regs r;

	read_leaf(highest, CPUID_LEAF_TDX, 0, &r);
	return r.ebx == TDX_SIGNATURE_EBX && r.edx == TDX_SIGNATURE_EDX &&
	       r.ecx == TDX_SIGNATURE_ECX;
}

void vmx_features_read(struct vmx_features *f)
{
	struct highest highest;
	struct cpuid_regs r = { 0 };
	size_t i;

	*f = (struct vmx_features){ .maxphyaddr = 36 };
	highest_read(&highest);
	for (i = 0; i < CPUID_FEATURE_COUNT; i++) {
		const struct source *s = &sources[i];

		/* The table goes leaf by leaf. */
		if (!i || s->leaf != s[-1].leaf || s->subleaf != s[-1].subleaf)
			read_leaf(&highest, s->leaf, s->subleaf, &r);
		f->has[i] = bit_of(&r, s);
	}
	f->td_guest = is_td_guest(&highest);
	if (highest.extended >= CPUID_LEAF_ADDRESS_SIZES) {
		insn_cpuid(CPUID_LEAF_ADDRESS_SIZES, 0, &r);
		f->maxphyaddr = CPUID_MAXPHYADDR(r.eax);
	}
}

uint32_t vmx_features_secondary(const struct vmx_features *f)
{
	uint32_t controls = 0;
	size_t i;

	for (i = 0; i < ROWS; i++)
		if (f->has[features[i].cpuid])
			controls |= features[i].control;
	return controls;
}

const char *vmx_features_in_use(const struct vmx_facts *facts)
{
	size_t i;

	for (i = 0; i < ROWS; i++) {
		const struct feature *row = &features[i];
		uint64_t value = row->fact == FACT_CPUID ? facts->features.has[row->cpuid] :
							   facts->value[row->fact];

		if (row->refusal && value & row->bits)
			return row->refusal;
	}
	return NULL;
}
