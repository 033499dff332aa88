// SPDX-License-Identifier: GPL-2.0-only
/* Processes and threads: how they begin and end, and what of the registers goes with them. */
#define SUBJECT "process"
#include <asm/prctl.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/personality.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/rseq.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "conform.h"

/*
 * Registers of the child of a clone by hand: RAX is 0 there, all else as it was. Its parent waits for it, so
 * that it is this case's line that it adds to.
 */
#define CHILD_GOES_ON                                                                              \
	"test %rax, %rax\n jz 1f\n"                                                                \
	"mov $-1, %rdi\n xor %esi, %esi\n xor %edx, %edx\n xor %r10d, %r10d\n mov $61, %eax\n"     \
	"syscall\n mov $60, %eax\n xor %edi, %edi\n syscall\n 1:"
CODE(fork_child, "mov $57, %eax\n syscall\n" CHILD_GOES_ON);
CODE(fork_int80_child, "mov $2, %eax\n int $0x80\n" CHILD_GOES_ON);
CODE(clone_child, "mov $0x11, %edi\n lea -512(%rsp), %rsi\n xor %edx, %edx\n xor %r10d, %r10d\n"
		  "xor %r8d, %r8d\n mov $56, %eax\n syscall\n" CHILD_GOES_ON);
CODE(exec_nothing, "xor %edi, %edi\n xor %esi, %esi\n xor %edx, %edx\n mov $59, %eax\n syscall");

static int status_of(pid_t child)
{
	int status = 0;

	waitpid(child, &status, 0);
	return status;
}

static int in_clone(void *argument)
{
	*(int *)argument = 7;
	return 3;
}

static void clones(const void *unused)
{
	static unsigned char stack[65536] __attribute__((aligned(16)));
	volatile int value = 0;
	pid_t child;

	(void)unused;
	child = fork();
	if (!child)
		_exit(5);
	out("fork %#x ", status_of(child));
	child = vfork();
	if (!child)
		_exit(6);
	out("vfork %#x ", status_of(child));
	child = clone(in_clone, stack + sizeof(stack), SIGCHLD, (void *)&value);
	out("clone %#x ", status_of(child));
	out("value %d ", value);
	child = clone(in_clone, stack + sizeof(stack), CLONE_VM | SIGCHLD, (void *)&value);
	out("clone_vm %#x ", status_of(child));
	out("value %d ", value);
	child = fork();
	if (!child) {
		execl("/proc/self/exe", "conform", "no-such-case", NULL);
		_exit(99);
	}
	out("exec %#x ", status_of(child));
	child = fork();
	if (!child)
		abort();
	out("abort %#x ", status_of(child) & 0xff7f);
	child = fork();
	if (!child)
		syscall(SYS_exit_group, 0x1234);
	out("exit_group %#x ", status_of(child));
}

static void *in_thread(void *argument)
{
	uint64_t base = 0;

	system_call(SYS_arch_prctl, ARCH_GET_FS, (long)&base, 0);
	*(uint64_t *)argument = base;
	return (void *)0x77;
}

/* A thread has an FS of its own; rseq, which the C library registers, tells its CPU. */
static void threads(const void *unused)
{
	uint64_t own = 0, its = 0;
	void *result = NULL;
	pthread_t thread;

	(void)unused;
	if (pthread_create(&thread, NULL, in_thread, &its) || pthread_join(thread, &result))
		out("no thread ");
	system_call(SYS_arch_prctl, ARCH_GET_FS, (long)&own, 0);
	out("result %lx fs differs %d ", (uint64_t)result, own != its);
	if (__rseq_size)
		out("rseq cpu %u",
		    ((struct rseq *)((char *)__builtin_thread_pointer() + __rseq_offset))->cpu_id);
}

GROUP(clones)
{
	in_child(SUBJECT "/clones", clones, NULL);
	in_child(SUBJECT "/threads", threads, NULL);
}

/* What a new program finds: the flags and segments of execve. */
static void exec_32(const void *unused)
{
	(void)unused;
	out("personality %lx ", (unsigned long)personality(0xffffffff));
	out("set %d ", personality(ADDR_NO_RANDOMIZE | ADDR_COMPAT_LAYOUT) >= 0);
	out("now %x ", (unsigned int)personality(0xffffffff));
	out("dumpable %d ", prctl(PR_GET_DUMPABLE));
	out("below 4 GiB %d", mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT,
				   -1, 0) < (void *)0x100000000);
}

GROUP(personality)
{
	in_child(SUBJECT "/personality", exec_32, NULL);
}

/* Filters act on each way into the kernel. */
static void strict(const void *unused)
{
	(void)unused;
	prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT);
	asm volatile("syscall" : : "a"(102) : "rcx", "r11", "memory");
}

static void strict_int80(const void *unused)
{
	(void)unused;
	prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT);
	asm volatile("int $0x80" : : "a"(24) : "memory");
}

static void no_tsc(const void *unused)
{
	(void)unused;
	catch_signals();
	out("set %d ", prctl(PR_SET_TSC, PR_TSC_SIGSEGV));
	TRY("rdtsc", : : : "rax", "rdx", "r11", "memory");
	out_caught();
	TRY("rdtscp", : : : "rax", "rdx", "rcx", "r11", "memory");
	out(" rdtscp ");
	out_caught();
	sched_yield();
	TRY("rdtsc", : : : "rax", "rdx", "r11", "memory");
	out(" again ");
	out_caught();
	out(" set %d ", prctl(PR_SET_TSC, PR_TSC_ENABLE));
	TRY("rdtsc", : : : "rax", "rdx", "r11", "memory");
	out_caught();
}

#define ARCH_GET_CPUID 0x1011
#define ARCH_SET_CPUID 0x1012
static void no_cpuid(const void *unused)
{
	(void)unused;
	catch_signals();
	out_result("get", system_call(SYS_arch_prctl, ARCH_GET_CPUID, 0, 0));
	out_result("set", system_call(SYS_arch_prctl, ARCH_SET_CPUID, 0, 0));
	TRY("cpuid", : : "a"(0), "c"(0) : "rbx", "rdx", "r11", "memory");
	out_caught();
}

GROUP(filters)
{
	in_child(SUBJECT "/strict", strict, NULL);
	in_child(SUBJECT "/strict_int80", strict_int80, NULL);
	in_child(SUBJECT "/no_tsc", no_tsc, NULL);
	in_child(SUBJECT "/no_cpuid", no_cpuid, NULL);
}
