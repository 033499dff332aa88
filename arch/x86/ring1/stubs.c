// SPDX-License-Identifier: GPL-2.0-only
/*
 * SYSCALL and SYSENTER: which stub of stubs.asm they land on, and how Linux takes what comes in the
 * middle of one: as if it had been interrupted before it or behind it, on its own instruction.
 */
#include "insn.h"
#include "port.h"
#include "ring1.h"
#include "stubs.h"
#include "x86/cr.h"
#include "x86/msr.h"
#include "x86/vector.h"

/* --- Load and stop ------------------------------------------------------------------------------- */

static struct ring1_iret entry_frame(uint64_t rip, uint64_t rsp)
{
	return (struct ring1_iret){ rip, RING1_CS, RFLAGS_FIXED1 | RING1_IOPL, rsp, RING1_SS };
}

/* Where a stub begins in its page. */
static uint64_t stub_offset(const char *stub)
{
	return (uint64_t)stub - (uint64_t)ring1_stubs;
}

static uint64_t stub(struct cpu *cpu, const char *label)
{
	return (uint64_t)cpu_slot(cpu, MERCURY_CPU_RING1_STUB) + stub_offset(label);
}

static bool is_stub(struct cpu *cpu, uint64_t address)
{
	return address - stub(cpu, ring1_stubs) < MERCURY_PAGE_SIZE;
}

static const char *syscall_stub(struct cpu *cpu)
{
	const struct mercury_ring1_patch *patch = ring1_patch(cpu);

	if (!patch->is_on)
		return ring1_stub_syscall;
	return patch->user_cr3 ? ring1_stub_apart : ring1_stub_shared;
}

void ring1_stubs_load(struct cpu *cpu, const struct state *s)
{
	struct ring1_cpu *r = ring1_cpu(cpu);

	r->syscall = entry_frame(insn_rdmsr(MSR_IA32_LSTAR), 0);
	r->compat = entry_frame(insn_rdmsr(MSR_IA32_CSTAR), 0);
	r->sysenter = entry_frame(s->sysenter_eip, s->sysenter_esp);
	r->patched = entry_frame(ring1_patch(cpu)->syscall_entry, 0);
	insn_wrmsr(MSR_IA32_LSTAR, stub(cpu, syscall_stub(cpu)));
	insn_wrmsr(MSR_IA32_CSTAR, stub(cpu, ring1_stub_compat));
	/* What vo_native writes back, because the processor holds something else. */
	cpu->host_sysenter_cs = s->sysenter_cs;
	cpu->host_sysenter_esp = (uint64_t)&r->sysenter.rsp;
	cpu->host_sysenter_eip = stub(cpu, ring1_stub_sysenter);
	insn_wrmsr(MSR_IA32_SYSENTER_ESP, cpu->host_sysenter_esp);
	insn_wrmsr(MSR_IA32_SYSENTER_EIP, cpu->host_sysenter_eip);
}

/* Nobody knows how far it got. */
void ring1_stubs_stop(struct cpu *cpu)
{
	const struct ring1_cpu *r = ring1_cpu(cpu);

	if (is_stub(cpu, insn_rdmsr(MSR_IA32_LSTAR)))
		insn_wrmsr(MSR_IA32_LSTAR, r->syscall.rip);
	if (is_stub(cpu, insn_rdmsr(MSR_IA32_CSTAR)))
		insn_wrmsr(MSR_IA32_CSTAR, r->compat.rip);
}

#define SYSCALL_LENGTH 2

/* --- In the middle of one ------------------------------------------------------------------------- */

/* Linux, behind its SYSCALL or at its SYSENTER entry, has interrupts off and stands at `rip`. */
static void stand_at(struct ring1_frame *f, uint64_t rip, uint64_t rsp)
{
	f->rip = rip;
	f->cs = RING1_CS;
	f->rflags = RFLAGS_FIXED1 | RING1_IOPL;
	f->rsp = rsp;
	f->ss = RING1_SS;
}

void ring1_load_kernel_cr3(struct cpu *cpu)
{
	const struct mercury_ring1_patch *patch = ring1_patch(cpu);

	if (patch->user_cr3)
		insn_write_cr3((insn_read_cr3() & patch->kernel_cr3) | patch->noflush);
}

/* User space's system call: behind it. Linux's scratch space cannot fault, it is its TSS. */
static void finish_syscall(struct cpu *cpu, struct ring1_frame *f,
			   const struct ring1_patched_stub *stub, uint64_t offset, uint64_t rsp)
{
	const struct mercury_ring1_patch *patch = ring1_patch(cpu);

	if (offset < stub->swapped)
		insn_swapgs();
	ring1_load_kernel_cr3(cpu);
	insn_copy_safe((void *)(patch->scratch - sizeof(rsp)), &rsp, sizeof(rsp));
	ring1_cpu(cpu)->nmi_blocked = 0;
	f->regs.r11 &= ~RFLAGS_IOPL;
	stand_at(f, patch->syscall_entry, ring1_cpu(cpu)->patched.rsp);
}

/* On the way to user space: before it, with everything still on Linux's stack. */
static void start_over(struct cpu *cpu, struct ring1_frame *f,
		       const struct ring1_patched_stub *stub, uint64_t offset)
{
	const struct mercury_ring1_patch *patch = ring1_patch(cpu);
	uint64_t pcid_bit;
	uint16_t flush;

	if ((offset >= stub->sysret_gs && offset < stub->iret) || offset >= stub->iret_gs)
		insn_swapgs();
	if ((offset >= stub->sysret_cr3 && offset < stub->iret) || offset >= stub->iret_cr3)
		ring1_load_kernel_cr3(cpu);
	/* The mark may be taken from its PCID already. */
	pcid_bit = insn_read_cr3() & CR3_PCID & 0xf;
	if (patch->pcid_flush &&
	    insn_copy_safe(&flush, (const void *)patch->pcid_flush, sizeof(flush))) {
		flush |= (uint16_t)(1u << pcid_bit);
		insn_copy_safe((void *)patch->pcid_flush, &flush, sizeof(flush));
	}
	stand_at(f, patch->user_return, ring1_cpu(cpu)->syscall.rsp);
}

