// SPDX-License-Identifier: GPL-2.0-only
/* The privileged instructions of Linux at CPL 1: one function each, and the table that finds them. */
#include "call.h"
#include "decode.h"
#include "emulate.h"
#include "insn.h"
#include "mercury/console.h"
#include "port.h"
#include "x86/cpuid.h"
#include "x86/cr.h"
#include "x86/msr.h"
#include "x86/paging.h"
#include "x86/vector.h"

/* --- Registers and operands --------------------------------------------------------------------- */

#define NUMBER_OF_RSP 4

uint64_t emulate_get(const struct ring1_frame *f, unsigned int number)
{
	return number == NUMBER_OF_RSP ? f->rsp : f->regs.by_number[number];
}

void emulate_set(struct ring1_frame *f, unsigned int number, uint64_t value, unsigned int size)
{
	uint64_t *reg = number == NUMBER_OF_RSP ? &f->rsp : &f->regs.by_number[number];

	if (size < 4)
		*reg = (*reg & ~UINT64_C(0) << 8 * size) |
		       (value & ((UINT64_C(1) << 8 * size) - 1));
	else
		*reg = size == 4 ? (uint32_t)value : value;
}

uint64_t emulate_address(const struct ring1_frame *f, const struct insn *i)
{
	const struct insn_memory *m = &i->memory;
	uint64_t address = (uint64_t)(int64_t)m->displacement;

	if (m->rip_relative)
		address += f->rip + i->length;
	if (m->base != INSN_NO_REG)
		address += emulate_get(f, m->base);
	if (m->index != INSN_NO_REG)
		address += emulate_get(f, m->index) * m->scale;
	if (m->address_32)
		address = (uint32_t)address;
	if (m->gs)
		address += insn_rdmsr(MSR_IA32_GS_BASE);
	else if (m->fs)
		address += insn_rdmsr(MSR_IA32_FS_BASE);
	return address;
}

/* edx:eax */
static uint64_t pair(const struct ring1_frame *f)
{
	return (uint32_t)f->regs.rax | f->regs.rdx << 32;
}

static void set_pair(struct ring1_frame *f, uint64_t value)
{
	f->regs.rax = (uint32_t)value;
	f->regs.rdx = value >> 32;
}

enum answer emulate_natively(struct cpu *cpu, const char *what)
{
	console_line("cpu %u: Linux writes %s, which takes native mode: end what wants that, then switch again",
		     cpu->index, what);
	vmm_force_native(cpu);
	return NOT_OURS;
}

/* --- Control and debug registers ---------------------------------------------------------------- */

static enum answer read_cr(struct cpu *cpu, struct ring1_frame *f, const struct insn *i)
{
	uint64_t value;

	switch (i->reg) {
	case 0:
		value = insn_read_cr0();
		break;
	case 2:
		value = insn_read_cr2();
		break;
	case 3:
		value = insn_read_cr3();
		break;
	case 4:
		value = insn_read_cr4() | ring1_patch(cpu)->hidden_cr4;
		break;
	case 8:
		value = insn_read_cr8();
		break;
	default:
		return NOT_OURS;
	}
	emulate_set(f, i->gpr, value, 8);
	return DONE;
}

static enum answer write_cr3(struct cpu *cpu, uint64_t value)
{
	/* Page tables that Linux did not make for a process, as kexec's: the VMM ends here. */
	if (!ring1_root_has_window(cpu, value))
		return emulate_natively(cpu, "CR3");
	return insn_write_cr3_safe(value) ? DONE : FAULT;
}

static enum answer write_cr(struct cpu *cpu, struct ring1_frame *f, const struct insn *i)
{
	uint64_t value = emulate_get(f, i->gpr);

	switch (i->reg) {
	case 0:
		return insn_write_cr0_safe(value) ? DONE : FAULT;
	case 2:
		insn_write_cr2(value);
		cpu_shared(cpu)->cr2 = value;
		return DONE;
	case 3:
		return write_cr3(cpu, value);
	case 4:
		if (ring1_refuses_cr4(value))
			return emulate_natively(cpu, "CR4");
		return insn_write_cr4_safe(value & ~ring1_patch(cpu)->hidden_cr4) ? DONE : FAULT;
	case 8:
		return insn_write_cr8_safe(value) ? DONE : FAULT;
	}
	return NOT_OURS;
}

