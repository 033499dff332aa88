// SPDX-License-Identifier: GPL-2.0-only
/*
 * view: what user space sees of the machine on one CPU, a line for each thing: how instructions that
 * a VMM answers fault, where single-stepping stops, what CPUID and the descriptor-table registers
 * say. Native and virtual print the same, but for the lines on CPUID's bits and leaves of a VMM.
 */
#include <cpuid.h>
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
#include <ucontext.h>

#include "hypervisor.h"

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define OPEN_PORT 0x80
#define MAX_STEPS 32
#define MAX_OFFSET 256

/* Whatever it is natively: only equality is asked for. */
#define ANY (-1)
#define NONE 0

/*
 * TF on, the instruction, TF off again; the trap behind the last POPF is the last one.
 * MOV SS under TF is for the workload: with several CPUs Bochs 3.0 loses its inhibition at times.
 */
#define STEPPED(insn)                                                                              \
	"push %rbx; pushf; orl $0x100, (%rsp); popf; " insn "; nop; "                              \
	"pushf; andl $~0x100, (%rsp); popf; pop %rbx"

/*
 * To 32-bit code (selector 23h, the kernel's __USER32_CS) and back (33h): it uses no stack, and what
 * it leaves undefined in the upper halves of registers is restored or not used.
 */
#define IN_32_BIT_CODE(insn)                                                                       \
	"push %rbx; push %rbp; mov %rsp, view_rsp; push $0x23; push $1f; lretq; "                  \
	".code32; 1: " insn "; ljmp $0x33, $2f; "                                                  \
	".code64; 2: mov view_rsp, %rsp; pop %rbp; pop %rbx; mov %edi, %edi"

/*
 * The last two bytes below 4 GiB hold a CPUID, 32-bit code here. What follows is at 0; but natively
 * Bochs 3.0 looks for it at 4 GiB, so that where the fault is is not told.
 */
#define TOP_PAGE 0xfffff000
#define TOP_CPUID "push $0x23; mov $0xfffffffe, %ecx; push %rcx; lretq"

/*
 * I(name, code, signal): called with RAX, RCX, RDX 0 and RDI at a zeroed buffer, whose bytes are
 * printed afterwards if there are any. SDM vol. 2 for what each does at CPL 3.
 */
#define VMX_INSTRUCTIONS(I)                                                                        \
	I(vmcall, "vmcall", SIGILL)                                                                \
	I(vmcall_cookie, "movabs $0x4d455243564d4d31, %rax; mov $8, %edi; vmcall", SIGILL)         \
	I(vmclear, "vmclear (%rdi)", SIGILL)                                                       \
	I(vmptrld, "vmptrld (%rdi)", SIGILL)                                                       \
	I(vmptrst, "vmptrst (%rdi)", SIGILL)                                                       \
	I(vmread, "vmread %rax, %rcx", SIGILL)                                                     \
	I(vmread_memory, "vmread %rax, (%rdi)", SIGILL)                                            \
	I(vmwrite, "vmwrite %rax, %rcx", SIGILL)                                                   \
	I(vmlaunch, "vmlaunch", SIGILL)                                                            \
	I(vmresume, "vmresume", SIGILL)                                                            \
	I(vmxoff, "vmxoff", SIGILL)                                                                \
	I(vmxon, "vmxon (%rdi)", SIGILL)                                                           \
	I(invept, "invept (%rdi), %rax", SIGILL)                                                   \
	I(invvpid, "invvpid (%rdi), %rax", SIGILL)                                                 \
	I(vmfunc, ".byte 0x0f, 0x01, 0xd4", SIGILL)

