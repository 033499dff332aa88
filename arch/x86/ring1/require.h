/* SPDX-License-Identifier: GPL-2.0-only */
/* What a CPU and its Linux must be like for ring 1: a table, and the question. */
#ifndef ARCH_X86_RING1_REQUIRE_H
#define ARCH_X86_RING1_REQUIRE_H

#include <stdbool.h>
#include <stdint.h>

#include "outer.h"
#include "x86/cr.h"

/* What is asked, gathered once. */
enum ring1_fact {
	RING1_FACT_CR0,
	RING1_FACT_CR4,
	RING1_FACT_EFER,
	RING1_FACT_FMASK,
	RING1_FACT_LKGS,     /* CPUID, 0 or 1                                                   */
	RING1_FACT_KVM,      /* features of KVM that are hypercalls; 0 on another hypervisor    */
	RING1_FACT_ASYNC_PF, /* KVM's MSR for asynchronous page faults, or 0                    */
	RING1_FACT_HYPERV,   /* 0 or 1                                                          */
	RING1_FACT_XEN,      /* 0 or 1: hardware virtual machines of Xen                        */
	RING1_FACT_TD_GUEST, /* 0 or 1                                                          */
	RING1_FACT_NR
};

struct ring1_facts {
	uint64_t value[RING1_FACT_NR];
};

/* KVM's features that make Linux execute VMCALL. */
#define KVM_HYPERCALLS                                                                             \
	(1u << KVM_FEATURE_PV_UNHALT | 1u << KVM_FEATURE_PV_SEND_IPI |                             \
	 1u << KVM_FEATURE_PV_SCHED_YIELD)

/* What Linux's SYSCALL entry may not find set: the stubs give it constant flags. */
#define RING1_FMASK                                                                                \
	(RFLAGS_CF | RFLAGS_PF | RFLAGS_AF | RFLAGS_ZF | RFLAGS_SF | RFLAGS_TF | RFLAGS_IF |       \
	 RFLAGS_DF | RFLAGS_OF | RFLAGS_NT | RFLAGS_AC)

/* Bits of CR4 that mean nothing to the VMM. */
#define RING1_CR4_CARRIED                                                                          \
	(CR4_VME | CR4_PVI | CR4_TSD | CR4_DE | CR4_PSE | CR4_PAE | CR4_MCE | CR4_PGE | CR4_PCE |  \
	 CR4_OSFXSR | CR4_OSXMMEXCPT | CR4_UMIP | CR4_FSGSBASE | CR4_PCIDE | CR4_OSXSAVE |         \
	 CR4_SMEP | CR4_SMAP | CR4_PKE)

/* The table: R(name, fact, bits looked at, what they must be, the sentence for the user). */
#define RING1_REQUIREMENTS(R)                                                                                \
	R(TD_GUEST, TD_GUEST, 1, 0,                                                                          \
	  "Linux runs in a TDX trust domain, whose host answers in place of the VMM: run it outside")        \
	R(LA57, CR4, CR4_LA57, 0, "5-level paging (CR4.LA57) is on: boot with no5lvl")                       \
	R(FRED, CR4, CR4_FRED, 0, "FRED (CR4.FRED) knows rings 0 and 3 only: boot with fred=off")            \
	R(CET, CR4, CR4_CET, 0,                                                                              \
	  "CET (CR4.CET) is on, its shadow stacks know no ring 1: boot with ibt=off clearcpuid=519")         \
	R(PKS, CR4, CR4_PKS, 0, "supervisor protection keys (CR4.PKS) are on: boot without")                 \
	R(UINTR, CR4, CR4_UINTR, 0, "user interrupts (CR4.UINTR) are on: boot without")                      \
	R(LASS, CR4, CR4_LASS, 0, "LASS (CR4.LASS) is on: boot with clearcpuid=lass")                        \
	R(LAM_SUP, CR4, CR4_LAM_SUP, 0, "supervisor LAM (CR4.LAM_SUP) is on: boot without")                  \
	R(KL, CR4, CR4_KL, 0, "key locker (CR4.KL) is on: boot without")                                     \
	R(SMX, CR4, CR4_SMXE, 0, "SMX (CR4.SMXE) is on: boot without tboot")                                 \
	R(VMX, CR4, CR4_VMXE, 0,                                                                             \
	  "VMX is in use (CR4.VMXE is set), by KVM for instance, which needs ring 0: end its guests")        \
	R(UNKNOWN, CR4,                                                                                      \
	  ~(RING1_CR4_CARRIED | CR4_LA57 | CR4_FRED | CR4_CET | CR4_PKS | CR4_UINTR | CR4_LASS |             \
	    CR4_LAM_SUP | CR4_KL | CR4_SMXE | CR4_VMXE),                                                     \
	  0, "CR4 has a bit set that this version does not know: use a newer version")                       \
	R(WP, CR0, CR0_WP, CR0_WP,                                                                           \
	  "CR0.WP is 0, Linux would write what it maps read only: report it")                                \
	R(NXE, EFER, EFER_NXE, EFER_NXE, "EFER.NXE is 0: boot without noexec=off")                           \
	R(SCE, EFER, EFER_SCE, EFER_SCE,                                                                     \
	  "EFER.SCE is 0, this Linux takes no SYSCALL: boot a distribution's kernel")                        \
	R(SVM, EFER, EFER_SVME, 0,                                                                           \
	  "SVM is in use (EFER.SVME is set), by KVM for one, which needs ring 0: end its guests")            \
	R(FMASK, FMASK, RING1_FMASK, RING1_FMASK,                                                            \
	  "IA32_FMASK leaves flags set at SYSCALL that the entry stub clears: boot a distribution's kernel") \
	R(LKGS, LKGS, 1, 0, "the CPU has LKGS, which ring 1 does not emulate: use VT-x")                     \
	R(KVM, KVM, KVM_HYPERCALLS, 0,                                                                       \
	  "KVM answers hypercalls (PV_UNHALT, PV_SEND_IPI, PV_SCHED_YIELD) from ring 0 only: start "         \
	  "this virtual machine without them")                                                               \
	/* KVM raises one wherever CPL is not 0, and Linux panics if that is in its kernel. */               \
	R(ASYNC_PF, ASYNC_PF, KVM_ASYNC_PF_ENABLED, 0,                                                       \
	  "KVM's asynchronous page faults are on, which come in the kernel too where that is not in "        \
	  "ring 0: boot with no-kvmapf")                                                                     \
	R(XEN, XEN, 1, 0,                                                                                    \
	  "Xen answers hypercalls from ring 0 only: use a machine that is not Xen's")                        \
	R(HYPERV, HYPERV, 1, 0,                                                                              \
	  "Hyper-V answers hypercalls from ring 0 only: use a machine without its enlightenments")

void ring1_facts_read(struct ring1_facts *facts);

/* The sentence of the first requirement that is not met, or NULL. Pure. */
const char *ring1_unmet(const struct ring1_facts *facts);

#endif
