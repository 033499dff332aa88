// SPDX-License-Identifier: GPL-2.0-only
/* Page faults with their error codes: of each kind of address, read, written, fetched; stacks; vsyscall. */
#define SUBJECT "page"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "conform.h"

#define WINDOW UINT64_C(0xfffffe8000000000)

static const struct place {
	const char *name;
	uint64_t address;
} places[] = {
	{ "null", 0 },
	{ "low", 0x1000 },
	{ "unmapped", 0x500000000000 },
	{ "end_of_user", 0x7ffffffff000 },
	{ "above_user", 0x7fffffffffff },
	{ "not_canonical_low", 0x800000000000 },
	{ "not_canonical", 0x8000000000000000 },
	{ "not_canonical_high", 0xffff7fffffffffff },
	{ "first_of_kernel", 0xffff800000000000 },
	{ "direct_map", 0xffff888000000000 },
	{ "vmalloc", 0xffffc90000000000 },
	{ "vmemmap", 0xffffea0000000000 },
	{ "cpu_entry_area", 0xfffffe0000000000 },
	{ "gdt", 0xfffffe0000001000 },
	{ "window", WINDOW },
	{ "window_code", WINDOW + 0x1000 },
	{ "window_1MiB", WINDOW + 0x100000 },
	{ "window_2MiB", WINDOW + 0x200000 },
	{ "window_4MiB", WINDOW + 0x400000 },
	{ "window_32MiB", WINDOW + 0x2000000 },
	{ "window_last", WINDOW + 0x3fff000 },
	{ "behind_window", WINDOW + 0x4000000 },
	{ "slot_509_last", WINDOW + 0x7ffffff000 },
	{ "espfix", 0xffffff0000000000 },
	{ "efi", 0xffffffef00000000 },
	{ "kernel_text", 0xffffffff81000000 },
	{ "modules", 0xffffffffc0000000 },
	{ "fixmap", 0xffffffffff5fe000 },
	{ "vsyscall", 0xffffffffff600000 },
	{ "last", 0xffffffffffffffff },
	{ "own_code", 0x401000 },
};

static void out_page_fault(const char *what)
{
	out("%s ", what);
	out_caught();
	if (conform_caught.signal)
		out(" addr %lx", conform_caught.address);
	out("\n");
}

static void touch(const void *argument)
{
	const struct place *place = argument;
	uint64_t value = place->address;

	catch_signals();
	TRY("movb (%0), %%al", : : "r"(place->address) : "rax", "r11", "memory");
	out_page_fault("read");
	if (strcmp(place->name, "own_code")) {
		TRY("movb %%al, (%0)", : : "r"(place->address) : "rax", "r11", "memory");
		out_page_fault("write");
	}
	TRY("lock addq $0, (%0)", : : "r"(place->address) : "r11", "memory", "cc");
	out_page_fault("modify");
	if (strcmp(place->name, "own_code") && strcmp(place->name, "vsyscall")) {
		TRY("call *%0", : "+r"(value) : : "rax", "rcx", "rdx", "r11", "memory", "cc");
		out_page_fault("fetch");
	}
	TRY("push %%rbp\n mov %0, %%rbp\n movb (%%rbp), %%al\n pop %%rbp",
	    :
	    : "r"(place->address)
	    : "rax", "r11", "memory");
	out_page_fault("read by stack segment");
	TRY("push %%rbx\n mov %%rsp, %%rbx\n mov %0, %%rsp\n push %%rax\n mov %%rbx, %%rsp\n pop %%rbx",
	    :
	    : "r"(place->address)
	    : "r11", "memory");
	out_page_fault("push");
	TRY("prefetcht0 (%0)", : : "r"(place->address) : "r11");
	out_page_fault("prefetch");
}

GROUP(touch)
{
	char name[80];

	for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
		snprintf(name, sizeof(name), SUBJECT "/%s", places[i].name);
		in_child(name, touch, &places[i]);
	}
}

/* --- Protections of mappings ------------------------------------------------------------------------ */

static void protections(const void *unused)
{
	static const int kinds[] = { PROT_NONE, PROT_READ, PROT_READ | PROT_WRITE, PROT_EXEC,
				     PROT_READ | PROT_EXEC };
	unsigned char *page;
	uint64_t target;

	(void)unused;
	catch_signals();
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		page = mmap((void *)0x20000000, 4096, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
		*page = 0xc3;
		mprotect(page, 4096, kinds[i]);
		out("protection %d: ", kinds[i]);
		TRY("movb (%0), %%al", : : "r"(page) : "rax", "r11", "memory");
		out_page_fault("read");
		TRY("lock orb $0, (%0)", : : "r"(page) : "r11", "memory", "cc");
		out_page_fault("write");
		target = (uint64_t)page;
		TRY("call *%0", : "+r"(target) : : "rax", "rcx", "rdx", "r11", "memory", "cc");
		out_page_fault("fetch");
	}
}

