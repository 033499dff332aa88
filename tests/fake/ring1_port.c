// SPDX-License-Identifier: GPL-2.0-only
/* The hardware port over the simulated CPU: what only ring 1 needs, and its way in. */
#include "unit.h"

#include "call.h"
#include "fake.h"
#include "ring1/port.h"
#include "ring1/ring1.h"
#include "ring1_port.h"
#include "x86/cr.h"
#include "x86/msr.h"
#include "x86/vector.h"

struct fake_ring1 fake_ring1;

/*
 * entry.asm and port.asm: addresses that only have to be told apart. Weak: a test may link entry.asm.
 */
__attribute__((weak)) const char ring1_entries[256 * 16];
__asm__(".weak ring1_exit_check, ring1_exit_iret\n"
	".globl ring1_waits, ring1_waits_end\n"
	".section .rodata\n"
	".balign 8\n"
	"ring1_exit_check: .skip 0x60\n"
	"ring1_exit_iret: .quad 0\n"
	"ring1_waits: .quad 0x5000, 0x5010, 0x6000, 0x6010\n"
	"ring1_waits_end:\n"
	".previous\n");

static bool fault(uint64_t vector, uint64_t error_code, uint64_t address)
{
	ring1_cpu(fake_vmm_cpu())->fault = (struct ring1_fault){ vector, error_code, address };
	return false;
}

static bool may_fault(void)
{
	return !fake_ring1.faults || fault(VECTOR_GP, 0, 0);
}

/* --- Memory ----------------------------------------------------------------------------------- */

static bool is_bad(uint64_t address, size_t n)
{
	return address < fake_ring1.bad_end && address + n > fake_ring1.bad;
}

bool insn_copy_safe(void *to, const void *from, size_t n)
{
	if (is_bad((uint64_t)to, n))
		return fault(VECTOR_PF, 2, (uint64_t)to);
	if (is_bad((uint64_t)from, n))
		return fault(VECTOR_PF, 0, (uint64_t)from);
	memcpy(to, from, n);
	return true;
}

bool insn_copy_user_safe(void *to, const void *from, size_t n)
{
	return insn_copy_safe(to, from, n);
}

/* --- Registers -------------------------------------------------------------------------------- */

uint64_t insn_read_cr8(void)
{
	return fake_ring1.cr8;
}

void insn_write_cr2(uint64_t value)
{
	fake.cr2 = value;
}

bool insn_write_cr0_safe(uint64_t value)
{
	if (!may_fault())
		return false;
	insn_write_cr0(value);
	return true;
}

bool insn_write_cr3_safe(uint64_t value)
{
	if (!may_fault())
		return false;
	insn_write_cr3(value);
	return true;
}

bool insn_write_cr4_safe(uint64_t value)
{
	if (!may_fault())
		return false;
	insn_write_cr4(value);
	return true;
}

bool insn_write_cr8_safe(uint64_t value)
{
	fake_ring1.cr8 = value;
	return may_fault();
}

bool insn_read_dr_safe(unsigned int number, uint64_t *value)
{
	*value = fake_ring1.dr[number];
	return may_fault();
}

bool insn_write_dr_safe(unsigned int number, uint64_t value)
{
	fake_ring1.dr[number] = value;
	return may_fault();
}

void insn_clts(void)
{
	fake_ring1.clts++;
}

void insn_swapgs(void)
{
	uint64_t base = fake.cpu.gs.base;

	fake.cpu.gs.base = fake_get_msr(MSR_IA32_KERNEL_GS_BASE);
	fake_set_msr(MSR_IA32_KERNEL_GS_BASE, base);
	fake_ring1.swapgs++;
}

bool insn_invpcid_safe(uint64_t type, const void *descriptor)
{
	(void)type, (void)descriptor;
	fake_ring1.invpcids++;
	return may_fault();
}

bool insn_invlpgb_safe(uint64_t rax, uint32_t ecx, uint32_t edx)
{
	fake_ring1.invlpgb[0] = rax;
	fake_ring1.invlpgb[1] = ecx;
	fake_ring1.invlpgb[2] = edx;
	return may_fault();
}

void insn_tlbsync(void)
{
	fake_ring1.tlbsyncs++;
}

static bool xstate(uint64_t address, uint64_t mask, bool wide)
{
	fake_ring1.xstate_address = address;
	fake_ring1.xstate_mask = mask;
	fake_ring1.xstate_wide = wide;
	return may_fault();
}

bool insn_xsaves_safe(uint64_t address, uint64_t mask, bool wide)
{
	fake_ring1.xsaves++;
	return xstate(address, mask, wide);
}

bool insn_xrstors_safe(uint64_t address, uint64_t mask, bool wide)
{
	fake_ring1.xrstors++;
	return xstate(address, mask, wide);
}

bool insn_rdpmc_safe(uint32_t counter, uint64_t *value)
{
	*value = UINT64_C(0x900000000) + counter;
	return may_fault();
}

uint64_t insn_rdtscp(uint32_t *aux)
{
	*aux = 7;
	return UINT64_C(0x1122334455667788);
}

