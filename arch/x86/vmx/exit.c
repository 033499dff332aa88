// SPDX-License-Identifier: GPL-2.0-only
/* VM exits: the answers; exit_policy.h has the table from reason to answer. */
#include <stddef.h>

#include "call.h"
#include "ept_fault.h"
#include "event.h"
#include "exit_policy.h"
#include "fatal.h"
#include "insn.h"
#include "mercury/console.h"
#include "mtrr.h"
#include "outer.h"
#include "paravirt.h"
#include "vmx.h"
#include "x86/cpuid.h"
#include "x86/cr.h"
#include "x86/msr.h"
#include "x86/mtrr.h"
#include "x86/paging.h"
#include "x86/vector.h"
#include "x86/vmx.h"

/* What a handler decided. */
enum answer {
	RESUME,  /* Linux goes on                                                                 */
	LEAVE,   /* Linux goes on natively on this CPU, by Linux's own wish                       */
	UNKNOWN, /* nothing sensible can be done here: a screen, and this CPU to native           */
};

/* False for a program's 32-bit code: compatibility mode. */
static bool in_64_bit_code(void)
{
	return insn_vmread(VMCS_GUEST_CS_ACCESS_RIGHTS) & SEGMENT_AR_L;
}

/*
 * Step over the instruction that exited, as the CPU would have: STI and MOV SS block for one
 * instruction only, and single-stepping traps behind it. SDM vol. 3, 27.3.1.5. In 32-bit code the
 * last instruction below 4 GiB is followed by the one at 0; VM entry refuses anything else.
 */
static void step_over(void)
{
	uint64_t blocking = insn_vmread(VMCS_GUEST_INTERRUPTIBILITY);
	uint64_t rip = insn_vmread(VMCS_GUEST_RIP);
	uint64_t next = rip + insn_vmread(VMCS_EXIT_INSTRUCTION_LENGTH);

	if ((rip ^ next) >> 32 && !in_64_bit_code())
		next = (uint32_t)next;
	insn_vmwrite(VMCS_GUEST_RIP, next);
	if (blocking & (VMX_BLOCKING_STI | VMX_BLOCKING_MOV_SS))
		insn_vmwrite(VMCS_GUEST_INTERRUPTIBILITY,
			     blocking & ~(uint64_t)(VMX_BLOCKING_STI | VMX_BLOCKING_MOV_SS));
	/* With BTF it is branches that trap, and nothing that exits is one. */
	if (insn_vmread(VMCS_GUEST_RFLAGS) & RFLAGS_TF &&
	    !(insn_vmread(VMCS_GUEST_DEBUGCTL) & DEBUGCTL_BTF))
		insn_vmwrite(VMCS_GUEST_PENDING_DEBUG_EXCEPTIONS,
			     insn_vmread(VMCS_GUEST_PENDING_DEBUG_EXCEPTIONS) |
				     VMX_PENDING_DEBUG_BS);
}

static unsigned int guest_cpl(void)
{
	return insn_vmread(VMCS_GUEST_SS_ACCESS_RIGHTS) >> SEGMENT_AR_DPL_SHIFT & 3;
}

static enum answer inject_ud(void)
{
	event_inject_exception(VECTOR_UD, false, 0);
	return RESUME;
}

static enum answer inject_gp(void)
{
	event_inject_exception(VECTOR_GP, true, 0);
	return RESUME;
}

static enum answer exit_undefined(struct cpu *cpu)
{
	(void)cpu;
	return inject_ud();
}

static enum answer exit_unknown(struct cpu *cpu)
{
	(void)cpu;
	return UNKNOWN;
}

/* --- CPUID -------------------------------------------------------------------------------------- */

#define SIGNATURE_EBX 0x6372654d /* "Merc" */
#define SIGNATURE_ECX 0x56797275 /* "uryV" */
#define SIGNATURE_EDX 0x31764d4d /* "MMv1" */

/* Bits that mirror CR4, which is the VMM's at the moment; the guest must see its own. */
static uint32_t mirror(uint32_t reg, uint32_t feature, uint64_t cr4_bit)
{
	return insn_vmread(VMCS_GUEST_CR4) & cr4_bit ? reg | feature : reg & ~feature;
}

/* Ours stand behind those of an outer hypervisor, which Linux goes on to ask. */
static void hypervisor_leaf(uint32_t leaf, uint32_t subleaf, struct cpuid_regs *r)
{
	const uint32_t first = vmx_outer()->free_leaf;

	*r = (struct cpuid_regs){ 0 };
	if (leaf == first)
		*r = (struct cpuid_regs){ first + 1, SIGNATURE_EBX, SIGNATURE_ECX, SIGNATURE_EDX };
	else if (leaf == first + 1)
		r->eax = MERCURY_ABI_VERSION;
	else if (vmx_outer()->kind != OUTER_NONE)
		insn_cpuid(leaf, subleaf, r);
}

