// SPDX-License-Identifier: GPL-2.0-only
/* What ring 1 asks of an outer hypervisor: who it is, and what of it Linux uses. */
#include <string.h>

#include "unit.h"

#include "insn.h"
#include "ring1/require.h"
#include "x86/cpuid.h"
#include "x86/cr.h"
#include "x86/msr_bits.h"

static struct {
	bool present;
	const char *signature, *second; /* of leaves 40000000h and 40000100h                      */
	uint32_t features;
	uint64_t async_pf;
} outer;

void insn_cpuid(uint32_t leaf, uint32_t subleaf, struct cpuid_regs *r)
{
	const char *text = leaf == CPUID_LEAF_HYPERVISOR         ? outer.signature :
			   leaf == CPUID_LEAF_HYPERVISOR + 0x100 ? outer.second :
								   NULL;

	(void)subleaf;
	*r = (struct cpuid_regs){ 0 };
	if (leaf == CPUID_LEAF_FEATURES)
		r->ecx = outer.present ? CPUID_HYPERVISOR : 0;
	if (leaf == CPUID_LEAF_HYPERVISOR + 1)
		r->eax = outer.features;
	if (!text)
		return;
	r->eax = leaf + 1;
	memcpy(&r->ebx, text, 4);
	memcpy(&r->ecx, text + 4, 4);
	memcpy(&r->edx, text + 8, 4);
}

bool insn_rdmsr_safe(uint32_t msr, uint64_t *value)
{
	if (msr != KVM_MSR_ASYNC_PF)
		return false;
	*value = outer.async_pf;
	return true;
}

uint64_t insn_rdmsr(uint32_t msr)
{
	(void)msr;
	return UINT64_MAX & ~EFER_SVME;
}

uint64_t insn_read_cr0(void)
{
	return CR0_WP;
}

uint64_t insn_read_cr4(void)
{
	return 0;
}

static const char *verdict(void)
{
	struct ring1_facts facts;

	ring1_facts_read(&facts);
	return ring1_unmet(&facts);
}

static void assert_refused(const char *text)
{
	const char *sentence = verdict();

	if (!sentence || !strstr(sentence, text))
		fail_msg("\"%s\", not \"%s\"", sentence, text);
}

static int on_bare_metal(void **unused)
{
	(void)unused;
	memset(&outer, 0, sizeof(outer));
	return 0;
}

static void none(void **unused)
{
	(void)unused;
	assert_null(verdict());
	/* Those leaves mean nothing then. */
	outer.signature = "Microsoft Hv";
	assert_null(verdict());
}

static void kvm(void **unused)
{
	(void)unused;
	outer.present = true;
	outer.signature = "KVMKVMKVM\0\0\0";
	assert_null(verdict());
	outer.features = 1u << KVM_FEATURE_PV_UNHALT;
	assert_refused("KVM answers hypercalls");
}

static void kvm_with_asynchronous_page_faults(void **unused)
{
	(void)unused;
	outer.present = true;
	outer.signature = "KVMKVMKVM\0\0\0";
	outer.async_pf = 0x1000 | KVM_ASYNC_PF_ENABLED;
	assert_null(verdict());
	outer.features = 1u << KVM_FEATURE_ASYNC_PF_INT;
	assert_refused("no-kvmapf");
	outer.async_pf = 0;
	assert_null(verdict());
}

static void xen(void **unused)
{
	(void)unused;
	outer.present = true;
	outer.signature = "XenVMMXenVMM";
	assert_refused("Xen answers hypercalls");
	outer.signature = "TCGTCGTCGTCG";
	outer.second = "XenVMMXenVMM";
	assert_refused("Xen answers hypercalls");
}

static void hyper_v(void **unused)
{
	(void)unused;
	outer.present = true;
	outer.signature = "Microsoft Hv";
	assert_refused("Hyper-V answers hypercalls");
}

#define T(name) cmocka_unit_test_setup(name, on_bare_metal)
static const struct CMUnitTest tests[] = {
	T(none), T(kvm), T(kvm_with_asynchronous_page_faults), T(xen), T(hyper_v),
};

UNIT_MAIN(tests)
