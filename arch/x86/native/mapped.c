// SPDX-License-Identifier: GPL-2.0-only
/* Never a moment without an IDT: what the CPU would need in an event is mapped, checked by walking. */
#include <stddef.h>

#include "call.h"
#include "mapped.h"
#include "walk.h"
#include "window.h"
#include "x86/paging.h"
#include "x86/vector.h"

/* Events that may come at any instruction; other vectors with a stack of their own cannot. */
static const uint8_t anytime[] = { VECTOR_DB, VECTOR_NMI, VECTOR_DF, VECTOR_MC };

static uint64_t read_physical(void *context, uint64_t pa)
{
	const char *page = window_fixmap(context, pa & ~(PAGE_4K - 1));

	return *(const uint64_t *)(page + paging_offset(pa, 1));
}

bool native_read(struct cpu *cpu, uint64_t address, void *to, size_t size)
{
	char *out = to;

	for (; size; size--, address++) {
		struct walk_result r;
		const char *page;

		if (!walk(cpu->root_pa, address, read_physical, cpu, &r))
			return false;
		page = window_fixmap(cpu, r.pa & ~(PAGE_4K - 1));
		*out++ = page[paging_offset(r.pa, 1)];
	}
	return true;
}

struct need {
	const char *name;
	uint64_t address;
	bool write, execute;
};

static bool is_mapped(struct cpu *cpu, const struct need *need)
{
	struct walk_result r;

	if (!walk(cpu->root_pa, need->address, read_physical, cpu, &r))
		return false;
	return (!need->write || r.writable) && (!need->execute || r.executable);
}

static const char *stack_unmapped(struct cpu *cpu, const struct tss64 *tss,
				  const struct idt_gate *idt, uint64_t *where)
{
	size_t i;

	for (i = 0; i < sizeof(anytime); i++) {
		unsigned int ist = idt[anytime[i]].ist & 7;
		const struct need stack = { "an IST stack", ist ? tss->ist[ist - 1] - 8 : 0, true,
					    false };

		*where = stack.address;
		if (ist && !is_mapped(cpu, &stack))
			return stack.name;
	}
	return NULL;
}

static const char *first_unmapped(struct cpu *cpu, const struct need *needs, size_t n,
				  uint64_t *where)
{
	size_t i;

	for (i = 0; i < n; i++) {
		*where = needs[i].address;
		if (!is_mapped(cpu, &needs[i]))
			return needs[i].name;
	}
	return NULL;
}

const char *native_return_unmapped(struct cpu *cpu, const struct state *s, uint64_t *where)
{
	const struct need needs[] = {
		{ "the GDT's writable alias", cpu->gdt_rw + s->tr.selector, true, false },
		{ "Linux's stack", s->regs.rsp - 8, true, false },
		{ "the frame on Linux's stack", s->regs.rsp + 8 * s->frame_words - 8, true, false },
		{ "the gate's tail", mercury_boot.gate_tail, false, true },
		{ "the place to go on at", s->rip, false, true },
		{ "the VMM's text", (uint64_t)native_unmapped, false, true },
		{ "the VMM's stack", (uint64_t)cpu, true, false },
	};

	return first_unmapped(cpu, needs, sizeof(needs) / sizeof(needs[0]), where);
}

bool identity_return_mapped(struct cpu *cpu, const struct state *s, uint64_t tail)
{
	const struct need needs[] = {
		{ "Linux's stack", s->regs.rsp - 8, true, false },
		{ "the place to go on at", s->rip, false, true },
	};
	struct walk_result r;
	uint64_t where;

	return !first_unmapped(cpu, needs, sizeof(needs) / sizeof(needs[0]), &where) &&
	       walk(cpu->root_pa, tail, read_physical, cpu, &r) && r.pa == tail && r.executable;
}

/* A limit may lie behind the last gate: VM exits set 0xffff, and KVM leaves it so. */
static uint64_t last_of_idt(const struct state *s)
{
	return s->idtr.base + (s->idtr.limit < IDT_LIMIT ? s->idtr.limit : IDT_LIMIT);
}

const char *native_unmapped(struct cpu *cpu, const struct state *s, uint64_t *where)
{
	const struct need needs[] = {
		{ "the GDT", s->gdtr.base, false, false },
		{ "the end of the GDT", s->gdtr.base + s->gdtr.limit, false, false },
		{ "the IDT", s->idtr.base, false, false },
		{ "the end of the IDT", last_of_idt(s), false, false },
		{ "the TSS", s->tr.base, false, false },
		{ "the end of the TSS", s->tr.base + TSS64_LIMIT, false, false },
	};
	const struct tss64 *tss = (const struct tss64 *)s->tr.base;
	const char *missing = native_return_unmapped(cpu, s, where);

	if (!missing)
		missing = first_unmapped(cpu, needs, sizeof(needs) / sizeof(needs[0]), where);
	if (missing)
		return missing;
	return stack_unmapped(cpu, tss, (const struct idt_gate *)s->idtr.base, where);
}
