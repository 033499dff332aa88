// SPDX-License-Identifier: GPL-2.0-only
/* Ring 1 under a Linux whose code is patched: what it does in place of what Linux does no more. */
#include "ring1_linux.h"
#include "x86/msr.h"

#define USER_CR3 (X86_BIT64(12) | X86_BIT64(11))
#define KERNEL_GS UINT64_C(0xffff888007a00000)
#define USER_GS UINT64_C(0x7f0000001000)
#define PATCHED_ENTRY UINT64_C(0xffffffff81700100)
#define SWAPPED 0x31 /* besides #PF and #GP                                                       */

static struct mercury_ring1_patch *patch(void)
{
	return &cpu_shared(cpu())->patch;
}

/* Linux's and user space's; the fake looks at what a root maps. */
static uint64_t roots[2][512] __attribute__((aligned(0x2000)));

/* Linux at CPL 1, its code patched: the module fills in how while the CPU is native. */
static void enter_patched(uint64_t user_cr3)
{
	boot_linux();
	*patch() = (struct mercury_ring1_patch){ .is_on = 1,
						 .syscall_entry = PATCHED_ENTRY,
						 .user_cr3 = user_cr3,
						 .kernel_cr3 = ~user_cr3,
						 .hidden_cr4 = CR4_SMAP };
	patch()->swapped[0] = X86_BIT32(VECTOR_PF) | X86_BIT32(VECTOR_GP);
	patch()->swapped[SWAPPED / 32] |= X86_BIT32(SWAPPED % 32);
	enter_linux();
	memcpy(roots[0], linux_at(LINUX_ROOT), sizeof(roots[0]));
	memcpy(roots[1], linux_at(LINUX_ROOT), sizeof(roots[1]));
	fake.cpu.cr4 |= CR4_PCIDE;
	fake_ring1.swapgs = 0;
}

static int patched(void **unused)
{
	(void)unused;
	enter_patched(USER_CR3);
	patch()->noflush = CR3_NOFLUSH;
	return 0;
}

static void in_user_space(void)
{
	from_user();
	fake.cpu.cr3 = (uint64_t)roots[1] | X86_BIT64(11) | 5;
	fake.cpu.gs.base = USER_GS;
	fake_set_msr(MSR_IA32_KERNEL_GS_BASE, KERNEL_GS);
}

static void assert_in_kernel(void)
{
	assert_int_equal(fake_ring1.swapgs, 1);
	assert_int_equal(fake.cpu.gs.base, KERNEL_GS);
	assert_int_equal(fake_get_msr(MSR_IA32_KERNEL_GS_BASE), USER_GS);
	assert_int_equal(fake.cpu.cr3, (uint64_t)roots[0] | 5);
}

static void assert_not_swapped(void)
{
	assert_int_equal(fake_ring1.swapgs, 0);
	assert_int_equal(fake.cpu.gs.base, USER_GS);
	assert_int_equal(fake.cpu.cr3, (uint64_t)roots[1] | X86_BIT64(11) | 5);
}

/* --- Delivery ----------------------------------------------------------------------------------- */

static void a_handler_that_does_not_swap_finds_linuxs_gs_and_cr3(void **unused)
{
	(void)unused;
	in_user_space();
	trap(SWAPPED, 0);
	assert_delivered(SWAPPED);
	assert_in_kernel();
	/* And one of Linux itself, on top of it. */
	trap(VECTOR_PF, 0);
	assert_delivered(VECTOR_PF);
	assert_in_kernel();
}

static void without_page_tables_apart_cr3_is_left_alone(void **unused)
{
	uint64_t cr3;

	(void)unused;
	enter_patched(0);
	in_user_space();
	cr3 = fake.cpu.cr3;
	trap(SWAPPED, 0);
	assert_int_equal(fake_ring1.swapgs, 1);
	assert_int_equal(fake.cpu.gs.base, KERNEL_GS);
	assert_int_equal(fake.cpu.cr3, cr3);
}

static void a_handler_that_swaps_itself_finds_user_spaces(void **unused)
{
	static const unsigned int vectors[] = { VECTOR_UD, SWAPPED - 1, SWAPPED + 32, VECTOR_NMI,
						VECTOR_MC };
	unsigned int i;

	(void)unused;
	for (i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++) {
		in_user_space();
		trap(vectors[i], 0);
		assert_delivered(vectors[i]);
		assert_not_swapped();
	}
}

/* The double fault's does, whatever that of the first fault would have found. */
static void no_stack_no_swap(void **unused)
{
	(void)unused;
	in_user_space();
	fake_ring1.bad = (uint64_t)linux_at(SP0) - 8;
	fake_ring1.bad_end = (uint64_t)linux_at(SP0);
	trap(SWAPPED, 0);
	assert_delivered(VECTOR_DF);
	assert_not_swapped();
}

static void a_forbidden_int_is_swapped_as_the_fault_it_becomes(void **unused)
{
	(void)unused;
	set_gate(0x80, 0, 0);
	in_user_space();
	trap(0x80, 0);
	assert_delivered(VECTOR_GP);
	assert_in_kernel();
}

/* Behind the one from user space, which has swapped already. */
static void an_nmi_behind_an_exception_finds_linuxs(void **unused)
{
	(void)unused;
	in_user_space();
	trap(VECTOR_PF, 0);
	ring1_deliver_nmi(cpu(), frame());
	assert_delivered(VECTOR_NMI);
	assert_in_kernel();
}

