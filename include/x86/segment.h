/* SPDX-License-Identifier: GPL-2.0-only */
/* Segmentation: selectors, descriptors, access rights as VMX wants them, IDT gates, the TSS. */
#ifndef X86_SEGMENT_H
#define X86_SEGMENT_H

#include <stdint.h>

#include "x86/bits.h"

/* SDM vol. 3, 3.4.2, Segment Selectors */
#define SELECTOR_RPL			0x0003
#define SELECTOR_TI			0x0004	/* 1: in the LDT */
#define SELECTOR_INDEX			0xfff8	/* masked, it is the offset in the table in bytes */

/* A segment or system descriptor of 8 bytes. SDM vol. 3, 3.4.5, Segment Descriptors */
struct segment_descriptor {
	uint16_t limit_15_0;
	uint16_t base_15_0;
	uint8_t base_23_16;
	uint8_t access;		/* 3:0 type, 4 S, 6:5 DPL, 7 P */
	uint8_t limit_flags;	/* 3:0 limit 19:16, 4 AVL, 5 L, 6 D/B, 7 G */
	uint8_t base_31_24;
} __attribute__((packed));

/* A TSS or LDT descriptor in IA-32e mode. SDM vol. 3, 8.2.3, TSS Descriptor in 64-bit mode */
struct system_descriptor {
	struct segment_descriptor low;
	uint32_t base_63_32;
	uint32_t zero;
} __attribute__((packed));

/* Operand of LGDT, LIDT, SGDT, SIDT in 64-bit mode. SDM vol. 3, 3.5.1, Segment Descriptor Tables */
struct descriptor_table_register {
	uint16_t limit;
	uint64_t base;
} __attribute__((packed));

/* SDM vol. 3, 6.14.1, 64-Bit Mode IDT */
struct idt_gate {
	uint16_t offset_15_0;
	uint16_t selector;
	uint8_t ist;		/* 2:0, 0: do not switch stacks by IST */
	uint8_t access;		/* 3:0 type, 6:5 DPL, 7 P */
	uint16_t offset_31_16;
	uint32_t offset_63_32;
	uint32_t reserved;
} __attribute__((packed));

/* SDM vol. 3, 8.7, Task Management in 64-bit Mode */
struct tss64 {
	uint32_t reserved0;
	uint64_t rsp[3];
	uint64_t reserved1;
	uint64_t ist[7];	/* ist[n] is IST n + 1 */
	uint64_t reserved2;
	uint16_t reserved3;
	uint16_t io_map_base;	/* at or beyond the limit: no I/O bitmap */
} __attribute__((packed));

_Static_assert(sizeof(struct segment_descriptor) == 8, "segment descriptor is 8 bytes");
_Static_assert(sizeof(struct system_descriptor) == 16, "system descriptor is 16 bytes");
_Static_assert(sizeof(struct descriptor_table_register) == 10, "LGDT operand is 10 bytes");
_Static_assert(sizeof(struct idt_gate) == 16, "IDT gate is 16 bytes");
_Static_assert(sizeof(struct tss64) == 104, "64-bit TSS is 104 bytes");
_Static_assert(__builtin_offsetof(struct tss64, rsp) == 4, "RSP0 is at 4");
_Static_assert(__builtin_offsetof(struct tss64, ist) == 36, "IST1 is at 36");
_Static_assert(__builtin_offsetof(struct tss64, io_map_base) == 102, "I/O map base is at 102");

#define TSS64_LIMIT			(sizeof(struct tss64) - 1)

/* The last byte of the gate of vector 255. */
#define IDT_LIMIT			(256 * sizeof(struct idt_gate) - 1)

/* System types with S = 0 in IA-32e mode. SDM vol. 3, 3.5, System Descriptor Types */
enum system_segment_type {
	SEGMENT_TYPE_LDT		= 2,
	SEGMENT_TYPE_TSS_AVAILABLE	= 9,
	SEGMENT_TYPE_TSS_BUSY		= 11,
	SEGMENT_TYPE_CALL_GATE		= 12,
	SEGMENT_TYPE_INTERRUPT_GATE	= 14,
	SEGMENT_TYPE_TRAP_GATE		= 15,
};

/* Type bits with S = 1. SDM vol. 3, 3.4.5.1, Code- and Data-Segment Descriptor Types */
#define SEGMENT_TYPE_ACCESSED		0x1
#define SEGMENT_TYPE_WRITABLE		0x2	/* data */
#define SEGMENT_TYPE_EXPAND_DOWN	0x4	/* data */
#define SEGMENT_TYPE_READABLE		0x2	/* code */
#define SEGMENT_TYPE_CONFORMING		0x4	/* code */
#define SEGMENT_TYPE_CODE		0x8

/*
 * Access rights as the VMCS holds them: bits 15:0 are bytes 5 and 6 of the descriptor, limit bits
 * zero; LAR gives the same shifted left by 8. SDM vol. 3, 25.4.1, Guest Register State
 */
#define SEGMENT_AR_TYPE			UINT32_C(0x0000f)
#define SEGMENT_AR_S			X86_BIT32(4)	/* 0: system, 1: code or data */
#define SEGMENT_AR_DPL			UINT32_C(0x00060)
#define SEGMENT_AR_DPL_SHIFT		5
#define SEGMENT_AR_P			X86_BIT32(7)
#define SEGMENT_AR_AVL			X86_BIT32(12)
#define SEGMENT_AR_L			X86_BIT32(13)
#define SEGMENT_AR_DB			X86_BIT32(14)
#define SEGMENT_AR_G			X86_BIT32(15)
#define SEGMENT_AR_UNUSABLE		X86_BIT32(16)
#define SEGMENT_AR_RESERVED		UINT32_C(0xfffe0f00)

#endif
