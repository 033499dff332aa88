/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Floating-point registers held across interrupts and a system call: load all of them, spin,
 * make the system call, spin, store all of them.
 */
#ifndef WORKLOAD_HOLD_H
#define WORKLOAD_HOLD_H

/* The system call made while the registers are live. */
struct hold_call {
	long number, first, second, third;
};

/* Eight x87 registers of 16 bytes each (10 used), under control word @control. */
void hold_x87(const void *in, void *out, unsigned short *control, const struct hold_call *call);
/* Sixteen XMM registers of 16 bytes, under MXCSR @control. */
void hold_sse2(const void *in, void *out, unsigned int *control, const struct hold_call *call);
/* Sixteen YMM registers of 32 bytes. */
void hold_avx(const void *in, void *out, const struct hold_call *call);

#endif
