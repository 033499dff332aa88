/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The image's own assembly, executed in user space one instruction at a time: between any two of
 * them the test can look, or let an NMI come. What user space does not have (VMREAD, VMWRITE,
 * VMRESUME, and CPUID, which has to be known) is done by hand.
 */
#ifndef TESTS_STEP_H
#define TESTS_STEP_H

#include <stdbool.h>
#include <stdint.h>

#include "cpu.h"
#include "insn.h"

#define STEP_FIELDS 0x7000
#define STEP_NEVER (-1)

struct step {
	/* The test's: the guest's registers, what the VMCS holds, what is to happen. */
	struct regs guest; /* at the exit; at the end those that VMRESUME would give it           */
	uint64_t vmcs[STEP_FIELDS];
	int nmi_at;        /* an NMI comes in front of this instruction, from 0; STEP_NEVER       */
	bool resume_fails; /* VMRESUME is VMfail                                                  */

	/* What happened. */
	int instructions;      /* in front of VMRESUME, but for the NMI's handler                 */
	unsigned int handled;  /* calls of vmx_handle_exit()                                      */
	unsigned int injected; /* calls of vmx_inject_pending() that found something pending      */
	unsigned int resumed;  /* VMRESUMEs that succeeded; they end it                           */
	unsigned int failed;   /* calls of vmx_resume_failed(); they end it                       */
	bool nmi_came;
	struct regs saved; /* struct cpu's registers when the first of these was called       */
	const char *problem;
};

extern struct step step;

/* The CPU whose stack the code runs on. */
struct cpu *step_cpu(void);

/* Nothing in the VMCS, nothing to happen, the CPU's own data and its shared page zero. */
void step_reset(void);

/* What CPUID gives here. */
struct cpuid_regs step_cpuid(uint32_t leaf, uint32_t subleaf);

/* A VM exit, from HOST_RIP on until VMRESUME succeeds or vmx_resume_failed() is called. */
void step_exit(void);

#endif
