/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The virtual object "ring1": Linux at CPL 1 under this VMM's GDT entries, IDT and TSS, on its own
 * page tables. What one CPU keeps for it, and the files' interfaces to each other.
 */
#ifndef ARCH_X86_RING1_H
#define ARCH_X86_RING1_H

#include <stddef.h>

#include "cpu.h"
#include "mercury/vo.h"
#include "x86/segment.h"

extern const struct vo vo_ring1;

/* What the processor holds of Linux's segment registers, as Linux is to see them. */
void ring1_read_hidden(struct cpu *cpu, struct mercury_cpu_shared *shared);

/* Linux's state where it stands now; changes nothing. */
void ring1_read_state(struct cpu *cpu, struct state *state);

/* Is this what the trap of Linux's is that the VMM has at hand, not delivered yet? Not of a fault. */
bool ring1_event_in_delivery(struct cpu *cpu, struct event *event);

/* See vmm_stop_virtual(). */
void ring1_stop(struct cpu *cpu);

/* Linux's own selectors, and those that follow its GDT while it runs at CPL 1. */
#define LINUX_CS 0x10
#define LINUX_SS 0x18
#define LINUX_USER_CS 0x33
#define LINUX_USER_SS 0x2b
#define LINUX_GDT_LIMIT 0x7f
#define RING1_CS MERCURY_RING1_CS
#define RING1_SS MERCURY_RING1_SS
#define RING1_TR 0x90
#define RING1_GDT_LIMIT 0x9f

/* Behind Linux's entries in its GDT page. */
#define RING1_GDT_ENTRIES ((RING1_GDT_LIMIT - LINUX_GDT_LIMIT) / 8)

/* CLI, STI, POPF, IN and OUT are native at CPL 1, and at CPL 3 are not. */
#define RING1_IOPL UINT64_C(0x1000)

/* What IRETQ takes. */
struct ring1_iret {
	uint64_t rip, cs, rflags, rsp, ss;
};

/* What entry.asm leaves on the stack. A trap out of Linux always leaves it right below struct cpu. */
struct ring1_frame {
	struct regs regs; /* rsp of these is not Linux's, the one below is                        */
	uint64_t vector, error_code;
	uint64_t rip, cs, rflags, rsp, ss;
};

#define RING1_DELIVERED 0 /* for its vector: Linux has the trap already; #DE would be a fault */

#define RING1_IST_NMI 2
#define RING1_IST_DB 3
#define RING1_IST_MC 4
#define RING1_ISTS 3
#define RING1_IST_WORDS 104

#define RING1_ROOTS 64

/* Where it is noted that this page is a root that has the window. Roots of two pages begin at an even one. */
#define RING1_ROOT_SLOT(frame) (((frame) ^ (frame) >> 1) % RING1_ROOTS)

/* A fault of the VMM's that was an answer. */
struct ring1_fault {
	uint64_t vector, error_code, address; /* the address of a page fault                      */
};

/* The gate of page faults that was gone through last, as it lies in Linux's IDT, and where it leads. */
struct ring1_page_fault {
	struct idt_gate gate;
	uint64_t handler;
};

/* One CPU's own, a page in its slot (MERCURY_CPU_RING1); the stubs before it reach it by RIP. */
struct ring1_cpu {
	/* Where SYSCALL and SYSENTER go on; rip is what Linux believes is in the MSR. */
	struct ring1_iret syscall, compat, sysenter;
	struct ring1_iret patched; /* the same for SYSCALL where Linux's code is patched          */
	uint64_t user_cr3;         /* on the way back to user space                               */
	uint32_t nmi_blocked; /* Linux has not left its NMI handler yet, as far as can be told    */
	uint32_t nmi_latched; /* one more came meanwhile                                          */

	struct descriptor_table_register gdtr, idtr; /* Linux's                                   */
	uint64_t gdtr_linux; /* where it had its GDT when it went to CPL 1                        */
	uint16_t tr, ss;
	const struct tss64 *tss_linux;
	uint32_t tss_limit;
	uint32_t woken;     /* the interrupt that ended HLT or MWAIT                           */
	uint64_t monitored; /* address of the last MONITOR, and what was there                 */
	uint64_t monitored_value;
	struct ring1_fault fault;
	struct ring1_page_fault page_fault;
	uint64_t roots[RING1_ROOTS]; /* page tables seen to hold the window                       */
	struct ring1_frame enter; /* how Linux begins at CPL 1                                    */
	struct tss64 tss;
	uint64_t stacks[RING1_ISTS][RING1_IST_WORDS] __attribute__((aligned(16)));
};

_Static_assert(sizeof(struct ring1_cpu) <= MERCURY_PAGE_SIZE, "a page for each CPU");
_Static_assert(sizeof(struct ring1_frame) % 16 == 8, "the stack is aligned as at a call");

