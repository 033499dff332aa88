// SPDX-License-Identifier: GPL-2.0-only
/* The answers to VM exits, but for EPT violations. */
#define _GNU_SOURCE
#include "unit.h"

#include "call.h"
#include "fake.h"
#include "mercury/p2m.h"
#include "mercury/pool.h"
#include "window.h"
#include "x86/cpuid.h"
#include "x86/cr.h"
#include "x86/msr.h"
#include "x86/mtrr.h"
#include "x86/paging.h"
#include "x86/vector.h"
#include "x86/vmx.h"

#define USER_SS 0xc0f3
#define USER_CS_32 0xc0fb
#define USER_CS_64 0xa0fb

static uint64_t rip;

/* Linux is virtual, at CPL 0. */
static int virtual_linux(void **unused)
{
	const struct fake_options options = { 0 };

	(void)unused;
	fake_machine(&options);
	fake_boot();
	assert_int_equal(fake_enter(), FAKE_VIRTUAL);
	rip = fake.cpu.rip;
	return 0;
}

static void to_user(void)
{
	fake.cpu.ss.ar = USER_SS;
	fake.cpu.cs.selector = 0x33;
}

static void assert_injected(uint8_t vector)
{
	assert_int_equal(VMX_EVENT_VECTOR(fake.injected), vector);
	assert_int_equal(VMX_EVENT_TYPE(fake.injected), VMX_EVENT_HARDWARE_EXCEPTION);
	assert_int_equal(!!(fake.injected & VMX_EVENT_ERROR_CODE), vector == VECTOR_GP);
	assert_int_equal(fake.cpu.rip, rip);
	/* "The image of RFLAGS that a fault pushes has RF set" */
	assert_true(fake.cpu.rflags & RFLAGS_RF);
}

static void assert_ud_from(uint32_t reason)
{
	assert_int_equal(fake_exit(reason, 0, 3), FAKE_VIRTUAL);
	assert_injected(VECTOR_UD);
}

static void cpuid(uint32_t leaf, uint32_t subleaf)
{
	fake.cpu.gpr.rax = UINT64_C(0xffffffff00000000) | leaf;
	fake.cpu.gpr.rcx = UINT64_C(0xffffffff00000000) | subleaf;
	assert_int_equal(fake_exit(VMX_REASON_CPUID, 0, 2), FAKE_VIRTUAL);
}

/* "CPUID.1:ECX.VMX is hidden while virtual", and the hypervisor bit says that there is one. */
static void cpuid_hides_vmx_and_shows_hypervisor(void **unused)
{
	(void)unused;
	cpuid(1, 0);
	assert_false(fake.cpu.gpr.rcx & CPUID_VMX);
	assert_true(fake.cpu.gpr.rcx & CPUID_HYPERVISOR);
	assert_true(fake.cpu.gpr.rcx & CPUID_PCID);
	assert_int_equal(fake.cpu.gpr.rax, 0x306c3);
	assert_int_equal(fake.cpu.rip, rip + 2);
	assert_int_equal(cpu_shared(fake_vmm_cpu())->exits[VMX_REASON_CPUID], 1);
}

/* SDM vol. 2, CPUID: OSXSAVE and OSPKE mirror CR4 - Linux's, not the VMM's of the moment. */
static void cpuid_mirrors_the_guests_cr4(void **unused)
{
	(void)unused;
	fake.cpu.cr4 &= ~CR4_OSXSAVE;
	cpuid(1, 0);
	assert_false(fake.cpu.gpr.rcx & CPUID_OSXSAVE);
	fake.cpu.cr4 |= CR4_OSXSAVE | CR4_PKE;
	cpuid(1, 0);
	assert_true(fake.cpu.gpr.rcx & CPUID_OSXSAVE);
	cpuid(7, 0);
	assert_true(fake.cpu.gpr.rcx & CPUID_OSPKE);
	fake.cpu.cr4 &= ~CR4_PKE;
	cpuid(7, 0);
	assert_false(fake.cpu.gpr.rcx & CPUID_OSPKE);
}

/*
 * SDM vol. 2, CPUID, leaf 80000001h, EDX bit 11: SYSCALL "is always enumerated as 0 outside 64-bit
 * mode", and the VMM that executes CPUID is 64-bit code.
 */