static enum answer read_dr(struct cpu *cpu, struct ring1_frame *f, const struct insn *i)
{
	uint64_t value;

	(void)cpu;
	if (i->reg > 7)
		return NOT_OURS;
	if (!insn_read_dr_safe(i->reg, &value))
		return FAULT;
	emulate_set(f, i->gpr, value, 8);
	return DONE;
}

static enum answer write_dr(struct cpu *cpu, struct ring1_frame *f, const struct insn *i)
{
	(void)cpu;
	if (i->reg > 7)
		return NOT_OURS;
	return insn_write_dr_safe(i->reg, emulate_get(f, i->gpr)) ? DONE : FAULT;
}

static enum answer clts(struct cpu *cpu, struct ring1_frame *f, const struct insn *i)
{
	(void)cpu, (void)f, (void)i;
	insn_clts();
	return DONE;
}

/* --- Model-specific registers ------------------------------------------------------------------- */

/* Where Linux's value of an MSR is kept that holds ours. */
static uint64_t *virtual_msr(struct ring1_cpu *r, uint32_t msr)
{
	switch (msr) {
	case MSR_IA32_LSTAR:
		return &r->syscall.rip;
	case MSR_IA32_CSTAR:
		return &r->compat.rip;
	case MSR_IA32_SYSENTER_EIP:
		return &r->sysenter.rip;
	case MSR_IA32_SYSENTER_ESP:
		return &r->sysenter.rsp;
	}
	return NULL;
}

static enum answer rdmsr(struct cpu *cpu, struct ring1_frame *f, const struct insn *i)
{
	uint64_t *own = virtual_msr(ring1_cpu(cpu), f->regs.rcx), value;

	(void)i;
	if (own)
		value = *own;
	else if (!insn_rdmsr_safe(f->regs.rcx, &value))
		return FAULT;
	set_pair(f, value);
	return DONE;
}

static enum answer call(struct cpu *cpu, struct ring1_frame *f, const struct insn *i)
{
	uint64_t number = f->regs.rdi;

	f->rip += i->length;
	f->regs.rax = number < MERCURY_CALL_NR ? vmm_dispatch(cpu, (enum mercury_call)number,
							      f->regs.rsi, f->regs.rdx) :
						 MERCURY_E_BAD_CALL;
	return GONE;
}

static enum answer wrmsr(struct cpu *cpu, struct ring1_frame *f, const struct insn *i)
{
	uint32_t msr = f->regs.rcx;
	uint64_t *own = virtual_msr(ring1_cpu(cpu), msr), value = pair(f);

	if (msr == MERCURY_RING1_CALL)
		return call(cpu, f, i);
	if (msr == MSR_IA32_EFER && ring1_refuses_efer(value))
		return emulate_natively(cpu, "EFER");
	if (!own)
		return insn_wrmsr_safe(msr, value) ? DONE : FAULT;
	if (!paging_canonical(value, 48))
		return RAISE_GP;
	/* The patched code goes on at the entry it was patched for, and reaches the VMM by SYSCALL itself. */
	if (msr == MSR_IA32_LSTAR && ring1_patch(cpu)->is_on && value != *own)
		return emulate_natively(cpu, "LSTAR");
	*own = value;
	return DONE;
}

static enum answer swapgs(struct cpu *cpu, struct ring1_frame *f, const struct insn *i)
{
	(void)cpu, (void)f, (void)i;
	insn_swapgs();
	return DONE;
}

/* --- Returns ------------------------------------------------------------------------------------ */

/* Bits that SYSRET loads at CPL 0, and IRETQ with RF. SDM vol. 2, 4.3, SYSRET, and 3.3, IRET */
#define RFLAGS_LOADED UINT64_C(0x3c7fd7)

