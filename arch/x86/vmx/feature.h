/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The policy on CPU features: where each is seen, which VT-x control it asks for, whether Linux may
 * be taken virtual while it is in use, and the sentence about it. docs/features.md is made from it.
 */
#ifndef ARCH_X86_VMX_FEATURE_H
#define ARCH_X86_VMX_FEATURE_H

#include <stdbool.h>
#include <stdint.h>

#include "outer.h"
#include "x86/cpuid.h"
#include "x86/cr.h"
#include "x86/msr_bits.h"
#include "x86/vmx.h"

enum vmx_verdict {
	VMX_SUPPORTED,
	VMX_REFUSED, /* while in use                                                              */
};

/* What a CPU is asked, gathered once; the values of the first two are always 0. */
enum vmx_fact {
	FACT_NOWHERE, /* being in use cannot be seen, or does not matter                          */
	FACT_CPUID,   /* the feature counts as in use where CPUID shows it                        */
	FACT_VMX,     /* CPUID.1:ECX.VMX, 0 or 1                                                  */
	FACT_TD_GUEST, /* 0 or 1                                                                  */
	FACT_OUTER, /* OUTER_IS(kind) of the hypervisor that this machine is a guest of           */
	FACT_FEATURE_CONTROL,
	FACT_EFER,
	FACT_RTIT_CTL,
	FACT_VMX_BASIC,
	FACT_CR4,
	FACT_NR
};

/*
 * The table: F(name, CPUID feature or NONE, secondary control or NONE, where its use is seen, bits
 * there, verdict while in use, sentence). A control is asked for where CPUID shows the feature. The
 * sentence of a refusal is for the user; the others say why nothing more is needed.
 */

/*
 * Instructions that are #UD in VMX non-root operation unless their control is 1.
 * SDM vol. 3, 26.3, Changes to Instruction Behavior in VMX Non-Root Operation
 */
#define VMX_FEATURES_WITH_CONTROL(F)                                                               \
	F(RDTSCP, RDTSCP, ENABLE_RDTSCP, NOWHERE, 0, SUPPORTED,                                    \
	  "IA32_TSC_AUX stays in the processor")                                                   \
	F(RDPID, RDPID, ENABLE_RDTSCP, NOWHERE, 0, SUPPORTED, "RDTSCP's control is RDPID's too")   \
	F(INVPCID, INVPCID, ENABLE_INVPCID, NOWHERE, 0, SUPPORTED,                                 \
	  "no exit: INVLPG exiting is off")                                                        \
	F(XSAVES, XSAVES, ENABLE_XSAVES_XRSTORS, NOWHERE, 0, SUPPORTED,                            \
	  "no component of IA32_XSS exits; the MSR stays in the processor")                        \
	F(WAITPKG, WAITPKG, ENABLE_USER_WAIT_AND_PAUSE, NOWHERE, 0, SUPPORTED,                     \
	  "TPAUSE, UMONITOR, UMWAIT; no exit: RDTSC exiting is off")                               \
	F(PCONFIG, PCONFIG, ENABLE_PCONFIG, NOWHERE, 0, SUPPORTED, "no leaf of it exits")

/* What a switch would lose or change, and what nobody has tried: refused while in use. */
#define VMX_FEATURES_REFUSED(F)                                                                                       \
	F(LA57, LA57, NONE, CR4, CR4_LA57, REFUSED,                                                                   \
	  "5-level paging (CR4.LA57) is on: boot with no5lvl")                                                        \
	F(CET_IBT, CET_IBT, NONE, CR4, CR4_CET, REFUSED, VMX_SENTENCE_CET)                                            \
	F(CET_SS, CET_SS, NONE, CR4, CR4_CET, REFUSED, VMX_SENTENCE_CET)                                              \
	F(CET_SSS, CET_SSS, NONE, CR4, CR4_CET, REFUSED, VMX_SENTENCE_CET)                                            \
	F(PKS, PKS, NONE, CR4, CR4_PKS, REFUSED,                                                                      \
	  "supervisor protection keys (CR4.PKS) are on, not supported yet: boot a kernel without")                    \
	F(UINTR, UINTR, NONE, CR4, CR4_UINTR, REFUSED,                                                                \
	  "user interrupts (CR4.UINTR) are on, not supported yet: boot a kernel without")                             \
	F(FRED, FRED, NONE, CR4, CR4_FRED, REFUSED, "FRED (CR4.FRED) is on: boot with fred=off")                      \
	F(LASS, LASS, NONE, CR4, CR4_LASS, REFUSED,                                                                   \
	  "LASS (CR4.LASS) is on, not supported yet: boot with clearcpuid=lass")                                      \
	F(LAM_SUP, LAM, NONE, CR4, CR4_LAM_SUP, REFUSED,                                                              \
	  "supervisor LAM (CR4.LAM_SUP) is on, not supported yet: boot a kernel without")                             \
	F(KL, KL, NONE, CR4, CR4_KL, REFUSED,                                                                         \
	  "key locker (CR4.KL) is on, not supported yet: boot a kernel without")                                      \
	F(SMX, SMX, NONE, CR4, CR4_SMXE, REFUSED,                                                                     \
	  "SMX (CR4.SMXE) is on, a measured launch owns VT-x: boot without tboot")                                    \
	F(PT, PT, NONE, RTIT_CTL, RTIT_CTL_TRACE_EN, REFUSED,                                                         \
	  "Intel PT is tracing: stop perf record -e intel_pt")                                                        \
	F(MSRLIST, MSRLIST, NONE, CPUID, 1, REFUSED,                                                                  \
	  "the CPU has RDMSRLIST and WRMSRLIST, which need a tertiary control, not supported yet: use backend=ring1") \
	F(TDX, NONE, NONE, TD_GUEST, 1, REFUSED,                                                                      \
	  "Linux runs in a TDX trust domain, where VT-x is the host's: run it outside of one")                        \
	F(XEN, NONE, NONE, OUTER, OUTER_IS(XEN), REFUSED,                                                             \
	  "Xen flushes its guest's TLB, not that of a guest's guest: use bare metal or KVM")                          \
	F(HYPERV, NONE, NONE, OUTER, OUTER_IS(HYPERV), REFUSED,                                                       \
	  "Hyper-V flushes its guest's TLB, not that of a guest's guest: use bare metal or KVM")                      \
	F(NESTED, NONE, NONE, OUTER, OUTER_IS(OTHER), REFUSED,                                                        \
	  "the hypervisor that this machine is a guest of is not known: use bare metal or KVM")

