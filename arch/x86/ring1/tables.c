// SPDX-License-Identifier: GPL-2.0-only
/* Linux's descriptor tables and selectors: what it reads are its own, what it loads stays beside ours. */
#include "emulate.h"
#include "insn.h"
#include "port.h"
#include "segment.h"
#include "x86/cr.h"

/* Numbers of segment registers. SDM vol. 2, 3.1.1.3 */
enum { SEGMENT_ES, SEGMENT_CS, SEGMENT_SS, SEGMENT_DS, SEGMENT_FS, SEGMENT_GS };

/* --- Operands ----------------------------------------------------------------------------------- */

static enum answer store(struct ring1_frame *f, const struct insn *i, const void *value, size_t n)
{
	return insn_copy_safe((void *)emulate_address(f, i), value, n) ? DONE : FAULT;
}

/* To a register in its operand's size, to memory always 2 bytes. SDM vol. 2, 4.3, SLDT, STR, SMSW */
static enum answer store_word(struct ring1_frame *f, const struct insn *i, uint64_t value)
{
	if (i->gpr == INSN_NO_REG)
		return store(f, i, &value, sizeof(uint16_t));
	emulate_set(f, i->gpr, value, i->size);
	return DONE;
}

static bool load(const struct ring1_frame *f, const struct insn *i, void *to, size_t n)
{
	return insn_copy_safe(to, (const void *)emulate_address(f, i), n);
}

static bool load_word(const struct ring1_frame *f, const struct insn *i, uint16_t *value)
{
	if (i->gpr == INSN_NO_REG)
		return load(f, i, value, sizeof(*value));
	*value = (uint16_t)emulate_get(f, i->gpr);
	return true;
}

/* --- Reading ------------------------------------------------------------------------------------ */

enum answer emulate_sgdt(struct cpu *cpu, struct ring1_frame *f, const struct insn *i)
{
	return store(f, i, &ring1_cpu(cpu)->gdtr, sizeof(ring1_cpu(cpu)->gdtr));
}

enum answer emulate_sidt(struct cpu *cpu, struct ring1_frame *f, const struct insn *i)
{
	return store(f, i, &ring1_cpu(cpu)->idtr, sizeof(ring1_cpu(cpu)->idtr));
}

enum answer emulate_sldt(struct cpu *cpu, struct ring1_frame *f, const struct insn *i)
{
	(void)cpu;
	return store_word(f, i, insn_sldt());
}

enum answer emulate_str(struct cpu *cpu, struct ring1_frame *f, const struct insn *i)
{
	return store_word(f, i, ring1_cpu(cpu)->tr);
}

enum answer emulate_smsw(struct cpu *cpu, struct ring1_frame *f, const struct insn *i)
{
	(void)cpu;
	return store_word(f, i, insn_read_cr0());
}

/* --- Loading ------------------------------------------------------------------------------------ */

/* Linux has one GDT, at two addresses; another table is the end of this Linux (kexec). */
enum answer emulate_lgdt(struct cpu *cpu, struct ring1_frame *f, const struct insn *i)
{
	struct ring1_cpu *r = ring1_cpu(cpu);
	struct descriptor_table_register table;

	if (!load(f, i, &table, sizeof(table)))
		return FAULT;
	if (table.limit != LINUX_GDT_LIMIT ||
	    (table.base != cpu->gdt_rw && table.base != r->gdtr_linux))
		return emulate_natively(cpu, "GDTR");
	r->gdtr = table;
	table.limit = RING1_GDT_LIMIT;
	insn_lgdt(&table);
	return DONE;
}

enum answer emulate_lidt(struct cpu *cpu, struct ring1_frame *f, const struct insn *i)
{
	struct descriptor_table_register table;

	if (!load(f, i, &table, sizeof(table)))
		return FAULT;
	if (!table.limit)
		return emulate_natively(cpu, "IDTR");
	ring1_cpu(cpu)->idtr = table;
	return DONE;
}

enum answer emulate_lldt(struct cpu *cpu, struct ring1_frame *f, const struct insn *i)
{
	uint16_t selector;

	(void)cpu;
	if (!load_word(f, i, &selector))
		return FAULT;
	return insn_lldt(selector) ? DONE : RAISE_GP;
}

/* The processor keeps our TSS; its stacks tell where Linux's handlers begin. */
enum answer emulate_ltr(struct cpu *cpu, struct ring1_frame *f, const struct insn *i)
{
	uint16_t selector;

	if (!load_word(f, i, &selector))
		return FAULT;
	return ring1_take_tss(cpu, selector) ? DONE : RAISE_GP;
}

/* Linux's flat data segment is not CPL 1's. A null selector does as well: bases are 0 or in MSRs. */
enum answer emulate_mov_sreg(struct cpu *cpu, struct ring1_frame *f, const struct insn *i)
{
	uint16_t selector;

	(void)cpu;
	if (!load_word(f, i, &selector))
		return FAULT;
	if (selector != LINUX_SS && !(selector == 0 && i->reg == SEGMENT_SS))
		return NOT_OURS;
	switch (i->reg) {
	case SEGMENT_SS:
		return DONE;
	case SEGMENT_ES:
		return insn_load_es(0) ? DONE : NOT_OURS;
	case SEGMENT_DS:
		return insn_load_ds(0) ? DONE : NOT_OURS;
	case SEGMENT_FS:
		return insn_load_fs(0) ? DONE : NOT_OURS;
	case SEGMENT_GS:
		return insn_load_gs(0) ? DONE : NOT_OURS;
	}
	return NOT_OURS;
}

/* It can set PE and clear none. SDM vol. 2, 3.3, LMSW */
enum answer emulate_lmsw(struct cpu *cpu, struct ring1_frame *f, const struct insn *i)
{
	const uint64_t bits = CR0_PE | CR0_MP | CR0_EM | CR0_TS;
	uint16_t value;

	(void)cpu;
	if (!load_word(f, i, &value))
		return FAULT;
	return insn_write_cr0_safe((insn_read_cr0() & ~(bits & ~(uint64_t)CR0_PE)) |
				   (value & bits)) ?
		       DONE :
		       FAULT;
}
