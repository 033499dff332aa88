/* SPDX-License-Identifier: GPL-2.0-only */
/* A Linux at CPL 1 on the fake port, with an IDT and a TSS, for the tests of what becomes of its traps. */
#ifndef TESTS_RING1_LINUX_H
#define TESTS_RING1_LINUX_H

#include <sys/mman.h>

#include "unit.h"

#include "call.h"
#include "fake.h"
#include "ring1/ring1.h"
#include "ring1/stubs.h"
#include "ring1_port.h"
#include "x86/cr.h"
#include "x86/segment.h"
#include "x86/vector.h"

#define HANDLER(vector) (UINT64_C(0xffffffff81a00000) + 0x10 * (vector))
#define SP0 0x4000 /* in Linux's memory */
#define CODE 0x10300
#define USER_CS 0x33
#define USER_SS 0x2b
#define USER_RIP UINT64_C(0x401000)

static inline struct cpu *cpu(void)
{
	return fake_vmm_cpu();
}

static inline struct ring1_cpu *own(void)
{
	return ring1_cpu(cpu());
}

static inline struct ring1_frame *frame(void)
{
	return ring1_frame(cpu());
}

static inline void set_gate_to(uint64_t handler, unsigned int vector, unsigned int ist,
			       unsigned int dpl)
{
	struct idt_gate *gate = (struct idt_gate *)linux_at(LINUX_IDT) + vector;

	*gate = (struct idt_gate){ .offset_15_0 = handler & 0xffff,
				   .selector = 0x10,
				   .ist = ist,
				   .access = SEGMENT_AR_P | SEGMENT_TYPE_INTERRUPT_GATE |
					     dpl << SEGMENT_AR_DPL_SHIFT,
				   .offset_31_16 = handler >> 16 & 0xffff,
				   .offset_63_32 = handler >> 32 };
}

static inline void set_gate(unsigned int vector, unsigned int ist, unsigned int dpl)
{
	set_gate_to(HANDLER(vector), vector, ist, dpl);
}

static inline void boot_linux(void)
{
	struct tss64 *tss;
	unsigned int i;

	fake_ring1_machine();
	fake_boot();
	for (i = 0; i < 256; i++)
		set_gate(i,
			 i == VECTOR_DF  ? 1 :
			 i == VECTOR_NMI ? 2 :
					   0,
			 i == 3 || i == 0x80 ? 3 : 0);
	tss = linux_at(LINUX_TSS);
	tss->rsp[0] = (uint64_t)linux_at(SP0);
	tss->io_map_base = 0xffff;
}

/* To CPL 1, about to execute what a test puts at CODE. */
static inline void enter_linux(void)
{
	fake_ring1_enter();
	frame()->rip = (uint64_t)linux_at(CODE);
}

static inline int fresh(void **unused)
{
	(void)unused;
	boot_linux();
	enter_linux();
	return 0;
}

static inline void trap(unsigned int vector, uint64_t error_code)
{
	frame()->vector = vector;
	frame()->error_code = error_code;
	ring1_trap(frame());
}

#define EXECUTE(...)                                                                               \
	do {                                                                                       \
		static const uint8_t code[] = { __VA_ARGS__ };                                     \
		memcpy(linux_at(CODE), code, sizeof(code));                                        \
		trap(VECTOR_GP, 0);                                                                \
	} while (0)

#define assert_stepped(length) assert_int_equal(frame()->rip, (uint64_t)linux_at(CODE) + (length))

static inline void assert_delivered(unsigned int vector)
{
	assert_int_equal(frame()->rip, HANDLER(vector));
	assert_int_equal(frame()->cs, 0x81);
	assert_int_equal(frame()->ss, 0x89);
	assert_int_equal(frame()->rflags & (RFLAGS_IF | RFLAGS_TF | RFLAGS_NT), 0);
	assert_int_equal(frame()->rflags & RFLAGS_IOPL, RING1_IOPL);
}

static inline void from_user(void)
{
	frame()->cs = USER_CS;
	frame()->ss = USER_SS;
	frame()->rip = USER_RIP;
	frame()->rsp = UINT64_C(0x7fff0000);
	frame()->rflags = RFLAGS_FIXED1 | RFLAGS_IF | RING1_IOPL;
}

static inline bool takes_error_code(uint64_t vector)
{
	return vector < 32 && X86_BIT32(vector) & VECTORS_WITH_ERROR_CODE;
}

/* Linux has stacks of its own for these: at its SYSCALL entry RSP is user space's. */
static inline void set_stack(unsigned int vector, unsigned int ist, uint64_t offset)
{
	struct tss64 *tss = linux_at(LINUX_TSS);

	set_gate(vector, ist, 0);
	tss->ist[ist - 1] = (uint64_t)linux_at(offset);
}

/* fresh(), and the stubs where the CPU has them. */
static inline int with_stubs(void **state)
{
	void *page;

	fresh(state);
	set_stack(VECTOR_MC, 3, 0x7000);
	set_stack(VECTOR_DB, 4, 0x9000);
	set_stack(VECTOR_DF, 5, 0xb000);
	page = cpu_slot(fake_vmm_cpu(), MERCURY_CPU_RING1_STUB);
	memcpy(page, ring1_stubs, MERCURY_PAGE_SIZE);
	return mprotect(page, MERCURY_PAGE_SIZE, PROT_READ | PROT_WRITE | PROT_EXEC);
}

#endif
