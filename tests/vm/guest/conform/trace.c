// SPDX-License-Identifier: GPL-2.0-only
/* ptrace: system calls, registers, single steps, debug registers. What the tracer finds at each stop. */
#define SUBJECT "trace"
#include <elf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#include "conform.h"

#define EVENTS_MAX 60

/* Without an error for a request that the kernel of the building machine does not name. */
#ifndef PTRACE_SYSEMU
#define PTRACE_SYSEMU 31
#define PTRACE_SYSEMU_SINGLESTEP 32
#endif

static pid_t tracee;
static const struct code *traced;

/* A tracee that has stopped in front of @code. */
static void start_tracee(const struct code *code)
{
	int status;

	traced = code;
	tracee = fork();
	if (tracee == 0) {
		ptrace(PTRACE_TRACEME, 0, NULL, NULL);
		raise(SIGSTOP);
		run_code(code);
	}
	waitpid(tracee, &status, 0);
	ptrace(PTRACE_SETOPTIONS, tracee, NULL, PTRACE_O_EXITKILL | PTRACE_O_TRACESYSGOOD);
}

static struct user_regs_struct registers(void)
{
	struct user_regs_struct r;

	memset(&r, 0, sizeof(r));
	ptrace(PTRACE_GETREGS, tracee, NULL, &r);
	return r;
}

static bool is_in_code(uint64_t rip)
{
	return rip - (uint64_t)traced->start <= (uint64_t)(traced->end - traced->start) + 1;
}

static void out_place(uint64_t rip)
{
	if (is_in_code(rip))
		out("+%lu", rip - (uint64_t)traced->start);
	else
		out("%lx", rip);
}

/* Goes on by @request and tells of the next stop; false if it ended, faulted, or ran onto the end. */
static bool go(long request, int signal)
{
	struct user_regs_struct r;
	siginfo_t info = { 0 };
	int status = 0;

	if (ptrace(request, tracee, NULL, (void *)(long)signal)) {
		out("ptrace errno %d ", errno);
		return false;
	}
	if (waitpid(tracee, &status, 0) != tracee || !WIFSTOPPED(status)) {
		out("ended %#x ", status);
		return false;
	}
	r = registers();
	ptrace(PTRACE_GETSIGINFO, tracee, NULL, &info);
	out("[SIG%s%s code %d at ", signal_name(WSTOPSIG(status) & 0x7f),
	    WSTOPSIG(status) & 0x80 ? "|80" : "", info.si_code);
	out_place(r.rip);
	if (info.si_signo == SIGTRAP && info.si_code > 0 && info.si_code < 5) {
		out(" addr ");
		out_place((uint64_t)info.si_addr);
	}
	out(" flags %llx rax %llx orig %lld cs %llx]\n", r.eflags, r.rax, (long long)r.orig_rax,
	    r.cs);
	return (WSTOPSIG(status) & 0x7f) == SIGTRAP && r.rip != (uint64_t)traced->end + 1;
}

/* To the INT3 that the code begins with. */
static void to_start(void)
{
	int status = 0;

	while (!ptrace(PTRACE_CONT, tracee, NULL, NULL) && waitpid(tracee, &status, 0) == tracee &&
	       WIFSTOPPED(status))
		if (WSTOPSIG(status) == SIGTRAP)
			return;
	out("not begun ");
}

/* --- The code that is traced ------------------------------------------------------------------------ */

#define TRACED(bits, id, text) SNIPPET(bits, NULL, id, "int3\n" text)

TRACED(64, syscalls, "mov $102, %eax\n syscall\n mov $9999, %eax\n syscall\n xor %eax, %eax");
TRACED(64, int80s, "mov $24, %eax\n int $0x80\n mov $9999, %eax\n int $0x80\n xor %eax, %eax");
TRACED(32, syscalls_32, "mov $24, %eax\n int $0x80\n mov $9999, %eax\n int $0x80\n xor %eax, %eax");
TRACED(64, plain,
       "nop\n nop\n xor %eax, %eax\n cpuid\n nop\n pushf\n pop %rax\n"
       "and $0xcfff, %eax\n push %rax\n popf\n nop\n mov %ss, %eax\n mov %eax, %ss\n nop\n nop\n rep\n nop\n"
       "mov $2, %ecx\n rep movsb\n nop");
TRACED(64, memory,
       "nop\n mov %eax, (%rdi)\n nop\n mov (%rdi), %eax\n mov %eax, 8(%rdi)\n movb $1, 3(%rdi)\n"
       "mov %rax, 4(%rdi)\n nop\n xor %eax, %eax");