static uint64_t loaded_rflags(uint64_t value)
{
	return (value & RFLAGS_LOADED & ~RFLAGS_IOPL) | RFLAGS_FIXED1;
}

static enum answer sysret(struct cpu *cpu, struct ring1_frame *f, const struct insn *i)
{
	uint64_t base = insn_rdmsr(MSR_IA32_STAR) >> 48;
	bool to_64 = i->size == 8;

	(void)cpu;
	if (to_64 && !paging_canonical(f->regs.rcx, 48))
		return RAISE_GP;
	f->rip = to_64 ? f->regs.rcx : (uint32_t)f->regs.rcx;
	f->cs = (to_64 ? base + 16 : base) | 3;
	f->ss = (base + 8) | 3;
	f->rflags = loaded_rflags(f->regs.r11);
	/* Of a SYSENTER they are those of Linux's own PUSHF. */
	f->regs.r11 &= ~RFLAGS_IOPL;
	return GONE;
}

/* To Linux itself; the way to user space does not trap unless its frame is bad, which Linux handles. */
static enum answer iret(struct cpu *cpu, struct ring1_frame *f, const struct insn *i)
{
	struct ring1_iret to;

	if (i->size != 8 || !insn_copy_safe(&to, (const void *)f->rsp, sizeof(to)))
		return NOT_OURS;
	if (to.cs != LINUX_CS || !paging_canonical(to.rip, 48))
		return NOT_OURS;
	f->rip = to.rip;
	f->cs = RING1_CS;
	f->rflags = loaded_rflags(to.rflags) | (to.rflags & RFLAGS_RF) | RING1_IOPL;
	/* error_entry is patched to set it; SMAP is off. */
	if (ring1_patch(cpu)->hidden_cr4 & CR4_SMAP)
		f->rflags &= ~(uint64_t)RFLAGS_AC;
	f->rsp = to.rsp;
	f->ss = RING1_SS;
	ring1_cpu(cpu)->nmi_blocked = 0;
	return GONE;
}

/* Linux asks for a gate of its own that is not user space's. */
static enum answer int_n(struct cpu *cpu, struct ring1_frame *f, const struct insn *i)
{
	f->rip += i->length;
	f->rflags &= ~(uint64_t)RFLAGS_RF;
	if (i->reg == VECTOR_NMI)
		ring1_deliver_nmi(cpu, f);
	else
		ring1_deliver(cpu, f, i->reg, 0);
	return GONE;
}

/* --- Waiting ------------------------------------------------------------------------------------ */

/*
 * A debug exception ends both, and that of a single step is due at once. SDM vol. 2, 3.3, HLT, and 4.3,
 * MWAIT
 */
static bool is_stepped(const struct ring1_frame *f)
{
	return f->rflags & RFLAGS_TF;
}

static enum answer woken(struct cpu *cpu, struct ring1_frame *f, const struct insn *i)
{
	struct ring1_cpu *r = ring1_cpu(cpu);

	emulate_step_over(cpu, f, i);
	if (r->woken) {
		cpu_shared(cpu)->exits[MERCURY_RING1_INTERRUPT]++;
		ring1_deliver(cpu, f, r->woken, 0);
	}
	return GONE;
}

static enum answer hlt(struct cpu *cpu, struct ring1_frame *f, const struct insn *i)
{
	if (is_stepped(f))
		return DONE;
	ring1_cpu(cpu)->woken = 0;
	if (f->rflags & RFLAGS_IF)
		insn_halt_enabled(cpu);
	else
		insn_halt_disabled(cpu);
	return woken(cpu, f, i);
}

static enum answer monitor(struct cpu *cpu, struct ring1_frame *f, const struct insn *i)
{
	struct ring1_cpu *r = ring1_cpu(cpu);

	(void)i;
	r->monitored = 0;
	if (!insn_copy_safe(&r->monitored_value, (const void *)f->regs.rax,
			    sizeof(r->monitored_value)))
		return NOT_OURS;
	r->monitored = f->regs.rax;
	return DONE;
}

