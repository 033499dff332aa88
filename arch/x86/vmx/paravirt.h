/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What an outer KVM does for its guest behind the processor's back. It does so for the VMM now, in VMX
 * root operation, and not for Linux, its guest: while virtual it is put off.
 */
#ifndef ARCH_X86_VMX_PARAVIRT_H
#define ARCH_X86_VMX_PARAVIRT_H

#include <stdbool.h>
#include <stdint.h>

#include "cpu.h"

/* On the way to virtual, and back; the latter does nothing a second time. */
void paravirt_put_off(struct cpu *cpu);
void paravirt_restore(struct cpu *cpu);

/* Linux reads and writes these MSRs as if nothing were put off. False: it is none of them. */
bool paravirt_rdmsr(const struct cpu *cpu, uint32_t msr, uint64_t *value);
/* `ok`: false where KVM does not take the value, a #GP. */
bool paravirt_wrmsr(struct cpu *cpu, uint32_t msr, uint64_t value, bool *ok);

#endif
