// SPDX-License-Identifier: GPL-2.0-only
/* What becomes of a trap out of ring 1: the emulator, events for Linux, NMIs. On the fake port. */
#include "ring1/decode.h"
#include "ring1/stubs.h"
#include "ring1_linux.h"
#include "window.h"
#include "x86/msr.h"
#include "x86/msr_bits.h"

extern const char ring1_exit_check[], ring1_exit_iret[]; /* entry.asm */

/* --- Events ------------------------------------------------------------------------------------- */

static void an_interrupt_of_linux_looks_as_on_the_bare_machine(void **unused)
{
	uint64_t rsp = 0;
	const uint64_t *stack;

	(void)unused;
	rsp = frame()->rsp;
	frame()->rflags |= RFLAGS_IF;
	trap(0x20, 0);
	assert_delivered(0x20);
	stack = (const uint64_t *)frame()->rsp;
	assert_int_equal(stack[0], (uint64_t)linux_at(CODE));
	assert_int_equal(stack[1], 0x10);
	assert_int_equal(stack[2] & (RFLAGS_IOPL | RFLAGS_IF), RFLAGS_IF);
	assert_int_equal(stack[3], rsp);
	assert_int_equal(stack[4], 0x18);
	assert_int_equal((uint64_t)(stack + 5), rsp & ~UINT64_C(15));
}

static void from_user_space_the_stack_is_that_of_the_tss(void **unused)
{
	const uint64_t *stack;

	(void)unused;
	from_user();
	trap(VECTOR_PF, 6);
	assert_delivered(VECTOR_PF);
	stack = (const uint64_t *)frame()->rsp;
	assert_int_equal(stack[0], 6);
	assert_int_equal(stack[1], USER_RIP);
	assert_int_equal(stack[2], USER_CS);
	assert_int_equal(stack[3], RFLAGS_FIXED1 | RFLAGS_IF);
	assert_int_equal(stack[5], USER_SS);
	assert_int_equal((uint64_t)(stack + 6), (uint64_t)linux_at(SP0));
}

static void where_the_stack_faults_it_is_a_double_fault(void **unused)
{
	(void)unused;
	fake_ring1.bad = frame()->rsp - 64;
	fake_ring1.bad_end = frame()->rsp;
	trap(0x20, 0);
	assert_delivered(VECTOR_DF);
	assert_int_equal(((const uint64_t *)frame()->rsp)[1], (uint64_t)linux_at(CODE));
}

static void int_n_of_user_space_needs_linuxs_gate(void **unused)
{
	(void)unused;
	set_gate(0x80, 0, 0);
	from_user();
	trap(0x80, 0);
	assert_delivered(VECTOR_GP);
	assert_int_equal(((const uint64_t *)frame()->rsp)[0], 0x80 << 3 | 2);
	assert_int_equal(((const uint64_t *)frame()->rsp)[1], USER_RIP - 2);
}

static void a_return_to_linux_that_faults_is_linuxs_fault(void **unused)
{
	struct ring1_frame fault = { .vector = VECTOR_GP,
				     .error_code = 0x28,
				     .rip = (uint64_t)ring1_exit_iret };
	struct ring1_frame *f;

	(void)unused;
	from_user();
	fault.regs = frame()->regs;
	fault.regs.rax = 0x1234;
	/* Below the frame of IRETQ, as the processor puts it. */
	f = (struct ring1_frame *)((char *)cpu() - 48 - sizeof(fault));
	*f = fault;
	f = ring1_root_trap(f);
	assert_ptr_equal(f, frame());
	assert_delivered(VECTOR_GP);
	assert_int_equal(f->regs.rax, 0x1234);
	assert_int_equal(((const uint64_t *)f->rsp)[0], 0x28);
	assert_int_equal(((const uint64_t *)f->rsp)[1], USER_RIP);
}

/* --- NMI ---------------------------------------------------------------------------------------- */

