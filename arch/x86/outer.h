/* SPDX-License-Identifier: GPL-2.0-only */
/* The hypervisor that this machine is a guest of, if it is one. */
#ifndef ARCH_X86_OUTER_H
#define ARCH_X86_OUTER_H

#include <stdint.h>

enum outer_kind {
	OUTER_NONE, /* bare metal, or it hides                                                    */
	OUTER_KVM,
	OUTER_XEN,
	OUTER_HYPERV,
	OUTER_OTHER,
};

struct outer {
	enum outer_kind kind;
	uint32_t kvm_features; /* KVM_FEATURE_*, by bit number                                    */
	uint32_t free_leaf;    /* of CPUID: the first of 100h that no hypervisor answers          */
};

/* Linux, Documentation/virt/kvm/x86/cpuid.rst and msr.rst */
#define KVM_FEATURE_PV_UNHALT 7
#define KVM_FEATURE_PV_SEND_IPI 11
#define KVM_FEATURE_PV_SCHED_YIELD 13
#define KVM_FEATURE_ASYNC_PF_INT 14
#define KVM_MSR_ASYNC_PF UINT32_C(0x4b564d02)
#define KVM_MSR_STEAL_TIME UINT32_C(0x4b564d03)
#define KVM_ASYNC_PF_ENABLED UINT64_C(0x1)
#define KVM_ASYNC_PF_SEND_ALWAYS UINT64_C(0x2)
#define KVM_ASYNC_PF_AS_VMEXIT UINT64_C(0x4)
#define KVM_STEAL_TIME_ENABLED UINT64_C(0x1)
#define KVM_STEAL_TIME_AREA (~UINT64_C(0x3f))
#define KVM_STEAL_TIME_PREEMPTED 16 /* offset of this byte in the area                            */
#define KVM_EPERM 1

/* CPUID faulting, as Linux asks for it. Linux, arch/x86/include/asm/msr-index.h */
#define KVM_MSR_MISC_FEATURES_ENABLES UINT32_C(0x140)
#define KVM_CPUID_FAULT UINT64_C(0x1)

/*
 * Ask CPUID, natively. One that shows two hypervisors is what Linux takes it for: Xen and KVM show
 * Hyper-V first, for the sake of Windows.
 */
void outer_read(struct outer *outer);

#endif