TRACED(64, write_by_kernel, "mov $63, %eax\n syscall\n xor %eax, %eax");
TRACED(64, faults, "nop\n ud2\n nop");

/* --- System calls ----------------------------------------------------------------------------------- */

static void trace_syscalls(const void *code)
{
	start_tracee(code);
	to_start();
	for (int i = 0; i < EVENTS_MAX && go(PTRACE_SYSCALL, 0); i++)
		;
}

/* orig_rax changed at the entry, rax at the exit. */
static void change_syscall(const void *code)
{
	struct user_regs_struct r;

	start_tracee(code);
	to_start();
	go(PTRACE_SYSCALL, 0);
	r = registers();
	r.orig_rax = 9998;
	out("set %ld ", ptrace(PTRACE_SETREGS, tracee, NULL, &r));
	go(PTRACE_SYSCALL, 0);
	r = registers();
	r.rax = 0x123456789abc;
	r.rcx = 0x1111;
	r.r11 = 0x2222;
	ptrace(PTRACE_SETREGS, tracee, NULL, &r);
	go(PTRACE_SINGLESTEP, 0);
	r = registers();
	out("rcx %llx r11 %llx ", r.rcx, r.r11);
	while (go(PTRACE_CONT, 0))
		;
}

/* At a stop behind a system call, so that SYSRET would be taken if it could be. */
static void return_elsewhere(const void *where)
{
	struct user_regs_struct r;

	start_tracee(&code_syscalls);
	to_start();
	go(PTRACE_SYSCALL, 0);
	go(PTRACE_SYSCALL, 0);
	r = registers();
	r.rip = *(const uint64_t *)where;
	out("set %ld ", ptrace(PTRACE_SETREGS, tracee, NULL, &r));
	r.rcx = r.rip;
	ptrace(PTRACE_SETREGS, tracee, NULL, &r);
	go(PTRACE_CONT, 0);
}

static void sysemu(const void *code)
{
	start_tracee(code);
	to_start();
	for (int i = 0; i < EVENTS_MAX && go(PTRACE_SYSEMU, 0); i++)
		;
}

static void sysemu_step(const void *code)
{
	start_tracee(code);
	to_start();
	for (int i = 0; i < EVENTS_MAX && go(PTRACE_SYSEMU_SINGLESTEP, 0); i++)
		;
}

GROUP(syscalls)
{
	static const uint64_t not_canonical = 0x8000000000000000, end = 0x7ffffffff000,
			      kernel = 0xffffffff81000000, window = 0xfffffe8000000000;

	in_child(SUBJECT "/syscall_stops", trace_syscalls, &code_syscalls);
	in_child(SUBJECT "/int80_stops", trace_syscalls, &code_int80s);
	in_child(SUBJECT "/int80_32_stops", trace_syscalls, &code_syscalls_32);
	in_child(SUBJECT "/change_syscall", change_syscall, &code_syscalls);
	in_child(SUBJECT "/change_int80", change_syscall, &code_int80s);
	in_child(SUBJECT "/change_int80_32", change_syscall, &code_syscalls_32);
	in_child(SUBJECT "/sysret_not_canonical", return_elsewhere, &not_canonical);
	in_child(SUBJECT "/sysret_end_of_user", return_elsewhere, &end);
	in_child(SUBJECT "/sysret_kernel", return_elsewhere, &kernel);
	in_child(SUBJECT "/sysret_window", return_elsewhere, &window);
	in_child(SUBJECT "/sysemu", sysemu, &code_syscalls);
	in_child(SUBJECT "/sysemu_int80", sysemu, &code_int80s);
	in_child(SUBJECT "/sysemu_step", sysemu_step, &code_int80s);
	in_child(SUBJECT "/sysemu_step_syscall", sysemu_step, &code_syscalls);
}

/* --- Single steps ----------------------------------------------------------------------------------- */

static void step_all(const void *code)
{
	start_tracee(code);
	to_start();
	for (int i = 0; i < EVENTS_MAX && go(PTRACE_SINGLESTEP, 0); i++)
		;
}

static void step_blocks(const void *code)
{
	start_tracee(code);
	to_start();
	for (int i = 0; i < EVENTS_MAX && go(PTRACE_SINGLEBLOCK, 0); i++)
		;
}

GROUP(steps)
{
	in_child(SUBJECT "/step_plain", step_all, &code_plain);
	in_child(SUBJECT "/step_int80", step_all, &code_int80s);
	in_child(SUBJECT "/step_int80_32", step_all, &code_syscalls_32);
	in_child(SUBJECT "/step_syscall", step_all, &code_syscalls);
	in_child(SUBJECT "/step_fault", step_all, &code_faults);
	in_child(SUBJECT "/step_block", step_blocks, &code_plain);
}

