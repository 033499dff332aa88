// SPDX-License-Identifier: GPL-2.0-only
/*
 * A 32-bit program without a library: calls the kernel by INT 80h and by the vDSO's entry (SYSENTER
 * on Intel, SYSCALL on AMD), and keeps a thread-local segment of the GDT in GS. Its exit status
 * is 42 if all is well, otherwise the number of what failed.
 */
#define SYS_EXIT 1
#define SYS_GETPPID 64
#define SYS_SCHED_YIELD 158
#define SYS_MMAP2 192
#define SYS_SET_THREAD_AREA 243
#define AT_SYSINFO 32
#define LOOPS 20
#define WORDS 64
#define MARK 0x5e9e0000u

enum { GOOD = 42, NO_VDSO = 1, ANSWERS_DIFFER = 2, NO_TLS = 3, WRONG_TLS = 4, WRONG_LIMIT = 5 };

/* struct user_desc of <asm/ldt.h>. */
struct user_desc {
	unsigned int entry_number, base_addr, limit, flags;
};

#define SEG_32BIT 0x01
#define USEABLE 0x40

#define LOW_STACK 0x8000u
#define STACK_BYTES 4096u
#define PROT_READ_WRITE 3
#define MAP_PRIVATE_FIXED_ANONYMOUS 0x32

static unsigned int vdso_entry __attribute__((used)), vdso_stack __attribute__((used));
static unsigned int own_stack __attribute__((used)), words[WORDS];
static unsigned char high_stack[STACK_BYTES] __attribute__((aligned(16)));

static unsigned int call_int80(unsigned int number, const void *argument)
{
	unsigned int result;

	asm volatile("int $0x80" : "=a" (result) : "a" (number), "b" (argument) : "memory");
	return result;
}

/*
 * Bochs 3.0 leaves the B bit of SS as it was in the kernel when SYSRET goes to 32-bit code, also on
 * Intel models, where SYSRET sets it (SDM vol. 2, SYSRET). The stack pointer then has 16 bits until
 * the next IRET. A stack below 64 KiB works either way; only root may map one.
 */
static void find_stack(void)
{
	unsigned int result;

	asm volatile("push %%ebp\n xor %%ebp, %%ebp\n int $0x80\n pop %%ebp"
		     : "=a" (result)
		     : "a" (SYS_MMAP2), "b" (LOW_STACK), "c" (STACK_BYTES), "d" (PROT_READ_WRITE),
		     "S" (MAP_PRIVATE_FIXED_ANONYMOUS), "D" (-1)
		     : "memory");
	vdso_stack = (result == LOW_STACK ? LOW_STACK : (unsigned int)high_stack) + STACK_BYTES;
}

static unsigned int call_vdso(unsigned int number)
{
	unsigned int result;

	asm volatile("mov %%esp, own_stack\n"
		     "mov vdso_stack, %%esp\n"
		     "call *vdso_entry\n"
		     "mov own_stack, %%esp\n"
		     : "=a" (result) : "a" (number) : "memory");
	return result;
}

/* @stack: argc, argv..., 0, environment..., 0, pairs of the auxiliary vector. */
static unsigned int find_vdso(const unsigned int *stack)
{
	const unsigned int *word = stack + 1 + *stack + 1;

	while (*word)
		word++;
	for (word++; word[0]; word += 2)
		if (word[0] == AT_SYSINFO)
			return word[1];
	return 0;
}

static int system_calls(void)
{
	unsigned int eax, ebx, ecx, edx;

	for (int i = 0; i < LOOPS; i++) {
		if (call_vdso(SYS_GETPPID) != call_int80(SYS_GETPPID, 0))
			return ANSWERS_DIFFER;
		call_vdso(SYS_SCHED_YIELD);
		/* CPUID exits from 32-bit code as well. */
		asm volatile("cpuid" : "=a" (eax), "=b" (ebx), "=c" (ecx), "=d" (edx)
			     : "a" (0), "c" (0));
	}
	return GOOD;
}

static int thread_local_segment(void)
{
	struct user_desc area = { (unsigned int)-1, (unsigned int)words, sizeof(words) - 1,
				  SEG_32BIT | USEABLE };
	unsigned int value, limit, selector;

	if (call_int80(SYS_SET_THREAD_AREA, &area))
		return NO_TLS;
	selector = area.entry_number << 3 | 3;
	words[5] = MARK;
	asm volatile("mov %0, %%gs" : : "r" (selector));
	for (int i = 0; i < LOOPS; i++) {
		call_int80(SYS_SCHED_YIELD, 0);
		asm volatile("mov %%gs:20, %0" : "=r" (value) : : "memory");
		if (value != MARK)
			return WRONG_TLS;
	}
	asm volatile("lsl %1, %0" : "=r" (limit) : "r" (selector) : "cc");
	return limit == sizeof(words) - 1 ? GOOD : WRONG_LIMIT;
}

void __attribute__((noreturn, used)) run(const unsigned int *stack);

void run(const unsigned int *stack)
{
	int result = NO_VDSO;

	find_stack();
	vdso_entry = find_vdso(stack);
	if (vdso_entry)
		result = system_calls();
	if (result == GOOD)
		result = thread_local_segment();
	call_int80(SYS_EXIT, (const void *)result);
	__builtin_unreachable();
}

asm(".globl _start\n"
    "_start: mov %esp, %eax\n"
    "and $-16, %esp\n"
    "sub $12, %esp\n"
    "push %eax\n"
    "call run\n");
