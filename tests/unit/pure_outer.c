// SPDX-License-Identifier: GPL-2.0-only
/* What CPUID tells of an outer hypervisor. */
#include "unit.h"

#include "insn.h"
#include "outer.h"
#include "x86/cpuid.h"

#define RANGES 3

static struct {
	bool present;
	const char *signature[RANGES];
	uint32_t highest[RANGES], features[RANGES];
} cpu;

/* What KVM gives for a leaf that nobody has: those of the highest basic one. */
static const struct cpuid_regs beyond = { 0x340, 0x340, 0, 0 };

void insn_cpuid(uint32_t leaf, uint32_t subleaf, struct cpuid_regs *r)
{
	uint32_t range = (leaf - CPUID_LEAF_HYPERVISOR) / 0x100;

	(void)subleaf;
	*r = (struct cpuid_regs){ 0 };
	if (leaf == CPUID_LEAF_FEATURES) {
		r->ecx = cpu.present ? CPUID_HYPERVISOR : 0;
	} else if (leaf < CPUID_LEAF_HYPERVISOR || range >= RANGES || !cpu.signature[range]) {
		*r = beyond;
	} else if (leaf % 0x100 == 0) {
		r->eax = cpu.highest[range];
		memcpy(&r->ebx, cpu.signature[range], 4);
		memcpy(&r->ecx, cpu.signature[range] + 4, 4);
		memcpy(&r->edx, cpu.signature[range] + 8, 4);
	} else {
		r->eax = leaf % 0x100 == 1 ? cpu.features[range] : 0;
	}
}

static int bare_metal(void **unused)
{
	(void)unused;
	memset(&cpu, 0, sizeof(cpu));
	return 0;
}

static void put(unsigned int range, const char *signature, uint32_t highest)
{
	cpu.present = true;
	cpu.signature[range] = signature;
	cpu.highest[range] = highest;
}

static void assert_outer(enum outer_kind kind, uint32_t free_leaf, uint32_t features)
{
	struct outer outer;

	outer_read(&outer);
	assert_int_equal(outer.kind, kind);
	assert_int_equal(outer.free_leaf, free_leaf);
	assert_int_equal(outer.kvm_features, features);
}

/* SDM vol. 2, CPUID: what is beyond the highest leaf says nothing. */
static void without_the_bit_there_is_none(void **unused)
{
	(void)unused;
	put(0, "KVMKVMKVM\0\0\0", 0x40000001);
	cpu.present = false;
	assert_outer(OUTER_NONE, 0x40000000, 0);
}

static void kvm(void **unused)
{
	(void)unused;
	put(0, "KVMKVMKVM\0\0\0", 0x40000001);
	cpu.features[0] = 0x1007efb;
	assert_outer(OUTER_KVM, 0x40000100, 0x1007efb);
	/* cpuid.rst: "old hosts set eax value to 0x0" */
	cpu.highest[0] = 0;
	assert_outer(OUTER_KVM, 0x40000100, 0x1007efb);
}

/* "-cpu host,hv-time": Linux takes the one that comes last. */
static void kvm_behind_hyper_v(void **unused)
{
	(void)unused;
	put(0, "Microsoft Hv", 0x4000000a);
	put(1, "KVMKVMKVM\0\0\0", 0x40000101);
	cpu.features[0] = 0x31237648;
	cpu.features[1] = 0xfb;
	assert_outer(OUTER_KVM, 0x40000200, 0xfb);
}

static void xen(void **unused)
{
	(void)unused;
	put(0, "XenVMMXenVMM", 0x40000005);
	assert_outer(OUTER_XEN, 0x40000100, 0);
	put(0, "Microsoft Hv", 0x40000006);
	put(1, "XenVMMXenVMM", 0x40000105);
	assert_outer(OUTER_XEN, 0x40000200, 0);
}

static void hyper_v(void **unused)
{
	(void)unused;
	put(0, "Microsoft Hv", 0x4000000b);
	assert_outer(OUTER_HYPERV, 0x40000100, 0);
}

static void another(void **unused)
{
	(void)unused;
	put(0, "VMwareVMware", 0x40000010);
	assert_outer(OUTER_OTHER, 0x40000100, 0);
	/* One that only says that it is there. */
	bare_metal(unused);
	cpu.present = true;
	assert_outer(OUTER_OTHER, 0x40000000, 0);
}

#define T(name) cmocka_unit_test_setup(name, bare_metal)
static const struct CMUnitTest tests[] = {
	T(without_the_bit_there_is_none),
	T(kvm),
	T(kvm_behind_hyper_v),
	T(xen),
	T(hyper_v),
	T(another),
};

UNIT_MAIN(tests)
