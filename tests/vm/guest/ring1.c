// SPDX-License-Identifier: GPL-2.0-only
/*
 * ring1: what user space may do that ends in a rare way out of the kernel, or in. Prints TAP; each
 * answer is the one of a native Linux.
 */
#include <asm/ldt.h>
#include <errno.h>
#include <linux/bpf.h>
#include <linux/filter.h>
#include <linux/perf_event.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/io.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/ucontext.h>
#include <sys/wait.h>
#include <unistd.h>

static unsigned int tests, failures;

static void is(const char *text, long got, long want)
{
	tests++;
	printf("%sok %u - %s\n", got == want ? "" : "not ", tests, text);
	if (got == want)
		return;
	failures++;
	printf("# got %ld, expected %ld\n", got, want);
}

/* The signal that ends @function in a process of its own; 0 if it returns. */
static int signal_of(void (*function)(void))
{
	pid_t child = fork();
	int status = 0;

	if (child == 0) {
		function();
		_exit(0);
	}
	waitpid(child, &status, 0);
	return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

/* --- Ports: the delay port reads and writes without an effect ------------------------------------- */

#define PORT 0x80

static void use_port(void)
{
	outb(0x5a, PORT);
	inb(PORT);
}

static void use_port_immediate(void)
{
	asm volatile("in $0x80, %%al\n out %%al, $0x80" : : : "rax");
}

static void use_port_16(void)
{
	inw(PORT);
}

/* Reading 70h, 71h: the seconds of the clock, in BCD. */
static long read_clock(void)
{
	outb(0, 0x70);
	return inb(0x71);
}

static void ports(void)
{
	is("a port without permission is SIGSEGV", signal_of(use_port), SIGSEGV);
	is("ioperm for one port", ioperm(PORT, 1, 1), 0);
	is("that port can be used", signal_of(use_port), 0);
	is("so it can by immediate", signal_of(use_port_immediate), 0);
	is("two bytes of it cannot", signal_of(use_port_16), SIGSEGV);
	is("ioperm for the clock", ioperm(0x70, 2, 1), 0);
	is("the clock's seconds are BCD", (read_clock() & 0x0f) < 10 && read_clock() < 0x60, 1);
	is("ioperm takes it back", ioperm(PORT, 1, 0) + ioperm(0x70, 2, 0), 0);
	is("which holds", signal_of(use_port), SIGSEGV);
	is("iopl(3)", iopl(3), 0);
	is("all ports can be used", signal_of(use_port_16), 0);
	is("iopl(0)", iopl(0), 0);
	is("and none can", signal_of(use_port), SIGSEGV);
}

/* --- Strings: the scratch register of the first serial port keeps what was written last --------------- */

#define SCRATCH 0x3ff
#define PAGE 4096
#define LONG 300

static void rep_outsb(const void *from, unsigned long count)
{
	asm volatile("rep outsb" : "+S"(from), "+c"(count) : "d"(SCRATCH) : "memory");
}

/* How many it says are left. */
static unsigned long rep_insb(void *to, unsigned long count)
{
	asm volatile("rep insb" : "+D"(to), "+c"(count) : "d"(SCRATCH) : "memory");
	return count;
}

static void *pages(int protection)
{
	return mmap(NULL, 2 * PAGE, protection, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

static void outs_without_permission(void)
{
	rep_outsb("x", 1);
}

static void ins_into_the_kernel(void)
{
	rep_insb((void *)0xffffffff82000000, 1);
}

static void ins_beyond_user_space(void)
{
	rep_insb((void *)0x7ffffffff000, 1);
}

static void ins_read_only(void)
{
	rep_insb(pages(PROT_READ), 1);
}

static void outs_the_kernel(void)
{
	rep_outsb((void *)0xffffffff81000000, 1);
}

/* From the end to the beginning: the first byte is the last. */
static void outs_down(const char *text)
{
	const char *at = text + strlen(text) - 1;
	unsigned long count = strlen(text);

	asm volatile("std\n rep outsb\n cld"
		     : "+S"(at), "+c"(count)
		     : "d"(SCRATCH)
		     : "memory", "cc");
}

static void strings(void)
{
	char *memory = pages(PROT_READ | PROT_WRITE), want[LONG];
	unsigned long left;

	is("OUTS without permission is SIGSEGV", signal_of(outs_without_permission), SIGSEGV);
	is("ioperm for a register that keeps what is written", ioperm(SCRATCH, 1, 1), 0);
	rep_outsb("abc", 3);
	is("OUTS writes up to the last", inb(SCRATCH), 'c');
	outs_down("abc");
	is("with DF set down to the first", inb(SCRATCH), 'a');
	/* The second page is not there yet. */
	left = rep_insb(memory + PAGE - LONG / 2, LONG);
	memset(want, 'a', LONG);
	is("INS reads all", left, 0);
	is("into two pages", memcmp(memory + PAGE - LONG / 2, want, LONG), 0);
	is("and no further", memory[PAGE + LONG / 2], 0);
	is("INS to a page that is read only is SIGSEGV", signal_of(ins_read_only), SIGSEGV);
	is("INS into the kernel is SIGSEGV", signal_of(ins_into_the_kernel), SIGSEGV);
	is("INS beyond user space is SIGSEGV", signal_of(ins_beyond_user_space), SIGSEGV);
	is("OUTS of the kernel is SIGSEGV", signal_of(outs_the_kernel), SIGSEGV);
	is("nothing of which was written", inb(SCRATCH), 'a');
	ioperm(SCRATCH, 1, 0);
}

/* --- Gates ---------------------------------------------------------------------------------------- */

static void int_2(void)
{
	asm volatile("int $2");
}

static void int_13(void)
{
	asm volatile("int $13");
}

static void int_20(void)
{
	asm volatile("int $0x20");
}

static void int_3(void)
{
	asm volatile("int3");
}

static void cli(void)
{
	asm volatile("cli");
}

static void hlt(void)
{
	asm volatile("hlt");
}

static void ud2(void)
{
	asm volatile("ud2");
}

/* No MSR of this number: in ring 1 it is the way into the VMM, which is not user space's. */
static void wrmsr(void)
{
	asm volatile("wrmsr" : : "c"(0x4d455243), "a"(0), "d"(0), "D"(8));
}

static long int_80(void)
{
	long result;

	/* getpid of the 32-bit table */
	asm volatile("int $0x80" : "=a"(result) : "a"(20) : "memory", "r8", "r9", "r10", "r11");
	return result;
}

static void gates(void)
{
	is("INT 2 is SIGSEGV", signal_of(int_2), SIGSEGV);
	is("INT 13 is SIGSEGV", signal_of(int_13), SIGSEGV);
	is("INT 20h is SIGSEGV", signal_of(int_20), SIGSEGV);
	is("INT3 is SIGTRAP", signal_of(int_3), SIGTRAP);
	is("CLI is SIGSEGV", signal_of(cli), SIGSEGV);
	is("HLT is SIGSEGV", signal_of(hlt), SIGSEGV);
	is("UD2 is SIGILL", signal_of(ud2), SIGILL);
	is("WRMSR is SIGSEGV", signal_of(wrmsr), SIGSEGV);
	is("INT 80h is a system call", int_80(), getpid());
}

/* --- Ways back that the kernel has to repair ------------------------------------------------------- */

static unsigned long new_rip, new_cs_ss;

static void change_frame(int number, siginfo_t *info, void *context)
{
	greg_t *r = ((ucontext_t *)context)->uc_mcontext.gregs;

	(void)number, (void)info;
	if (new_rip)
		r[REG_RIP] = (greg_t)new_rip;
	if (new_cs_ss)
		r[REG_CSGSFS] = (greg_t)new_cs_ss;
}

/* Returns from a signal with what is set. */
static void bad_return(void)
{
	struct sigaction action = { .sa_sigaction = change_frame, .sa_flags = SA_SIGINFO };

	sigaction(SIGUSR1, &action, NULL);
	raise(SIGUSR1);
}

#define FRAME(cs, ss) ((unsigned long)(cs) | (unsigned long)(ss) << 48)

static int return_with(unsigned long rip, unsigned long cs_ss)
{
	new_rip = rip;
	new_cs_ss = cs_ss;
	return signal_of(bad_return);
}

static void returns(void)
{
	is("a return to an address not canonical", return_with(1ul << 63, 0), SIGSEGV);
	is("a return to kernel space", return_with(0xffffffff81000000, 0), SIGSEGV);
	is("a return with a CS beyond the GDT", return_with(0, FRAME(0xfff3, 0x2b)), SIGSEGV);
	is("a return with CS of ring 1", return_with(0, FRAME(0x81, 0x89)), SIGSEGV);
	is("a return with the data segment as CS", return_with(0, FRAME(0x2b, 0x2b)), SIGSEGV);
	is("a return with an SS of the empty LDT", return_with(0, FRAME(0x33, 0x2f)), SIGSEGV);
}

/* --- ESPFIX: a 16-bit stack segment, from 64-bit code ----------------------------------------------- */

static volatile sig_atomic_t came_back;
static unsigned long kept[4];

/* Back to 64-bit code with a stack of 64 bits, at the label. */
static void on_trap(int number, siginfo_t *info, void *context)
{
	greg_t *r = ((ucontext_t *)context)->uc_mcontext.gregs;

	(void)number, (void)info;
	came_back = (r[REG_CSGSFS] >> 48 & 0xffff) == 0x7 && (r[REG_RSP] & 0xffff) == 0x1000;
	r[REG_RIP] = (greg_t)kept[1];
	r[REG_RSP] = (greg_t)kept[0];
	r[REG_CSGSFS] = (greg_t)FRAME(0x33, 0x2b);
}

static void on_usr1(int number, siginfo_t *info, void *context)
{
	greg_t *r = ((ucontext_t *)context)->uc_mcontext.gregs;

	(void)number, (void)info;
	r[REG_RIP] = (greg_t)kept[2];
	r[REG_RSP] = 0x1000;
	r[REG_CSGSFS] = (greg_t)FRAME(0x33, 0x7);
}

static void sixteen_bit_stack(void)
{
	struct user_desc data = { .entry_number = 0, .limit = 0xffff, .contents = 0, .useable = 1 };
	struct sigaction trap = { .sa_sigaction = on_trap, .sa_flags = SA_SIGINFO | SA_ONSTACK };
	struct sigaction usr1 = { .sa_sigaction = on_usr1, .sa_flags = SA_SIGINFO };
	stack_t stack = { .ss_sp = malloc(65536), .ss_size = 65536 };
	pid_t self = getpid();

	if (syscall(SYS_modify_ldt, 0x11, &data, sizeof(data)) || sigaltstack(&stack, NULL))
		return;
	sigaction(SIGTRAP, &trap, NULL);
	sigaction(SIGUSR1, &usr1, NULL);
	/* kill() returns by the changed frame to the INT3, whose handler goes on behind it. */
	asm volatile("push %%rbp\n push %%rbx\n"
		     "mov %%rsp, %[sp]\n lea 2f(%%rip), %%rax\n mov %%rax, %[back]\n"
		     "lea 1f(%%rip), %%rax\n mov %%rax, %[there]\n"
		     "mov $62, %%eax\n syscall\n"
		     "1: int3\n"
		     "2: pop %%rbx\n pop %%rbp\n"
		     : [sp] "=m"(kept[0]), [back] "=m"(kept[1]), [there] "=m"(kept[2])
		     : "D"((long)self), "S"((long)SIGUSR1)
		     : "rax", "rcx", "rdx", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15",
		       "memory", "cc");
}

static bool has_16_bit_segments(void)
{
	struct user_desc data = { .entry_number = 0, .limit = 0xffff, .useable = 1 };

	return syscall(SYS_modify_ldt, 0x11, &data, sizeof(data)) == 0;
}

static void espfix(void)
{
	unsigned int round;

	/* CONFIG_X86_16BIT, without which there is no ESPFIX either. */
	if (!has_16_bit_segments()) {
		printf("# this kernel has no 16-bit segments\n");
		return;
	}
	for (round = 0; round < 20; round++) {
		came_back = 0;
		sixteen_bit_stack();
		if (!came_back)
			break;
	}
	is("20 returns to a 16-bit stack segment and back", round, 20);
	/* The kernel's IRETQ faults on the ESPFIX stack, which cannot be written: a double fault to repair. */
	is("a return to it with a CS beyond the GDT", return_with(0, FRAME(0xfff3, 0x7)), SIGSEGV);
}

/* --- A BPF program, translated to machine code ------------------------------------------------------ */

static void filtered(void)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_getppid, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | 77),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = { 4, code };

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ||
	    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program))
		_exit(1);
	if (syscall(SYS_getppid) != -1 || errno != 77)
		raise(SIGUSR2);
	raise(SIGTERM);
}