static void cpuid_shows_syscall_to_64_bit_code(void **unused)
{
	(void)unused;
	to_user();
	fake.cpu.cs.ar = USER_CS_64;
	cpuid(0x80000001, 0);
	assert_true(fake.cpu.gpr.rdx & CPUID_SYSCALL);
	fake.cpu.cs.ar = USER_CS_32;
	fake.cpu.rip = 0x1000;
	cpuid(0x80000001, 0);
	assert_false(fake.cpu.gpr.rdx & CPUID_SYSCALL);
	assert_true(fake.cpu.gpr.rdx & CPUID_RDTSCP);
}

/*
 * SDM vol. 3, 27.3.1.4, Checks on Guest RIP, RFLAGS, and SSP: with CS.L = 0 the upper half of RIP
 * must be 0. A program's last instruction below 4 GiB must not stop the CPU.
 */
static void the_instruction_pointer_of_32_bit_code_wraps(void **unused)
{
	(void)unused;
	to_user();
	fake.cpu.cs.ar = USER_CS_32;
	fake.cpu.rip = 0xfffffffe;
	cpuid(0, 0);
	assert_int_equal(fake.cpu.rip, 0);
	fake.cpu.cs.ar = USER_CS_64;
	fake.cpu.rip = 0xfffffffe;
	cpuid(0, 0);
	assert_int_equal(fake.cpu.rip, UINT64_C(0x100000000));
}

/* "the hypervisor signature in CPUID" is what tells a guest where it runs. */
static void cpuid_signature(void **unused)
{
	char text[13] = "";

	(void)unused;
	cpuid(0x40000000, 0);
	memcpy(text, &fake.cpu.gpr.rbx, 4);
	memcpy(text + 4, &fake.cpu.gpr.rcx, 4);
	memcpy(text + 8, &fake.cpu.gpr.rdx, 4);
	assert_string_equal(text, "MercuryVMMv1");
	assert_int_equal(fake.cpu.gpr.rax, 0x40000001);
	cpuid(0x40000010, 0);
	assert_int_equal(fake.cpu.gpr.rax | fake.cpu.gpr.rbx | fake.cpu.gpr.rcx, 0);
}

/*
 * "After an emulated instruction: TF gives its #DB (pending debug BS)"; with IA32_DEBUGCTL.BTF only
 * branches trap, SDM vol. 3, 18.4.3, Single-Stepping on Branches.
 */
static void single_step_traps_behind_the_instruction(void **unused)
{
	(void)unused;
	fake.cpu.rflags |= RFLAGS_TF;
	fake_set_msr(MSR_IA32_DEBUGCTL, DEBUGCTL_BTF);
	cpuid(0, 0);
	assert_int_equal(fake.cpu.pending_debug, 0);
	fake_set_msr(MSR_IA32_DEBUGCTL, 0);
	cpuid(0, 0);
	assert_int_equal(fake.cpu.pending_debug, VMX_PENDING_DEBUG_BS);
}

/* "STI and MOV-SS blocking is cleared"; blocking by NMI stays. */
static void blocking_ends_behind_the_instruction(void **unused)
{
	(void)unused;
	fake.cpu.interruptibility = VMX_BLOCKING_STI | VMX_BLOCKING_NMI;
	cpuid(0, 0);
	assert_int_equal(fake.cpu.interruptibility, VMX_BLOCKING_NMI);
	fake.cpu.interruptibility = VMX_BLOCKING_MOV_SS;
	cpuid(0, 0);
	assert_int_equal(fake.cpu.interruptibility, 0);
	assert_int_equal(fake.cpu.pending_debug, 0);
}

/* "VMCALL from CPL 0 with MERCURY_COOKIE in rax"; natively it is #UD, and so it stays otherwise. */
static void vmcall_of_others_is_undefined(void **unused)
{
	(void)unused;
	fake.cpu.gpr.rax = MERCURY_COOKIE + 1;
	fake.cpu.gpr.rdi = MERCURY_CALL_LEAVE;
	assert_ud_from(VMX_REASON_VMCALL);
	assert_int_equal(fake.cpu.gpr.rax, MERCURY_COOKIE + 1);
	fake.cpu.gpr.rax = MERCURY_COOKIE;
	to_user();
	assert_ud_from(VMX_REASON_VMCALL);
	assert_int_equal(fake_vmm_cpu()->mode, MODE_VIRTUAL);
}