/*
 * Has Linux made a program's CPUID fault (ARCH_SET_CPUID)? The processor would have, before the exit; KVM emulates
 * it where it executes CPUID itself. Linux, arch/x86/kvm/cpuid.c: kvm_emulate_cpuid()
 */
static __attribute__((noinline)) bool cpuid_faults_on_kvm(void)
{
	uint64_t enables;

	return guest_cpl() && insn_rdmsr_safe(KVM_MSR_MISC_FEATURES_ENABLES, &enables) &&
	       enables & KVM_CPUID_FAULT;
}

static enum answer exit_cpuid(struct cpu *cpu)
{
	uint32_t leaf = (uint32_t)cpu->regs.rax, subleaf = (uint32_t)cpu->regs.rcx;
	struct cpuid_regs r;

	if (cpu->fast_exit == CPU_NO_FAST_EXIT && cpuid_faults_on_kvm())
		return inject_gp();
	if (leaf >= CPUID_LEAF_HYPERVISOR && leaf <= CPUID_LEAF_HYPERVISOR_LAST)
		hypervisor_leaf(leaf, subleaf, &r);
	else
		insn_cpuid(leaf, subleaf, &r);
	if (leaf == CPUID_LEAF_FEATURES) {
		r.ecx = mirror(r.ecx, CPUID_OSXSAVE, CR4_OSXSAVE);
		r.ecx = (r.ecx | CPUID_HYPERVISOR) & ~(uint32_t)CPUID_VMX;
	} else if (leaf == CPUID_LEAF_EXTENDED_FEATURES && subleaf == 0) {
		r.ecx = mirror(r.ecx, CPUID_OSPKE, CR4_PKE);
	} else if (leaf == CPUID_LEAF_EXTENDED_1 && !in_64_bit_code()) {
		/* The VMM is 64-bit code, and only there Intel's CPUs show it. SDM vol. 2, CPUID. */
		r.edx &= ~(uint32_t)CPUID_SYSCALL;
	}
	cpu->regs.rax = r.eax;
	cpu->regs.rbx = r.ebx;
	cpu->regs.rcx = r.ecx;
	cpu->regs.rdx = r.edx;
	step_over();
	return RESUME;
}

/* --- Calls and VMX instructions ----------------------------------------------------------------- */

/*
 * An outer KVM's, which takes the VMM's for Linux's: no register but RAX changes. A program's is not for the
 * VMM to make. Linux, Documentation/virt/kvm/x86/hypercalls.rst
 */
static enum answer hypercall(struct cpu *cpu)
{
	struct regs *r = &cpu->regs;

	if (vmx_outer()->kind != OUTER_KVM)
		return inject_ud();
	if (!guest_cpl())
		r->rax = insn_vmcall(r->rax, r->rbx, r->rcx, r->rdx, r->rsi);
	else
		r->rax = in_64_bit_code() ? -(uint64_t)KVM_EPERM : -(uint32_t)KVM_EPERM;
	step_over();
	return RESUME;
}

static enum answer exit_vmcall(struct cpu *cpu)
{
	if (guest_cpl() || cpu->regs.rax != MERCURY_COOKIE)
		return hypercall(cpu);
	step_over();
	cpu->regs.rax = cpu->regs.rdi < MERCURY_CALL_NR ?
				vmm_dispatch(cpu, (enum mercury_call)cpu->regs.rdi, cpu->regs.rsi,
					     cpu->regs.rdx) :
				MERCURY_E_BAD_CALL;
	return RESUME;
}

/* Linux sees CR4.VMXE, so that its crash path executes VMXOFF: it wants the bare machine. */
static enum answer exit_vmxoff(struct cpu *cpu)
{
	if (guest_cpl() || !(insn_vmread(VMCS_CR4_READ_SHADOW) & CR4_VMXE))
		return inject_ud();
	console_line("cpu %u: Linux executes VMXOFF, which takes native mode: end what else wants VMX, then switch again",
		     cpu->index);
	step_over();
	return LEAVE;
}

/* --- Registers ---------------------------------------------------------------------------------- */

static uint64_t gpr(struct cpu *cpu, unsigned int number)
{
	return number == X86_RSP ? insn_vmread(VMCS_GUEST_RSP) : cpu->regs.by_number[number];
}

