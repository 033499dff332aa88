// SPDX-License-Identifier: GPL-2.0-only
/* The decoder: prefixes, opcode, ModRM; tables from opcode to instruction. Pure. */
#include "decode.h"

/* SDM vol. 2, 2.1.1, Instruction Prefixes, and 2.2.1, REX Prefixes */
struct prefixes {
	bool operand_16, address_short, rep, repne, lock, fs, gs;
	uint8_t rex;
};

#define REX_W 8
#define REX_R 4
#define REX_X 2
#define REX_B 1

struct reader {
	const uint8_t *bytes;
	size_t n, at;
	bool cut; /* read beyond the end */
};

static uint8_t next(struct reader *r)
{
	if (r->at < r->n && r->at < INSN_MAX)
		return r->bytes[r->at++];
	r->cut = true;
	return 0;
}

static bool take_prefix(uint8_t byte, struct prefixes *p)
{
	switch (byte) {
	case 0x66:
		p->operand_16 = true;
		return true;
	case 0x67:
		p->address_short = true;
		return true;
	case 0xf0:
		p->lock = true;
		return true;
	case 0xf2:
		p->repne = true;
		return true;
	case 0xf3:
		p->rep = true;
		return true;
	case 0x64:
		p->fs = true, p->gs = false;
		return true;
	case 0x65:
		p->gs = true, p->fs = false;
		return true;
	case 0x26:
	case 0x2e:
	case 0x36:
	case 0x3e:
		return true; /* segments whose base is 0 in 64-bit mode */
	}
	return false;
}

/* The first byte that is no prefix. REX counts only right before the opcode. */
static uint8_t read_prefixes(struct reader *r, bool long_mode, struct prefixes *p)
{
	uint8_t byte = next(r);

	for (;; byte = next(r)) {
		if (r->cut)
			return 0;
		if (long_mode && (byte & 0xf0) == 0x40) {
			p->rex = byte & 0xf;
			continue;
		}
		if (!take_prefix(byte, p))
			return byte;
		p->rex = 0;
	}
}

/* --- ModRM -------------------------------------------------------------------------------------- */

struct modrm {
	uint8_t mod, reg, rm; /* as they stand, without REX */
};

static struct modrm read_modrm(struct reader *r)
{
	uint8_t byte = next(r);

	return (struct modrm){ byte >> 6, byte >> 3 & 7, byte & 7 };
}

static int32_t read_displacement(struct reader *r, unsigned int size)
{
	uint32_t value = 0;
	unsigned int i;

	for (i = 0; i < size; i++)
		value |= (uint32_t)next(r) << 8 * i;
	return size == 1 ? (int8_t)value : (int32_t)value;
}

/* SDM vol. 2, 2.1.5, Addressing-Mode Encoding of ModR/M and SIB Bytes; 2.2.1.6, RIP-Relative */
static void read_memory(struct reader *r, const struct prefixes *p, const struct modrm *m,
			struct insn_memory *memory)
{
	unsigned int size = m->mod == 1 ? 1 : m->mod == 2 ? 4 : 0;

	*memory = (struct insn_memory){ .base = m->rm | (p->rex & REX_B ? 8 : 0),
					.index = INSN_NO_REG,
					.scale = 1,
					.fs = p->fs,
					.gs = p->gs,
					.address_32 = p->address_short };
	if (m->rm == 4) {
		uint8_t sib = next(r);

		memory->scale = 1 << (sib >> 6);
		memory->index = (sib >> 3 & 7) | (p->rex & REX_X ? 8 : 0);
		if (memory->index == 4)
			memory->index = INSN_NO_REG;
		memory->base = (sib & 7) | (p->rex & REX_B ? 8 : 0);
		if ((sib & 7) == 5 && m->mod == 0) {
			memory->base = INSN_NO_REG;
			size = 4;
		}
	} else if (m->rm == 5 && m->mod == 0) {
		memory->base = INSN_NO_REG;
		memory->rip_relative = true;
		size = 4;
	}
	memory->displacement = read_displacement(r, size);
}

/* The r/m operand: a register into insn->gpr, or memory. */
static void read_rm(struct reader *r, const struct prefixes *p, const struct modrm *m,
		    struct insn *insn)
{
	if (m->mod == 3) {
		insn->gpr = m->rm | (p->rex & REX_B ? 8 : 0);
		return;
	}
	insn->gpr = INSN_NO_REG;
	read_memory(r, p, m, &insn->memory);
}

