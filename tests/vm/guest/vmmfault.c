// SPDX-License-Identifier: GPL-2.0-only
/*
 * vmmfault: has the VMM fail, where it was built with tests/vm/request: by a CPUID of user space or of the
 * kernel's cpuid driver; in ring 1 by an IN of user space or an RDMSR of the kernel's msr driver. Tells
 * whether what executed it goes on as it was; and whether what the kernel copies from user space at once does.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/io.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

#include "hypervisor.h"

#define FAULT_LEAF 0x26415543u
#define FAULT_MSR 0x26415500u
#define FAULT_PORT 0x2640u

static const char *const actions[] = {
	"invalid-opcode", "general-protection", "page-fault", "stack-overflow", "resume-fails",
	"entry-fails",    "misconfigured",      "next-vote",  "next-leave",     "every-vmread",
	"rdtsc-exits",    "every-sldt",         "next-lend",  "next-stop",
};
#define ACTIONS (sizeof(actions) / sizeof(actions[0]))

static const char usage[] =
	"usage: vmmfault CPU user|kernel|copy ACTION\n"
	"  Executes on CPU what has the VMM do ACTION; copy: in user space, and at once has the kernel copy\n"
	"  from there, of which it waits for one page until the machine is native.\n"
	"  invalid-opcode general-protection page-fault stack-overflow resume-fails entry-fails\n"
	"  misconfigured next-vote next-leave every-vmread rdtsc-exits every-sldt next-lend\n"
	"  next-stop\n"
	"  Exit status: 0 if it came back with all its registers, 1 if not, 2: bad arguments.\n";

static void __attribute__((noreturn)) fail_usage(void)
{
	fputs(usage, stderr);
	exit(2);
}

static uint32_t action_number(const char *name)
{
	for (uint32_t i = 0; i < ACTIONS; i++)
		if (!strcmp(name, actions[i]))
			return i;
	fail_usage();
}

static bool in_ring1(void)
{
	return hypervisor_of_this_cpu().ring1;
}

static void allow_ports(void)
{
	if (!ioperm(FAULT_PORT, ACTIONS, 1))
		return;
	perror("ioperm");
	exit(2);
}

/* CPUID or IN, with known values in all registers that neither writes; are they still there? */
static bool by_user(uint32_t action, bool ring1)
{
	register uint64_t r8 asm("r8") = 8, r9 asm("r9") = 9, r10 asm("r10") = 10;
	register uint64_t r12 asm("r12") = 12, r13 asm("r13") = 13, r15 asm("r15") = 15;
	uint64_t rax = FAULT_LEAF, rbx = ring1, rcx = action, rdx = FAULT_PORT + action;
	uint64_t rsi = 51, rdi = 52;

	asm volatile("test %%ebx, %%ebx\n jnz 1f\n cpuid\n jmp 2f\n 1: in %%dx, %%al\n 2:"
		     : "+a"(rax), "+b"(rbx), "+c"(rcx), "+d"(rdx), "+S"(rsi), "+D"(rdi), "+r"(r8),
		       "+r"(r9), "+r"(r10), "+r"(r12), "+r"(r13), "+r"(r15)
		     :
		     : "memory", "cc");
	return r8 == 8 && r9 == 9 && r10 == 10 && r12 == 12 && r13 == 13 && r15 == 15 &&
	       rsi == 51 && rdi == 52;
}

/* Read from /dev/cpu/CPU/DRIVER. */
static ssize_t read_device(unsigned int cpu, const char *driver, off_t at, void *to, size_t size)
{
	char file[64];
	ssize_t n;
	int fd;

	snprintf(file, sizeof(file), "/dev/cpu/%u/%s", cpu, driver);
	fd = open(file, O_RDONLY);
	if (fd < 0) {
		perror(file);
		exit(2);
	}
	n = pread(fd, to, size, at);
	close(fd);
	return n;
}

static bool by_kernel(unsigned int cpu, uint32_t action)
{
	uint32_t registers[4];
	uint64_t msr;
	ssize_t n;

	if (!in_ring1()) {
		n = read_device(cpu, "cpuid", (off_t)(FAULT_LEAF | (uint64_t)action << 32),
				registers, sizeof(registers));
		return n == sizeof(registers);
	}
	/* There is no such MSR, which is EIO or 0 as the machine likes. */
	n = read_device(cpu, "msr", FAULT_MSR + action, &msr, sizeof(msr));
	return n == sizeof(msr) || errno == EIO;
}