/*
 * What was written between Linux's MONITOR and ours shows in the value, or MWAIT would sleep over it.
 * Coming back for no reason is allowed.
 */
static enum answer mwait(struct cpu *cpu, struct ring1_frame *f, const struct insn *i)
{
	struct ring1_cpu *r = ring1_cpu(cpu);
	uint64_t value;

	r->woken = 0;
	if (!r->monitored || !insn_monitor_safe(r->monitored, 0, 0))
		return NOT_OURS;
	if (is_stepped(f) || !insn_copy_safe(&value, (const void *)r->monitored, sizeof(value)) ||
	    value != r->monitored_value)
		return DONE;
	if (f->rflags & RFLAGS_IF)
		insn_mwait_enabled(cpu, f->regs.rax, f->regs.rcx);
	else
		insn_mwait_disabled(cpu, f->regs.rax, f->regs.rcx);
	return woken(cpu, f, i);
}

/* Faults with CR4.TSD only. It may end before its time. SDM vol. 2, 4.3, TPAUSE */
static enum answer tpause(struct cpu *cpu, struct ring1_frame *f, const struct insn *i)
{
	(void)cpu, (void)i;
	f->rflags &=
		~(uint64_t)(RFLAGS_CF | RFLAGS_PF | RFLAGS_AF | RFLAGS_ZF | RFLAGS_SF | RFLAGS_OF);
	return DONE;
}

/* --- TLB, caches, flags ------------------------------------------------------------------------- */

static enum answer invlpg(struct cpu *cpu, struct ring1_frame *f, const struct insn *i)
{
	(void)cpu;
	insn_invlpg(emulate_address(f, i));
	return DONE;
}

static enum answer invpcid(struct cpu *cpu, struct ring1_frame *f, const struct insn *i)
{
	(void)cpu;
	return insn_invpcid_safe(emulate_get(f, i->reg), (const void *)emulate_address(f, i)) ?
		       DONE :
		       FAULT;
}

/* On all CPUs, and the wait for those that this CPU began. AMD APM vol. 3, INVLPGB, TLBSYNC */
static enum answer invlpgb(struct cpu *cpu, struct ring1_frame *f, const struct insn *i)
{
	(void)cpu;
	if (i->op == INSN_INVLPGB)
		return insn_invlpgb_safe(f->regs.rax, f->regs.rcx, f->regs.rdx) ? DONE : FAULT;
	insn_tlbsync();
	return DONE;
}

/* INVD would lose what others wrote. */
static enum answer wbinvd(struct cpu *cpu, struct ring1_frame *f, const struct insn *i)
{
	(void)cpu, (void)f, (void)i;
	insn_wbinvd();
	return DONE;
}

static enum answer clac(struct cpu *cpu, struct ring1_frame *f, const struct insn *i)
{
	(void)cpu, (void)i;
	f->rflags &= ~(uint64_t)RFLAGS_AC;
	return DONE;
}

static enum answer stac(struct cpu *cpu, struct ring1_frame *f, const struct insn *i)
{
	(void)cpu, (void)i;
	f->rflags |= RFLAGS_AC;
	return DONE;
}

/* --- Extended state, counters ------------------------------------------------------------------- */

static enum answer xsaves(struct cpu *cpu, struct ring1_frame *f, const struct insn *i)
{
	(void)cpu;
	return insn_xsaves_safe(emulate_address(f, i), pair(f), i->size == 8) ? DONE : FAULT;
}

static enum answer xrstors(struct cpu *cpu, struct ring1_frame *f, const struct insn *i)
{
	(void)cpu;
	return insn_xrstors_safe(emulate_address(f, i), pair(f), i->size == 8) ? DONE : FAULT;
}

static enum answer xsetbv(struct cpu *cpu, struct ring1_frame *f, const struct insn *i)
{
	(void)cpu, (void)i;
	return insn_xsetbv_safe(f->regs.rcx, pair(f)) ? DONE : FAULT;
}

static enum answer rdtsc(struct cpu *cpu, struct ring1_frame *f, const struct insn *i)
{
	(void)cpu, (void)i;
	set_pair(f, insn_rdtsc());
	return DONE;
}