/* --- Two-byte opcodes --------------------------------------------------------------------------- */

static enum ring1_insn group_6(struct reader *r, const struct prefixes *p, struct insn *insn)
{
	static const enum ring1_insn ops[8] = { INSN_SLDT, INSN_STR, INSN_LLDT, INSN_LTR };
	struct modrm m = read_modrm(r);

	read_rm(r, p, &m, insn);
	return ops[m.reg];
}

/*
 * 0F 01 with a register: instructions of their own, by the whole byte. Some are others with F2 and F3. SDM
 * vol. 2, A.4; AMD APM vol. 3, appendix A.1.
 */
static enum ring1_insn group_7_register(const struct modrm *m, const struct prefixes *p)
{
	bool is_plain = !p->rep && !p->repne && !p->operand_16;

	switch (m->mod << 6 | m->reg << 3 | m->rm) {
	case 0xc6:
		return is_plain ? INSN_WRMSR : INSN_UNKNOWN; /* WRMSRNS */
	case 0xc8:
		return INSN_MONITOR;
	case 0xc9:
		return INSN_MWAIT;
	case 0xca:
		return INSN_CLAC;
	case 0xcb:
		return INSN_STAC;
	case 0xd1:
		return INSN_XSETBV;
	case 0xf8:
		return INSN_SWAPGS;
	case 0xf9:
		return INSN_RDTSCP;
	case 0xfe:
		return is_plain ? INSN_INVLPGB : INSN_UNKNOWN;
	case 0xff:
		return is_plain ? INSN_TLBSYNC : INSN_UNKNOWN;
	}
	return INSN_UNKNOWN;
}

static enum ring1_insn group_7(struct reader *r, const struct prefixes *p, struct insn *insn)
{
	static const enum ring1_insn ops[8] = { INSN_SGDT, INSN_SIDT, INSN_LGDT, INSN_LIDT,
						INSN_SMSW, 0,         INSN_LMSW, INSN_INVLPG };
	struct modrm m = read_modrm(r);

	if (m.mod == 3 && m.reg != 4 && m.reg != 6)
		return group_7_register(&m, p);
	read_rm(r, p, &m, insn);
	return ops[m.reg];
}

/* MOV to and from control and debug registers: ModRM.mod is ignored. */
static enum ring1_insn system_register(struct reader *r, const struct prefixes *p, uint8_t opcode,
				       struct insn *insn)
{
	static const enum ring1_insn ops[4] = { INSN_READ_CR, INSN_READ_DR, INSN_WRITE_CR,
						INSN_WRITE_DR };
	struct modrm m = read_modrm(r);

	insn->reg = m.reg | (p->rex & REX_R ? 8 : 0);
	insn->gpr = m.rm | (p->rex & REX_B ? 8 : 0);
	return ops[opcode - 0x20];
}

static enum ring1_insn group_9(struct reader *r, const struct prefixes *p, struct insn *insn)
{
	struct modrm m = read_modrm(r);

	if (m.mod == 3 || p->operand_16 || p->rep || p->repne)
		return INSN_UNKNOWN;
	read_rm(r, p, &m, insn);
	return m.reg == 3 ? INSN_XRSTORS : m.reg == 5 ? INSN_XSAVES : INSN_UNKNOWN;
}

/* 66 0F AE /6 with a register. */
static enum ring1_insn group_15(struct reader *r, const struct prefixes *p)
{
	struct modrm m = read_modrm(r);

	return m.mod == 3 && m.reg == 6 && p->operand_16 && !p->rep && !p->repne ? INSN_TPAUSE :
										   INSN_UNKNOWN;
}

static enum ring1_insn invpcid(struct reader *r, const struct prefixes *p, struct insn *insn)
{
	struct modrm m;

	if (next(r) != 0x82 || !p->operand_16)
		return INSN_UNKNOWN;
	m = read_modrm(r);
	if (m.mod == 3)
		return INSN_UNKNOWN;
	insn->reg = m.reg | (p->rex & REX_R ? 8 : 0);
	read_rm(r, p, &m, insn);
	return INSN_INVPCID;
}

