// SPDX-License-Identifier: GPL-2.0-only
/* The capability MSRs and the choice of controls. */
#include <stddef.h>

#include "capability.h"
#include "insn.h"
#include "x86/msr.h"
#include "x86/vmx.h"

static uint64_t read_or_zero(uint32_t msr)
{
	uint64_t value;

	return insn_rdmsr_safe(msr, &value) ? value : 0;
}

void vmx_capability_read(struct vmx_capability *c)
{
	bool is_true;

	*c = (struct vmx_capability){ .basic = insn_rdmsr(MSR_IA32_VMX_BASIC) };
	is_true = c->basic & VMX_BASIC_TRUE_CONTROLS;
	c->pin = insn_rdmsr(is_true ? MSR_IA32_VMX_TRUE_PINBASED_CTLS : MSR_IA32_VMX_PINBASED_CTLS);
	c->primary = insn_rdmsr(is_true ? MSR_IA32_VMX_TRUE_PROCBASED_CTLS :
					  MSR_IA32_VMX_PROCBASED_CTLS);
	c->exit = insn_rdmsr(is_true ? MSR_IA32_VMX_TRUE_EXIT_CTLS : MSR_IA32_VMX_EXIT_CTLS);
	c->entry = insn_rdmsr(is_true ? MSR_IA32_VMX_TRUE_ENTRY_CTLS : MSR_IA32_VMX_ENTRY_CTLS);
	c->misc = insn_rdmsr(MSR_IA32_VMX_MISC);
	c->cr0_fixed0 = insn_rdmsr(MSR_IA32_VMX_CR0_FIXED0);
	c->cr0_fixed1 = insn_rdmsr(MSR_IA32_VMX_CR0_FIXED1);
	c->cr4_fixed0 = insn_rdmsr(MSR_IA32_VMX_CR4_FIXED0);
	c->cr4_fixed1 = insn_rdmsr(MSR_IA32_VMX_CR4_FIXED1);
	if (VMX_CONTROL_ALLOWED1(c->primary) & VMX_PRIMARY_ACTIVATE_SECONDARY_CONTROLS)
		c->secondary = read_or_zero(MSR_IA32_VMX_PROCBASED_CTLS2);
	if (VMX_CONTROL_ALLOWED1(c->secondary) &
	    (VMX_SECONDARY_ENABLE_EPT | VMX_SECONDARY_ENABLE_VPID))
		c->ept_vpid = read_or_zero(MSR_IA32_VMX_EPT_VPID_CAP);
}

static bool secondary_allowed(const struct vmx_capability *c, uint32_t bit)
{
	return VMX_CONTROL_ALLOWED1(c->secondary) & bit;
}

bool vmx_has_ept(const struct vmx_capability *c)
{
	const uint64_t needed = VMX_CAP_EPT_WALK_4 | VMX_CAP_EPT_WB | VMX_CAP_EPT_2M |
				VMX_CAP_INVEPT | VMX_CAP_INVEPT_ALL;

	return secondary_allowed(c, VMX_SECONDARY_ENABLE_EPT) && (c->ept_vpid & needed) == needed;
}

bool vmx_has_vpid(const struct vmx_capability *c)
{
	const uint64_t needed = VMX_CAP_INVVPID | VMX_CAP_INVVPID_ALL;

	return secondary_allowed(c, VMX_SECONDARY_ENABLE_VPID) && (c->ept_vpid & needed) == needed;
}

#define NAME_ROW(name, bit) [bit] = #name,
static const char *const pin_names[32] = { VMX_PIN_CONTROLS(NAME_ROW) };
static const char *const primary_names[32] = { VMX_PRIMARY_CONTROLS(NAME_ROW) };
static const char *const secondary_names[32] = { VMX_SECONDARY_CONTROLS(NAME_ROW) };
static const char *const exit_names[32] = { VMX_EXIT_CONTROLS(NAME_ROW) };
static const char *const entry_names[32] = { VMX_ENTRY_CONTROLS(NAME_ROW) };
#undef NAME_ROW

