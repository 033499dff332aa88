// SPDX-License-Identifier: GPL-2.0-only
/* The VMM's exceptions: the IDT, faults that are expected answers, and the last resort. */
#include "fatal.h"
#include "insn.h"
#include "mercury/console.h"
#include "trap.h"
#include "window.h"
#include "x86/vector.h"

#define TRAP_VECTORS 32

extern const uint64_t trap_entries[TRAP_VECTORS]; /* trap.asm */

struct fixup {
	uint64_t fault, resume;
};

extern const struct fixup fixups_start[], fixups_end[]; /* the linker script */

static struct idt_gate idt[TRAP_VECTORS];

struct descriptor_table_register idt_register;

void trap_init(void)
{
	unsigned int i;

	for (i = 0; i < TRAP_VECTORS; i++)
		idt[i] = (struct idt_gate){
			.offset_15_0 = trap_entries[i] & 0xffff,
			.selector = VMM_CS,
			.ist = i == VECTOR_DF ? VMM_IST_DF : 0,
			.access = SEGMENT_AR_P | SEGMENT_TYPE_INTERRUPT_GATE,
			.offset_31_16 = trap_entries[i] >> 16 & 0xffff,
			.offset_63_32 = trap_entries[i] >> 32,
		};
	idt_register.limit = sizeof(idt) - 1;
	idt_register.base = (uint64_t)idt;
}

/* Once: what fails here must not fill the stack with itself. */
static void screen(struct cpu *cpu, const struct trap_frame *f)
{
	if (cpu->in_screen)
		return;
	cpu->in_screen = true;
	cpu_fail(cpu, MERCURY_E_FAULT, f->vector,
		 "the VMM took exception %lu, error code %lx, at rip %016lx: this CPU to native; unload the module, load it again, report it",
		 f->vector, f->error_code, f->rip);
	console_line("!cr2 %016lx cr3 %016lx cr4 %lx rflags %lx", insn_read_cr2(), insn_read_cr3(),
		     insn_read_cr4(), f->rflags);
	console_line("!rax %016lx rbx %016lx rcx %016lx rdx %016lx", f->rax, f->rbx, f->rcx,
		     f->rdx);
	console_line("!rsi %016lx rdi %016lx rbp %016lx rsp %016lx", f->rsi, f->rdi, f->rbp,
		     f->rsp);
	console_line("!r8  %016lx r9  %016lx r10 %016lx r11 %016lx", f->r8, f->r9, f->r10, f->r11);
	console_line("!r12 %016lx r13 %016lx r14 %016lx r15 %016lx", f->r12, f->r13, f->r14,
		     f->r15);
	cpu->in_screen = false;
}

/* In a call the TSS is Linux's, and a double fault takes that one's stack: then by what it interrupted. */
static struct cpu *cpu_of_frame(const struct trap_frame *frame)
{
	uint64_t first = (uint64_t)window_at(MERCURY_WINDOW_CPUS), here = (uint64_t)frame;

	return cpu_of_stack(here - first < MERCURY_WINDOW_SIZE - MERCURY_WINDOW_CPUS ? here :
										       frame->rsp);
}

bool trap_fixup(uint64_t *rip)
{
	const struct fixup *f;

	for (f = fixups_start; f < fixups_end; f++) {
		if (f->fault == *rip) {
			*rip = f->resume;
			return true;
		}
	}
	return false;
}

void trap_handle(struct trap_frame *frame)
{
	struct cpu *cpu;

	if (trap_fixup(&frame->rip))
		return;
	/* A data breakpoint of Linux's on memory that we also touch: a trap, it is behind us. */
	if (frame->vector == VECTOR_DB)
		return;
	cpu = cpu_of_frame(frame);
	screen(cpu, frame);
	vmm_fatal(cpu);
}