/*
 * What Linux has asked for, which is another thing than user space: again, if it is not done, or behind it. CR3
 * may be written already, which it does no harm to do twice. rcx and r11 are still as SYSCALL left them.
 */
static void finish_asked(struct ring1_frame *f, const struct ring1_patched_stub *stub,
			 uint64_t offset, uint64_t rsp)
{
	uint64_t rflags = f->regs.r11, again = f->regs.rcx - SYSCALL_LENGTH;
	bool is_done = offset >= stub->back ||
		       (offset >= stub->read_gs_out && offset < stub->write_gs);

	if (!is_done && offset >= stub->write_gs)
		f->regs.rax = MERCURY_RING1_WRITE_GS;
	else if (!is_done && offset >= stub->read_gs)
		f->regs.rax = MERCURY_RING1_READ_GS;
	else if (!is_done && offset >= stub->cr3)
		f->regs.rax = MERCURY_RING1_CR3;
	if (!is_done && (offset >= stub->write_gs_in ||
			 (offset >= stub->read_gs_in && offset < stub->read_gs_out)))
		insn_swapgs();
	stand_at(f, is_done ? f->regs.rcx : again, rsp);
	f->rflags = rflags;
}

/* The stub for patched code that this offset lies in, or NULL. */
static const struct ring1_patched_stub *patched_at(uint64_t offset)
{
	unsigned int i;

	for (i = 0; i < 2; i++)
		if (offset >= ring1_patched_stubs[i].start && offset < ring1_patched_stubs[i].end)
			return &ring1_patched_stubs[i];
	return NULL;
}

static bool finish_patched(struct cpu *cpu, struct ring1_frame *f,
			   const struct ring1_patched_stub *stub, uint64_t offset)
{
	uint64_t rsp = ring1_cpu(cpu)->syscall.rsp;

	if (offset == stub->start)
		rsp = f->rsp;
	if (offset < stub->asked && (int64_t)f->regs.rcx >= 0) {
		finish_syscall(cpu, f, stub, offset, rsp);
	} else if (offset >= stub->user && offset < stub->other) {
		/* A data breakpoint on what Linux saved would come again and again. */
		if (f->vector == VECTOR_DB)
			return false;
		start_over(cpu, f, stub, offset);
	} else {
		finish_asked(f, stub, offset, rsp);
	}
	return true;
}

bool ring1_stubs_finish(struct cpu *cpu, struct ring1_frame *f)
{
	struct ring1_cpu *r = ring1_cpu(cpu);
	uint64_t offset = f->rip - stub(cpu, ring1_stubs), rsp = f->rsp, rflags;
	const struct ring1_patched_stub *patched;
	struct ring1_iret *to = &r->syscall;

	if (!is_stub(cpu, f->rip))
		return false;
	patched = patched_at(offset);
	if (patched)
		return finish_patched(cpu, f, patched, offset);
	rflags = to->rflags;
	if (offset >= stub_offset(ring1_stub_sysenter)) {
		to = &r->sysenter;
		rsp = to->rsp;
		/* Before the first instruction the flags are the processor's. */
		rflags = offset > stub_offset(ring1_stub_sysenter) ? to->rflags | RING1_IOPL :
								     f->rflags;
	} else {
		if (offset >= stub_offset(ring1_stub_compat))
			to = &r->compat;
		/* The first instruction notes it; before, what is noted is another process's. */
		if (offset != stub_offset(ring1_stub_syscall) &&
		    offset != stub_offset(ring1_stub_compat))
			rsp = to->rsp;
		f->regs.r11 &= ~RFLAGS_IOPL;
	}
	r->nmi_blocked = 0;
	stand_at(f, to->rip, rsp);
	f->rflags = rflags;
	return true;
}

bool ring1_stubs_nmi_is_due(struct cpu *cpu, struct ring1_frame *f)
{
	uint64_t offset = f->rip - stub(cpu, ring1_stubs);
	const struct ring1_patched_stub *patched = patched_at(offset);

	if (!patched || offset != patched->latched)
		return false;
	finish_asked(f, patched, offset, ring1_cpu(cpu)->syscall.rsp);
	return true;
}

/* --- Its IRETQ to user space --------------------------------------------------------------------- */

bool ring1_stubs_is_iret(struct cpu *cpu, uint64_t rip)
{
	unsigned int i;

	for (i = 0; i < 2; i++)
		if (rip == stub(cpu, ring1_stubs) + ring1_patched_stubs[i].iretq)
			return true;
	return false;
}

/* Linux's own would have stood on the stack that its TSS has for entries from user space. */
void ring1_stubs_iret_failed(struct cpu *cpu, struct ring1_frame *f)
{
	const struct tss64 *tss = ring1_cpu(cpu)->tss_linux;
	uint64_t rsp;

	if (!insn_copy_safe(&rsp, (const char *)tss->rsp, sizeof(rsp)))
		return;
	rsp -= sizeof(struct ring1_iret);
	if (insn_copy_safe((void *)rsp, &f->rip, sizeof(struct ring1_iret)))
		stand_at(f, ring1_patch(cpu)->iret, rsp);
}
