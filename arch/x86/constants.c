// SPDX-License-Identifier: GPL-2.0-only
/*
 * The C constants that assembly needs. Compiled to assembly only, never linked: each constant leaves
 * a string "->NAME $value" in the output, and one sed line makes NASM equates of them:
 *
 *	gcc -std=gnu11 -ffreestanding -O1 -Iinclude -S -o constants.s arch/x86/constants.c
 *	sed -nE 's/^.*"->([A-Za-z0-9_]+) \$(-?[0-9]+)"$/\1 equ \2/p' constants.s > constants.inc
 */
#include <stddef.h>
#include <stdint.h>

#include "x86/cr.h"
#include "x86/msr.h"
#include "x86/msr_bits.h"
#include "x86/segment.h"
#include "x86/vector.h"
#include "x86/vmcs.h"
#include "x86/vmx.h"

/* The value must be a compile-time constant: "n" refuses any other. */
#define EMIT(name, value)	__asm__ volatile("\n.ascii \"->" name " %0\"" : : "n"(value));
#define EMIT_OFFSET(name, type, member)	EMIT(name, offsetof(type, member))
#define EMIT_SIZE(name, type)		EMIT(name, sizeof(type))

#define EMIT_VMCS(name, encoding)			EMIT("VMCS_" #name, VMCS_##name)
#define EMIT_MSR(name, number)				EMIT("MSR_" #name, MSR_##name)
#define EMIT_CR0(name, bit)				EMIT("CR0_" #name, CR0_##name)
#define EMIT_CR4(name, bit)				EMIT("CR4_" #name, CR4_##name)
#define EMIT_RFLAGS(name, bit)				EMIT("RFLAGS_" #name, RFLAGS_##name)
#define EMIT_EFER(name, bit)				EMIT("EFER_" #name, EFER_##name)
#define EMIT_BLOCKING(name, bit)			EMIT("VMX_BLOCKING_" #name, VMX_BLOCKING_##name)
#define EMIT_REASON(name, number, sentence)		EMIT("VMX_REASON_" #name, VMX_REASON_##name)
#define EMIT_VECTOR(name, vector, error, class)		EMIT("VECTOR_" #name, VECTOR_##name)

void constants(void);

void constants(void)
{
	VMCS_FIELDS(EMIT_VMCS)
	MSRS(EMIT_MSR)
	CR0_BITS(EMIT_CR0)
	CR4_BITS(EMIT_CR4)
	RFLAGS_BITS(EMIT_RFLAGS)
	EFER_BITS(EMIT_EFER)
	VMX_BLOCKING_BITS(EMIT_BLOCKING)
	VMX_EXIT_REASONS(EMIT_REASON)
	EXCEPTION_VECTORS(EMIT_VECTOR)
	EMIT("VECTORS_WITH_ERROR_CODE", VECTORS_WITH_ERROR_CODE)

	/* Structures that assembly reaches into: sizes and offsets. */
	EMIT_SIZE("TSS64_SIZE", struct tss64)
	EMIT_OFFSET("TSS64_RSP0", struct tss64, rsp)
	EMIT_OFFSET("TSS64_IST1", struct tss64, ist)
	EMIT_SIZE("IDT_GATE_SIZE", struct idt_gate)
}