/* Lets through what begins with y. */
static int load_filter(void)
{
	struct bpf_insn code[] = {
		{ .code = BPF_ALU64 | BPF_MOV | BPF_X, .dst_reg = 6, .src_reg = 1 },
		{ .code = BPF_LD | BPF_ABS | BPF_B, .imm = 0 },
		{ .code = BPF_JMP | BPF_JNE | BPF_K, .off = 2, .imm = 'y' },
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .imm = -1 },
		{ .code = BPF_JMP | BPF_EXIT },
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .imm = 0 },
		{ .code = BPF_JMP | BPF_EXIT },
	};
	union bpf_attr attr = { .prog_type = BPF_PROG_TYPE_SOCKET_FILTER,
				.insns = (uintptr_t)code,
				.insn_cnt = sizeof(code) / sizeof(code[0]),
				.license = (uintptr_t) "GPL" };

	return (int)syscall(SYS_bpf, BPF_PROG_LOAD, &attr, sizeof(attr));
}

static unsigned int compiled_bytes(int program)
{
	struct bpf_prog_info info = { 0 };
	union bpf_attr attr = { .info = { .bpf_fd = (unsigned int)program,
					  .info_len = sizeof(info),
					  .info = (uintptr_t)&info } };

	return syscall(SYS_bpf, BPF_OBJ_GET_INFO_BY_FD, &attr, sizeof(attr)) ? 0 :
									       info.jited_prog_len;
}