static enum answer rdtscp(struct cpu *cpu, struct ring1_frame *f, const struct insn *i)
{
	uint32_t aux;

	(void)cpu, (void)i;
	set_pair(f, insn_rdtscp(&aux));
	f->regs.rcx = aux;
	return DONE;
}

static enum answer rdpmc(struct cpu *cpu, struct ring1_frame *f, const struct insn *i)
{
	uint64_t value;

	(void)cpu, (void)i;
	if (!insn_rdpmc_safe(f->regs.rcx, &value))
		return FAULT;
	set_pair(f, value);
	return DONE;
}

/* Faults while a task is current whose CPUID Linux has made fault, which at CPL 0 it never does. */
static enum answer cpuid(struct cpu *cpu, struct ring1_frame *f, const struct insn *i)
{
	struct cpuid_regs r;

	(void)cpu, (void)i;
	insn_cpuid((uint32_t)f->regs.rax, (uint32_t)f->regs.rcx, &r);
	f->regs.rax = r.eax;
	f->regs.rbx = r.ebx;
	f->regs.rcx = r.ecx;
	f->regs.rdx = r.edx;
	return DONE;
}

/* --- The table ---------------------------------------------------------------------------------- */

#define ON_UD true /* #UD and not #GP is what the processor raises at CPL 1 */

static const struct {
	enum answer (*handle)(struct cpu *cpu, struct ring1_frame *f, const struct insn *i);
	enum mercury_ring1_trap kind;
	bool on_ud;
} handlers[INSN_NR] = {
	[INSN_SWAPGS] = { swapgs, MERCURY_RING1_SWAPGS, false },
	[INSN_IRET] = { iret, MERCURY_RING1_IRET, false },
	[INSN_SYSRET] = { sysret, MERCURY_RING1_SYSRET, false },
	[INSN_RDMSR] = { rdmsr, MERCURY_RING1_RDMSR, false },
	[INSN_WRMSR] = { wrmsr, MERCURY_RING1_WRMSR, false },
	[INSN_READ_CR] = { read_cr, MERCURY_RING1_CR, false },
	[INSN_WRITE_CR] = { write_cr, MERCURY_RING1_CR, false },
	[INSN_CLTS] = { clts, MERCURY_RING1_CR, false },
	[INSN_LMSW] = { emulate_lmsw, MERCURY_RING1_CR, false },
	[INSN_SMSW] = { emulate_smsw, MERCURY_RING1_CR, false },
	[INSN_READ_DR] = { read_dr, MERCURY_RING1_DR, false },
	[INSN_WRITE_DR] = { write_dr, MERCURY_RING1_DR, false },
	[INSN_INVLPG] = { invlpg, MERCURY_RING1_TLB, false },
	[INSN_INVPCID] = { invpcid, MERCURY_RING1_TLB, false },
	[INSN_INVLPGB] = { invlpgb, MERCURY_RING1_TLB, false },
	[INSN_TLBSYNC] = { invlpgb, MERCURY_RING1_TLB, false },
	[INSN_INVD] = { wbinvd, MERCURY_RING1_OTHER, false },
	[INSN_WBINVD] = { wbinvd, MERCURY_RING1_OTHER, false },
	[INSN_HLT] = { hlt, MERCURY_RING1_WAIT, false },
	[INSN_MONITOR] = { monitor, MERCURY_RING1_WAIT, ON_UD },
	[INSN_MWAIT] = { mwait, MERCURY_RING1_WAIT, ON_UD },
	[INSN_CLAC] = { clac, MERCURY_RING1_AC, ON_UD },
	[INSN_STAC] = { stac, MERCURY_RING1_AC, ON_UD },
	[INSN_SGDT] = { emulate_sgdt, MERCURY_RING1_TABLES, false },
	[INSN_SIDT] = { emulate_sidt, MERCURY_RING1_TABLES, false },
	[INSN_LGDT] = { emulate_lgdt, MERCURY_RING1_TABLES, false },
	[INSN_LIDT] = { emulate_lidt, MERCURY_RING1_TABLES, false },
	[INSN_SLDT] = { emulate_sldt, MERCURY_RING1_TABLES, false },
	[INSN_STR] = { emulate_str, MERCURY_RING1_TABLES, false },
	[INSN_LLDT] = { emulate_lldt, MERCURY_RING1_TABLES, false },
	[INSN_LTR] = { emulate_ltr, MERCURY_RING1_TABLES, false },
	[INSN_MOV_SREG] = { emulate_mov_sreg, MERCURY_RING1_TABLES, false },
	[INSN_XSAVES] = { xsaves, MERCURY_RING1_XSTATE, false },
	[INSN_XRSTORS] = { xrstors, MERCURY_RING1_XSTATE, false },
	[INSN_XSETBV] = { xsetbv, MERCURY_RING1_XSTATE, false },
	[INSN_RDTSC] = { rdtsc, MERCURY_RING1_OTHER, false },
	[INSN_RDTSCP] = { rdtscp, MERCURY_RING1_OTHER, false },
	[INSN_TPAUSE] = { tpause, MERCURY_RING1_WAIT, false },
	[INSN_CPUID] = { cpuid, MERCURY_RING1_OTHER, false },
	[INSN_RDPMC] = { rdpmc, MERCURY_RING1_OTHER, false },
	[INSN_INT] = { int_n, MERCURY_RING1_INT, false },
};

