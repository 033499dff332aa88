/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The library's port on the fake CPU. Apart from fake.h, for libmercury's mercury.h and the ABI's both have a
 * struct mercury_range.
 */
#ifndef TESTS_FAKE_TOOLS_PORT_H
#define TESTS_FAKE_TOOLS_PORT_H

#include <stdbool.h>
#include <stdint.h>

extern int fake_tools_error;      /* of opening /dev/cpu/N/msr, or 0                              */
extern bool fake_tools_shows_vmx; /* by CPUID, where that is all there is                         */
extern long fake_tools_online;    /* CPUs, of which but the first can be run on                   */

/* A new machine of one CPU, with VT-x, on bare metal or a guest of KVM's. */
void fake_tools_machine(bool kvm);

/* Of that MSR only these bits are left. */
void fake_tools_mask(uint32_t msr, uint64_t bits);

#endif