static void socket_filter(void)
{
	int ends[2], program = load_filter();
	char got[8] = "";

	is("a BPF program is loaded", program >= 0, 1);
	is("and compiled", compiled_bytes(program) > 0, 1);
	if (socketpair(AF_UNIX, SOCK_DGRAM, 0, ends))
		return;
	is("it becomes a socket's filter",
	   setsockopt(ends[1], SOL_SOCKET, SO_ATTACH_BPF, &program, sizeof(program)), 0);
	send(ends[0], "no", 3, 0);
	send(ends[0], "yes", 4, 0);
	recv(ends[1], got, sizeof(got), MSG_DONTWAIT);
	is("which filters", strcmp(got, "yes"), 0);
}

/* --- CR4.TSD, which the kernel sets and clears with each task switch ----------------------------------- */

static void read_tsc_forbidden(void)
{
	prctl(PR_SET_TSC, PR_TSC_SIGSEGV, 0, 0, 0);
	asm volatile("rdtsc" : : : "rax", "rdx");
}

static void read_tsc_allowed(void)
{
	prctl(PR_SET_TSC, PR_TSC_SIGSEGV, 0, 0, 0);
	sched_yield();
	prctl(PR_SET_TSC, PR_TSC_ENABLE, 0, 0, 0);
	asm volatile("rdtsc" : : : "rax", "rdx");
}

