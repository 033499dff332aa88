/* SPDX-License-Identifier: GPL-2.0-only */
/* Exception vectors: names, error codes, and how two of them in a row combine. */
#ifndef X86_VECTOR_H
#define X86_VECTOR_H

#include <stdint.h>

#include "x86/bits.h"

/*
 * How a second exception met while delivering a first one is treated: contributory after
 * contributory, or page-fault or contributory after page-fault, makes a double fault.
 * SDM vol. 3, 6.15, Exception and Interrupt Reference, Interrupt 8, Double Fault Exception (#DF)
 */
enum exception_class {
	EXCEPTION_BENIGN,
	EXCEPTION_CONTRIBUTORY,
	EXCEPTION_PAGE_FAULT,
	EXCEPTION_DOUBLE_FAULT,
};

/*
 * SDM vol. 3, 6.2, Exception and Interrupt Vectors, table Protected-Mode Exceptions and Interrupts:
 * F(NAME, vector, pushes an error code, class). Vector 9 is history; 15, 22 to 31 are reserved.
 */
#define EXCEPTION_VECTORS(F)						\
	F(DE,	0,	0,	CONTRIBUTORY)	/* divide error */	\
	F(DB,	1,	0,	BENIGN)		/* debug */		\
	F(NMI,	2,	0,	BENIGN)		/* not an exception */	\
	F(BP,	3,	0,	BENIGN)		/* breakpoint */	\
	F(OF,	4,	0,	BENIGN)		/* overflow */		\
	F(BR,	5,	0,	BENIGN)		/* bound range */	\
	F(UD,	6,	0,	BENIGN)		/* invalid opcode */	\
	F(NM,	7,	0,	BENIGN)		/* no FPU or XFD */	\
	F(DF,	8,	1,	DOUBLE_FAULT)	/* double fault */	\
	F(TS,	10,	1,	CONTRIBUTORY)	/* invalid TSS */	\
	F(NP,	11,	1,	CONTRIBUTORY)	/* segment not there */	\
	F(SS,	12,	1,	CONTRIBUTORY)	/* stack segment */	\
	F(GP,	13,	1,	CONTRIBUTORY)	/* general protection */	\
	F(PF,	14,	1,	PAGE_FAULT)	/* page fault */	\
	F(MF,	16,	0,	BENIGN)		/* x87 error */		\
	F(AC,	17,	1,	BENIGN)		/* alignment check */	\
	F(MC,	18,	0,	BENIGN)		/* machine check */	\
	F(XM,	19,	0,	BENIGN)		/* SIMD error */	\
	F(VE,	20,	0,	PAGE_FAULT)	/* virtualization */	\
	F(CP,	21,	1,	CONTRIBUTORY)	/* control protection */

#define VECTOR_ENUM(name, vector, error, class)	VECTOR_##name = (vector),
enum vector {
	EXCEPTION_VECTORS(VECTOR_ENUM)
	VECTOR_FIRST_INTERRUPT = 32
};
#undef VECTOR_ENUM

/* The vectors that push an error code, a bit each. */
#define VECTOR_ERROR_BIT(name, vector, error, class)	| ((uint32_t)(error) << (vector))
enum {
	VECTORS_WITH_ERROR_CODE = 0 EXCEPTION_VECTORS(VECTOR_ERROR_BIT)
};
#undef VECTOR_ERROR_BIT

_Static_assert(VECTORS_WITH_ERROR_CODE == 0x00227d00, "8, 10 to 14, 17 and 21");

/* Error code of an exception that names a selector. SDM vol. 3, 6.13, Error Code */
#define ERROR_CODE_EXT			X86_BIT32(0)
#define ERROR_CODE_IDT			X86_BIT32(1)
#define ERROR_CODE_TI			X86_BIT32(2)

/* Error code of #PF. SDM vol. 3, 4.7, Page-Fault Exceptions */
#define ERROR_CODE_PF_US		X86_BIT32(2)

#endif
