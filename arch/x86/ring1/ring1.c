// SPDX-License-Identifier: GPL-2.0-only
/*
 * The virtual object "ring1": probe, the IDT and each CPU's TSS, audit, the way down to CPL 1 and up
 * again. Linux's GDT page stays the GDT, with entries of ours behind Linux's, so that TLS and LDT
 * need no shadow; its stacks, frames and page tables are not touched.
 */
#include "call.h"
#include "insn.h"
#include "port.h"
#include "require.h"
#include "ring1.h"
#include "segment.h"
#include "stubs.h"
#include "trap.h"
#include "window.h"
#include "x86/cr.h"
#include "x86/msr.h"
#include "x86/paging.h"
#include "x86/vector.h"

#define VECTORS 256

/* Exceptions that come behind an instruction or none at all: Linux does not cause them once more. */
#define NOT_RAISED_AGAIN                                                                           \
	(X86_BIT32(VECTOR_DB) | X86_BIT32(VECTOR_NMI) | X86_BIT32(VECTOR_BP) |                     \
	 X86_BIT32(VECTOR_OF) | X86_BIT32(VECTOR_MC))
#define ENTRY_BYTES 16

extern const char ring1_entries[]; /* entry.asm */

static struct idt_gate idt[VECTORS];

/* --- Probe and prepare -------------------------------------------------------------------------- */

static enum mercury_error ring1_probe(struct cpu *cpu)
{
	struct ring1_facts facts;
	const char *sentence;

	ring1_facts_read(&facts);
	sentence = ring1_unmet(&facts);
	return sentence ? cpu_refuse(cpu, MERCURY_E_UNSUPPORTED, 0, "%s", sentence) : MERCURY_E_OK;
}

static unsigned int ist_of(unsigned int vector)
{
	switch (vector) {
	case VECTOR_NMI:
		return RING1_IST_NMI;
	case VECTOR_DB:
		return RING1_IST_DB;
	case VECTOR_MC:
		return RING1_IST_MC;
	case VECTOR_DF:
		return VMM_IST_DF;
	}
	return 0;
}

/* The same for every CPU. Once: when a CPU comes later, others take their interrupts by it. */
static void fill_idt(void)
{
	unsigned int i;

	if (idt[VECTORS - 1].access)
		return;
	for (i = 0; i < VECTORS; i++) {
		uint64_t entry = (uint64_t)ring1_entries + (uint64_t)i * ENTRY_BYTES;

		idt[i] = (struct idt_gate){
			.offset_15_0 = entry & 0xffff,
			.selector = LINUX_CS,
			.ist = ist_of(i),
			.access = SEGMENT_AR_P | SEGMENT_TYPE_INTERRUPT_GATE |
				  (ring1_is_user_vector(i) ? SEGMENT_AR_DPL : 0),
			.offset_31_16 = entry >> 16 & 0xffff,
			.offset_63_32 = entry >> 32,
		};
	}
}

static void map_stubs(struct cpu *cpu)
{
	uint64_t slot = MERCURY_WINDOW_CPUS + (uint64_t)cpu->index * MERCURY_CPU_SLOT;

	*window_ptes(slot + MERCURY_CPU_RING1_STUB) = window_pa(ring1_stubs) | PAGING_P | PAGING_A;
	insn_invlpg((uint64_t)cpu_slot(cpu, MERCURY_CPU_RING1_STUB));
}

static enum mercury_error ring1_prepare(struct cpu *cpu)
{
	struct ring1_cpu *r = ring1_cpu(cpu);
	unsigned int i;

	fill_idt();
	map_stubs(cpu);
	*r = (struct ring1_cpu){ .tss = { .io_map_base = sizeof(struct tss64),
					  .rsp = { (uint64_t)cpu } } };
	/* What was on the ordinary stack when a double fault comes is lost, but for Linux's frame. */
	r->tss.ist[VMM_IST_DF - 1] = (uint64_t)ring1_frame(cpu);
	for (i = 0; i < RING1_ISTS; i++)
		r->tss.ist[RING1_IST_NMI - 1 + i] = (uint64_t)&r->stacks[i][RING1_IST_WORDS];
	cpu->warm = true;
	cpu_shared(cpu)->is_warm = 1;
	return MERCURY_E_OK;
}

static void ring1_discard(struct cpu *cpu)
{
	cpu->warm = false;
	cpu_shared(cpu)->is_warm = 0;
}

/* --- Capture ------------------------------------------------------------------------------------ */

static struct segment user_segment(uint16_t selector, const struct state *s)
{
	return segment_read(selector, &s->gdtr, &s->ldtr);
}