static void time_stamps(void)
{
	is("RDTSC can be forbidden", signal_of(read_tsc_forbidden), SIGSEGV);
	is("and allowed again", signal_of(read_tsc_allowed), 0);
}

/* --- Hardware counters, where the processor has some --------------------------------------------------- */

static void counters(void)
{
	struct perf_event_attr attr = { .type = PERF_TYPE_HARDWARE,
					.size = sizeof(attr),
					.config = PERF_COUNT_HW_INSTRUCTIONS,
					.sample_period = 10000,
					.exclude_hv = 1 };
	int event = (int)syscall(SYS_perf_event_open, &attr, 0, -1, -1, 0);
	uint64_t before = 0, after = 0;
	volatile unsigned int i;

	if (event < 0) {
		printf("# no hardware counters here\n");
		return;
	}
	is("the counter is read", read(event, &before, sizeof(before)), sizeof(before));
	for (i = 0; i < 1000000; i++)
		;
	is("and again", read(event, &after, sizeof(after)), sizeof(after));
	is("a million rounds of a loop were counted", after - before > 1000000, 1);
	close(event);
}

int main(void)
{
	setvbuf(stdout, NULL, _IOLBF, 0);
	ports();
	strings();
	gates();
	returns();
	espfix();
	is("a seccomp filter filters", signal_of(filtered), SIGTERM);
	socket_filter();
	time_stamps();
	counters();
	printf("1..%u\n", tests);
	return failures != 0;
}