static void iretq_with(uint64_t rip, uint64_t rflags)
{
	uint64_t *stack = linux_at(0x9000);

	stack[0] = rip;
	stack[1] = 0x10;
	stack[2] = rflags;
	stack[3] = (uint64_t)linux_at(0x9800);
	stack[4] = 0x18;
	frame()->rsp = (uint64_t)stack;
	frame()->rip = (uint64_t)linux_at(CODE);
	EXECUTE(0x48, 0xcf);
}

static void iretq_to(uint64_t rip)
{
	iretq_with(rip, RFLAGS_FIXED1 | RFLAGS_IF);
}

static void an_nmi_within_an_nmi_waits_for_iret(void **unused)
{
	(void)unused;
	trap(VECTOR_NMI, 0);
	assert_delivered(VECTOR_NMI);
	trap(VECTOR_NMI, 0);
	assert_int_equal(own()->nmi_latched, 1);
	iretq_to(HANDLER(0x55));
	/* At once, as if it had come where IRET went. */
	assert_delivered(VECTOR_NMI);
	assert_int_equal(((const uint64_t *)frame()->rsp)[0], HANDLER(0x55));
	assert_int_equal(own()->nmi_latched, 0);
	iretq_to(HANDLER(0x56));
	assert_int_equal(frame()->rip, HANDLER(0x56));
}

static void user_space_is_no_nmi_handler(void **unused)
{
	(void)unused;
	from_user();
	trap(VECTOR_NMI, 0);
	assert_delivered(VECTOR_NMI);
	from_user();
	trap(VECTOR_NMI, 0);
	assert_delivered(VECTOR_NMI);
	assert_int_equal(own()->nmi_latched, 0);
}

/* A frame as the entries of NMI, #DB and #MC leave it, on a stack of theirs. */
static struct ring1_frame *event(unsigned int vector, uint64_t rip, uint64_t cs, uint64_t rsp)
{
	struct ring1_frame *f = (struct ring1_frame *)&own()->stacks[0][RING1_IST_WORDS] - 1;

	*f = (struct ring1_frame){ .regs = { .r11 = 0x3246 },
				   .vector = vector,
				   .rip = rip,
				   .cs = cs,
				   .rflags = 0x46,
				   .rsp = rsp };
	return f;
}

static void an_nmi_in_the_vmm_is_marked(void **unused)
{
	(void)unused;
	assert_null(ring1_event(event(VECTOR_NMI, 0x1000, 0x10, 0x2000)));
	assert_int_equal(cpu()->pending, PENDING_NMI);
	ring1_deliver_pending(frame());
	assert_delivered(VECTOR_NMI);
	assert_int_equal(cpu()->pending, 0);
}

static void an_nmi_on_the_way_out_makes_it_start_over(void **unused)
{
	const uint64_t start = (uint64_t)ring1_exit_check, end = (uint64_t)ring1_exit_iret;
	struct ring1_frame *f;
	uint64_t rip;

	(void)unused;
	for (rip = start; rip <= end; rip++) {
		f = event(VECTOR_NMI, rip, 0x10, (uint64_t)cpu() - 40);
		assert_null(ring1_event(f));
		assert_int_equal(f->rip, start);
		assert_int_equal(f->rsp, (uint64_t)frame());
	}
	f = event(VECTOR_NMI, start - 1, 0x10, 0x2000);
	assert_null(ring1_event(f));
	assert_int_equal(f->rip, start - 1);
}

static void an_nmi_before_the_wait_ends_it(void **unused)
{
	struct ring1_frame *f;

	(void)unused;
	f = event(VECTOR_NMI, 0x6008, 0x10, 0x2000);
	assert_null(ring1_event(f));
	assert_int_equal(f->rip, 0x6010);
}

/* Behind STI: HLT would then wait with IF = 0. */
static void an_interrupt_before_the_wait_ends_it(void **unused)
{
	static const uint64_t rips[] = { 0x5008, 0x5010 };
	struct ring1_frame *f;
	unsigned int i;

	(void)unused;
	for (i = 0; i < 2; i++) {
		f = event(0x31, rips[i], 0x10, 0x2000);
		f->rflags |= RFLAGS_IF;
		assert_null(ring1_root_trap(f));
		assert_int_equal(f->rip, 0x5010);
		assert_int_equal(f->rflags & RFLAGS_IF, 0);
		assert_int_equal(own()->woken, 0x31);
	}
}