/* --- Registers that a tracer may set ------------------------------------------------------------------ */

static void out_set(const char *name, size_t offset, uint64_t value)
{
	struct user_regs_struct r;
	long result;

	errno = 0;
	result = ptrace(PTRACE_POKEUSER, tracee, offset, value);
	r = registers();
	out("%s=%lx: %ld errno %d flags %llx cs %llx ss %llx ds %llx fs_base %d gs_base %llx\n",
	    name, value, result, errno, r.eflags, r.cs, r.ss, r.ds, r.fs_base != 0, r.gs_base);
}

#define SET(field, value) out_set(#field, offsetof(struct user, regs.field), value)

static void set_registers(const void *unused)
{
	(void)unused;
	start_tracee(&code_plain);
	to_start();
	SET(eflags, ~UINT64_C(0));
	SET(eflags, 0x3202);
	SET(eflags, 0x4202);
	SET(eflags, 0x202);
	SET(cs, 0);
	SET(cs, 0x10);
	SET(cs, 0x81);
	SET(cs, 0x83);
	SET(cs, 0x23);
	SET(cs, 0x33);
	SET(ss, 0x18);
	SET(ss, 0x89);
	SET(ss, 0x8b);
	SET(ss, 0x2b);
	SET(ds, 0x8b);
	SET(ds, 0);
	SET(gs_base, 0xffffffff81000000);
	SET(gs_base, 0xfffffe8000000000);
	SET(gs_base, 0x8000000000000000);
	SET(gs_base, 0x1000);
	SET(fs_base, 0xfffffe8000000000);
	SET(rip, 0xfffffe8000000000);
	go(PTRACE_CONT, 0);
}

/* What a tracer sets runs on: with a CS, or an SS, that cannot be. */
static void run_with_selectors(const void *argument)
{
	const uint64_t *selectors = argument;
	struct user_regs_struct r;

	start_tracee(&code_plain);
	to_start();
	r = registers();
	r.cs = selectors[0];
	r.ss = selectors[1];
	out("set %ld ", ptrace(PTRACE_SETREGS, tracee, NULL, &r));
	go(PTRACE_CONT, 0);
	r = registers();
	out("ss %llx rsp %d", r.ss, r.rsp != 0);
}

GROUP(registers)
{
	static const uint64_t ring_1[] = { 0x83, 0x2b }, ss_ring_1[] = { 0x33, 0x8b },
			      beyond[] = { 0xfff3, 0x2b }, code_32[] = { 0x23, 0x2b },
			      kernel[] = { 0x13, 0x2b }, null_ss[] = { 0x33, 3 };

	in_child(SUBJECT "/set_registers", set_registers, NULL);
	in_child(SUBJECT "/cs_ring_1", run_with_selectors, ring_1);
	in_child(SUBJECT "/ss_ring_1", run_with_selectors, ss_ring_1);
	in_child(SUBJECT "/cs_beyond", run_with_selectors, beyond);
	in_child(SUBJECT "/cs_32", run_with_selectors, code_32);
	in_child(SUBJECT "/cs_kernel", run_with_selectors, kernel);
	in_child(SUBJECT "/ss_null", run_with_selectors, null_ss);
}

/* --- Debug registers ---------------------------------------------------------------------------------- */

static long set_debug(unsigned int number, uint64_t value)
{
	errno = 0;
	return ptrace(PTRACE_POKEUSER, tracee, offsetof(struct user, u_debugreg) + 8 * number,
		      value) ?
		       -errno :
		       0;
}

static uint64_t debug_register(unsigned int number)
{
	return (uint64_t)ptrace(PTRACE_PEEKUSER, tracee,
				offsetof(struct user, u_debugreg) + 8 * number, NULL);
}

struct watch {
	const struct code *code;
	uint64_t offset;           /* in conform_data, or in the code */
	unsigned int kind, length; /* R/W and LEN of DR7 */
};

static void watch(const void *argument)
{
	const struct watch *w = argument;
	uint64_t address =
		w->offset + (w->kind ? (uint64_t)conform_data : (uint64_t)w->code->start);

	start_tracee(w->code);
	to_start();
	out_result("dr0", set_debug(0, address));
	out_result("dr7", set_debug(7, 1u | w->kind << 16 | w->length << 18));
	for (int i = 0; i < 20; i++) {
		bool more = go(PTRACE_CONT, 0);

		out("dr6 %lx dr7 %lx ", debug_register(6), debug_register(7));
		set_debug(6, 0);
		if (!more)
			break;
	}
}

