// SPDX-License-Identifier: GPL-2.0-only
/*
 * A 32-bit program without a library: calls the kernel by INT 80h and keeps a thread-local segment of
 * the GDT in GS; with an argument it also calls by the vDSO's entry (SYSENTER on Intel, SYSCALL on
 * AMD). Its exit status is 42 if all is well, otherwise the number of what failed.
 */
#define SYS_EXIT 1
#define SYS_GETPPID 64
#define SYS_SCHED_YIELD 158
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

static unsigned int vdso_entry, words[WORDS];

static unsigned int call_int80(unsigned int number, const void *argument)
{
	unsigned int result;

	asm volatile("int $0x80" : "=a"(result) : "a"(number), "b"(argument) : "memory");
	return result;
}

static unsigned int call_vdso(unsigned int number)
{
	unsigned int result;

	asm volatile("call *%2" : "=a"(result) : "a"(number), "m"(vdso_entry) : "memory");
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
	unsigned int eax, ebx, ecx, edx, parent = call_int80(SYS_GETPPID, 0);

	for (int i = 0; i < LOOPS; i++) {
		if (call_int80(SYS_GETPPID, 0) != parent)
			return ANSWERS_DIFFER;
		/* CPUID exits from 32-bit code as well. */
		asm volatile("cpuid" : "=a"(eax), "=b"(ebx), "=c"(ecx), "=d"(edx) : "a"(0), "c"(0));
	}
	return GOOD;
}

static int vdso_calls(const unsigned int *stack)
{
	unsigned int parent = call_int80(SYS_GETPPID, 0);

	vdso_entry = find_vdso(stack);
	if (!vdso_entry)
		return NO_VDSO;
	for (int i = 0; i < LOOPS; i++) {
		if (call_vdso(SYS_GETPPID) != parent)
			return ANSWERS_DIFFER;
		call_vdso(SYS_SCHED_YIELD);
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
	asm volatile("mov %0, %%gs" : : "r"(selector));
	for (int i = 0; i < LOOPS; i++) {
		call_int80(SYS_SCHED_YIELD, 0);
		asm volatile("mov %%gs:20, %0" : "=r"(value) : : "memory");
		if (value != MARK)
			return WRONG_TLS;
	}
	asm volatile("lsl %1, %0" : "=r"(limit) : "r"(selector) : "cc");
	return limit == sizeof(words) - 1 ? GOOD : WRONG_LIMIT;
}

void __attribute__((noreturn, used)) run(const unsigned int *stack);

void run(const unsigned int *stack)
{
	int result = system_calls();

	if (result == GOOD)
		result = thread_local_segment();
	/* The first word is argc. */
	if (result == GOOD && *stack > 1)
		result = vdso_calls(stack);
	call_int80(SYS_EXIT, (const void *)result);
	__builtin_unreachable();
}

asm(".globl _start\n"
    "_start: mov %esp, %eax\n"
    "and $-16, %esp\n"
    "sub $12, %esp\n"
    "push %eax\n"
    "call run\n");
