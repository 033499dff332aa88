// SPDX-License-Identifier: GPL-2.0-only
/*
 * Segments of the LDT: base, limit and selectors survive yields, and 32-bit code in this process
 * reaches memory through DS of the LDT. (Segments of the GDT: the 32-bit program.)
 */
#include <asm/ldt.h>
#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "worker.h"

#define WORDS 64
#define LDT_ENTRY 3
#define LDT_SELECTOR (LDT_ENTRY << 3 | 7)
#define YIELDS 10
#define MARK UINT32_C(0x5e9e0000)

static uint32_t words[WORDS];

static struct user_desc describe_words(void)
{
	return (struct user_desc){
		.entry_number = LDT_ENTRY,
		.base_addr = (uint32_t)(uintptr_t)words,
		.limit = sizeof(words) - 1,
		.seg_32bit = 1,
		.useable = 1,
	};
}

static int write_ldt(const struct user_desc *descriptor)
{
	return (int)syscall(SYS_modify_ldt, 1, descriptor, sizeof(*descriptor));
}

static const char *segment_missing(void)
{
	struct user_desc descriptor = describe_words();

	return write_ldt(&descriptor) == 0 ? NULL : "modify_ldt is not in this kernel";
}

/* Reads words[5] through GS, keeping the selector across yields. */
static uint64_t through_gs(void)
{
	unsigned int kept = 0, limit = 0, old;
	uint32_t value = 0;

	asm volatile("mov %%gs, %0" : "=r"(old));
	asm volatile("mov %0, %%gs" : : "r"(LDT_SELECTOR));
	for (int i = 0; i < YIELDS; i++) {
		sched_yield();
		asm volatile("mov %%gs:20, %0" : "=r"(value));
		asm volatile("mov %%gs, %0" : "=r"(kept));
		if (!expect(value == MARK + 5 && kept == LDT_SELECTOR,
			    "GS is %x and reads %x after a yield", kept, value))
			break;
	}
	asm volatile("mov %0, %%gs" : : "r"(old));
	asm volatile("lsl %1, %0" : "=r"(limit) : "r"(LDT_SELECTOR) : "cc");
	expect(limit == sizeof(words) - 1, "the limit of the LDT segment is %x", limit);
	done(1);
	return digest_u64(DIGEST_START, value);
}

static void data_selectors(void)
{
	unsigned int ds = 0, es = 0, old_ds, old_es;

	asm volatile("mov %%ds, %0\n mov %%es, %1" : "=r"(old_ds), "=r"(old_es));
	asm volatile("mov %0, %%ds\n mov %0, %%es" : : "r"(LDT_SELECTOR));
	for (int i = 0; i < YIELDS; i++) {
		sched_yield();
		asm volatile("mov %%ds, %0\n mov %%es, %1" : "=r"(ds), "=r"(es));
		if (!expect(ds == LDT_SELECTOR && es == LDT_SELECTOR,
			    "DS is %x and ES %x after a yield", ds, es))
			break;
	}
	asm volatile("mov %0, %%ds\n mov %1, %%es" : : "r"(old_ds), "r"(old_es));
	done(1);
}

/*
 * Jumps to 32-bit code (selector 23h, the kernel's __USER32_CS) and back (33h). The code spins,
 * so that interrupts land in it, and copies words[7] to words[8] through DS of the LDT. It uses
 * no stack, and the upper halves of what it leaves undefined are kept in memory below 4 GiB.
 */
static void compatibility_mode(void)
{
	extern const unsigned char segment_code32[];
	static uint64_t saved[3];
	static struct {
		uint32_t offset;
		uint16_t selector;
	} __attribute__((packed)) target;
	static uint16_t old_ds;

	target.offset = (uint32_t)(uintptr_t)segment_code32;
	target.selector = 0x23;
	asm volatile("mov %%ds, %[old]\n"
		     "mov %%rsp, %[saved]\n mov %%rbp, 8+%[saved]\n mov %%rbx, 16+%[saved]\n"
		     "mov %[ldt], %%ds\n"
		     "ljmp *%[target]\n"
		     ".code32\n"
		     "segment_code32: movl $3000, %%ecx\n"
		     "1: decl %%ecx\n"
		     "jnz 1b\n"
		     "movl 28(%%ecx), %%eax\n"
		     "movl %%eax, 32(%%ecx)\n"
		     "ljmp $0x33, $2f\n"
		     ".code64\n"
		     "2: mov %[saved], %%rsp\n mov 8+%[saved], %%rbp\n mov 16+%[saved], %%rbx\n"
		     "mov %[old], %%ds\n"
		     : [old] "+m"(old_ds), [saved] "+m"(saved)
		     : [ldt] "r"(LDT_SELECTOR), [target] "m"(target)
		     : "rax", "rcx", "rdx", "rsi", "rdi", "r8", "r9", "r10", "r11", "r12", "r13",
		       "r14", "r15", "cc", "memory");
	expect(words[8] == MARK + 7, "32-bit code read %x through DS of the LDT", words[8]);
	done(1);
}

static uint64_t segment_round(void)
{
	struct user_desc ldt = describe_words();
	uint64_t digest;

	for (uint32_t i = 0; i < WORDS; i++)
		words[i] = MARK + i;
	if (!expect_sys(write_ldt(&ldt) == 0, "modify_ldt"))
		return 0;
	digest = through_gs();
	data_selectors();
	compatibility_mode();
	return digest_bytes(digest, words, sizeof(words));
}

const struct worker segment_worker = { .name = "segment",
				       .missing = segment_missing,
				       .round = segment_round };