/*
 * Would MOV to CR0 or CR4 take the value? The exit comes before the processor's own checks. Bits that
 * CR4 does not have, and in 64-bit mode the end of paging: SDM vol. 3, 2.5, Control Registers, and
 * appendix A.8, VMX-Fixed Bits in CR4.
 */
static bool would_load(unsigned int number, uint64_t value)
{
	if (number == 4)
		return !(value & ~insn_rdmsr(MSR_IA32_VMX_CR4_FIXED1)) && value & CR4_PAE &&
		       !((value ^ insn_vmread(VMCS_CR4_READ_SHADOW)) & CR4_LA57);
	return value & CR0_PE && value & CR0_PG && !(value >> 32) &&
	       (!(value & CR0_NW) || value & CR0_CD);
}

/*
 * Only bits that the host owns exit: CR4.VMXE going away means the CPU to native, and so does a
 * change of a bit whose feature is not handled. On page tables that map no way there Linux only sees
 * the bit gone.
 */
static enum answer exit_cr_access(struct cpu *cpu)
{
	uint64_t q = insn_vmread(VMCS_EXIT_QUALIFICATION), value;

	if (VMX_QUAL_CR_TYPE(q) != VMX_CR_MOV_TO)
		return UNKNOWN;
	value = gpr(cpu, VMX_QUAL_CR_GPR(q));
	if (!would_load(VMX_QUAL_CR_NUMBER(q), value))
		return inject_gp();
	if (VMX_QUAL_CR_NUMBER(q) == 4) {
		insn_vmwrite(VMCS_GUEST_CR4, value | CR4_VMXE);
		insn_vmwrite(VMCS_CR4_READ_SHADOW, value);
	} else if (VMX_QUAL_CR_NUMBER(q) == 0) {
		insn_vmwrite(VMCS_GUEST_CR0, value);
		insn_vmwrite(VMCS_CR0_READ_SHADOW, value);
	} else {
		return UNKNOWN;
	}
	console_line("cpu %u: Linux writes %lx to CR%u, which takes native mode: end what wants that, then switch again",
		     cpu->index, value, (unsigned int)VMX_QUAL_CR_NUMBER(q));
	step_over();
	return LEAVE;
}

static enum answer exit_xsetbv(struct cpu *cpu)
{
	uint64_t value = (uint32_t)cpu->regs.rax | cpu->regs.rdx << 32;

	/* The privilege check comes before the exit, but not everywhere. */
	if (guest_cpl() || !insn_xsetbv_safe((uint32_t)cpu->regs.rcx, value))
		return inject_gp();
	step_over();
	return RESUME;
}

/* INVD would lose what the VMM wrote: write back as well. */
static enum answer exit_invd(struct cpu *cpu)
{
	(void)cpu;
	insn_wbinvd();
	step_over();
	return RESUME;
}

/* Outside the bitmaps no MSR exists that Linux could have used natively. */
static enum answer exit_rdmsr(struct cpu *cpu)
{
	uint32_t msr = (uint32_t)cpu->regs.rcx;
	uint64_t value;

	if (!paravirt_rdmsr(cpu, msr, &value) && !insn_rdmsr_safe(msr, &value))
		return inject_gp();
	cpu->regs.rax = (uint32_t)value;
	cpu->regs.rdx = value >> 32;
	step_over();
	return RESUME;
}

/*
 * Linux changes the MTRRs on all CPUs together, each with its caches off. While they are disabled by
 * IA32_MTRR_DEF_TYPE.E the EPT keeps the old types; the write that enables them, on each CPU the last
 * one, makes the P2M follow and drops what this CPU had cached.
 */
static enum answer mtrr_written(struct cpu *cpu)
{
	if (!machine_p2m.root || !(insn_rdmsr(MSR_IA32_MTRR_DEF_TYPE) & MTRR_DEF_TYPE_E))
		return RESUME;
	if (!vmx_follow_mtrrs() && vmx_flush())
		return RESUME;
	console_line("cpu %u: Linux wrote MTRRs that the P2M cannot follow; load the module with a larger snapshot_gib",
		     cpu->index);
	return LEAVE;
}

/* A microcode update does nothing in VMX non-root operation: natively the CPU executes it. */
static enum answer exit_wrmsr(struct cpu *cpu)
{
	uint32_t msr = (uint32_t)cpu->regs.rcx;
	uint64_t value = (uint32_t)cpu->regs.rax | cpu->regs.rdx << 32;
	bool ok;