/* A step with a watchpoint that is hit by it. */
static void watch_and_step(const void *argument)
{
	const struct watch *w = argument;

	start_tracee(w->code);
	to_start();
	set_debug(0, (uint64_t)conform_data + w->offset);
	set_debug(7, 1u | w->kind << 16 | w->length << 18);
	for (int i = 0; i < EVENTS_MAX && go(PTRACE_SINGLESTEP, 0); i++) {
		out("dr6 %lx ", debug_register(6));
		set_debug(6, 0);
	}
}

static void refused(const void *unused)
{
	(void)unused;
	start_tracee(&code_plain);
	out_result("kernel", set_debug(0, 0xffffffff81000000));
	out_result("window", set_debug(1, 0xfffffe8000000000));
	out_result("not_canonical", set_debug(2, 0x8000000000000000));
	out_result("user", set_debug(3, 0x1000));
	out_result("dr4", set_debug(4, 0));
	out_result("dr6", set_debug(6, ~UINT64_C(0)));
	out_result("dr7_gd", set_debug(7, 0x2000));
	out_result("dr7_io", set_debug(7, 0x20001));
	out_result("dr7_all", set_debug(7, 0xffffffff));
	for (unsigned int i = 0; i < 8; i++)
		out("dr%u %lx ", i, debug_register(i));
}

GROUP(watchpoints)
{
	static const struct watch on_write = { &code_memory, 0, 1, 3 },
				  on_access = { &code_memory, 0, 3, 3 },
				  one_byte = { &code_memory, 3, 1, 0 },
				  eight = { &code_memory, 8, 1, 2 },
				  by_kernel = { &code_write_by_kernel, 0, 1, 3 };

	in_child(SUBJECT "/watch_write", watch, &on_write);
	in_child(SUBJECT "/watch_access", watch, &on_access);
	in_child(SUBJECT "/watch_byte", watch, &one_byte);
	in_child(SUBJECT "/watch_eight", watch, &eight);
	in_child(SUBJECT "/watch_kernel", watch, &by_kernel);
	in_child(SUBJECT "/watch_and_step", watch_and_step, &on_access);
	in_child(SUBJECT "/debug_refused", refused, NULL);
}

GROUP(breakpoints)
{
	static const struct watch first = { &code_memory, 2, 0, 0 },
				  on_syscall = { &code_syscalls, 6, 0, 0 },
				  behind_syscall = { &code_syscalls, 8, 0, 0 },
				  behind_int80 = { &code_int80s, 8, 0, 0 };

	in_child(SUBJECT "/break", watch, &first);
	in_child(SUBJECT "/break_syscall", watch, &on_syscall);
	in_child(SUBJECT "/break_behind_syscall", watch, &behind_syscall);
	in_child(SUBJECT "/break_behind_int80", watch, &behind_int80);
}

/* A data breakpoint held back by MOV SS over an INT n, as CVE-2018-8897 has it. */
static void watch_mov_ss(const void *code)
{
	start_tracee(code);
	to_start();
	set_debug(0, (uint64_t)conform_data);
	set_debug(7, 1u | 3 << 16 | 3 << 18);
	for (int i = 0; i < 10 && go(PTRACE_CONT, 0); i++) {
		out("dr6 %lx ", debug_register(6));
		set_debug(6, 0);
	}
	out("dr6 %lx ", debug_register(6));
}

TRACED(64, mov_ss_int3, "movl $0x2b, (%rdi)\n mov (%rdi), %ss\n int3");
TRACED(64, mov_ss_int80,
       "mov $24, %eax\n movl $0x2b, 16(%rdi)\n mov $0x2b, %ecx\n mov %ecx, (%rdi)\n mov (%rdi), %ss\n"
       "int $0x80\n xor %eax, %eax");
TRACED(64, mov_ss_syscall,
       "mov $102, %eax\n mov $0x2b, %ecx\n mov %ecx, (%rdi)\n mov (%rdi), %ss\n syscall\n"
       "xor %eax, %eax");
TRACED(64, mov_ss_ud2, "mov $0x2b, %ecx\n mov %ecx, (%rdi)\n mov (%rdi), %ss\n ud2");

GROUP(mov_ss)
{
	in_child(SUBJECT "/mov_ss_watch_int3", watch_mov_ss, &code_mov_ss_int3);
	in_child(SUBJECT "/mov_ss_watch_int80", watch_mov_ss, &code_mov_ss_int80);
	in_child(SUBJECT "/mov_ss_watch_syscall", watch_mov_ss, &code_mov_ss_syscall);
	in_child(SUBJECT "/mov_ss_watch_ud2", watch_mov_ss, &code_mov_ss_ud2);
}