static void an_nmi_in_the_syscall_stub_is_one_at_linuxs_entry(void **unused)
{
	const uint64_t stub = (uint64_t)cpu_slot(cpu(), MERCURY_CPU_RING1_STUB);
	const uint64_t user_rsp = UINT64_C(0x7ffd1000);

	(void)unused;
	/* Before the stub has changed RSP, and behind. */
	assert_ptr_equal(ring1_event(event(VECTOR_NMI, stub, 0x10, user_rsp)), frame());
	assert_int_equal(frame()->rsp, user_rsp);
	assert_int_equal(frame()->rip, UINT64_C(0xffffffff81a00040));
	assert_int_equal(frame()->cs, 0x81);
	assert_int_equal(frame()->regs.r11, 0x0246);
	assert_int_equal(frame()->rflags, RFLAGS_FIXED1 | RING1_IOPL);
	own()->syscall.rsp = user_rsp + 8;
	ring1_event(event(VECTOR_NMI, stub + 0x20, 0x10, (uint64_t)&own()->syscall));
	assert_int_equal(frame()->rsp, user_rsp + 8);
}

/* RSP is user space's, and may lie anywhere: also where the stub itself has it, at an address that all know. */
static void no_process_gets_anothers_rsp(void **unused)
{
	static const char *const stubs[] = { ring1_stub_syscall, ring1_stub_compat };
	const uint64_t page = (uint64_t)cpu_slot(cpu(), MERCURY_CPU_RING1_STUB);
	unsigned int i;

	(void)unused;
	own()->syscall.rsp = own()->compat.rsp = UINT64_C(0x7ffd5ec2e000);
	for (i = 0; i < 2; i++) {
		ring1_event(event(VECTOR_DB, page + (uint64_t)(stubs[i] - ring1_stubs), 0x10,
				  (uint64_t)own() + 0x40));
		assert_int_equal(frame()->rsp, (uint64_t)own() + 0x40);
	}
}

static void a_single_step_into_sysenter_is_one_at_linuxs_entry(void **unused)
{
	const uint64_t stub = (uint64_t)cpu_slot(cpu(), MERCURY_CPU_RING1_STUB);
	struct ring1_frame *f;

	(void)unused;
	f = event(VECTOR_DB, stub + (ring1_stub_sysenter - ring1_stubs), 0x10,
		  (uint64_t)&own()->sysenter.rsp);
	f->rflags = RFLAGS_FIXED1 | RFLAGS_TF;
	assert_ptr_equal(ring1_event(f), frame());
	assert_int_equal(frame()->rip, UINT64_C(0xffffffff81a01000));
	assert_int_equal(frame()->rsp, UINT64_C(0xfffffe0000003000));
	assert_int_equal(frame()->rflags & RFLAGS_TF, RFLAGS_TF);
}

static void a_debug_trap_in_the_vmm_leaves_no_status(void **unused)
{
	(void)unused;
	fake_ring1.dr[6] = 0xffff0ff1;
	assert_null(ring1_event(event(VECTOR_DB, 0x1000, 0x10, 0x2000)));
	assert_int_equal(fake_ring1.dr[6], DR6_INIT);
	assert_int_equal(cpu()->pending, 0);
}

static enum fake_outcome root_trap(unsigned int vector)
{
	struct ring1_frame *f = event(vector, 0x1000, 0x10, (uint64_t)frame() - 256);
	int outcome;

	fake.armed = true;
	outcome = setjmp(fake.jump);
	if (!outcome) {
		if (f->vector == VECTOR_DF)
			ring1_event(f);
		else
			ring1_root_trap(f);
		outcome = FAKE_RETURNED;
	}
	fake.armed = false;
	return (enum fake_outcome)outcome;
}

static void a_fault_of_the_vmm_makes_the_cpu_native(void **unused)
{
	(void)unused;
	assert_int_equal(root_trap(VECTOR_GP), FAKE_NATIVE);
	assert_int_equal(fake.cpu.rip, (uint64_t)linux_at(CODE));
}

