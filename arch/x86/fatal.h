/* SPDX-License-Identifier: GPL-2.0-only */
/* When the VMM itself fails: what Linux gets back. */
#ifndef ARCH_X86_FATAL_H
#define ARCH_X86_FATAL_H

#include <stdbool.h>

#include "cpu.h"

/*
 * The VMM has failed on this CPU, and a sentence has been left for Linux. By cpu->task: the call returns
 * MERCURY_E_FAULT; Linux goes on natively with the state that the VMCS has; or with the one that was
 * being loaded; or it is told, on a stack of its own, that what it did here is lost. What fails on one
 * of these ways goes the next.
 */
_Noreturn void vmm_fatal(struct cpu *cpu);

/* Something of the VMM is damaged, for all CPUs. */
void vmm_break(void);

/* It is, since it was loaded: nothing of it but the way to native is used any more. */
bool vmm_is_broken(void);

#endif
