/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * conform: what an x86 program can observe, one line a case: "subject/case: what was observed". The same
 * lines come on each run on one machine, so whoever compares those of native and virtual mode sees
 * whether a program can tell the two apart. A file holds one subject; its cases stand in tables.
 */
#ifndef TESTS_VM_GUEST_CONFORM_H
#define TESTS_VM_GUEST_CONFORM_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/ucontext.h>

#define ARRAY_SIZE(array) (sizeof(array) / sizeof((array)[0]))

/* The user's segments of Linux. */
#define USER_CS 0x33
#define USER_CS_32 0x23
#define USER_DS 0x2b

#define FLAG_CF 0x1
#define FLAG_TF 0x100
#define FLAG_IF 0x200
#define FLAG_DF 0x400
#define FLAG_IOPL 0x3000
#define FLAG_RF 0x10000
#define FLAG_AC 0x40000
#define FLAG_ID 0x200000
/* What user space begins with: IF and the bit that is always set. */
#define FLAGS_START 0x202

/* --- What runs ------------------------------------------------------------------------------------ */

/* One entry of the list of everything; made by the macros below. */
struct subject {
	const char *name;
	void (*run)(void);
	const struct code *code; /* in place of run */
};

/*
 * Instructions that begin with known registers and end at an INT3, in a process of their own. RDI and RSI
 * point to conform_data and its middle, RSP to the middle of conform_stack.
 */
struct code {
	const char *name;
	const unsigned char *start, *end;
	unsigned int bits;
	void (*setup)(void); /* in that process, before; or NULL */
};

#define ENTRY(id, ...)                                                                             \
	static const struct subject subject_##id = { __VA_ARGS__ };                                \
	static const struct subject *const entry_##id                                              \
		__attribute__((used, section("conform"))) = &subject_##id

#define SNIPPET(width, prepare, id, text)                                                          \
	asm(".pushsection .text\n.code" #width "\n"                                                \
	    ".globl code_" SUBJECT "_" #id ", end_" SUBJECT "_" #id "\n"                           \
	    "code_" SUBJECT "_" #id ": " text "\n"                                                 \
	    "end_" SUBJECT "_" #id ": int3\n ud2\n"                                                \
	    ".code64\n.popsection\n");                                                             \
	extern const unsigned char start_##id[] asm("code_" SUBJECT "_" #id);                      \
	extern const unsigned char end_##id[] asm("end_" SUBJECT "_" #id);                         \
	static const struct code code_##id = { SUBJECT "/" #id, start_##id, end_##id, width,       \
					       prepare }

#define CODE_BITS(width, prepare, id, text)                                                        \
	SNIPPET(width, prepare, id, text);                                                         \
	ENTRY(id, SUBJECT "/" #id, NULL, &code_##id)

/* Cases that are instructions. Each file defines SUBJECT first. */
#define CODE(id, text) CODE_BITS(64, NULL, id, text)
#define CODE_AFTER(prepare, id, text) CODE_BITS(64, prepare, id, text)
#define CODE32(id, text) CODE_BITS(32, NULL, id, text)
#define CODE32_AFTER(prepare, id, text) CODE_BITS(32, prepare, id, text)

/* A function that runs cases by in_child(). */
#define GROUP(id)                                                                                  \
	static void group_##id(void);                                                              \
	ENTRY(group_##id, SUBJECT "/" #id, group_##id, NULL);                                      \
	static void group_##id(void)

/* Runs @run in a process of its own, which prints one line: @name and all that out() was given. */
void in_child(const char *name, void (*run)(const void *argument), const void *argument);

/* --- Inside that process -------------------------------------------------------------------------- */

#define DATA_SIZE 4096
#define STACK_SIZE 65536
extern unsigned char conform_data[DATA_SIZE] __attribute__((aligned(4096)));
extern unsigned char conform_stack[STACK_SIZE] __attribute__((aligned(4096)));

/* The registers that instructions begin with, in the order in which they are loaded. */
struct start {
	uint64_t r15, r14, r13, r12, r11, r10, r9, r8, rbp, rdi, rsi, rdx, rcx, rbx, rax;
	uint64_t rip, cs, rflags, rsp, ss;
};
extern struct start conform_start;

/* Adds to the line. */
void out(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* Prints what was added and ends. */
void finish(void) __attribute__((noreturn));
/* Adds "NAME result" of a system call: its value, or errno. */
void out_result(const char *name, long result);
/* The name of a signal. */
const char *signal_name(int number);

/* Catches all signals that a program causes: the first that is no single step is told and ends. */
void catch_signals(void);
/* What enter_code() is to take offsets and registers from, from now on. */
void observe_as(const struct code *code);
/* Begins @code; what came of it is told by the handler. */
void run_code(const struct code *code) __attribute__((noreturn));
/* The same without its setup, with what is in conform_start but for RIP, CS. */
void enter_code(const struct code *code) __attribute__((noreturn));

/* --- One instruction, from C ------------------------------------------------------------------------ */

/* What the last TRY ended with: signal 0 if nothing came. CS, FLAGS and RSP are those that came. */
struct caught {
	int signal, code;
	uint64_t trap, error, address, cs, ss, flags, rsp, rip;
};
extern volatile struct caught conform_caught;
extern volatile uint64_t conform_resume[3]; /* RIP, RSP, RBP */

/*
 * Executes @text; after a signal what follows goes on with the stack it had. RAX and what the instruction
 * changes are the caller's to name.
 */
#define TRY(text, ...)                                                                             \
	asm volatile("lea 77f(%%rip), %%r11\n mov %%r11, conform_resume(%%rip)\n"                  \
		     "mov %%rsp, conform_resume+8(%%rip)\n mov %%rbp, conform_resume+16(%%rip)\n"  \
		     "movl $0, conform_caught(%%rip)\n" text "\n"                                  \
		     "77: movq $0, conform_resume(%%rip)\n" __VA_ARGS__)
/* Adds what the last TRY ended with. */
void out_caught(void);

/* A system call without a word of the C library's, which needs FS. */
static inline long system_call(long number, long a, long b, long c)
{
	long result;

	asm volatile("syscall"
		     : "=a"(result)
		     : "a"(number), "D"(a), "S"(b), "d"(c)
		     : "rcx", "r11", "memory");
	return result;
}

/* --- LDT ------------------------------------------------------------------------------------------ */

#define LDT(index) ((index) << 3 | 7)
enum {
	LDT_CODE,
	LDT_DATA,
	LDT_READ_ONLY,
	LDT_EXPAND_DOWN,
	LDT_ABSENT_CODE,
	LDT_ABSENT_DATA,
	LDT_CODE_16,
	LDT_DATA_16,
	LDT_EXECUTE_ONLY,
	LDT_CONFORMING,
	LDT_SMALL,
	LDT_NR
};
/* Fills this process's LDT with one segment of each of these kinds. */
void make_ldt(void);

#endif