static void read_segments(const struct ring1_cpu *r, const struct ring1_frame *f, struct state *s)
{
	s->gdtr = r->gdtr;
	s->idtr = r->idtr;
	s->ldtr = segment_read_system(insn_sldt(), &s->gdtr);
	s->tr = segment_read_system(r->tr, &s->gdtr);
	s->cs = user_segment(ring1_from_user(f) ? (uint16_t)f->cs : LINUX_CS, s);
	s->ss = user_segment(ring1_from_user(f) ? (uint16_t)f->ss : r->ss, s);
	s->es = user_segment(insn_read_es(), s);
	s->ds = user_segment(insn_read_ds(), s);
	s->fs = user_segment(insn_read_fs(), s);
	s->gs = user_segment(insn_read_gs(), s);
	s->fs.base = insn_rdmsr(MSR_IA32_FS_BASE);
	s->gs.base = insn_rdmsr(MSR_IA32_GS_BASE);
}

void ring1_read_state(struct cpu *cpu, struct state *s)
{
	const struct ring1_frame *f = ring1_frame(cpu);
	const struct ring1_cpu *r = ring1_cpu(cpu);

	s->regs = f->regs;
	s->regs.rsp = f->rsp;
	s->rip = f->rip;
	s->rflags = f->rflags & ~RFLAGS_IOPL;
	read_segments(r, f, s);
	s->cr0 = insn_read_cr0();
	s->cr3 = insn_read_cr3();
	s->cr4 = insn_read_cr4();
	s->dr7 = insn_read_dr7();
	s->debugctl = insn_rdmsr(MSR_IA32_DEBUGCTL);
	s->sysenter_cs = insn_rdmsr(MSR_IA32_SYSENTER_CS);
	s->sysenter_esp = r->sysenter.rsp;
	s->sysenter_eip = r->sysenter.rip;
	s->interruptibility = 0;
	s->activity = 0;
	s->pending_debug = 0;
	s->returns_result = true;
	state_takes_none(s);
}

bool ring1_event_in_delivery(struct cpu *cpu, struct event *event)
{
	uint64_t vector = ring1_frame(cpu)->vector;

	if (vector < VECTOR_FIRST_INTERRUPT && !(NOT_RAISED_AGAIN >> vector & 1))
		return false;
	*event = (struct event){ .vector = (uint8_t)vector };
	return true;
}

static void ring1_capture(struct cpu *cpu, struct state *s)
{
	ring1_read_state(cpu, s);
}

static void show_segment(struct mercury_segment *to, const struct segment *s)
{
	*to = (struct mercury_segment){ s->base, s->limit, s->ar, s->selector, 0 };
}

void ring1_read_hidden(struct cpu *cpu, struct mercury_cpu_shared *shared)
{
	struct state s;
	/* As MERCURY_SEGMENTS has them. */
	const struct segment *const segments[MERCURY_SEGMENTS_NR] = {
		&s.es, &s.cs, &s.ss, &s.ds, &s.fs, &s.gs, &s.ldtr, &s.tr,
	};
	unsigned int i;

	read_segments(ring1_cpu(cpu), ring1_frame(cpu), &s);
	for (i = 0; i < MERCURY_SEGMENTS_NR; i++)
		show_segment(&shared->hidden[i], segments[i]);
	shared->gdtr = (struct mercury_table){ s.gdtr.base, s.gdtr.limit, 0 };
	shared->idtr = (struct mercury_table){ s.idtr.base, s.idtr.limit, 0 };
}

/* --- Audit -------------------------------------------------------------------------------------- */

static enum mercury_error refuse_state(struct cpu *cpu, uint64_t value, const char *what)
{
	return cpu_refuse(cpu, MERCURY_E_AUDIT, value,
			  "%s (%lx), not a Linux that ring 1 knows: report it", what, value);
}

static enum mercury_error ring1_audit(struct cpu *cpu, const struct state *s)
{
	enum mercury_error error = ring1_probe(cpu);
	unsigned int i;

	if (error)
		return error;
	if (!cpu->warm)
		return cpu_refuse(cpu, MERCURY_E_BAD_STATE, 0,
				  "this CPU could not be prepared: load the module again");
	if (s->cs.selector != LINUX_CS)
		return refuse_state(cpu, s->cs.selector,
				    "the kernel's code segment is another one");
	if (s->gdtr.limit != LINUX_GDT_LIMIT)
		return refuse_state(cpu, s->gdtr.limit, "the GDT's limit is another one");
	for (i = 1; i <= RING1_GDT_ENTRIES; i++) {
		const uint64_t *entry =
			(const uint64_t *)(s->gdtr.base + LINUX_GDT_LIMIT + 1) + i - 1;

		if (*entry)
			return refuse_state(cpu, *entry, "something lies behind the GDT");
	}
	if (s->tr.ar & SEGMENT_AR_UNUSABLE || s->tr.limit < TSS64_LIMIT)
		return refuse_state(cpu, s->tr.selector, "there is no TSS");
	if (!ring1_root_has_window(cpu, s->cr3))
		return refuse_state(cpu, s->cr3, "the page tables lack the window");
	return MERCURY_E_OK;
}

/* --- Load and leave ----------------------------------------------------------------------------- */

#define FLAT_LIMIT 0xfffff
#define DPL_1 (1u << SEGMENT_AR_DPL_SHIFT)
#define FLAT_CODE                                                                                  \
	(SEGMENT_AR_P | SEGMENT_AR_S | SEGMENT_AR_G | SEGMENT_AR_L | DPL_1 | SEGMENT_TYPE_CODE |   \
	 SEGMENT_TYPE_READABLE | SEGMENT_TYPE_ACCESSED)