/* --- Together ----------------------------------------------------------------------------------- */

/* What the bare machine does not know either is Linux's; else it is told once, with its bytes. */
static void note_unknown(struct cpu *cpu, const struct ring1_frame *f, const uint8_t *bytes)
{
	struct mercury_cpu_shared *shared = cpu_shared(cpu);

	shared->exits[MERCURY_RING1_UNKNOWN]++;
	shared->unknown_rip = f->rip;
	shared->unknown_vector = (uint32_t)f->vector;
	__builtin_memcpy(shared->unknown_bytes, bytes, INSN_MAX);
}

void emulate_step_over(struct cpu *cpu, struct ring1_frame *f, const struct insn *i)
{
	uint64_t dr6;

	f->rip += i->length;
	f->rflags &= ~(uint64_t)RFLAGS_RF;
	if (!(f->rflags & RFLAGS_TF) || !insn_read_dr_safe(6, &dr6))
		return;
	insn_write_dr_safe(6, dr6 | DR6_BS);
	ring1_deliver(cpu, f, VECTOR_DB, 0);
}

void emulate_raise_fault(struct cpu *cpu, struct ring1_frame *f)
{
	struct ring1_cpu *r = ring1_cpu(cpu);

	if (r->fault.vector == VECTOR_PF) {
		insn_write_cr2(r->fault.address);
		cpu_shared(cpu)->cr2 = r->fault.address;
	}
	ring1_deliver(cpu, f, (unsigned int)r->fault.vector, r->fault.error_code);
}

bool ring1_emulate(struct cpu *cpu, struct ring1_frame *f)
{
	uint8_t bytes[INSN_MAX + 1] = { 0 };
	size_t n = ring1_read_code(cpu, f->rip, false, bytes, INSN_MAX);
	struct insn insn;

	if (!insn_decode(bytes, n, true, &insn) || !handlers[insn.op].handle) {
		if (insn.op != INSN_UD2)
			note_unknown(cpu, f, bytes);
		return false;
	}
	if ((f->vector == VECTOR_UD) != handlers[insn.op].on_ud)
		return false;
	cpu_shared(cpu)->exits[handlers[insn.op].kind]++;
	switch (handlers[insn.op].handle(cpu, f, &insn)) {
	case DONE:
		emulate_step_over(cpu, f, &insn);
		return true;
	case GONE:
		return true;
	case FAULT:
		emulate_raise_fault(cpu, f);
		return true;
	case RAISE_GP:
		ring1_deliver(cpu, f, VECTOR_GP, 0);
		return true;
	case NOT_OURS:
		break;
	}
	return false;
}