uint64_t insn_in(uint16_t port, unsigned int size)
{
	fake_ring1.port = port;
	fake_ring1.port_size = size;
	return fake_ring1.port_value;
}

void insn_out(uint16_t port, unsigned int size, uint32_t value)
{
	fake_ring1.port = port;
	fake_ring1.port_size = size;
	fake_ring1.port_value = value;
}

/* Reading gives one more each time; what is written is added up. */
static bool string(struct insn_string *s, uint16_t port, unsigned int size, bool in)
{
	uint64_t step = s->flags & RFLAGS_DF ? -(uint64_t)size : size;
	uint32_t value = 0;

	fake_ring1.port = port;
	fake_ring1.port_size = size;
	for (; s->count; s->count--, s->address += step) {
		if (is_bad(s->address, size))
			return fault(VECTOR_PF, in ? 3 : 1, s->address);
		if (in) {
			memcpy((void *)s->address, &fake_ring1.port_value, size);
			fake_ring1.port_value++;
		} else {
			memcpy(&value, (void *)s->address, size);
			fake_ring1.port_value += value;
		}
	}
	return true;
}

bool insn_ins_user_safe(struct insn_string *s, uint16_t port, unsigned int size)
{
	return string(s, port, size, true);
}

bool insn_outs_user_safe(struct insn_string *s, uint16_t port, unsigned int size)
{
	return string(s, port, size, false);
}

/* --- Waiting ---------------------------------------------------------------------------------- */

static void wait(struct cpu *cpu)
{
	fake_ring1.waits++;
	if (fake_ring1.wakes)
		ring1_cpu(cpu)->woken = fake_ring1.wakes;
	else
		cpu->pending |= PENDING_NMI;
}

void insn_halt_enabled(struct cpu *cpu)
{
	wait(cpu);
}

/* Only an NMI ends it. */
void insn_halt_disabled(struct cpu *cpu)
{
	fake_ring1.waits++;
	cpu->pending |= PENDING_NMI;
}

bool insn_monitor_safe(uint64_t address, uint32_t extensions, uint32_t hints)
{
	(void)address, (void)extensions, (void)hints;
	fake_ring1.monitors++;
	return may_fault();
}

void insn_mwait_enabled(struct cpu *cpu, uint32_t hints, uint32_t extensions)
{
	(void)hints, (void)extensions;
	wait(cpu);
}

void insn_mwait_disabled(struct cpu *cpu, uint32_t hints, uint32_t extensions)
{
	(void)cpu, (void)hints, (void)extensions;
	fake_ring1.waits++;
}

/* --- Linux at CPL 1 --------------------------------------------------------------------------- */

_Noreturn void insn_ring1_enter(struct cpu *cpu)
{
	struct ring1_frame *f = ring1_frame(cpu);

	*f = ring1_cpu(cpu)->enter;
	fake.cpu.gpr = f->regs;
	fake.cpu.gpr.rsp = f->rsp;
	fake.cpu.rip = f->rip;
	fake.cpu.rflags = f->rflags;
	fake_continue(FAKE_VIRTUAL);
}

enum fake_outcome fake_ring1_call(enum mercury_call call)
{
	static const uint8_t wrmsr[] = { 0x0f, 0x30 };
	struct ring1_frame *f = ring1_frame(fake_vmm_cpu());
	int outcome;

	memcpy(linux_at(LINUX_RETURN), wrmsr, sizeof(wrmsr));
	f->rip = (uint64_t)linux_at(LINUX_RETURN);
	f->vector = VECTOR_GP;
	f->error_code = 0;
	f->regs.rcx = MERCURY_RING1_CALL;
	f->regs.rdi = call;
	fake.armed = true;
	outcome = setjmp(fake.jump);
	if (!outcome) {
		ring1_trap(f);
		outcome = FAKE_RETURNED;
	}
	fake.armed = false;
	return (enum fake_outcome)outcome;
}

void fake_ring1_fault(const struct trap_frame *frame)
{
	/* The VMM's stack. */
	struct ring1_frame *f = ring1_frame(fake_vmm_cpu()) - 2;

	*f = (struct ring1_frame){ .vector = frame->vector, .rip = frame->rip, .rsp = frame->rsp };
	ring1_root_trap(f);
}

void fake_ring1_machine(void)
{
	const struct fake_options options = { .no_ept = true };

	fake_machine(&options);
	fake_ring1 = (struct fake_ring1){ .dr[6] = DR6_INIT };
	fake_set_msr(MSR_IA32_STAR, UINT64_C(0x0023001000000000));
	fake_set_msr(MSR_IA32_LSTAR, UINT64_C(0xffffffff81a00040));
	fake_set_msr(MSR_IA32_CSTAR, UINT64_C(0xffffffff81a00080));
	fake_set_msr(MSR_IA32_FMASK, UINT64_C(0x257fd5));
	fake_set_msr(MSR_IA32_KERNEL_GS_BASE, UINT64_C(0x7f0000001000));
	mercury_boot.backend = MERCURY_BACKEND_RING1;
}

void fake_ring1_enter(void)
{
	assert_int_equal(fake_enter(), FAKE_VIRTUAL);
	assert_int_equal(fake.error, MERCURY_E_OK);
}