GROUP(protections)
{
	in_child(SUBJECT "/protections", protections, NULL);
}

static void behind_a_file(const void *unused)
{
	char name[] = "/tmp/conform-XXXXXX";
	int fd = mkstemp(name);
	char *page;

	(void)unused;
	unlink(name);
	catch_signals();
	page = mmap((void *)0x20000000, 8192, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd,
		    0);
	TRY("movb (%0), %%al", : : "r"(page) : "rax", "r11", "memory");
	out_page_fault("behind the end of a file");
	if (ftruncate(fd, 4096))
		out("ftruncate ");
	TRY("movl 4094(%0), %%eax", : : "r"(page) : "rax", "r11", "memory");
	out_page_fault("across the end");
}

GROUP(behind_a_file)
{
	in_child(SUBJECT "/behind_a_file", behind_a_file, NULL);
}

/* --- Stacks ----------------------------------------------------------------------------------------- */

static void *guarded(void)
{
	unsigned char *pages = mmap((void *)0x30000000, 8192, PROT_READ | PROT_WRITE,
				    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);

	mprotect(pages, 4096, PROT_NONE);
	return pages;
}

static void guard(void)
{
	guarded();
}

CODE_AFTER(guard, stack_overflow, "mov $0x30002000, %esp\n 1: call 1b");
CODE_AFTER(guard, stack_overflow_enter, "mov $0x30001008, %esp\n enter $64, $0\n push %rax");
CODE_AFTER(guard, straddling_write, "mov $0x30000ffd, %eax\n movl $1, (%rax)");
CODE(stack_unmapped, "xor %esp, %esp\n push %rax");
CODE(stack_unmapped_int3, "xor %esp, %esp\n int3");
CODE(stack_kernel_hlt, "mov $-4096, %rsp\n hlt");
CODE(stack_window_ud2, "mov $0xfffffe8000002000, %rsp\n ud2");
CODE(stack_not_canonical, "mov $1, %rsp\n shl $63, %rsp\n push %rax");
CODE(stack_not_canonical_pop, "mov $1, %rsp\n shl $63, %rsp\n pop %rax");
CODE(rbp_not_canonical, "mov $1, %rbp\n shl $63, %rbp\n mov (%rbp), %rax");

/* A signal whose frame has nowhere to go ends the process. */
static void no_stack_for_the_signal(const void *unused)
{
	stack_t off = { .ss_flags = SS_DISABLE };

	(void)unused;
	catch_signals();
	sigaltstack(&off, NULL);
	asm volatile("xor %esp, %esp\n hlt");
}

GROUP(no_stack)
{
	in_child(SUBJECT "/no_stack_for_the_signal", no_stack_for_the_signal, NULL);
}

/* A SIGSEGV in the handler, on the alternate stack. */
static void fault_in_handler(int number)
{
	(void)number;
	asm volatile("hlt");
}

static void fault_in_fault(const void *unused)
{
	struct sigaction action = { .sa_handler = fault_in_handler, .sa_flags = SA_ONSTACK };

	(void)unused;
	catch_signals();
	sigaction(SIGUSR1, &action, NULL);
	raise(SIGUSR1);
}

GROUP(fault_in_fault)
{
	in_child(SUBJECT "/fault_in_fault", fault_in_fault, NULL);
}

/* --- The vsyscall page ------------------------------------------------------------------------------ */

#define VSYSCALL(address)                                                                          \
	"mov $" address ", %rax\n xor %edi, %edi\n call *%rax\n test %rax, %rax\n"                 \
	"setle %al\n movzbl %al, %eax\n xor %ecx, %ecx\n xor %r11d, %r11d"
CODE(vsyscall_time, VSYSCALL("0xffffffffff600400"));
CODE(vsyscall_gettimeofday,
     "mov $0xffffffffff600000, %rax\n xor %esi, %esi\n call *%rax\n mov 8(%rdi), %rax\n"
     "cmp $1000000, %rax\n setb %al\n movzbl %al, %eax\n xor %ecx, %ecx\n xor %r11d, %r11d");
CODE(vsyscall_getcpu,
     "mov $0xffffffffff600800, %rax\n xor %esi, %esi\n call *%rax\n mov (%rdi), %eax\n"
     "xor %ecx, %ecx\n xor %r11d, %r11d");
CODE(vsyscall_bad_pointer,
     "mov $0xffffffffff600000, %rax\n mov $0x10, %edi\n xor %esi, %esi\n call *%rax");
CODE(vsyscall_read, "mov $0xffffffffff600000, %rax\n mov (%rax), %rbx");
CODE(vsyscall_write, "mov $0xffffffffff600000, %rax\n mov %rbx, (%rax)");
CODE(vsyscall_middle, "mov $0xffffffffff600001, %rax\n call *%rax");
CODE(vsyscall_unknown, "mov $0xffffffffff600c00, %rax\n call *%rax");
CODE(vsyscall_beyond, "mov $0xffffffffff601000, %rax\n call *%rax");
