// SPDX-License-Identifier: GPL-2.0-only
/* IN, OUT, INS and OUTS of user space, by Linux's I/O bitmap. On the fake port. */
#include <sys/mman.h>

#include "ring1_linux.h"

static void user_code(const uint8_t *code, size_t n)
{
	from_user();
	memcpy(linux_at(CODE), code, n);
	frame()->rip = (uint64_t)linux_at(CODE);
	frame()->regs.rdx = 0x81;
	frame()->regs.rax = UINT64_C(0x1122334455667788);
}

static void allow_port_81(void)
{
	struct tss64 *tss = linux_at(LINUX_TSS);
	uint8_t *bitmap = (uint8_t *)tss + sizeof(*tss);

	tss->io_map_base = sizeof(*tss);
	memset(bitmap, 0xff, 0x100);
	bitmap[0x81 / 8] &= ~(1 << 1);
}

static void a_port_that_linux_allows_is_read(void **unused)
{
	static const uint8_t in_al[] = { 0xec };

	(void)unused;
	allow_port_81();
	fake_ring1.port_value = 0x5a;
	user_code(in_al, 1);
	trap(VECTOR_GP, 0);
	assert_stepped(1);
	assert_int_equal(fake_ring1.port, 0x81);
	assert_int_equal(frame()->regs.rax, UINT64_C(0x112233445566775a));
}

static void a_port_that_linux_does_not_allow_is_gp(void **unused)
{
	static const uint8_t in_ax[] = { 0x66, 0xed }, in_al[] = { 0xec };

	(void)unused;
	allow_port_81();
	user_code(in_ax, 2);
	trap(VECTOR_GP, 0);
	assert_delivered(VECTOR_GP);
	((struct tss64 *)linux_at(LINUX_TSS))->io_map_base = 0xffff;
	user_code(in_al, 1);
	trap(VECTOR_GP, 0);
	assert_delivered(VECTOR_GP);
	assert_int_equal(fake_ring1.port, 0);
}

/* User space's memory, below the end of it. */
static uint8_t *user_memory(void)
{
	static uint8_t *memory;

	if (!memory)
		memory = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
			      0);
	assert_true(memory != MAP_FAILED);
	memset(memory, 0, 8192);
	return memory;
}

static const uint8_t rep_insb[] = { 0xf3, 0x6c }, rep_outsb[] = { 0xf3, 0x6e };

static void a_string_is_read_from_a_port(void **unused)
{
	uint8_t *memory = user_memory();

	(void)unused;
	allow_port_81();
	fake_ring1.port_value = 7;
	user_code(rep_insb, 2);
	frame()->regs.rdi = (uint64_t)memory;
	frame()->regs.rcx = 10;
	trap(VECTOR_GP, 0);
	assert_stepped(2);
	assert_int_equal(frame()->regs.rdi, (uint64_t)memory + 10);
	assert_int_equal(frame()->regs.rcx, 0);
	assert_int_equal(memory[0], 7);
	assert_int_equal(memory[9], 16);
	assert_int_equal(memory[10], 0);
}

/* It faults again for the rest. */
static void a_long_string_goes_on_at_the_same_instruction(void **unused)
{
	uint8_t *memory = user_memory();

	(void)unused;
	allow_port_81();
	memset(memory, 1, 100);
	user_code(rep_outsb, 2);
	frame()->rflags |= RFLAGS_DF;
	frame()->regs.rsi = (uint64_t)memory + 99;
	frame()->regs.rcx = 100;
	trap(VECTOR_GP, 0);
	assert_stepped(0);
	assert_int_equal(frame()->regs.rcx, 36);
	assert_int_equal(frame()->regs.rsi, (uint64_t)memory + 35);
	trap(VECTOR_GP, 0);
	assert_stepped(2);
	assert_int_equal(frame()->regs.rcx, 0);
	assert_int_equal(fake_ring1.port_value, 100);
}

static void a_single_step_sees_each_element(void **unused)
{
	(void)unused;
	allow_port_81();
	user_code(rep_insb, 2);
	frame()->rflags |= RFLAGS_TF;
	frame()->regs.rdi = (uint64_t)user_memory();
	frame()->regs.rcx = 2;
	trap(VECTOR_GP, 0);
	assert_delivered(VECTOR_DB);
	assert_int_equal(frame()->regs.rcx, 1);
}

/* As the page fault of user space that it is, and with what is done already. */
static void a_page_fault_of_a_string_is_user_spaces(void **unused)
{
	uint8_t *memory = user_memory();
	uint64_t *pushed;

	(void)unused;
	allow_port_81();
	user_code(rep_insb, 2);
	frame()->regs.rdi = (uint64_t)memory + 4090;
	frame()->regs.rcx = 10;
	fake_ring1.bad = (uint64_t)memory + 4096;
	fake_ring1.bad_end = fake_ring1.bad + 4096;
	trap(VECTOR_GP, 0);
	assert_delivered(VECTOR_PF);
	pushed = (uint64_t *)frame()->rsp;
	assert_int_equal(pushed[0], 7);
	assert_int_equal(pushed[1], (uint64_t)linux_at(CODE));
	assert_int_equal(fake.cr2, (uint64_t)memory + 4096);
	assert_int_equal(frame()->regs.rcx, 4);
	assert_int_equal(frame()->regs.rdi, (uint64_t)memory + 4096);
}

/* The VMM may read and write what user space may not. */
static void a_string_outside_user_space_is_gp(void **unused)
{
	static const struct {
		uint64_t rdi, rcx, flags;
	} bad[] = {
		{ UINT64_C(0xffff888000000000), 1, 0 },
		{ UINT64_C(0x00007ffffffff000), 1, 0 },
		{ UINT64_C(0x00007fffffffefc1), 64, 0 },
		{ UINT64_C(0x0000800000000000), 1, RFLAGS_DF },
		{ 10, 64, RFLAGS_DF },
		{ UINT64_MAX, 2, 0 },
	};
	size_t i;

	(void)unused;
	allow_port_81();
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		user_code(rep_insb, 2);
		frame()->rflags |= bad[i].flags;
		frame()->regs.rdi = bad[i].rdi;
		frame()->regs.rcx = bad[i].rcx;
		trap(VECTOR_GP, 0);
		assert_delivered(VECTOR_GP);
	}
	assert_int_equal(fake_ring1.port, 0);
}

static void privileged_instructions_of_user_space_are_not_emulated(void **unused)
{
	static const uint8_t swapgs[] = { 0x0f, 0x01, 0xf8 };

	(void)unused;
	allow_port_81();
	user_code(swapgs, 3);
	trap(VECTOR_GP, 0);
	assert_delivered(VECTOR_GP);
	assert_int_equal(fake_ring1.swapgs, 0);
}

#define T(name) cmocka_unit_test_setup(name, fresh)
static const struct CMUnitTest tests[] = {
	T(a_port_that_linux_allows_is_read),
	T(a_port_that_linux_does_not_allow_is_gp),
	T(a_string_is_read_from_a_port),
	T(a_long_string_goes_on_at_the_same_instruction),
	T(a_single_step_sees_each_element),
	T(a_page_fault_of_a_string_is_user_spaces),
	T(a_string_outside_user_space_is_gp),
	T(privileged_instructions_of_user_space_are_not_emulated),
};

UNIT_MAIN(tests)