static inline struct ring1_cpu *ring1_cpu(struct cpu *cpu)
{
	return cpu_slot(cpu, MERCURY_CPU_RING1);
}

/* Linux's frame of this CPU, while the VMM runs on its behalf. */
static inline struct ring1_frame *ring1_frame(struct cpu *cpu)
{
	return (struct ring1_frame *)cpu - 1;
}

#define RING1_INT80 0x80

/* May INT n in user space, or INT3, INTO, have raised it? */
static inline bool ring1_is_user_vector(uint64_t vector)
{
	return vector == 3 || vector == 4 || vector == RING1_INT80;
}

static inline bool ring1_from_user(const struct ring1_frame *frame)
{
	return (frame->cs & SELECTOR_RPL) == 3;
}

/* Linux's TSS is the one of this selector of its GDT; false: there is none. */
bool ring1_take_tss(struct cpu *cpu, uint16_t selector);

/* --- require.c ---------------------------------------------------------------------------------- */

/* Does this value of CR4, or IA32_EFER, switch on what ring 1 does not carry? */
bool ring1_refuses_cr4(uint64_t value);
bool ring1_refuses_efer(uint64_t value);

/* --- trap.c: from the entries ------------------------------------------------------------------- */

/* A trap out of Linux; `frame` is ring1_frame(). */
void ring1_trap(struct ring1_frame *frame);

/* cpu->pending is not 0: deliver to Linux what it can take. */
void ring1_deliver_pending(struct ring1_frame *frame);

/*
 * An exception or interrupt in the VMM; changes frame to go on elsewhere, or does not return. Linux's frame
 * if it is Linux that goes on, or NULL.
 */
struct ring1_frame *ring1_root_trap(struct ring1_frame *frame);

/* NMI, #DB, #MC or #DF. Linux's frame to handle it with, or NULL: go on in the VMM. */
struct ring1_frame *ring1_event(struct ring1_frame *frame);

/* --- stubs.c ------------------------------------------------------------------------------------ */

/* What SYSCALL and SYSENTER land on from now on, and what they go on with: Linux's own entries. */
void ring1_stubs_load(struct cpu *cpu, const struct state *s);

/* And the MSRs as Linux had them. */
void ring1_stubs_stop(struct cpu *cpu);

/* NMI, #DB or #MC in a stub: `frame` as if Linux had been interrupted before or behind it. False: not there. */
bool ring1_stubs_finish(struct cpu *cpu, struct ring1_frame *frame);

/* Has a stub stopped for the NMI that is latched? Then `frame` becomes Linux's, at its SYSCALL. */
bool ring1_stubs_nmi_is_due(struct cpu *cpu, struct ring1_frame *frame);

/* Is this a stub's IRETQ to user space? */
bool ring1_stubs_is_iret(struct cpu *cpu, uint64_t rip);

/* It faulted: `frame`, user space's, becomes that of Linux's own IRETQ, which has a handler for that. */
void ring1_stubs_iret_failed(struct cpu *cpu, struct ring1_frame *frame);

/* From user space's page tables, where these are apart, to those of its kernel half. */
void ring1_load_kernel_cr3(struct cpu *cpu);

static inline const struct mercury_ring1_patch *ring1_patch(struct cpu *cpu)
{
	return &cpu_shared(cpu)->patch;
}

/* --- deliver.c ---------------------------------------------------------------------------------- */

/*
 * Make Linux take `vector` as if the processor had: by Linux's IDT and TSS a frame on Linux's stack,
 * and `frame` at Linux's handler. Where that stack cannot be written it becomes a double fault.
 */
void ring1_deliver(struct cpu *cpu, struct ring1_frame *frame, unsigned int vector,
		   uint64_t error_code);

/* The NMI, if Linux can take it; else it is latched until it can. */
void ring1_deliver_nmi(struct cpu *cpu, struct ring1_frame *frame);

/* --- emulate.c ---------------------------------------------------------------------------------- */

/* #GP or #UD at CPL 1: carry out the instruction. False: it is none of ours, Linux takes the fault. */
bool ring1_emulate(struct cpu *cpu, struct ring1_frame *frame);

/* #GP in user space: IN or OUT on a port that Linux's I/O bitmap allows? */
bool ring1_user_io(struct cpu *cpu, struct ring1_frame *frame);

/* --- memory.c: Linux's memory, at Linux's addresses ---------------------------------------------- */

/* At most `n` bytes of code at `address`; returns how many can be read. */
size_t ring1_read_code(struct cpu *cpu, uint64_t address, bool user, uint8_t *bytes, size_t n);

/* Does the root `cr3` hold the window? */
bool ring1_root_has_window(struct cpu *cpu, uint64_t cr3);

#endif