#define OUTER_IS(kind) (UINT64_C(1) << OUTER_##kind)

/*
 * One bit enables all of CET, and with it the VMM would run on Linux's IA32_S_CET and SSP. 519 is
 * Linux's number of CPUID's bit for shadow stacks; with nousershstk alone it still sets CR4.CET.
 */
#define VMX_SENTENCE_CET "CET (CR4.CET) is on: boot with ibt=off clearcpuid=519"

/* Bits of CR4 that the switch carries and that need nothing else. SDM vol. 3, 2.5 */
#define VMX_FEATURES_IN_CR4(F)                                                                     \
	F(BASE, NONE, NONE, CR4,                                                                   \
	  CR4_VME | CR4_PVI | CR4_TSD | CR4_DE | CR4_PSE | CR4_PAE | CR4_MCE | CR4_PGE | CR4_PCE,  \
	  SUPPORTED, "CR4 travels in the VMCS")                                                    \
	F(SSE, NONE, NONE, CR4, CR4_OSFXSR | CR4_OSXMMEXCPT, SUPPORTED,                            \
	  "vector registers stay in the processor; the VMM uses none")                             \
	F(UMIP, UMIP, NONE, CR4, CR4_UMIP, SUPPORTED, "no exit: descriptor-table exiting is off")  \
	F(VMX, VMX, NONE, CR4, CR4_VMXE, SUPPORTED, "who set it is asked by the vote")             \
	F(FSGSBASE, FSGSBASE, NONE, CR4, CR4_FSGSBASE, SUPPORTED, "the bases travel in the VMCS")  \
	F(PCID, PCID, NONE, CR4, CR4_PCIDE, SUPPORTED, "the VMM's CR3 has a PCID of its own")      \
	F(XSAVE, XSAVE, NONE, CR4, CR4_OSXSAVE, SUPPORTED,                                         \
	  "XCR0 stays in the processor; XSETBV exits and is executed")                             \
	F(SMEP, SMEP, NONE, CR4, CR4_SMEP, SUPPORTED, "the VMM has supervisor pages only")         \
	F(SMAP, SMAP, NONE, CR4, CR4_SMAP, SUPPORTED, "the VMM has supervisor pages only")         \
	F(PKU, PKU, NONE, CR4, CR4_PKE, SUPPORTED,                                                 \
	  "PKRU stays in the processor, and says nothing of supervisor pages")