	if (msr == MSR_IA32_BIOS_UPDT_TRIG) {
		console_line("cpu %u: Linux loads microcode, which takes native mode: switch again when it is done",
			     cpu->index);
		return LEAVE;
	}
	if (!paravirt_wrmsr(cpu, msr, value, &ok))
		ok = insn_wrmsr_safe(msr, value);
	if (!ok)
		return inject_gp();
	step_over();
	return mtrr_is_msr(msr) ? mtrr_written(cpu) : RESUME;
}

/* --- The EPT ------------------------------------------------------------------------------------ */

/* Whose store it is; 0: the processor's own, a frame that it pushes or a bit that it sets in page tables. */
static uint64_t process_of(uint64_t q, bool vectoring)
{
	const uint64_t translated = VMX_QUAL_EPT_LINEAR_VALID | VMX_QUAL_EPT_LINEAR_TRANSLATED;

	if (guest_cpl() != 3 || vectoring || (q & translated) != translated)
		return 0;
	return insn_vmread(VMCS_GUEST_CR3) & CR3_ADDRESS;
}

static enum answer exit_ept_violation(struct cpu *cpu)
{
	uint64_t q = insn_vmread(VMCS_EXIT_QUALIFICATION);
	uint64_t pa = insn_vmread(VMCS_GUEST_PHYSICAL_ADDRESS) & ~(PAGE_4K - 1);
	bool vectoring = insn_vmread(VMCS_IDT_VECTORING_INFO) & VMX_EVENT_VALID;

	if (!ept_violation(cpu, pa, q & VMX_QUAL_EPT_WRITE, process_of(q, vectoring)))
		return UNKNOWN;
	/* IRET had unblocked NMIs before its access faulted; it will be executed again. */
	if (!vectoring && q & VMX_QUAL_EPT_NMI_UNBLOCKING)
		insn_vmwrite(VMCS_GUEST_INTERRUPTIBILITY,
			     insn_vmread(VMCS_GUEST_INTERRUPTIBILITY) | VMX_BLOCKING_NMI);
	event_reinject();
	return RESUME;
}

/* The P2M holds what it never should: whatever did that, no CPU goes on with it. */
static enum answer exit_ept_misconfiguration(struct cpu *cpu)
{
	(void)cpu;
	vmm_break();
	return UNKNOWN;
}

/* The instruction whose write we let through to the sink has been executed. */
static enum answer exit_monitor_trap_flag(struct cpu *cpu)
{
	ept_stepped(cpu);
	return RESUME;
}

/* --- Events ------------------------------------------------------------------------------------- */

/* The exception bitmap is 0: an NMI, while NMI exiting is on to wait for a window. */
static enum answer exit_nmi(struct cpu *cpu)
{
	cpu->waiting |= PENDING_NMI;
	return RESUME;
}

static enum answer exit_window(struct cpu *cpu)
{
	event_window_open(cpu);
	return RESUME;
}

/* --- The CPU's own end --------------------------------------------------------------------------- */

#define REASON_NAME(name, number, sentence) [number] = #name,
static const char *const reason_names[VMX_REASON_COUNT] = { VMX_EXIT_REASONS(REASON_NAME) };

/* What Linux was about to do. */
static void show_guest(struct cpu *cpu)
{
	const struct regs *r = &cpu->regs;

	console_line("!rip %016lx qualification %lx", insn_vmread(VMCS_GUEST_RIP),
		     insn_vmread(VMCS_EXIT_QUALIFICATION));
	console_line("!physical %016lx linear %016lx vectoring %lx interruptibility %lx",
		     insn_vmread(VMCS_GUEST_PHYSICAL_ADDRESS),
		     insn_vmread(VMCS_GUEST_LINEAR_ADDRESS), insn_vmread(VMCS_IDT_VECTORING_INFO),
		     insn_vmread(VMCS_GUEST_INTERRUPTIBILITY));
	console_line("!cr0 %lx cr3 %lx cr4 %lx rflags %lx rsp %016lx", insn_vmread(VMCS_GUEST_CR0),
		     insn_vmread(VMCS_GUEST_CR3), insn_vmread(VMCS_GUEST_CR4),
		     insn_vmread(VMCS_GUEST_RFLAGS), insn_vmread(VMCS_GUEST_RSP));
	console_line("!rax %016lx rbx %016lx rcx %016lx rdx %016lx", r->rax, r->rbx, r->rcx,
		     r->rdx);
	console_line("!rsi %016lx rdi %016lx rbp %016lx r8  %016lx", r->rsi, r->rdi, r->rbp, r->r8);
	console_line("!r9  %016lx r10 %016lx r11 %016lx r12 %016lx", r->r9, r->r10, r->r11, r->r12);
	console_line("!r13 %016lx r14 %016lx r15 %016lx", r->r13, r->r14, r->r15);
}

