// SPDX-License-Identifier: GPL-2.0-only
/*
 * Ports for user space. Our TSS has no I/O bitmap, since Linux's may change with no trap to tell of it;
 * so each IN and OUT of user space faults, and is looked up in Linux's.
 */
#include "decode.h"
#include "emulate.h"
#include "insn.h"
#include "port.h"
#include "x86/cr.h"
#include "x86/msr.h"
#include "x86/paging.h"
#include "x86/vector.h"

/* User space's flat code segments. */
#define USER_CS_32 0x23
#define USER_CS_64 0x33

#define USER_DS 0x2b

#define NUMBER_OF_RAX 0
#define NUMBER_OF_RCX 1
#define NUMBER_OF_RSI 6
#define NUMBER_OF_RDI 7

/* Elements of a repeated INS or OUTS. */
#define REPEAT_AT_ONCE 64

/* SDM vol. 1, 19.5.2, I/O Permission Bit Map: two bytes are read, and all of them must be in the TSS. */
static bool port_is_allowed(struct cpu *cpu, uint16_t port, unsigned int size)
{
	const struct ring1_cpu *r = ring1_cpu(cpu);
	uint32_t offset, mask = (1u << size) - 1;
	uint16_t base, bits;

	if (!insn_copy_safe(&base, &r->tss_linux->io_map_base, sizeof(base)))
		return false;
	offset = base + port / 8;
	if (offset + 1 > r->tss_limit ||
	    !insn_copy_safe(&bits, (const char *)r->tss_linux + offset, sizeof(bits)))
		return false;
	return !(bits >> port % 8 & mask);
}

/* --- IN, OUT ------------------------------------------------------------------------------------ */

static bool in_out(struct cpu *cpu, struct ring1_frame *f, const struct insn *i, uint16_t port)
{
	if (i->op == INSN_IN)
		emulate_set(f, NUMBER_OF_RAX, insn_in(port, i->size), i->size);
	else
		insn_out(port, i->size, (uint32_t)f->regs.rax);
	emulate_step_over(cpu, f, i);
	return true;
}

/* --- INS, OUTS ---------------------------------------------------------------------------------- */

/* Linux maps nothing of its own below the end of user space, which is a page before the hole. */
static bool is_user_space(const struct insn_string *s, unsigned int size)
{
	const uint64_t end = (UINT64_C(1) << 47) - PAGE_4K;
	uint64_t others = s->count ? (s->count - 1) * size : 0;
	uint64_t low = s->address - (s->flags & RFLAGS_DF ? others : 0);

	return s->address < end && low <= s->address && low + others + size <= end;
}

/* 0 but with FS or GS; SDM vol. 2, 3.3, OUTS: INS knows ES only. */
static uint64_t segment_base(const struct insn *i)
{
	if (i->op == INSN_INS)
		return 0;
	return i->memory.gs ? insn_rdmsr(MSR_IA32_GS_BASE) :
	       i->memory.fs ? insn_rdmsr(MSR_IA32_FS_BASE) :
			      0;
}

/* A few at a time, for interrupts wait meanwhile; the instruction then faults again for the rest. */
static uint64_t how_many(const struct ring1_frame *f, const struct insn *i, uint64_t mask)
{
	uint64_t left = i->repeated ? f->regs.rcx & mask : 1;
	uint64_t most = f->rflags & RFLAGS_TF ? 1 : REPEAT_AT_ONCE;

	return left < most ? left : most;
}

static bool string_in_out(struct cpu *cpu, struct ring1_frame *f, struct insn *i, uint16_t port)
{
	const unsigned int number = i->op == INSN_INS ? NUMBER_OF_RDI : NUMBER_OF_RSI;
	const unsigned int width = i->memory.address_32 ? 4 : 8;
	const uint64_t mask = i->memory.address_32 ? UINT32_MAX : UINT64_MAX;
	const uint64_t count = how_many(f, i, mask), base = segment_base(i);
	struct insn_string s = { base + (emulate_get(f, number) & mask), count,
				 f->rflags & RFLAGS_DF };
	bool done;

	if (!is_user_space(&s, i->size))
		return false;
	done = i->op == INSN_INS ? insn_ins_user_safe(&s, port, i->size) :
				   insn_outs_user_safe(&s, port, i->size);
	emulate_set(f, number, s.address - base, width);
	if (i->repeated)
		emulate_set(f, NUMBER_OF_RCX, f->regs.rcx - (count - s.count), width);
	if (!done) {
		ring1_cpu(cpu)->fault.error_code |= ERROR_CODE_PF_US;
		emulate_raise_fault(cpu, f);
		return true;
	}
	if (i->repeated && f->regs.rcx & mask)
		i->length = 0;
	emulate_step_over(cpu, f, i);
	return true;
}

/* --- Together ----------------------------------------------------------------------------------- */

/* 32-bit code with Linux's own segments: all bases are 0. */
static bool has_flat_data(const struct ring1_frame *f)
{
	return f->cs == USER_CS_64 || (insn_read_ds() == USER_DS && insn_read_es() == USER_DS);
}

bool ring1_user_io(struct cpu *cpu, struct ring1_frame *f)
{
	uint8_t bytes[INSN_MAX];
	struct insn insn;
	uint16_t port, base;
	size_t n;

	if (f->error_code || (f->cs != USER_CS_64 && f->cs != USER_CS_32) ||
	    !insn_copy_safe(&base, &ring1_cpu(cpu)->tss_linux->io_map_base, sizeof(base)) ||
	    base > ring1_cpu(cpu)->tss_limit)
		return false;
	n = ring1_read_code(cpu, f->rip, true, bytes, sizeof(bytes));
	if (!insn_decode(bytes, n, f->cs == USER_CS_64, &insn))
		return false;
	port = insn.immediate ? insn.port : (uint16_t)f->regs.rdx;
	if (!port_is_allowed(cpu, port, insn.size))
		return false;
	switch (insn.op) {
	case INSN_IN:
	case INSN_OUT:
		cpu_shared(cpu)->exits[MERCURY_RING1_IO]++;
		return in_out(cpu, f, &insn, port);
	case INSN_INS:
	case INSN_OUTS:
		if (!has_flat_data(f))
			return false;
		cpu_shared(cpu)->exits[MERCURY_RING1_IO]++;
		return string_in_out(cpu, f, &insn, port);
	default:
		return false;
	}
}
