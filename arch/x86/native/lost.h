/* SPDX-License-Identifier: GPL-2.0-only */
/* Linux's state on a CPU is lost: Linux decides what becomes of the machine. */
#ifndef ARCH_X86_NATIVE_LOST_H
#define ARCH_X86_NATIVE_LOST_H

#include "cpu.h"

/*
 * Note what of Linux's is the same whatever it does: cpu->home, and its kernel half. In a call of native
 * Linux's.
 */
void native_capture_home(struct cpu *cpu);

/*
 * Give Linux this CPU, which is outside VMX operation, at mercury_boot.lost: with its own descriptor
 * tables and GS base, on the transition root and on mercury_boot.lost_stack. There is one such stack:
 * of several CPUs the first takes it, and the panic that comes of it stops the others.
 */
_Noreturn void native_lost(struct cpu *cpu);

#endif