static void screen(struct cpu *cpu, uint32_t reason)
{
	const char *name = reason < VMX_REASON_COUNT ? reason_names[reason] : NULL;

	cpu_fail(cpu, MERCURY_E_FORCED, reason,
		 "VM exit %u (%s) has no answer: this CPU to native; report it", reason,
		 name ? name : "unknown");
	show_guest(cpu);
}

/* A bare CPU shuts down: where this one cannot go native to meet that there, here. */
static enum answer exit_triple_fault(struct cpu *cpu)
{
	screen(cpu, VMX_REASON_TRIPLE_FAULT);
	if (!guest_cpl())
		vmm_force_native(cpu);
	vmm_shut_down(cpu);
}

/* Not a word: Linux sends its SIPIs 10 us apart, and one that comes before the INIT is sent again is lost. */
static enum answer exit_init(struct cpu *cpu)
{
	vmm_take_init(cpu);
}

/* --- The table ---------------------------------------------------------------------------------- */

#define EXIT_HANDLER(reason, handler, when, sentence) [VMX_REASON_##reason] = handler,
static enum answer (*const handlers[VMX_REASON_COUNT])(struct cpu *) = { EXIT_POLICY(EXIT_HANDLER) };

/* Times that Linux is asked to leave without its NMI handler being seen to run. */
#define MAX_ASKED 8

/*
 * The CPU goes native where it stands, if its page tables map what the last steps need. At CPL 0 they
 * may not, for a few instructions of Linux's entry code under PTI, and in relocate_kernel: Linux is
 * asked by an NMI, whose handler makes the call, unless it was its own wish.
 */
static void to_native(struct cpu *cpu, enum answer answer)
{
	vmm_force_native(cpu);
	if (answer == LEAVE)
		return;
	/* An EPT that is damaged lets no handler run. */
	cpu->asked = cpu_shared(cpu)->asks_leave ? cpu->asked + 1 : 0;
	if (cpu->asked == MAX_ASKED)
		vmm_fatal(cpu);
	event_reinject();
	cpu_shared(cpu)->asks_leave = 1;
	__atomic_or_fetch(&cpu->pending, PENDING_NMI, __ATOMIC_RELAXED);
}

/* VM entry refused the state: the audit missed something. The first time Linux never left its own. */
static _Noreturn void entry_failed(struct cpu *cpu, uint32_t reason)
{
	cpu_fail(cpu, MERCURY_E_ENTRY, reason,
		 "VM entry failed with exit reason %x, qualification %lx; Linux is native again; report it",
		 reason, insn_vmread(VMCS_EXIT_QUALIFICATION));
	show_guest(cpu);
	if (cpu->entered)
		vmm_fatal(cpu);
	event_take_back(cpu);
	/* The machine check is not delivered by the CPU. SDM vol. 3, 27.9, Machine-Check Events. */
	if (VMX_REASON_BASIC(reason) == VMX_REASON_ENTRY_MACHINE_CHECK)
		__atomic_or_fetch(&cpu->pending, PENDING_MC, __ATOMIC_RELAXED);
	vmm_enter_failed(cpu);
}

void vmx_handle_exit(struct cpu *cpu)
{
	uint32_t field = insn_vmread(VMCS_EXIT_REASON);
	uint32_t reason = VMX_REASON_BASIC(field);
	enum answer answer = UNKNOWN;

	if (field & VMX_REASON_ENTRY_FAILURE)
		entry_failed(cpu, field);
	cpu->entered = true;
	cpu->task = TASK_EXIT;
	if (reason < MERCURY_EXIT_REASONS)
		cpu_shared(cpu)->exits[reason]++;
	if (reason < VMX_REASON_COUNT)
		answer = (handlers[reason] ? handlers[reason] : exit_unknown)(cpu);
	if (answer == RESUME)
		return;
	if (answer == UNKNOWN)
		screen(cpu, reason);
	to_native(cpu, answer);
}

_Noreturn void vmx_resume_failed(struct cpu *cpu)
{
	cpu_fail(cpu, MERCURY_E_FORCED, insn_vmread(VMCS_VM_INSTRUCTION_ERROR),
		 "VMRESUME failed with VM-instruction error %lu: this CPU to native; unload the module, load it again, report it",
		 insn_vmread(VMCS_VM_INSTRUCTION_ERROR));
	show_guest(cpu);
	vmm_fatal(cpu);
}