static enum ring1_insn two_bytes(struct reader *r, const struct prefixes *p, struct insn *insn)
{
	uint8_t opcode = next(r);

	switch (opcode) {
	case 0x00:
		return group_6(r, p, insn);
	case 0x01:
		return group_7(r, p, insn);
	case 0x06:
		return INSN_CLTS;
	case 0x07:
		return INSN_SYSRET;
	case 0x08:
		return INSN_INVD;
	case 0x09:
		return INSN_WBINVD; /* with F3 it is WBNOINVD, of which it does more */
	case 0x0b:
		return INSN_UD2;
	case 0x20:
	case 0x21:
	case 0x22:
	case 0x23:
		return system_register(r, p, opcode, insn);
	case 0x30:
		return INSN_WRMSR;
	case 0x31:
		return INSN_RDTSC;
	case 0x32:
		return INSN_RDMSR;
	case 0x33:
		return INSN_RDPMC;
	case 0x38:
		return invpcid(r, p, insn);
	case 0xa2:
		return INSN_CPUID;
	case 0xae:
		return group_15(r, p);
	case 0xc7:
		return group_9(r, p, insn);
	}
	return INSN_UNKNOWN;
}

/* --- One-byte opcodes --------------------------------------------------------------------------- */

static enum ring1_insn in_out(struct reader *r, const struct prefixes *p, uint8_t opcode,
			      struct insn *insn)
{
	insn->size = opcode & 1 ? (p->operand_16 ? 2 : 4) : 1;
	insn->immediate = opcode < 0xec;
	if (insn->immediate)
		insn->port = next(r);
	return opcode & 2 ? INSN_OUT : INSN_IN;
}

/* DX, and memory at the index register; 16-bit addresses are of no use to anybody. */
static enum ring1_insn string_in_out(const struct prefixes *p, uint8_t opcode, bool long_mode,
				     struct insn *insn)
{
	if (!long_mode && p->address_short)
		return INSN_UNKNOWN;
	insn->size = opcode & 1 ? (p->operand_16 ? 2 : 4) : 1;
	insn->repeated = p->rep || p->repne;
	insn->memory.address_32 = p->address_short || !long_mode;
	insn->memory.fs = p->fs;
	insn->memory.gs = p->gs;
	return opcode & 2 ? INSN_OUTS : INSN_INS;
}

static enum ring1_insn mov_sreg(struct reader *r, const struct prefixes *p, struct insn *insn)
{
	struct modrm m = read_modrm(r);

	insn->reg = m.reg;
	read_rm(r, p, &m, insn);
	return INSN_MOV_SREG;
}

static enum ring1_insn one_byte(struct reader *r, const struct prefixes *p, uint8_t opcode,
				struct insn *insn)
{
	switch (opcode) {
	case 0x0f:
		return two_bytes(r, p, insn);
	case 0x8e:
		return mov_sreg(r, p, insn);
	case 0xcd:
		insn->reg = next(r);
		return INSN_INT;
	case 0xcf:
		return INSN_IRET;
	case 0xf4:
		return INSN_HLT;
	}
	return INSN_UNKNOWN;
}

static bool is_in_out(uint8_t opcode)
{
	return (opcode & 0xfc) == 0xe4 || (opcode & 0xfc) == 0xec;
}

static bool is_string_in_out(uint8_t opcode)
{
	return (opcode & 0xfc) == 0x6c;
}

bool insn_decode(const uint8_t *bytes, size_t n, bool long_mode, struct insn *insn)
{
	struct reader r = { .bytes = bytes, .n = n };
	struct prefixes p = { 0 };
	uint8_t opcode = read_prefixes(&r, long_mode, &p);

	*insn = (struct insn){ .gpr = INSN_NO_REG,
			       .size = p.rex & REX_W ? 8 :
				       p.operand_16  ? 2 :
						       4 };
	if (r.cut || p.lock)
		return false;
	if (is_in_out(opcode))
		insn->op = in_out(&r, &p, opcode, insn);
	else if (is_string_in_out(opcode))
		insn->op = string_in_out(&p, opcode, long_mode, insn);
	else if (long_mode)
		insn->op = one_byte(&r, &p, opcode, insn);
	insn->length = (uint8_t)r.at;
	return insn->op != INSN_UNKNOWN && !r.cut;
}