#define PRIVILEGED_INSTRUCTIONS(I)                                                                 \
	I(getsec, ".byte 0x0f, 0x37", SIGILL)                                                      \
	I(rsm, ".byte 0x0f, 0xaa", SIGILL)                                                         \
	I(xsetbv, "xsetbv", SIGSEGV)                                                               \
	I(xsetbv_valid, "xgetbv; xsetbv", SIGSEGV)                                                 \
	I(invd, "invd", SIGSEGV)                                                                   \
	I(wbinvd, "wbinvd", SIGSEGV)                                                               \
	I(rdmsr, "rdmsr", SIGSEGV)                                                                 \
	I(rdmsr_outside, "mov $0x40000000, %ecx; rdmsr", SIGSEGV)                                  \
	I(wrmsr, "wrmsr", SIGSEGV)                                                                 \
	I(wrmsr_mtrr, "mov $0x2ff, %ecx; wrmsr", SIGSEGV)                                          \
	I(hlt, "hlt", SIGSEGV)                                                                     \
	I(mov_from_cr0, "mov %cr0, %rax", SIGSEGV)                                                 \
	I(mov_to_cr0, "mov %rax, %cr0", SIGSEGV)                                                   \
	I(mov_to_cr3, "mov %rax, %cr3", SIGSEGV)                                                   \
	I(mov_from_cr4, "mov %cr4, %rax", SIGSEGV)                                                 \
	I(mov_to_cr4, "mov %rax, %cr4", SIGSEGV)                                                   \
	I(mov_to_cr8, "mov %rax, %cr8", SIGSEGV)                                                   \
	I(mov_to_dr7, "mov %rax, %dr7", SIGSEGV)                                                   \
	I(clts, "clts", SIGSEGV)                                                                   \
	I(lmsw, "lmsw %ax", SIGSEGV)                                                               \
	I(lgdt, "lgdt (%rdi)", SIGSEGV)                                                            \
	I(lidt, "lidt (%rdi)", SIGSEGV)                                                            \
	I(lldt, "lldt %ax", SIGSEGV)                                                               \
	I(ltr, "ltr %ax", SIGSEGV)                                                                 \
	I(invlpg, "invlpg (%rdi)", SIGSEGV)                                                        \
	I(invpcid, "invpcid (%rdi), %rax", ANY)                                                    \
	I(swapgs, "swapgs", SIGSEGV)                                                               \
	I(cli, "cli", SIGSEGV)                                                                     \
	I(sti, "sti", SIGSEGV)                                                                     \
	I(monitor, "monitor", ANY)                                                                 \
	I(mwait, "mwait", ANY)                                                                     \
	I(rdpmc, "rdpmc", ANY)                                                                     \
	I(in_closed_port, "in $0x84, %al", SIGSEGV)                                                \
	I(in_open_port, "in $0x80, %al", NONE)

#define OTHER_INSTRUCTIONS(I)                                                                      \
	I(int3, "int3", SIGTRAP)                                                                   \
	I(int1, ".byte 0xf1", SIGTRAP)                                                             \
	I(int_0x81, "int $0x81", SIGSEGV)                                                          \
	I(ud2, "ud2", SIGILL)                                                                      \
	I(divide_by_zero, "div %ecx", SIGFPE)                                                      \
	I(not_canonical, "mov $1, %eax; shl $63, %rax; mov (%rax), %ecx", SIGSEGV)                 \
	I(unmapped, "mov (%rax), %ecx", SIGSEGV)                                                   \
	I(misaligned, "movaps 1(%rdi), %xmm0", SIGSEGV)                                            \
	I(rdtsc_goes_on,                                                                           \
	  "rdtsc; mov %eax, %r8d; mov %edx, %r9d; rdtsc; sub %r8d, %eax; sbb %r9d, %edx; "         \
	  "setns %dl; test %eax, %eax; setne %al; mov %al, (%rdi); mov %dl, 1(%rdi)",              \
	  NONE)                                                                                    \
	I(rdtscp_aux, "rdtscp; mov %ecx, (%rdi); movb $1, 8(%rdi)", NONE)                          \
	I(xgetbv, "xgetbv; mov %eax, (%rdi)", NONE)                                                \
	I(sgdt, "sgdt (%rdi)", ANY)                                                                \
	I(sidt, "sidt (%rdi)", ANY)                                                                \
	I(str, "str %eax; mov %rax, (%rdi)", ANY)                                                  \
	I(sldt, "sldt %eax; mov %rax, (%rdi)", ANY)                                                \
	I(smsw, "smsw %eax; mov %rax, (%rdi)", ANY)                                                \
	I(step_nop, STEPPED("nop"), NONE)                                                          \
	I(step_cpuid, STEPPED("cpuid"), NONE)                                                      \
	I(step_two_cpuids, STEPPED("cpuid; cpuid"), NONE)                                          \
	I(step_rdtscp, STEPPED("rdtscp"), NONE)                                                    \
	I(cpuid_80000001_in_32_bit_code,                                                           \
	  "mov $0x80000001, %eax; " IN_32_BIT_CODE("cpuid") "; mov %edx, (%rdi)", NONE)            \
	I(cpuid_at_the_top_of_32_bit_code, TOP_CPUID, SIGSEGV)                                     \
	I(step_vmcall, STEPPED("vmcall"), SIGILL)                                                  \
	I(step_vmread, STEPPED("vmread %rax, %rcx"), SIGILL)                                       \
	I(step_xsetbv, STEPPED("xsetbv"), SIGSEGV)