/* "Both return a mercury_error in rax", and Linux goes on behind VMCALL. */
static void vmcall_with_a_bad_call(void **unused)
{
	(void)unused;
	assert_int_equal(fake_vmcall(MERCURY_CALL_NR, 0, 0), FAKE_VIRTUAL);
	assert_int_equal(fake.error, MERCURY_E_BAD_CALL);
	assert_int_equal(fake.cpu.rip, rip + 3);
	assert_int_equal(fake_vmcall(MERCURY_CALL_ENTER, 0, 0), FAKE_VIRTUAL);
	assert_int_equal(fake.error, MERCURY_E_BAD_STATE);
}

/* The call is a 64-bit register: one that only looks like a call in its lower half is none. */
static void vmcall_number_is_not_truncated(void **unused)
{
	(void)unused;
	assert_int_equal(fake_vmcall(UINT64_C(1) << 32 | MERCURY_CALL_LEAVE, 0, 0), FAKE_VIRTUAL);
	assert_int_equal(fake.error, MERCURY_E_BAD_CALL);
}

/* How often the VMM's log holds that text. */
static unsigned int logged(const char *text)
{
	const struct mercury_shared *shared = window_at(MERCURY_WINDOW_SHARED);
	const char *at = shared->log, *end = at + shared->log_head;
	unsigned int n = 0;

	while ((at = memmem(at, (size_t)(end - at), text, strlen(text)))) {
		at++;
		n++;
	}
	return n;
}

/* "the stock crash path executes VMXOFF, which exits and means 'this CPU to native'" */
static void vmxoff_goes_native(void **unused)
{
	(void)unused;
	fake_set_field(VMCS_CR4_READ_SHADOW, fake_field(VMCS_CR4_READ_SHADOW) | CR4_VMXE);
	fake.cpu.gpr.rax = 0x99;
	assert_int_equal(fake_exit(VMX_REASON_VMXOFF, 0, 3), FAKE_NATIVE);
	assert_int_equal(fake.cpu.rip, rip + 3);
	assert_int_equal(fake.cpu.mode, FAKE_OFF);
	assert_true(fake.cpu.cr4 & CR4_VMXE);
	assert_int_equal(fake.cpu.gpr.rax, 0x99);
	assert_int_equal(fake_vmm_cpu()->mode, MODE_PREPARED);
	assert_int_equal(logged("Linux executes VMXOFF"), 1);
}

/* SDM vol. 3, VMXOFF: #UD outside VMX operation, which is where Linux sees itself without VMXE. */
static void vmxoff_is_undefined_for_others(void **unused)
{
	(void)unused;
	assert_ud_from(VMX_REASON_VMXOFF);
	fake_set_field(VMCS_CR4_READ_SHADOW, fake_field(VMCS_CR4_READ_SHADOW) | CR4_VMXE);
	to_user();
	assert_ud_from(VMX_REASON_VMXOFF);
}

/* "relocate_kernel clearing VMXE in CR4 exits too": native, with the new value, behind the MOV. */
static void clearing_vmxe_goes_native(void **unused)
{
	uint64_t value = (fake.cpu.cr4 & ~CR4_VMXE) ^ CR4_TSD;

	(void)unused;
	fake_set_field(VMCS_CR4_READ_SHADOW, fake_field(VMCS_CR4_READ_SHADOW) | CR4_VMXE);
	fake.cpu.gpr.r9 = value;
	assert_int_equal(fake_exit(VMX_REASON_CR_ACCESS, 9 << 8 | 4, 4), FAKE_NATIVE);
	assert_int_equal(fake.cpu.cr4, value);
	assert_int_equal(fake.cpu.rip, rip + 4);
	assert_int_equal(fake.cpu.mode, FAKE_OFF);
	assert_int_equal(logged("to CR4, which takes native mode"), 1);
}

/*
 * SDM vol. 2, MOV to and from Control Registers: #GP(0) for a bit that the CPU does not have and for
 * the end of PAE or of paging in 64-bit mode. The exit comes before the CPU's own checks, and a CPU
 * that goes native with such a value would fault there.
 */