#define FLAT_DATA                                                                                  \
	(SEGMENT_AR_P | SEGMENT_AR_S | SEGMENT_AR_G | SEGMENT_AR_DB | DPL_1 |                      \
	 SEGMENT_TYPE_WRITABLE | SEGMENT_TYPE_ACCESSED)

static uint64_t *our_entries(struct cpu *cpu)
{
	return (uint64_t *)(cpu->gdt_rw + LINUX_GDT_LIMIT + 1);
}

/* LTR writes the busy bit through GDTR, and Linux's own mapping is read only: by the alias first. */
static void load_tables(struct cpu *cpu, const struct state *s)
{
	struct descriptor_table_register table = { RING1_GDT_LIMIT, cpu->gdt_rw };
	uint64_t *entries = our_entries(cpu), tss = (uint64_t)&ring1_cpu(cpu)->tss;

	entries[0] = segment_descriptor_make(FLAT_CODE, FLAT_LIMIT, 0);
	entries[1] = segment_descriptor_make(FLAT_DATA, FLAT_LIMIT, 0);
	entries[2] = segment_descriptor_make(SEGMENT_AR_P | SEGMENT_TYPE_TSS_AVAILABLE, TSS64_LIMIT,
					     (uint32_t)tss);
	entries[3] = tss >> 32;
	insn_lgdt(&table);
	insn_ltr(RING1_TR);
	table.base = s->gdtr.base;
	insn_lgdt(&table);
}

bool ring1_take_tss(struct cpu *cpu, uint16_t selector)
{
	struct ring1_cpu *r = ring1_cpu(cpu);
	struct segment tss = segment_read_system(selector, &r->gdtr);

	if (tss.ar & SEGMENT_AR_UNUSABLE || tss.limit < TSS64_LIMIT)
		return false;
	r->tr = selector;
	r->tss_linux = (const struct tss64 *)tss.base;
	r->tss_limit = tss.limit;
	return true;
}

static void take_linux(struct cpu *cpu, const struct state *s)
{
	struct ring1_cpu *r = ring1_cpu(cpu);

	r->gdtr = s->gdtr;
	r->gdtr_linux = s->gdtr.base;
	r->idtr = s->idtr;
	ring1_take_tss(cpu, s->tr.selector);
	r->ss = s->ss.selector;
	r->nmi_blocked = 0;
	r->nmi_latched = 0;
	r->monitored = 0;
	cpu_shared(cpu)->cr2 = insn_read_cr2();
	__builtin_memset(r->roots, 0, sizeof(r->roots));
	r->enter = (struct ring1_frame){ .regs = s->regs,
					 .rip = s->rip,
					 .cs = RING1_CS,
					 .rflags = (s->rflags & ~RFLAGS_IOPL) | RING1_IOPL,
					 .rsp = s->regs.rsp,
					 .ss = RING1_SS };
}

static enum mercury_error ring1_load(struct cpu *cpu, struct state *s)
{
	const struct descriptor_table_register table = { sizeof(idt) - 1, (uint64_t)idt };

	take_linux(cpu, s);
	/* From here on what Linux needs for its call to return is changed: the way back is a load. */
	cpu->task = TASK_RETURN;
	load_tables(cpu, s);
	ring1_stubs_load(cpu, s);
	cpu->entered = true;
	cpu_shared(cpu)->is_virtual = 1;
	insn_write_cr3(s->cr3 | (s->cr4 & CR4_PCIDE ? CR3_NOFLUSH : 0));
	insn_lidt(&table);
	cpu->task = TASK_EXIT;
	insn_ring1_enter(cpu);
}

/*
 * vo_native loads Linux's tables and the SYSENTER MSRs; what it does not know of goes here. Its TSS comes
 * before its IDT, so the IDT in between is the one that uses no stack of the TSS.
 */
void ring1_stop(struct cpu *cpu)
{
	struct ring1_cpu *r = ring1_cpu(cpu);
	uint64_t cr3 = insn_read_cr3();

	insn_lidt(&idt_register);
	/* Under page-table isolation the half of user space does not have the GDT to write. */
	if (cr3 & mercury_boot.user_cr3)
		insn_write_cr3(cr3 & ~mercury_boot.user_cr3);
	/* Nobody knows how far it got. */
	ring1_stubs_stop(cpu);
	__builtin_memset(our_entries(cpu), 0, RING1_GDT_ENTRIES * sizeof(uint64_t));
	if (r->nmi_latched)
		__atomic_or_fetch(&cpu->pending, PENDING_NMI, __ATOMIC_RELAXED);
	r->nmi_latched = 0;
}

const struct vo vo_ring1 = {
	.name = "ring1",
	.probe = ring1_probe,
	.prepare = ring1_prepare,
	.discard = ring1_discard,
	.capture = ring1_capture,
	.audit = ring1_audit,
	.leave = ring1_stop,
	.load = ring1_load,
};
