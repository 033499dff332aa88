/* SPDX-License-Identifier: GPL-2.0-only */
/* The exit policy: which VM exits can happen, who answers each, and how, in words for the docs. */
#ifndef ARCH_X86_VMX_EXIT_POLICY_H
#define ARCH_X86_VMX_EXIT_POLICY_H

/*
 * P(REASON, handler in exit.c, "when it happens", "the answer"), by number. Expanded by exit.c, which
 * treats a reason without a row as exit_unknown, and by docs/exits.c, which writes the table of
 * docs/exits.md: `docs/generate` after any change here.
 */
#define EXIT_POLICY(P)                                                                             \
	P(EXCEPTION_OR_NMI, exit_nmi, "an NMI, while an NMI window is awaited", "it waits too")    \
	P(TRIPLE_FAULT, exit_triple_fault, "Linux is beyond help",                                 \
	  "a screen; native, where it repeats; else shutdown here")                                \
	P(INIT, exit_init, "another CPU resets this one", "VMX off; the INIT is sent again")       \
	P(SIPI, exit_unknown, "never: no CPU waits for one in VMX operation", "unknown")           \
	P(INTERRUPT_WINDOW, exit_window, "Linux can take the event that waits",                    \
	  "inject it, window off")                                                                 \
	P(NMI_WINDOW, exit_window, "Linux can take the event that waits", "inject it, window off") \
	P(TASK_SWITCH, exit_unknown, "never by 64-bit Linux", "unknown")                           \
	P(CPUID, exit_cpuid, "always", "executed in the VMM, see below")                           \
	P(GETSEC, exit_undefined, "always", "#UD, as with CR4.SMXE = 0")                           \
	P(INVD, exit_invd, "always, CPL 0", "WBINVD instead: INVD would lose the VMM's writes")    \
	P(VMCALL, exit_vmcall, "always",                                                           \
	  "CPL 0 with the cookie: a call; an outer KVM's: passed on; else #UD")                    \
	P(VMCLEAR, exit_undefined, "always", "#UD")                                                \
	P(VMLAUNCH, exit_undefined, "always", "#UD")                                               \
	P(VMPTRLD, exit_undefined, "always", "#UD")                                                \
	P(VMPTRST, exit_undefined, "always", "#UD")                                                \
	P(VMREAD, exit_undefined, "always", "#UD")                                                 \
	P(VMRESUME, exit_undefined, "always", "#UD")                                               \
	P(VMWRITE, exit_undefined, "always", "#UD")                                                \
	P(VMXOFF, exit_vmxoff, "always", "CPL 0 and Linux sees CR4.VMXE: leave; else #UD")         \
	P(VMXON, exit_undefined, "always", "#UD")                                                  \
	P(CR_ACCESS, exit_cr_access, "MOV to CR0 or CR4 that changes a bit of the masks below",    \
	  "take the value; leave")                                                                 \
	P(RDMSR, exit_rdmsr, "MSR outside the bitmap's ranges",                                    \
	  "executed in the VMM; its #GP is Linux's")                                               \
	P(WRMSR, exit_wrmsr, "the same; MTRRs, microcode update", "see below")                     \
	P(MONITOR_TRAP_FLAG, exit_monitor_trap_flag, "behind a write to hidden memory",            \
	  "sink off, flush")                                                                       \
	P(EPT_VIOLATION, exit_ept_violation,                                                       \
	  "see [memory.md](memory.md), [snapshot.md](snapshot.md)",                                \
	  "keep the page, map, drop the write, or unknown")                                        \
	P(EPT_MISCONFIGURATION, exit_ept_misconfiguration, "never: a defect of ours",              \
	  "unknown; no CPU goes virtual again")                                                    \
	P(INVEPT, exit_undefined, "always", "#UD")                                                 \
	P(INVVPID, exit_undefined, "always", "#UD")                                                \
	P(XSETBV, exit_xsetbv, "always, CPL 0", "executed in the VMM; its #GP is Linux's")         \
	P(VMFUNC, exit_undefined, "if the CPU lets it exit", "#UD")                                \
	P(SEAMCALL, exit_undefined, "if the CPU has it", "#UD: SEAM belongs to the bare machine")  \
	P(TDCALL, exit_undefined, "if the CPU has it", "#UD")

#endif