static void control_register_values_that_fault(void **unused)
{
	const struct {
		unsigned int number;
		uint64_t set, clear;
	} rows[] = {
		{ 4, CR4_FRED, 0 },    { 4, CR4_CET, 0 },
		{ 4, CR4_LA57, 0 },    { 4, 0, CR4_PAE | CR4_VMXE },
		{ 0, 0, CR0_PG },      { 0, 0, CR0_PE },
		{ 0, CR0_NW, CR0_NE }, { 0, UINT64_C(1) << 32, CR0_NE },
	};
	unsigned int i;

	(void)unused;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		uint64_t old = rows[i].number ? fake.cpu.cr4 : fake.cpu.cr0;
		uint64_t at = fake.cpu.rip;

		fake.cpu.gpr.r9 = (old | rows[i].set) & ~rows[i].clear;
		assert_int_equal(fake_exit(VMX_REASON_CR_ACCESS, 9 << 8 | rows[i].number, 4),
				 FAKE_VIRTUAL);
		assert_injected(VECTOR_GP);
		assert_int_equal(fake.cpu.rip, at);
		assert_int_equal(rows[i].number ? fake.cpu.cr4 : fake.cpu.cr0, old);
	}
}

/*
 * SDM vol. 2, XSETBV: #GP on an invalid value; a valid one takes effect, Linux's and ours are one.
 */
static void xsetbv(void **unused)
{
	(void)unused;
	fake.cpu.gpr.rcx = 0;
	fake.cpu.gpr.rax = 2;
	fake.cpu.gpr.rdx = 0;
	assert_int_equal(fake_exit(VMX_REASON_XSETBV, 0, 3), FAKE_VIRTUAL);
	assert_injected(VECTOR_GP);
	fake.cpu.gpr.rax = 3;
	assert_int_equal(fake_exit(VMX_REASON_XSETBV, 0, 3), FAKE_VIRTUAL);
	assert_int_equal(fake.injected, 0);
	assert_int_equal(fake.cpu.xcr0, 3);
	assert_int_equal(fake.cpu.rip, rip + 3);
}

/* INVD: "would lose what the VMM wrote: write back as well". */
static void invd_writes_back(void **unused)
{
	unsigned int from = fake.ops;
	bool found = false;

	(void)unused;
	assert_int_equal(fake_exit(VMX_REASON_INVD, 0, 2), FAKE_VIRTUAL);
	for (; from < fake.ops; from++)
		found |= fake.log[from].kind == OP_WBINVD;
	assert_true(found);
	assert_int_equal(fake.cpu.rip, rip + 2);
}

static void wrmsr(uint32_t msr, uint64_t value)
{
	fake.cpu.gpr.rcx = msr;
	fake.cpu.gpr.rax = UINT64_C(0xbad) << 32 | (uint32_t)value;
	fake.cpu.gpr.rdx = UINT64_C(0xbad) << 32 | value >> 32;
}

static uint32_t type_at(uint64_t pa)
{
	struct p2m_page page;

	assert_true(p2m_lookup(&machine_p2m, pa >> 12, &page));
	assert_true(p2m_is_identity(&machine_p2m));
	return page.type;
}

static void write_mtrr(uint32_t msr, uint64_t value)
{
	uint64_t from = fake.cpu.rip;

	wrmsr(msr, value);
	assert_int_equal(fake_exit(VMX_REASON_WRMSR, 0, 2), FAKE_VIRTUAL);
	assert_int_equal(fake_get_msr(msr), value);
	assert_int_equal(fake.cpu.rip, from + 2);
}

/* Operations of that kind since log entry `from`. */
static unsigned int count(enum fake_op_kind kind, unsigned int from)
{
	unsigned int n = 0;

	for (; from < fake.ops; from++)
		n += fake.log[from].kind == kind;
	return n;
}

/*
 * "Guest writes to MTRRs are intercepted, retyped, INVEPT everywhere". SDM vol. 3, 12.11.7.2: MTRRs
 * are off (IA32_MTRR_DEF_TYPE.E) while they are changed; the P2M follows the write that enables them.
 */