/* Where the way to native finds it mapped. */
static uint64_t native_handler(unsigned int vector)
{
	const uint64_t handler = (uint64_t)linux_at(LINUX_HANDLERS) + 8 * vector;

	set_gate_to(handler, vector, vector == VECTOR_NMI ? 2 : 0, 0);
	return handler;
}

/* "An event's handler": Linux returns from there to its program. */
static void assert_native_from_user(uint64_t handler)
{
	const uint64_t *stack = (const uint64_t *)fake.cpu.gpr.rsp;

	assert_int_equal(fake.cpu.rip, handler);
	assert_int_equal(stack[0], USER_RIP);
	assert_int_equal(stack[1], USER_CS);
	assert_int_equal(stack[2], RFLAGS_FIXED1 | RFLAGS_IF);
	assert_int_equal(stack[3], UINT64_C(0x7fff0000));
	assert_int_equal(stack[4], USER_SS);
}

static void a_fault_of_the_vmm_behind_user_space_becomes_an_nmi(void **unused)
{
	uint64_t handler = native_handler(VECTOR_NMI);

	(void)unused;
	from_user();
	frame()->vector = VECTOR_PF;
	assert_int_equal(root_trap(VECTOR_GP), FAKE_NATIVE);
	assert_native_from_user(handler);
}

static void an_interrupt_that_the_vmm_fails_to_deliver_is_delivered_natively(void **unused)
{
	uint64_t handler = native_handler(0x20);

	(void)unused;
	from_user();
	frame()->vector = 0x20;
	assert_int_equal(root_trap(VECTOR_GP), FAKE_NATIVE);
	assert_native_from_user(handler);
	fresh(NULL);
	native_handler(0x20);
	frame()->vector = 0x20;
	assert_int_equal(root_trap(VECTOR_GP), FAKE_NATIVE);
	assert_int_equal(fake.cpu.rip, handler);
}

static void but_not_once_more(void **unused)
{
	(void)unused;
	set_gate(0x20, 0, 0);
	trap(0x20, 0);
	frame()->rip = (uint64_t)linux_at(CODE);
	assert_int_equal(root_trap(VECTOR_GP), FAKE_NATIVE);
	assert_int_equal(fake.cpu.rip, (uint64_t)linux_at(CODE));
}

/* Its stack begins below Linux's frame. */
static void so_does_a_double_fault(void **unused)
{
	(void)unused;
	assert_true(own()->tss.ist[VMM_IST_DF - 1] <= (uint64_t)frame());
	frame()->regs.r15 = 16;
	assert_int_equal(root_trap(VECTOR_DF), FAKE_NATIVE);
	assert_int_equal(fake.cpu.rip, (uint64_t)linux_at(CODE));
	assert_int_equal(fake.cpu.gpr.r15, 16);
	assert_non_null(strstr(cpu_shared(cpu())->text, "the VMM took exception 8"));
}

static void a_cpu_that_comes_leaves_the_idt_alone(void **unused)
{
	struct idt_gate *idt;

	(void)unused;
	idt = (struct idt_gate *)fake.cpu.idtr.base;
	idt[5].reserved = 0x77;
	assert_int_equal(vo_ring1.prepare(cpu()), MERCURY_E_OK);
	assert_int_equal(idt[5].reserved, 0x77);
}

/* --- Instructions ------------------------------------------------------------------------------- */

static void iretq_to_linux_itself(void **unused)
{
	(void)unused;
	iretq_to(HANDLER(1));
	assert_int_equal(frame()->rip, HANDLER(1));
	assert_int_equal(frame()->cs, 0x81);
	assert_int_equal(frame()->rsp, (uint64_t)linux_at(0x9800));
	assert_int_equal(frame()->rflags, RFLAGS_FIXED1 | RFLAGS_IF | RING1_IOPL);
}