/* --- A copy in between --------------------------------------------------------------------------- */

#define PAGE ((size_t)4096)

/* Two pages, of which there is the first; the thread brings the second. */
static struct {
	int fd; /* userfaultfd(2) */
	unsigned char *pages;
	bool late; /* it was asked for */
} copied;

static bool is_native(void)
{
	FILE *file = fopen("/proc/sys/mercury/mode", "re");
	char word[16] = "";
	bool native = file && fscanf(file, "%15s", word) == 1 && !strcmp(word, "native");

	if (file)
		fclose(file);
	return native;
}

static void *bring_page(void *unused)
{
	static unsigned char page[PAGE];
	struct uffdio_copy copy = { .dst = (uintptr_t)copied.pages + PAGE,
				    .src = (uintptr_t)page,
				    .len = PAGE };
	struct uffd_msg message;

	copied.late = read(copied.fd, &message, sizeof(message)) == sizeof(message);
	for (unsigned int i = 0; i < 500 && !is_native(); i++)
		usleep(10000);
	memset(page, 2, PAGE);
	if (ioctl(copied.fd, UFFDIO_COPY, &copy))
		perror("UFFDIO_COPY");
	return unused;
}

static void prepare_copy(pthread_t *thread)
{
	struct uffdio_api api = { .api = UFFD_API };
	struct uffdio_register range = { .mode = UFFDIO_REGISTER_MODE_MISSING };

	copied.fd = (int)syscall(SYS_userfaultfd, O_CLOEXEC);
	copied.pages =
		mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	range.range.start = (uintptr_t)copied.pages + PAGE;
	range.range.len = PAGE;
	if (copied.fd < 0 || copied.pages == MAP_FAILED || ioctl(copied.fd, UFFDIO_API, &api) ||
	    ioctl(copied.fd, UFFDIO_REGISTER, &range) ||
	    pthread_create(thread, NULL, bring_page, NULL)) {
		perror("vmmfault: a page that comes late");
		exit(2);
	}
	memset(copied.pages, 1, PAGE);
}

/*
 * In ring 1 this CPU is native now, and Linux's code still as ring 1 has it. Linux writes CR4 as it believes
 * it is: SMAP, too, comes back.
 */
static bool copy_at_once(const int *ends)
{
	prctl(PR_SET_TSC, PR_TSC_SIGSEGV);
	prctl(PR_SET_TSC, PR_TSC_ENABLE);
	return write(ends[1], copied.pages, PAGE) == PAGE &&
	       write(ends[1], copied.pages + PAGE, PAGE) == PAGE;
}

static bool by_copy(uint32_t action)
{
	unsigned char got[2 * PAGE];
	bool ok = true, ring1 = in_ring1();
	pthread_t thread;
	int ends[2];

	if (pipe(ends)) {
		perror("pipe");
		exit(2);
	}
	prepare_copy(&thread);
	ok = by_user(action, ring1) && copy_at_once(ends);
	pthread_join(thread, NULL);
	ok = ok && read(ends[0], got, sizeof(got)) == sizeof(got);
	for (size_t i = 0; ok && i < sizeof(got); i++)
		ok = got[i] == 1 + i / PAGE;
	return ok && copied.late;
}

/* --- Together ------------------------------------------------------------------------------------ */

static bool run(const char *where, int cpu, uint32_t action)
{
	if (!strcmp(where, "user"))
		return by_user(action, in_ring1());
	if (!strcmp(where, "kernel"))
		return by_kernel((unsigned int)cpu, action);
	if (!strcmp(where, "copy"))
		return by_copy(action);
	fail_usage();
}

int main(int argc, char **argv)
{
	uint32_t action;
	size_t size;
	int cpu;
	bool ok;

	if (argc != 4)
		fail_usage();
	cpu = atoi(argv[1]);
	action = action_number(argv[3]);
	if (!usable_cpus(&size) || !move_to_cpu(cpu, size)) {
		fprintf(stderr, "vmmfault: cannot run on cpu%d\n", cpu);
		return 2;
	}
	allow_ports();
	ok = run(argv[2], cpu, action);
	printf("vmmfault: %s, %s, cpu%d: %s\n", argv[3], argv[2], cpu,
	       ok ? "went on as it was" : "did not go on as it was");
	return !ok;
}
