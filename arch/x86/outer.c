// SPDX-License-Identifier: GPL-2.0-only
/* The hypervisor that this machine is a guest of, asked by CPUID. */
#include <stdbool.h>
#include <stddef.h>

#include "insn.h"
#include "outer.h"
#include "x86/cpuid.h"

/* Each hypervisor has leaves of its own, 100h apart; Linux looks for its own in as many. */
#define LEAVES 0x100
#define LAST_RANGE (CPUID_LEAF_HYPERVISOR + 0xff00)

static const struct {
	char signature[13];
	enum outer_kind kind;
} known[] = {
	{ "KVMKVMKVM\0\0\0", OUTER_KVM },
	{ "XenVMMXenVMM", OUTER_XEN },
	{ "Microsoft Hv", OUTER_HYPERV },
};

static enum outer_kind kind_of(const struct cpuid_regs *r)
{
	const uint32_t name[] = { r->ebx, r->ecx, r->edx };
	size_t i;

	for (i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (!__builtin_memcmp(name, known[i].signature, sizeof(name)))
			return known[i].kind;
	return OUTER_OTHER;
}

/* The highest of its leaves is among them; 0 is what KVM's first versions say. */
static bool is_answered(uint32_t leaf, const struct cpuid_regs *r)
{
	return (r->eax >= leaf && r->eax < leaf + LEAVES) || (!r->eax && kind_of(r) == OUTER_KVM);
}

void outer_read(struct outer *outer)
{
	uint32_t leaf = CPUID_LEAF_HYPERVISOR;
	struct cpuid_regs r, features;

	*outer = (struct outer){ .free_leaf = leaf };
	insn_cpuid(CPUID_LEAF_FEATURES, 0, &r);
	if (!(r.ecx & CPUID_HYPERVISOR))
		return;
	outer->kind = OUTER_OTHER;
	for (; leaf < LAST_RANGE; leaf += LEAVES) {
		enum outer_kind kind;

		insn_cpuid(leaf, 0, &r);
		if (!is_answered(leaf, &r))
			break;
		kind = kind_of(&r);
		if (kind < outer->kind)
			outer->kind = kind;
		if (kind == OUTER_KVM) {
			insn_cpuid(leaf + 1, 0, &features);
			outer->kvm_features = features.eax;
		}
	}
	outer->free_leaf = leaf;
}