/* SDM vol. 3, 18.3.1.1, Instruction-Breakpoint Exception Condition: or the breakpoint comes for ever. */
static void iretq_over_a_breakpoint(void **unused)
{
	(void)unused;
	iretq_with(HANDLER(1), RFLAGS_FIXED1 | RFLAGS_RF);
	assert_int_equal(frame()->rip, HANDLER(1));
	assert_int_equal(frame()->rflags, RFLAGS_FIXED1 | RFLAGS_RF | RING1_IOPL);
}

static void iretq_with_a_bad_frame_is_linuxs_to_repair(void **unused)
{
	uint64_t *stack = linux_at(0x9000);

	(void)unused;
	memset(stack, 0, 40);
	stack[1] = 0xfff3;
	frame()->rsp = (uint64_t)stack;
	EXECUTE(0x48, 0xcf);
	assert_delivered(VECTOR_GP);
}

static void sysret_to_64_bit_code(void **unused)
{
	(void)unused;
	frame()->regs.rcx = USER_RIP;
	frame()->regs.r11 = RFLAGS_FIXED1 | RFLAGS_IF | RFLAGS_IOPL | RFLAGS_VM | RFLAGS_RF;
	EXECUTE(0x48, 0x0f, 0x07);
	assert_int_equal(frame()->rip, USER_RIP);
	assert_int_equal(frame()->cs, USER_CS);
	assert_int_equal(frame()->ss, USER_SS);
	assert_int_equal(frame()->rflags, RFLAGS_FIXED1 | RFLAGS_IF);
}

static void sysret_to_an_address_not_canonical_faults_in_linux(void **unused)
{
	(void)unused;
	frame()->regs.rcx = UINT64_C(1) << 63;
	EXECUTE(0x48, 0x0f, 0x07);
	assert_delivered(VECTOR_GP);
}

static void msrs_that_hold_ours_read_as_linuxs(void **unused)
{
	(void)unused;
	frame()->regs.rcx = MSR_IA32_LSTAR;
	EXECUTE(0x0f, 0x32);
	assert_stepped(2);
	assert_int_equal(frame()->regs.rax, 0x81a00040);
	assert_int_equal(frame()->regs.rdx, 0xffffffff);
	frame()->regs.rax = 0x81b00000;
	frame()->rip = (uint64_t)linux_at(CODE);
	EXECUTE(0x0f, 0x30);
	assert_int_equal(own()->syscall.rip, UINT64_C(0xffffffff81b00000));
	assert_int_equal(fake_get_msr(MSR_IA32_LSTAR),
			 (uint64_t)cpu_slot(cpu(), MERCURY_CPU_RING1_STUB));
}

static void an_msr_that_is_not_there_is_gp(void **unused)
{
	(void)unused;
	own()->fault.vector = VECTOR_GP; /* as ring1_root_trap() leaves it */
	frame()->regs.rcx = 0x12345;
	EXECUTE(0x0f, 0x32);
	assert_delivered(VECTOR_GP);
}

static void cr3_without_the_window_ends_ring_1(void **unused)
{
	const struct mercury_shared *shared = window_at(MERCURY_WINDOW_SHARED);
	int outcome;

	(void)unused;
	memcpy(linux_at(0x8000), linux_at(LINUX_ROOT), 4096);
	((uint64_t *)linux_at(0x8000))[MERCURY_WINDOW_PML4_SLOT] = 0x77;
	frame()->regs.rax = (uint64_t)linux_at(0x8000);
	fake.armed = true;
	outcome = setjmp(fake.jump);
	if (!outcome)
		EXECUTE(0x0f, 0x22, 0xd8);
	assert_int_equal(outcome, FAKE_NATIVE);
	/* In front of the instruction, which the bare machine executes. */
	assert_int_equal(fake.cpu.rip, (uint64_t)linux_at(CODE));
	assert_int_equal(cpu_shared(cpu())->forced, 1);
	assert_non_null(strstr(shared->log, "Linux writes CR3, which takes native mode"));
}

static void cr4_with_a_feature_not_carried_ends_ring_1(void **unused)
{
	int outcome;

	(void)unused;
	frame()->regs.rax = fake.cpu.cr4 | CR4_CET;
	fake.armed = true;
	outcome = setjmp(fake.jump);
	if (!outcome)
		EXECUTE(0x0f, 0x22, 0xe0);
	assert_int_equal(outcome, FAKE_NATIVE);
}