static void mtrr_writes_are_followed(void **unused)
{
	const uint64_t at = UINT64_C(0x40000000), size = UINT64_C(0x200000);
	unsigned int from;

	(void)unused;
	assert_int_equal(type_at(at), MEMORY_TYPE_WB);
	from = fake.ops;
	write_mtrr(MSR_IA32_MTRR_DEF_TYPE, 6);
	write_mtrr(MSR_IA32_MTRR_PHYSBASE(1), at | MEMORY_TYPE_WT);
	write_mtrr(MSR_IA32_MTRR_PHYSMASK(1),
		   (UINT64_C(0x1000000000) - size) | MTRR_PHYSMASK_VALID);
	assert_int_equal(type_at(at), MEMORY_TYPE_WB);
	assert_int_equal(count(OP_INVEPT, from), 0);
	write_mtrr(MSR_IA32_MTRR_DEF_TYPE, 6 | MTRR_DEF_TYPE_E);
	assert_int_equal(type_at(at), MEMORY_TYPE_WT);
	assert_int_equal(type_at(at + size - PAGE_4K), MEMORY_TYPE_WT);
	assert_int_equal(type_at(at - PAGE_4K), MEMORY_TYPE_WB);
	assert_int_equal(type_at(at + size), MEMORY_TYPE_WB);
	assert_int_equal(count(OP_INVEPT, from), 1);
}

/* No page left to split into: that CPU goes native, where MTRRs work by themselves. */
static void mtrr_write_without_memory_goes_native(void **unused)
{
	(void)unused;
	while (pool_alloc())
		;
	wrmsr(MSR_IA32_MTRR_PHYSMASK(0), (UINT64_C(0x1000000000) - PAGE_4K) | MTRR_PHYSMASK_VALID);
	assert_int_equal(fake_exit(VMX_REASON_WRMSR, 0, 2), FAKE_NATIVE);
	assert_int_equal(fake.cpu.rip, rip + 2);
}

/* SDM vol. 2, WRMSR and RDMSR: #GP for an MSR that does not exist. */
static void unknown_msr_is_gp(void **unused)
{
	(void)unused;
	wrmsr(0xc0002000, 1);
	assert_int_equal(fake_exit(VMX_REASON_WRMSR, 0, 2), FAKE_VIRTUAL);
	assert_injected(VECTOR_GP);
	assert_int_equal(fake.injected_error, 0);
	fake.cpu.gpr.rcx = 0x40000000;
	assert_int_equal(fake_exit(VMX_REASON_RDMSR, 0, 2), FAKE_VIRTUAL);
	assert_injected(VECTOR_GP);
}

/* RDMSR fills both halves and clears the upper parts of RAX and RDX. */
static void rdmsr_gives_the_value(void **unused)
{
	(void)unused;
	fake_set_msr(0x40000080, UINT64_C(0x1122334455667788));
	fake.cpu.gpr.rcx = 0x40000080;
	fake.cpu.gpr.rax = fake.cpu.gpr.rdx = UINT64_MAX;
	assert_int_equal(fake_exit(VMX_REASON_RDMSR, 0, 2), FAKE_VIRTUAL);
	assert_int_equal(fake.cpu.gpr.rax, 0x55667788);
	assert_int_equal(fake.cpu.gpr.rdx, 0x11223344);
	assert_int_equal(fake.cpu.rip, rip + 2);
}

/* VMX is hidden: each of its instructions is #UD, as without VMX. */
static void vmx_instructions_are_undefined(void **unused)
{
	static const uint32_t reasons[] = {
		VMX_REASON_VMCLEAR,  VMX_REASON_VMLAUNCH, VMX_REASON_VMPTRLD, VMX_REASON_VMPTRST,
		VMX_REASON_VMREAD,   VMX_REASON_VMRESUME, VMX_REASON_VMWRITE, VMX_REASON_VMXON,
		VMX_REASON_INVEPT,   VMX_REASON_INVVPID,  VMX_REASON_VMFUNC,  VMX_REASON_GETSEC,
		VMX_REASON_SEAMCALL, VMX_REASON_TDCALL,
	};
	unsigned int i;

	(void)unused;
	for (i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++)
		assert_ud_from(reasons[i]);
}

