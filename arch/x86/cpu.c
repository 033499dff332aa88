// SPDX-License-Identifier: GPL-2.0-only
/* One CPU of the VMM: its descriptor tables, its transition root's CR3, its refusals. */
#include "cpu.h"
#include "insn.h"
#include "mercury/console.h"
#include "mercury/switch.h"
#include "segment.h"
#include "x86/cr.h"

struct cpu *cpu_of_stack(uint64_t rsp)
{
	return (struct cpu *)((rsp & -(uint64_t)MERCURY_CPU_SLOT) + MERCURY_CPU_DATA);
}

#define FLAT_LIMIT 0xfffff
#define FLAT_CODE                                                                                  \
	(SEGMENT_AR_P | SEGMENT_AR_S | SEGMENT_AR_G | SEGMENT_AR_L | SEGMENT_TYPE_CODE |           \
	 SEGMENT_TYPE_READABLE | SEGMENT_TYPE_ACCESSED)
#define FLAT_DATA                                                                                  \
	(SEGMENT_AR_P | SEGMENT_AR_S | SEGMENT_AR_G | SEGMENT_AR_DB | SEGMENT_TYPE_WRITABLE |      \
	 SEGMENT_TYPE_ACCESSED)

/* Code and data descriptors equal Linux's, so that the hidden parts of CS and SS never change. */
static void init_descriptor_tables(struct cpu *cpu)
{
	uint64_t tss = (uint64_t)&cpu->tss;

	cpu->tss = (struct tss64){
		.io_map_base = sizeof(struct tss64),
		/* The ordinary stack from its top: what is on it is lost already. */
		.ist[VMM_IST_DF - 1] = (uint64_t)cpu,
	};
	cpu->gdt[VMM_CS / 8] = segment_descriptor_make(FLAT_CODE, FLAT_LIMIT, 0);
	cpu->gdt[VMM_DS / 8] = segment_descriptor_make(FLAT_DATA, FLAT_LIMIT, 0);
	cpu->gdt[VMM_TR / 8] = segment_descriptor_make(SEGMENT_AR_P | SEGMENT_TYPE_TSS_BUSY,
						       TSS64_LIMIT, (uint32_t)tss);
	cpu->gdt[VMM_TR / 8 + 1] = tss >> 32;
}

void cpu_init(struct cpu *cpu, uint32_t index, const struct mercury_cpu_boot *boot)
{
	cpu->index = index;
	cpu->gdt_rw = boot->gdt_rw;
	cpu->root_pa = boot->root_pa;
	cpu->vmcs_pa = boot->vmcs_pa;
	cpu->vmxon_pa = boot->vmxon_pa;
	init_descriptor_tables(cpu);
}

static enum mercury_error note(struct cpu *cpu, enum mercury_error error, uint64_t detail,
			       const char *prefix, const char *format, va_list arguments)
{
	struct mercury_cpu_shared *shared = cpu_shared(cpu);

	shared->error = error;
	shared->detail = detail;
	console_format(shared->text, sizeof(shared->text), format, arguments);
	console_line("%scpu %u: %s", prefix, cpu->index, shared->text);
	return error;
}

enum mercury_error cpu_refuse(struct cpu *cpu, enum mercury_error error, uint64_t detail,
			      const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	note(cpu, error, detail, "", format, arguments);
	va_end(arguments);
	return error;
}

enum mercury_error cpu_fail(struct cpu *cpu, enum mercury_error error, uint64_t detail,
			    const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	note(cpu, error, detail, MERCURY_LOG_ALARM, format, arguments);
	va_end(arguments);
	return error;
}

uint64_t cpu_transition_cr3(const struct cpu *cpu)
{
	return cpu->root_pa | (insn_read_cr4() & CR4_PCIDE ? MERCURY_PCID_TRANSITION : 0);
}

void state_set_result(struct state *state, enum mercury_error error)
{
	if (state->returns_result)
		state->regs.rax = error;
}