/* KVM takes SVM, and needs ring 0 for it. */
static void efer_with_svm_ends_ring_1(void **unused)
{
	int outcome;

	(void)unused;
	frame()->regs.rcx = MSR_IA32_EFER;
	frame()->regs.rax = EFER_SCE | EFER_LME | EFER_LMA | EFER_NXE | EFER_SVME;
	fake.armed = true;
	outcome = setjmp(fake.jump);
	if (!outcome)
		EXECUTE(0x0f, 0x30);
	assert_int_equal(outcome, FAKE_NATIVE);
	assert_int_equal(fake.cpu.rip, (uint64_t)linux_at(CODE));
}

static void halt_ends_with_the_interrupt(void **unused)
{
	(void)unused;
	frame()->rflags |= RFLAGS_IF | RFLAGS_RF; /* the latter of the fault */
	fake_ring1.wakes = 0x31;
	EXECUTE(0xf4);
	assert_delivered(0x31);
	assert_int_equal(((const uint64_t *)frame()->rsp)[0], (uint64_t)linux_at(CODE) + 1);
	assert_int_equal(((const uint64_t *)frame()->rsp)[2] & RFLAGS_RF, 0);
}

/* As the bare machine pushes it. SDM vol. 3, 18.3.1.1, Instruction-Breakpoint Exception Condition */
static void int_n_of_linux_leaves_no_rf(void **unused)
{
	(void)unused;
	frame()->rflags |= RFLAGS_RF; /* of the fault */
	EXECUTE(0xcd, 0x31);
	assert_delivered(0x31);
	assert_int_equal(((const uint64_t *)frame()->rsp)[0], (uint64_t)linux_at(CODE) + 2);
	assert_int_equal(((const uint64_t *)frame()->rsp)[2] & RFLAGS_RF, 0);
	frame()->rip = (uint64_t)linux_at(CODE);
	frame()->rflags |= RFLAGS_RF;
	EXECUTE(0xcd, VECTOR_NMI);
	assert_delivered(VECTOR_NMI);
	assert_int_equal(((const uint64_t *)frame()->rsp)[2] & RFLAGS_RF, 0);
}

static void a_single_step_ends_a_wait_at_once(void **unused)
{
	(void)unused;
	frame()->rflags |= RFLAGS_TF;
	EXECUTE(0xf4);
	assert_delivered(VECTOR_DB);
	assert_int_equal(((const uint64_t *)frame()->rsp)[0], (uint64_t)linux_at(CODE) + 1);
	own()->monitored = (uint64_t)linux_at(0x9900);
	memcpy(&own()->monitored_value, linux_at(0x9900), sizeof(own()->monitored_value));
	frame()->rip = (uint64_t)linux_at(CODE);
	frame()->rflags |= RFLAGS_TF;
	memcpy(linux_at(CODE), (const uint8_t[]){ 0x0f, 0x01, 0xc9 }, 3);
	trap(VECTOR_UD, 0);
	assert_delivered(VECTOR_DB);
	assert_int_equal(fake_ring1.waits, 0);
}

static void mwait_does_not_sleep_over_a_write(void **unused)
{
	uint64_t *flags = linux_at(0x9900);

	(void)unused;
	*flags = 0;
	frame()->regs.rax = (uint64_t)flags;
	memcpy(linux_at(CODE), (const uint8_t[]){ 0x0f, 0x01, 0xc8 }, 3);
	trap(VECTOR_UD, 0);
	assert_stepped(3);
	*flags = 8;
	frame()->rip = (uint64_t)linux_at(CODE);
	memcpy(linux_at(CODE), (const uint8_t[]){ 0x0f, 0x01, 0xc9 }, 3);
	trap(VECTOR_UD, 0);
	assert_stepped(3);
	assert_int_equal(fake_ring1.waits, 0);
	*flags = 0;
	frame()->rip = (uint64_t)linux_at(CODE);
	trap(VECTOR_UD, 0);
	assert_int_equal(fake_ring1.waits, 1);
}