/* State that neither VM entry nor VM exit touches without a control that is off here. */
#define VMX_FEATURES_THAT_STAY(F)                                                                  \
	F(ENQCMD, ENQCMD, NONE, NOWHERE, 0, SUPPORTED,                                             \
	  "IA32_PASID stays in the processor; PASID translation is off")                           \
	F(AMX, AMX_TILE, NONE, NOWHERE, 0, SUPPORTED,                                              \
	  "tiles stay in the processor; the VMM uses none")                                        \
	F(XFD, XFD, NONE, NOWHERE, 0, SUPPORTED,                                                   \
	  "IA32_XFD and IA32_XFD_ERR stay in the processor; #NM does not exit")                    \
	F(MPX, MPX, NONE, NOWHERE, 0, SUPPORTED,                                                   \
	  "IA32_BNDCFGS stays in the processor; Linux left MPX with 5.6")                          \
	F(LAM, LAM, NONE, NOWHERE, 0, SUPPORTED, "for user pointers it is bits of CR3")            \
	F(SGX, SGX, NONE, NOWHERE, 0, SUPPORTED, "no exit: ENCLS and ENCLV exiting are off")       \
	F(SGX_LC, SGX_LC, NONE, NOWHERE, 0, SUPPORTED,                                             \
	  "the launch key's MSRs stay in the processor")                                           \
	F(TME, TME, NONE, NOWHERE, 0, SUPPORTED,                                                   \
	  "encryption is below the caches; Linux uses key ID 0 alone")                             \
	F(RTM, RTM, NONE, NOWHERE, 0, SUPPORTED,                                                   \
	  "what exits aborts a transaction anyway; DR7 and DEBUGCTL travel in the VMCS")           \
	F(BUS_LOCK_DETECT, BUS_LOCK_DETECT, NONE, NOWHERE, 0, SUPPORTED,                           \
	  "its bit is in DEBUGCTL, which travels in the VMCS; the exit for it is off")             \
	F(PEBS, DS, NONE, NOWHERE, 0, SUPPORTED,                                                   \
	  "records go to Linux's cpu_entry_area, which the VMM's page tables map for it; BTS too") \
	F(ARCH_LBR, ARCH_LBR, NONE, NOWHERE, 0, SUPPORTED,                                         \
	  "IA32_LBR_CTL stays on across exits: branches of the VMM are recorded among Linux's")    \
	F(HRESET, HRESET, NONE, NOWHERE, 0, SUPPORTED,                                             \
	  "no control; its MSR and Thread Director's stay in the processor")                       \
	F(LKGS, LKGS, NONE, NOWHERE, 0, SUPPORTED,                                                 \
	  "no control; IA32_KERNEL_GS_BASE stays in the processor")                                \
	F(WRMSRNS, WRMSRNS, NONE, NOWHERE, 0, SUPPORTED, "exits where WRMSR would")                \
	F(WBNOINVD, WBNOINVD, NONE, NOWHERE, 0, SUPPORTED, "no exit: WBINVD exiting is off")       \
	F(MONITOR, MONITOR, NONE, NOWHERE, 0, SUPPORTED,                                           \
	  "no exit; another exit in between only wakes MWAIT early")                               \
	F(X2APIC, X2APIC, NONE, NOWHERE, 0, SUPPORTED, "its MSRs do not exit")                     \
	F(SPEC_CTRL, SPEC_CTRL, NONE, NOWHERE, 0, SUPPORTED,                                       \
	  "IA32_SPEC_CTRL stays in the processor")

#define VMX_FEATURES(F)                                                                            \
	VMX_FEATURES_WITH_CONTROL(F)                                                               \
	VMX_FEATURES_REFUSED(F)                                                                    \
	VMX_FEATURES_IN_CR4(F)                                                                     \
	VMX_FEATURES_THAT_STAY(F)

/* The bits of CR4 with one verdict; those with none are not known, and refused. */
#define VMX_CR4_OF(wanted, where, bits, verdict)                                                   \
	| (FACT_##where == FACT_CR4 && VMX_##verdict == (wanted) ? (uint64_t)(bits) : 0)
#define VMX_CR4_SUPPORTED_ROW(name, cpuid, control, where, bits, verdict, sentence)                \
	VMX_CR4_OF(VMX_SUPPORTED, where, bits, verdict)
#define VMX_CR4_REFUSED_ROW(name, cpuid, control, where, bits, verdict, sentence)                  \
	VMX_CR4_OF(VMX_REFUSED, where, bits, verdict)
#define VMX_CR4_SUPPORTED (UINT64_C(0) VMX_FEATURES(VMX_CR4_SUPPORTED_ROW))
#define VMX_CR4_REFUSED (UINT64_C(0) VMX_FEATURES(VMX_CR4_REFUSED_ROW))

/* What CPUID says, by enum cpuid_feature; the last stays false, for rows without a feature. */
struct vmx_features {
	bool has[CPUID_FEATURE_COUNT + 1];
	bool td_guest;       /* CPUID.21H names a TDX trust domain                                */
	uint32_t maxphyaddr; /* bits of a physical address                                        */
};

struct vmx_facts {
	uint64_t value[FACT_NR];
	struct vmx_features features;
};

/* Ask CPUID, no leaf that does not exist. SDM vol. 2, 3.3, CPUID */
void vmx_features_read(struct vmx_features *features);

/* The secondary controls that the features ask for. Pure. */
uint32_t vmx_features_secondary(const struct vmx_features *features);

/* The sentence of the first feature that is in use and refused, or NULL. Pure. */
const char *vmx_features_in_use(const struct vmx_facts *facts);

#endif