/* Linux itself at times goes to error_entry as if from user space: CS tells which it is. */
static void cs_tells_that_it_is_swapped(void **unused)
{
	const uint64_t *stack;

	(void)unused;
	in_user_space();
	trap(SWAPPED, 0);
	stack = (const uint64_t *)frame()->rsp + (takes_error_code(SWAPPED) ? 1 : 0);
	assert_int_equal(stack[1], LINUX_USER_CS | UINT64_C(1) << MERCURY_RING1_SWAPPED_BIT);
	trap(SWAPPED, 0);
	stack = (const uint64_t *)frame()->rsp + (takes_error_code(SWAPPED) ? 1 : 0);
	assert_int_equal(stack[1], LINUX_CS);
	in_user_space();
	memset(patch()->swapped, 0, sizeof(patch()->swapped));
	trap(SWAPPED, 0);
	stack = (const uint64_t *)frame()->rsp + (takes_error_code(SWAPPED) ? 1 : 0);
	assert_int_equal(stack[1], LINUX_USER_CS);
}

/* --- SMAP --------------------------------------------------------------------------------------- */

static void ac_of_the_patched_error_entry_does_not_come_into_force(void **unused)
{
	uint64_t *stack = linux_at(0x9000);

	(void)unused;
	stack[0] = (uint64_t)linux_at(CODE);
	stack[1] = LINUX_CS;
	stack[2] = RFLAGS_FIXED1 | RFLAGS_AC;
	stack[3] = (uint64_t)linux_at(0x9800);
	stack[4] = LINUX_SS;
	frame()->rsp = (uint64_t)stack;
	frame()->rip = (uint64_t)linux_at(CODE);
	frame()->cs = RING1_CS;
	EXECUTE(0x48, 0xcf);
	assert_int_equal(frame()->rflags & RFLAGS_AC, 0);
}

static void a_hidden_bit_of_cr4_reads_as_set_and_is_never_written(void **unused)
{
	const uint64_t cr4 = fake.cpu.cr4 & ~(uint64_t)CR4_SMAP;

	(void)unused;
	fake.cpu.cr4 = cr4;
	frame()->regs.rax = 0;
	EXECUTE(0x0f, 0x20, 0xe0);
	assert_int_equal(frame()->regs.rax, cr4 | CR4_SMAP);
	frame()->rip = (uint64_t)linux_at(CODE);
	frame()->regs.rax = (cr4 ^ CR4_PGE) | CR4_SMAP;
	EXECUTE(0x0f, 0x22, 0xe0);
	assert_stepped(3);
	assert_int_equal(fake.cpu.cr4, cr4 ^ CR4_PGE);
}

/* --- The stubs ---------------------------------------------------------------------------------- */

static void assert_lstar_is(const char *stub)
{
	assert_int_equal(fake_get_msr(MSR_IA32_LSTAR),
			 (uint64_t)cpu_slot(cpu(), MERCURY_CPU_RING1_STUB) +
				 (uint64_t)(stub - ring1_stubs));
}

static void syscall_lands_on_the_stub_for_the_page_tables(void **unused)
{
	(void)unused;
	assert_lstar_is(ring1_stub_apart);
	assert_int_equal(own()->patched.rip, PATCHED_ENTRY);
	enter_patched(0);
	assert_lstar_is(ring1_stub_shared);
}

static enum fake_outcome write_lstar(uint64_t value)
{
	int outcome;

	frame()->regs.rcx = MSR_IA32_LSTAR;
	frame()->regs.rax = (uint32_t)value;
	frame()->regs.rdx = value >> 32;
	fake.armed = true;
	outcome = setjmp(fake.jump);
	if (!outcome) {
		EXECUTE(0x0f, 0x30);
		outcome = FAKE_RETURNED;
	}
	fake.armed = false;
	return (enum fake_outcome)outcome;
}

/* Patched code asks by SYSCALL: it must not reach that entry. */
static void another_entry_for_syscall_ends_ring_1(void **unused)
{
	const uint64_t entry = own()->syscall.rip;

	(void)unused;
	assert_int_equal(write_lstar(entry), FAKE_RETURNED);
	assert_stepped(2);
	assert_lstar_is(ring1_stub_apart);
	frame()->rip = (uint64_t)linux_at(CODE);
	assert_int_equal(write_lstar(entry + 0x40), FAKE_NATIVE);
	assert_int_equal(fake_get_msr(MSR_IA32_LSTAR), entry);
}

static void a_cpu_that_stops_has_linuxs_entry_again(void **unused)
{
	(void)unused;
	ring1_stop(cpu());
	assert_int_equal(fake_get_msr(MSR_IA32_LSTAR), own()->syscall.rip);
}

#define T(name) cmocka_unit_test_setup(name, patched)
static const struct CMUnitTest tests[] = {
	T(a_handler_that_does_not_swap_finds_linuxs_gs_and_cr3),
	T(cs_tells_that_it_is_swapped),
	T(without_page_tables_apart_cr3_is_left_alone),
	T(a_handler_that_swaps_itself_finds_user_spaces),
	T(no_stack_no_swap),
	T(a_forbidden_int_is_swapped_as_the_fault_it_becomes),
	T(an_nmi_behind_an_exception_finds_linuxs),
	T(ac_of_the_patched_error_entry_does_not_come_into_force),
	T(a_hidden_bit_of_cr4_reads_as_set_and_is_never_written),
	T(syscall_lands_on_the_stub_for_the_page_tables),
	T(another_entry_for_syscall_ends_ring_1),
	T(a_cpu_that_stops_has_linuxs_entry_again),
};

UNIT_MAIN(tests)