static void stac_and_clac_change_ac(void **unused)
{
	(void)unused;
	memcpy(linux_at(CODE), (const uint8_t[]){ 0x0f, 0x01, 0xcb }, 3);
	trap(VECTOR_UD, 0);
	assert_stepped(3);
	assert_true(frame()->rflags & RFLAGS_AC);
}

/* Linux 6.15, arch/x86/include/asm/tlb.h: __invlpgb(), __tlbsync(). Neither has an entry in its table. */
static void a_flush_of_all_cpus_is_linuxs_own(void **unused)
{
	(void)unused;
	frame()->regs.rax = UINT64_C(0xffffc90000123009);
	frame()->regs.rcx = UINT64_C(0xaaaaaaaa80000007);
	frame()->regs.rdx = UINT64_C(0xbbbbbbbb07ef0000);
	EXECUTE(0x0f, 0x01, 0xfe);
	assert_stepped(3);
	assert_int_equal(fake_ring1.invlpgb[0], UINT64_C(0xffffc90000123009));
	assert_int_equal(fake_ring1.invlpgb[1], 0x80000007);
	assert_int_equal(fake_ring1.invlpgb[2], 0x07ef0000);
	frame()->rip = (uint64_t)linux_at(CODE);
	EXECUTE(0x0f, 0x01, 0xff);
	assert_stepped(3);
	assert_int_equal(fake_ring1.tlbsyncs, 1);
	assert_int_equal(cpu_shared(cpu())->exits[MERCURY_RING1_TLB], 2);
	/* What the bare machine does not take either. */
	frame()->rip = (uint64_t)linux_at(CODE);
	fake_ring1.faults = true;
	EXECUTE(0x0f, 0x01, 0xfe);
	assert_delivered(VECTOR_GP);
}

static void a_single_step_over_an_instruction_traps_behind_it(void **unused)
{
	(void)unused;
	frame()->rflags |= RFLAGS_TF;
	EXECUTE(0x0f, 0x01, 0xf8);
	assert_int_equal(fake_ring1.swapgs, 1);
	assert_delivered(VECTOR_DB);
	assert_int_equal(((const uint64_t *)frame()->rsp)[0], (uint64_t)linux_at(CODE) + 3);
	assert_true(fake_ring1.dr[6] & DR6_BS);
}

static void a_fault_of_the_operand_is_linuxs(void **unused)
{
	(void)unused;
	fake_ring1.bad = 0x1000;
	fake_ring1.bad_end = 0x2000;
	frame()->regs.rdi = 0x1800;
	EXECUTE(0x0f, 0x01, 0x07); /* sgdt (%rdi) */
	assert_delivered(VECTOR_PF);
	assert_int_equal(((const uint64_t *)frame()->rsp)[0], 2);
	assert_int_equal(fake.cr2, 0x1800);
	assert_int_equal(((const uint64_t *)frame()->rsp)[1], (uint64_t)linux_at(CODE));
}

static void sgdt_stores_linuxs(void **unused)
{
	struct descriptor_table_register *to = linux_at(0x9a00);

	(void)unused;
	frame()->regs.rdi = (uint64_t)to;
	EXECUTE(0x0f, 0x01, 0x07);
	assert_stepped(3);
	assert_int_equal(to->limit, 0x7f);
	assert_int_equal(to->base, (uint64_t)linux_at(LINUX_GDT));
}

/* Made to fault for a task, by CPUID faulting. */
static void cpuid_of_the_kernel_never_faults(void **unused)
{
	(void)unused;
	frame()->regs.rax = UINT64_C(0xffffffff00000000);
	frame()->regs.rcx = frame()->regs.rdx = UINT64_MAX;
	EXECUTE(0x0f, 0xa2);
	assert_stepped(2);
	assert_int_equal(frame()->regs.rax, 0xd);
	assert_int_equal(frame()->regs.rbx, 0x756e6547);
	assert_int_equal(frame()->regs.rcx, 0x6c65746e);
	assert_int_equal(frame()->regs.rdx, 0x49656e69);
}

