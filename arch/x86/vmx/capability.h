/* SPDX-License-Identifier: GPL-2.0-only */
/* What VMX this CPU has, and the controls that Mercury runs Linux under. */
#ifndef ARCH_X86_VMX_CAPABILITY_H
#define ARCH_X86_VMX_CAPABILITY_H

#include <stdbool.h>
#include <stdint.h>

#include "feature.h"

struct cpu;

/* The capability MSRs, zero where this CPU does not have one. */
struct vmx_capability {
	uint64_t basic, misc, ept_vpid;
	uint64_t pin, primary, secondary, exit, entry; /* TRUE ones where they exist              */
	uint64_t cr0_fixed0, cr0_fixed1, cr4_fixed0, cr4_fixed1;
};

struct vmx_controls {
	uint32_t pin, primary, secondary, exit, entry;
};

/* What was missing or forced: the word and its bit, both by name. */
struct vmx_obstacle {
	const char *word, *name;
	bool forced; /* the CPU insists on it; else it lacks it                                   */
};

void vmx_capability_read(struct vmx_capability *capability);

/* Are EPT and VPID, as this VMM uses them, to be had? */
bool vmx_has_ept(const struct vmx_capability *capability);
bool vmx_has_vpid(const struct vmx_capability *capability);

/*
 * Choose the controls: what is required, what the features ask for, what the CPU insists on; false
 * if it lacks one or insists on one that is not handled. Pure.
 * Source: SDM vol. 3, A.2, Reserved Controls and Default Settings, and A.3 to A.5.
 */
bool vmx_controls_negotiate(const struct vmx_capability *capability,
			    const struct vmx_features *features, bool want_ept,
			    struct vmx_controls *controls, struct vmx_obstacle *obstacle);

/* A value for CR0 or CR4 as VMX operation fixes it. SDM vol. 3, A.7 and A.8. */
static inline bool vmx_fixed_ok(uint64_t value, uint64_t fixed0, uint64_t fixed1)
{
	return !(fixed0 & ~value) && !(value & ~fixed1);
}

#endif