#define NAMED_BIT(name, bit) | 1u << (bit)
#define NAMED_PIN (0 VMX_PIN_CONTROLS(NAMED_BIT))
#define NAMED_PRIMARY (0 VMX_PRIMARY_CONTROLS(NAMED_BIT))
#define NAMED_EXIT (0 VMX_EXIT_CONTROLS(NAMED_BIT))
#define NAMED_ENTRY (0 VMX_ENTRY_CONTROLS(NAMED_BIT))

/* One word: bits it must have and bits the CPU may insist on without harm. */
struct word {
	const char *word;
	const char *const *names;
	uint64_t capability;
	uint32_t required, harmless;
	uint32_t on_demand; /* must be there, and off until asked for                             */
};

static bool obstacle_at(const struct word *w, uint32_t bits, bool forced, struct vmx_obstacle *o)
{
	unsigned int bit = (unsigned int)__builtin_ctz(bits);

	*o = (struct vmx_obstacle){ w->word, w->names[bit] ? w->names[bit] : "reserved", forced };
	return false;
}

static bool negotiate(const struct word *w, uint32_t *value, struct vmx_obstacle *obstacle)
{
	uint32_t forced = VMX_CONTROL_ALLOWED0(w->capability);
	uint32_t missing = (w->required | w->on_demand) & ~VMX_CONTROL_ALLOWED1(w->capability);
	uint32_t unhandled = forced & ~w->required & ~w->harmless;

	if (missing)
		return obstacle_at(w, missing, false, obstacle);
	if (unhandled)
		return obstacle_at(w, unhandled, true, obstacle);
	*value = w->required | forced;
	return true;
}

static uint32_t wanted_secondary(const struct vmx_capability *c, const struct vmx_features *f,
				 bool want_ept)
{
	uint32_t wanted = vmx_features_secondary(f);

	if (want_ept && vmx_has_ept(c))
		wanted |= VMX_SECONDARY_ENABLE_EPT;
	if (vmx_has_vpid(c))
		wanted |= VMX_SECONDARY_ENABLE_VPID;
	return wanted;
}

bool vmx_controls_negotiate(const struct vmx_capability *c, const struct vmx_features *f,
			    bool want_ept, struct vmx_controls *controls,
			    struct vmx_obstacle *obstacle)
{
	uint32_t secondary = wanted_secondary(c, f, want_ept);
	const struct word words[] = {
		{ "pin-based controls", pin_names, c->pin, 0, VMX_PIN_DEFAULT1 & ~NAMED_PIN,
		  VMX_PIN_NMI_EXITING | VMX_PIN_VIRTUAL_NMIS },
		{ "primary controls", primary_names, c->primary,
		  VMX_PRIMARY_USE_MSR_BITMAPS |
			  (secondary ? VMX_PRIMARY_ACTIVATE_SECONDARY_CONTROLS : 0),
		  VMX_PRIMARY_DEFAULT1 & ~NAMED_PRIMARY,
		  VMX_PRIMARY_NMI_WINDOW_EXITING | VMX_PRIMARY_INTERRUPT_WINDOW_EXITING |
			  (secondary & VMX_SECONDARY_ENABLE_EPT ? VMX_PRIMARY_MONITOR_TRAP_FLAG :
								  0) },
		{ "secondary controls", secondary_names, c->secondary, secondary, 0, 0 },
		{ "exit controls", exit_names, c->exit,
		  VMX_EXIT_CTL_HOST_ADDRESS_SPACE_SIZE | VMX_EXIT_CTL_SAVE_DEBUG_CONTROLS,
		  VMX_EXIT_CTL_DEFAULT1 & ~NAMED_EXIT, 0 },
		{ "entry controls", entry_names, c->entry,
		  VMX_ENTRY_CTL_IA32E_MODE_GUEST | VMX_ENTRY_CTL_LOAD_DEBUG_CONTROLS,
		  VMX_ENTRY_CTL_DEFAULT1 & ~NAMED_ENTRY, 0 },
	};
	uint32_t *values[] = { &controls->pin, &controls->primary, &controls->secondary,
			       &controls->exit, &controls->entry };
	unsigned int i;

	for (i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (!negotiate(&words[i], values[i], obstacle))
			return false;
	return true;
}