/* Made to fault for a task, by CR4.TSD. */
static void nor_does_tpause(void **unused)
{
	(void)unused;
	frame()->rflags |= RFLAGS_CF | RFLAGS_ZF;
	EXECUTE(0x66, 0x0f, 0xae, 0xf1);
	assert_stepped(4);
	assert_int_equal(frame()->rflags & (RFLAGS_CF | RFLAGS_ZF), 0);
}

static void what_is_not_known_is_forwarded_and_shown(void **unused)
{
	(void)unused;
	EXECUTE(0x48, 0x8b, 0x00);
	assert_delivered(VECTOR_GP);
	assert_int_equal(cpu_shared(cpu())->exits[MERCURY_RING1_UNKNOWN], 1);
	assert_int_equal(cpu_shared(cpu())->unknown_rip, (uint64_t)linux_at(CODE));
	assert_int_equal(cpu_shared(cpu())->unknown_bytes[1], 0x8b);
}

static void a_known_instruction_with_the_other_fault_is_linuxs(void **unused)
{
	(void)unused;
	/* RDTSCP on a processor without it. */
	memcpy(linux_at(CODE), (const uint8_t[]){ 0x0f, 0x01, 0xf9 }, 3);
	trap(VECTOR_UD, 0);
	assert_delivered(VECTOR_UD);
}

#define T(name) cmocka_unit_test_setup(name, fresh)
static const struct CMUnitTest tests[] = {
	T(an_interrupt_of_linux_looks_as_on_the_bare_machine),
	T(from_user_space_the_stack_is_that_of_the_tss),
	T(where_the_stack_faults_it_is_a_double_fault),
	T(int_n_of_user_space_needs_linuxs_gate),
	T(a_return_to_linux_that_faults_is_linuxs_fault),
	T(an_nmi_within_an_nmi_waits_for_iret),
	T(user_space_is_no_nmi_handler),
	T(an_nmi_in_the_vmm_is_marked),
	T(an_nmi_on_the_way_out_makes_it_start_over),
	T(an_nmi_before_the_wait_ends_it),
	T(an_interrupt_before_the_wait_ends_it),
	T(an_nmi_in_the_syscall_stub_is_one_at_linuxs_entry),
	T(no_process_gets_anothers_rsp),
	T(a_single_step_into_sysenter_is_one_at_linuxs_entry),
	T(a_debug_trap_in_the_vmm_leaves_no_status),
	T(a_fault_of_the_vmm_makes_the_cpu_native),
	T(a_fault_of_the_vmm_behind_user_space_becomes_an_nmi),
	T(an_interrupt_that_the_vmm_fails_to_deliver_is_delivered_natively),
	T(but_not_once_more),
	T(so_does_a_double_fault),
	T(a_cpu_that_comes_leaves_the_idt_alone),
	T(iretq_to_linux_itself),
	T(iretq_over_a_breakpoint),
	T(iretq_with_a_bad_frame_is_linuxs_to_repair),
	T(sysret_to_64_bit_code),
	T(sysret_to_an_address_not_canonical_faults_in_linux),
	T(msrs_that_hold_ours_read_as_linuxs),
	T(an_msr_that_is_not_there_is_gp),
	T(cr3_without_the_window_ends_ring_1),
	T(cr4_with_a_feature_not_carried_ends_ring_1),
	T(efer_with_svm_ends_ring_1),
	T(halt_ends_with_the_interrupt),
	T(int_n_of_linux_leaves_no_rf),
	T(a_single_step_ends_a_wait_at_once),
	T(mwait_does_not_sleep_over_a_write),
	T(stac_and_clac_change_ac),
	T(a_flush_of_all_cpus_is_linuxs_own),
	T(a_single_step_over_an_instruction_traps_behind_it),
	T(a_fault_of_the_operand_is_linuxs),
	T(sgdt_stores_linuxs),
	T(cpuid_of_the_kernel_never_faults),
	T(nor_does_tpause),
	T(what_is_not_known_is_forwarded_and_shown),
	T(a_known_instruction_with_the_other_fault_is_linuxs),
};

UNIT_MAIN(tests)