#define INSTRUCTIONS(I) VMX_INSTRUCTIONS(I) PRIVILEGED_INSTRUCTIONS(I) OTHER_INSTRUCTIONS(I)

#define STUB(name, text, signal)                                                                   \
	asm(".pushsection .text\nprobe_" #name ": " text "\n\tret\n.popsection");                  \
	extern const unsigned char probe_##name[];
INSTRUCTIONS(STUB)

static const struct probe {
	const char *name;
	const unsigned char *code;
	int signal;
} probes[] = {
#define ROW(name, text, signal) { #name, probe_##name, signal },
	INSTRUCTIONS(ROW)
};

unsigned long view_rsp;

/* What the handler found. */
static struct {
	const struct probe *probe;
	sigjmp_buf out;
	int signal, code;
	long long trap, error;
	long long offset;
	long long steps[MAX_STEPS];
	unsigned int nr_steps;
} seen;

static unsigned char buffer[64] __attribute__((aligned(16)));

/* A single-step trap is noted and stepping goes on; anything else ends the probe. */
static void on_signal(int signal, siginfo_t *info, void *context)
{
	const greg_t *regs = ((ucontext_t *)context)->uc_mcontext.gregs;
	long long offset = regs[REG_RIP] - (greg_t)(uintptr_t)seen.probe->code;

	if (signal == SIGTRAP && info->si_code == TRAP_TRACE && seen.nr_steps < MAX_STEPS) {
		seen.steps[seen.nr_steps++] = offset;
		return;
	}
	seen.signal = signal;
	seen.code = info->si_code;
	seen.trap = regs[REG_TRAPNO];
	seen.error = regs[REG_ERR];
	seen.offset = offset;
	siglongjmp(seen.out, 1);
}

static void call(const unsigned char *code)
{
	unsigned long rax = 0, rcx = 0, rdx = 0;
	void *rdi = buffer;

	asm volatile("call *%[code]"
		     : "+a"(rax), "+c"(rcx), "+d"(rdx), "+D"(rdi)
		     : [code] "r"(code)
		     : "rbx", "rsi", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15", "xmm0",
		       "memory", "cc");
}

static void print_outcome(void)
{
	printf("%s:", seen.probe->name);
	for (unsigned int i = 0; i < seen.nr_steps; i++)
		printf(" step +%lld", seen.steps[i]);
	if (seen.signal)
		printf(" SIG%s code %d, exception %lld, error code %llx,",
		       sigabbrev_np(seen.signal), seen.code, seen.trap, seen.error);
	if (!seen.signal)
		printf(" done");
	else if (seen.offset >= 0 && seen.offset < MAX_OFFSET)
		printf(" at +%lld", seen.offset);
	else
		printf(" elsewhere");
	for (size_t i = 0, end = 16; i < end && memcmp(buffer, (char[16]){ 0 }, 16); i++)
		printf("%s%02x", i ? "" : " ", buffer[i]);
	printf("\n");
}

/* False if it did not fault as it must. */
static bool run(const struct probe *probe)
{
	seen.probe = probe;
	seen.signal = NONE;
	seen.nr_steps = 0;
	memset(buffer, 0, sizeof(buffer));
	if (!sigsetjmp(seen.out, 1))
		call(probe->code);
	print_outcome();
	if (probe->signal == ANY || probe->signal == seen.signal)
		return true;
	printf("# %s is wrong: signal %d, not %d\n", probe->name, seen.signal, probe->signal);
	return false;
}

/* --- CPUID -------------------------------------------------------------------------------------- */

#define CPUID_1_ECX_VMX (1u << 5)
#define CPUID_1_ECX_HYPERVISOR (1u << 31)

static void print_leaf(unsigned int leaf, unsigned int subleaf)
{
	unsigned int a, b, c, d;

	__cpuid_count(leaf, subleaf, a, b, c, d);
	if (leaf == 1) {
		printf("cpuid %08x.%u vmx: %d\n", leaf, subleaf, !!(c & CPUID_1_ECX_VMX));
		printf("cpuid %08x.%u hypervisor: %d\n", leaf, subleaf,
		       !!(c & CPUID_1_ECX_HYPERVISOR));
		c &= ~(CPUID_1_ECX_VMX | CPUID_1_ECX_HYPERVISOR);
	}
	printf("cpuid %08x.%u: %08x %08x %08x %08x\n", leaf, subleaf, a, b, c, d);
}

static void print_leaves(unsigned int first, unsigned int last)
{
	for (unsigned int leaf = first; leaf <= last; leaf++)
		for (unsigned int subleaf = 0; subleaf < 4; subleaf++)
			print_leaf(leaf, subleaf);
}

static void print_cpuid(void)
{
	print_leaves(0, __get_cpuid_max(0, NULL) + 1);
	print_leaves(0x80000000, __get_cpuid_max(0x80000000, NULL) + 1);
	print_leaf(0x20000000, 0);
	print_leaf(0x40000000, 0);
	print_leaf(0x40000001, 0);
	print_leaf(0x4fffffff, 0);
	print_leaf(0x50000000, 0);
	print_leaf(0xffffffff, 0);
}

/* Behind 32-bit code the stack pointer is good for nothing, so that the handler has its own stack. */
static bool prepare_32_bit_code(void)
{
	static const unsigned char cpuid[] = { 0x0f, 0xa2 };
	static char stack[65536];
	const stack_t alternate = { .ss_sp = stack, .ss_size = sizeof(stack) };
	unsigned char *page = mmap((void *)TOP_PAGE, 0x1000, PROT_READ | PROT_WRITE | PROT_EXEC,
				   MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);

	if (page == MAP_FAILED || sigaltstack(&alternate, NULL))
		return false;
	memcpy(page + 0x1000 - sizeof(cpuid), cpuid, sizeof(cpuid));
	return true;
}

int main(int argc, char **argv)
{
	const struct sigaction action = { .sa_sigaction = on_signal,
					  .sa_flags = SA_SIGINFO | SA_NODEFER | SA_ONSTACK };
	static const int signals[] = { SIGILL, SIGSEGV, SIGTRAP, SIGFPE, SIGBUS };
	size_t size, wrong = 0;

	if (argc != 2) {
		fputs("usage: view CPU\n  Prints what user space sees on that CPU; exit status 1 if "
		      "an instruction does not fault as it must.\n",
		      stderr);
		return 2;
	}
	if (!usable_cpus(&size) || !move_to_cpu(atoi(argv[1]), size) || ioperm(OPEN_PORT, 1, 1) ||
	    !prepare_32_bit_code()) {
		perror("view: moving to the CPU, opening a port, or memory for 32-bit code");
		return 2;
	}
	for (size_t i = 0; i < ARRAY_SIZE(signals); i++)
		sigaction(signals[i], &action, NULL);
	for (size_t i = 0; i < ARRAY_SIZE(probes); i++)
		wrong += !run(&probes[i]);
	print_cpuid();
	return wrong ? 1 : 0;
}