static const uint32_t known[] = {
	/* clang-format off */
	VMX_REASON_EXCEPTION_OR_NMI, VMX_REASON_NMI_WINDOW, VMX_REASON_CPUID, VMX_REASON_GETSEC,
	VMX_REASON_INVD, VMX_REASON_VMCALL, VMX_REASON_VMCLEAR, VMX_REASON_VMLAUNCH,
	VMX_REASON_VMPTRLD, VMX_REASON_VMPTRST, VMX_REASON_VMREAD, VMX_REASON_VMRESUME,
	VMX_REASON_VMWRITE, VMX_REASON_VMXOFF, VMX_REASON_VMXON, VMX_REASON_INVEPT,
	VMX_REASON_INVVPID, VMX_REASON_VMFUNC, VMX_REASON_CR_ACCESS, VMX_REASON_XSETBV,
	VMX_REASON_RDMSR, VMX_REASON_WRMSR, VMX_REASON_EPT_VIOLATION, VMX_REASON_MONITOR_TRAP_FLAG,
	VMX_REASON_INTERRUPT_WINDOW, VMX_REASON_SEAMCALL, VMX_REASON_TDCALL, VMX_REASON_INIT,
	/* clang-format on */
};

static bool is_known(uint32_t reason)
{
	unsigned int i;

	for (i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (known[i] == reason)
			return true;
	return false;
}

/*
 * "Unknown exits never advance RIP silently: one screen to a ring that survives, that CPU to
 * native."
 */
static void unknown_exit_at_cpl_0_goes_native(void **unused)
{
	const struct mercury_cpu_shared *shared = cpu_shared(fake_vmm_cpu());
	uint32_t reason;

	(void)unused;
	for (reason = 0; reason < MERCURY_EXIT_REASONS + 5; reason++) {
		if (is_known(reason) || reason == VMX_REASON_EPT_MISCONFIGURATION)
			continue;
		virtual_linux(NULL);
		assert_int_equal(fake_exit(reason, 0, 2), FAKE_NATIVE);
		assert_int_equal(fake.cpu.rip, rip);
		assert_int_equal(fake.cpu.mode, FAKE_OFF);
		assert_int_equal(shared->forced, 1);
		assert_int_equal(shared->error, MERCURY_E_FORCED);
		assert_int_equal(shared->detail, reason);
		assert_int_equal(logged("has no answer"), 1);
		assert_int_equal(logged("\n!rax "), 1);
		assert_int_equal(logged("not the identity"), 0);
		assert_int_equal(fake_vmm_cpu()->mode, MODE_PREPARED);
		assert_int_equal(fake_enter(), FAKE_VIRTUAL);
	}
}

/* "no CPU goes on with it": the P2M is one for all. */
static void ept_misconfiguration_is_the_end(void **unused)
{
	(void)unused;
	assert_int_equal(fake_exit(VMX_REASON_EPT_MISCONFIGURATION, 0, 2), FAKE_NATIVE);
	assert_int_equal(fake.cpu.rip, rip);
	assert_int_equal(logged("VM exit 49 (EPT_MISCONFIGURATION) has no answer"), 1);
	assert_int_equal(fake_enter(), FAKE_RETURNED);
	assert_int_equal(fake.error, MERCURY_E_BROKEN);
}

/* "identity is asserted before VMXOFF": a CPU that has to go native cannot be refused, but says so. */
static void going_native_on_another_p2m_is_logged(void **unused)
{
	(void)unused;
	assert_int_equal(p2m_protect(&machine_p2m, 0x5000, 0x7000, P2M_READ), MERCURY_E_OK);
	assert_int_equal(fake_exit(VMX_REASON_TRIPLE_FAULT, 0, 0), FAKE_NATIVE);
	assert_int_equal(logged("though 2 pages of the P2M are not the identity"), 1);
}

/*
 * At CPL 0 where Linux has no stack yet, behind SYSCALL: "Linux is asked by an NMI, whose handler makes
 * the call".
 */
static void unknown_exit_without_a_stack_asks_linux(void **unused)
{
	const struct mercury_cpu_shared *shared = cpu_shared(fake_vmm_cpu());

	(void)unused;
	fake.cpu.gpr.rsp = 0x7ffc12345678;
	assert_int_equal(fake_exit(VMX_REASON_IO_INSTRUCTION, 0, 2), FAKE_VIRTUAL);
	assert_int_equal(fake.cpu.rip, rip);
	assert_int_equal(shared->asks_leave, 1);
	assert_int_equal(shared->forced, 0);
	assert_int_equal(fake.injected, vmx_event(VMX_EVENT_NMI, VECTOR_NMI));
}

/* Where its handler cannot run either Linux is told that what it did is lost, and not asked for ever. */
static void linux_is_not_asked_for_ever(void **unused)
{
	unsigned int i;

	(void)unused;
	fake.cpu.gpr.rsp = 0x7ffc12345678;
	for (i = 0; i < 8; i++) {
		assert_int_equal(fake_exit(VMX_REASON_EPT_MISCONFIGURATION, 0, 2), FAKE_VIRTUAL);
		fake.cpu.interruptibility = 0;
	}
	/* It has heard. */
	cpu_shared(fake_vmm_cpu())->asks_leave = 0;
	for (i = 0; i < 8; i++) {
		assert_int_equal(fake_exit(VMX_REASON_EPT_MISCONFIGURATION, 0, 2), FAKE_VIRTUAL);
		fake.cpu.interruptibility = 0;
	}
	assert_int_equal(fake_exit(VMX_REASON_EPT_MISCONFIGURATION, 0, 2), FAKE_LOST);
}

/* vmx_resume_failed: "VMRESUME failed ... this CPU to native". */
static void failed_resume_goes_native(void **unused)
{
	(void)unused;
	fake_set_field(VMCS_HOST_TR_SELECTOR, 0x20);
	fake.vmcs.launched = false;
	assert_int_equal(fake_exit(VMX_REASON_CPUID, 0, 2), FAKE_NATIVE);
	assert_int_equal(cpu_shared(fake_vmm_cpu())->error, MERCURY_E_FORCED);
	assert_int_equal(fake.cpu.mode, FAKE_OFF);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test_setup(cpuid_hides_vmx_and_shows_hypervisor, virtual_linux),
	cmocka_unit_test_setup(cpuid_mirrors_the_guests_cr4, virtual_linux),
	cmocka_unit_test_setup(cpuid_shows_syscall_to_64_bit_code, virtual_linux),
	cmocka_unit_test_setup(the_instruction_pointer_of_32_bit_code_wraps, virtual_linux),
	cmocka_unit_test_setup(cpuid_signature, virtual_linux),
	cmocka_unit_test_setup(single_step_traps_behind_the_instruction, virtual_linux),
	cmocka_unit_test_setup(blocking_ends_behind_the_instruction, virtual_linux),
	cmocka_unit_test_setup(vmcall_of_others_is_undefined, virtual_linux),
	cmocka_unit_test_setup(vmcall_with_a_bad_call, virtual_linux),
	cmocka_unit_test_setup(vmcall_number_is_not_truncated, virtual_linux),
	cmocka_unit_test_setup(vmxoff_goes_native, virtual_linux),
	cmocka_unit_test_setup(vmxoff_is_undefined_for_others, virtual_linux),
	cmocka_unit_test_setup(clearing_vmxe_goes_native, virtual_linux),
	cmocka_unit_test_setup(control_register_values_that_fault, virtual_linux),
	cmocka_unit_test_setup(xsetbv, virtual_linux),
	cmocka_unit_test_setup(invd_writes_back, virtual_linux),
	cmocka_unit_test_setup(mtrr_writes_are_followed, virtual_linux),
	cmocka_unit_test_setup(mtrr_write_without_memory_goes_native, virtual_linux),
	cmocka_unit_test_setup(unknown_msr_is_gp, virtual_linux),
	cmocka_unit_test_setup(rdmsr_gives_the_value, virtual_linux),
	cmocka_unit_test_setup(vmx_instructions_are_undefined, virtual_linux),
	cmocka_unit_test_setup(unknown_exit_at_cpl_0_goes_native, virtual_linux),
	cmocka_unit_test_setup(going_native_on_another_p2m_is_logged, virtual_linux),
	cmocka_unit_test_setup(ept_misconfiguration_is_the_end, virtual_linux),
	cmocka_unit_test_setup(unknown_exit_without_a_stack_asks_linux, virtual_linux),
	cmocka_unit_test_setup(linux_is_not_asked_for_ever, virtual_linux),
	cmocka_unit_test_setup(failed_resume_goes_native, virtual_linux),
};

UNIT_MAIN(tests)
