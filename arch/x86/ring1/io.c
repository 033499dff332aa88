// SPDX-License-Identifier: GPL-2.0-only
/*
 * Ports for user space. Our TSS has no I/O bitmap, since Linux's may change with no trap to tell of it;
 * so each IN and OUT of user space faults, and is looked up in Linux's.
 */
#include "decode.h"
#include "emulate.h"
#include "insn.h"
#include "port.h"

/* User space's flat code segments. */
#define USER_CS_32 0x23
#define USER_CS_64 0x33

#define NUMBER_OF_RAX 0

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
	if (!insn_decode(bytes, n, f->cs == USER_CS_64, &insn) ||
	    (insn.op != INSN_IN && insn.op != INSN_OUT))
		return false;
	port = insn.immediate ? insn.port : (uint16_t)f->regs.rdx;
	if (!port_is_allowed(cpu, port, insn.size))
		return false;
	cpu_shared(cpu)->exits[MERCURY_RING1_IO]++;
	if (insn.op == INSN_IN)
		emulate_set(f, NUMBER_OF_RAX, insn_in(port, insn.size), insn.size);
	else
		insn_out(port, insn.size, (uint32_t)f->regs.rax);
	emulate_step_over(cpu, f, &insn);
	return true;
}
