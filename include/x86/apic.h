/* SPDX-License-Identifier: GPL-2.0-only */
/* The local APIC: its ID and its interrupt command register. */
#ifndef X86_APIC_H
#define X86_APIC_H

#include <stdint.h>

#include "x86/bits.h"

/*
 * Offsets into the page at IA32_APIC_BASE, each register 32 bits wide. SDM vol. 3, 11.4.1, The Local
 * APIC Block Diagram. In x2APIC mode they are MSRs, see msr.h.
 */
#define APIC_ID				0x020
#define APIC_ICR_LOW			0x300
#define APIC_ICR_HIGH			0x310

/* The destination's place in APIC_ID and APIC_ICR_HIGH. SDM vol. 3, 11.4.6, Local APIC ID */
#define APIC_DESTINATION		X86_MASK64(31, 24)

/* SDM vol. 3, 11.6.1, Interrupt Command Register (ICR); no shorthand and physical are 0 */
#define APIC_ICR_INIT			(UINT32_C(5) << 8)
#define APIC_ICR_PENDING		X86_BIT32(12)	/* not in x2APIC mode */
#define APIC_ICR_ASSERT			X86_BIT32(14)

/* The destination's place in x2APIC mode. SDM vol. 3, 11.12.9, ICR Operation in x2APIC Mode */
#define X2APIC_ICR_DESTINATION_SHIFT	32

#endif
