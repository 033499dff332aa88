// SPDX-License-Identifier: GPL-2.0-only
/* The library's port on the fake CPU. */
#include "tools_port.h"

#include <errno.h>

#include "../../tools/libmercury/port.h"
#include "fake.h"
#include "x86/cpuid.h"
#include "x86/msr.h"

int fake_tools_error;
bool fake_tools_shows_vmx;
long fake_tools_online;

bool port_open(unsigned int cpu, uint64_t cr4)
{
	fake.cpu.cr4 |= cr4;
	errno = cpu ? EINVAL : fake_tools_error;
	return !errno;
}

void port_close(void)
{
}

long port_online(void)
{
	return fake_tools_online;
}

void port_cpuid(uint32_t leaf, uint32_t subleaf, uint32_t out[4])
{
	struct cpuid_regs r;

	insn_cpuid(leaf, subleaf, &r);
	out[2] = fake_tools_shows_vmx ? r.ecx : r.ecx & ~CPUID_VMX;
}

void fake_tools_machine(bool kvm)
{
	fake_machine(&(struct fake_options){ .kvm = kvm });
	fake_set_msr(MSR_IA32_FMASK, UINT64_C(0x257fd5));
	fake_tools_error = 0;
	fake_tools_shows_vmx = true;
	fake_tools_online = 1;
}

void fake_tools_mask(uint32_t msr, uint64_t bits)
{
	fake_set_msr(msr, fake_get_msr(msr) & bits);
}
