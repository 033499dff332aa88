/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * One CPU of the VMM. It lies at the end of the CPU's stack pages, so that the stack pointer alone
 * finds it: RSP is its address whenever the VMM is entered, from the gate and from a VM exit.
 */
#ifndef ARCH_X86_CPU_H
#define ARCH_X86_CPU_H

#include <stdbool.h>
#include <stdint.h>

#include "abi/mercury.h"
#include "mercury/mode.h"
#include "x86/segment.h"
#include "state.h"

/* Events that arrived while the VMM ran and belong to Linux. */
#define PENDING_NMI 1u
#define PENDING_MC 2u

/* The VMM's selectors. Code and data are Linux's own numbers: a gate works under both GDTs. */
#define VMM_CS 0x10
#define VMM_DS 0x18
#define VMM_TR 0x20
#define VMM_GDT_ENTRIES 6 /* null, unused, code, data, TSS (two entries)                          */

#define VMM_IST_DF 1

#define CPU_NO_FAST_EXIT UINT32_MAX

/*
 * What the VMM does on this CPU, and so what is left to go back to if it fails there. Each failure
 * leaves one step less. See vmm_fatal().
 */
enum cpu_task {
	TASK_CALL,   /* a call of native Linux's, which can return an error                       */
	TASK_EXIT,   /* a VM entry or exit: Linux's state is in the VMCS                          */
	TASK_RETURN, /* the way to native: Linux's state is in *cpu->returns                      */
	TASK_LAST,   /* an attempt to go back behind a failure                                    */
	TASK_LOST,   /* Linux is told that what it did here is lost                               */
};

/* What Linux has on this CPU whatever it does there. */
struct home {
	struct descriptor_table_register gdtr, idtr;
	uint16_t tr;
	uint64_t gs_base;
};

/* An MSR of an outer hypervisor's, as Linux wants it: vmx/paravirt.h. */
#define CPU_PARAVIRT_MSRS 2
struct put_off {
	bool exists;
	uint64_t value;
};

struct cpu {
	struct regs regs; /* Linux's, saved on entry. First: the entry code stores through RSP    */
	uint32_t pending; /* PENDING_*                                                            */
	uint64_t linux_rsp; /* while a call runs: Linux's stack and CR3 at the gate               */
	uint64_t linux_cr3;
	uint32_t index;
	enum mode mode;
	enum cpu_task task;
	bool entered;     /* a VM entry has succeeded since the last load                         */
	bool on_identity; /* Linux goes native on page tables that are not its own                */
	uint32_t asked;   /* times that Linux has been asked to leave, and has not heard          */
	bool in_screen;   /* an exception's state is being printed                                */
	struct home home;

	/* The backend's memory and whether it holds what prepare() wrote. */
	uint64_t root_pa, vmcs_pa, vmxon_pa;
	uint64_t gdt_rw; /* Linux's writable alias of its GDT                                     */
	bool warm;
	bool owns_vmxe; /* it was not Linux that set CR4.VMXE                                     */
	bool owns_vmx;  /* VMX operation, if the CPU is in it, is ours and not KVM's              */
	uint64_t host_sysenter_cs, host_sysenter_esp, host_sysenter_eip; /* in the VMCS           */
	/* 1 + physical address of a hidden page a write is dropped on; it may lie across two.    */
	uint64_t stepping[2];
	uint32_t primary_controls, pin_controls; /* in the VMCS                                   */
	uint32_t fast_exit; /* the exit reason that entry.asm answers: CPUID, or CPU_NO_FAST_EXIT */
	uint32_t waiting; /* PENDING_* that the guest cannot take yet                             */
	struct put_off paravirt[CPU_PARAVIRT_MSRS];

	struct descriptor_table_register linux_idt;
	/* Two, so that what a leave read is known when the next enter writes: vmcs_write_state(). */
	struct state entering, leaving;
	struct state *returns; /* what goes native if the switch does not                         */
	bool holds_leaving;    /* the VMCS's guest state is as `leaving` read it                  */
	uint64_t gdt[VMM_GDT_ENTRIES];
	struct tss64 tss;
} __attribute__((aligned(16)));

_Static_assert(sizeof(struct cpu) <= MERCURY_CPU_FIXMAP - MERCURY_CPU_DATA,
	       "data behind the stack");

/* Something in this CPU's slot: an offset MERCURY_CPU_*. */
static inline void *cpu_slot(struct cpu *cpu, uint64_t offset)
{
	return (char *)cpu - MERCURY_CPU_DATA + offset;
}

static inline struct mercury_cpu_shared *cpu_shared(struct cpu *cpu)
{
	return cpu_slot(cpu, MERCURY_CPU_SHARED);
}

/*
 * Note why this CPU refuses or fails, for the module to show, and return `error`. `format` takes
 * what console_format() takes; the sentence says what, why and, where there is one, the next step.
 */
enum mercury_error cpu_refuse(struct cpu *cpu, enum mercury_error error, uint64_t detail,
			      const char *format, ...) __attribute__((format(printf, 4, 5)));

/* The same for a failure of the VMM itself: Linux prints it as an alarm. */
enum mercury_error cpu_fail(struct cpu *cpu, enum mercury_error error, uint64_t detail,
			    const char *format, ...) __attribute__((format(printf, 4, 5)));

/* The CPU whose slot `rsp` points into. */
struct cpu *cpu_of_stack(uint64_t rsp);

/* Set up what `boot` and the layout say; CPU `index` of the machine. */
void cpu_init(struct cpu *cpu, uint32_t index, const struct mercury_cpu_boot *boot);

/* CR3 for this CPU's transition root. */
uint64_t cpu_transition_cr3(const struct cpu *cpu);

#endif
