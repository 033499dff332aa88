/* SPDX-License-Identifier: GPL-2.0-only */
/* The local APIC, as far as the VMM ever needs it. */
#ifndef ARCH_X86_APIC_H
#define ARCH_X86_APIC_H

#include "cpu.h"

/*
 * Send an INIT to the CPU that runs this, outside VMX operation: it is taken soon after. An APIC that
 * is disabled sends none.
 */
void apic_init_self(struct cpu *cpu);

#endif
