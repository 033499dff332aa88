// SPDX-License-Identifier: GPL-2.0-only
/* Processor exceptions become the right signals, and the program goes on where it should. */
#include <setjmp.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>

#include "worker.h"

#define PAGE 4096
#define ANY_CODE (-1)

struct fault {
	const char *name;
	void (*trigger)(void);
	int signal, code;
	/* An emulator may not raise it: then it must be so in every round. */
	bool optional;
};

static sigjmp_buf recovery;
static volatile sig_atomic_t got_signal, got_code;
static unsigned char *page;

static void divide_by_zero(void)
{
	asm volatile("xor %%ecx, %%ecx\n mov $1, %%eax\n cdq\n idiv %%ecx"
		     :
		     :
		     : "eax", "ecx", "edx", "cc");
}

static void breakpoint(void)
{
	asm volatile("int3");
}

static void undefined(void)
{
	asm volatile("ud2");
}

static void privileged(void)
{
	asm volatile("hlt");
}

static void non_canonical(void)
{
	asm volatile("mov (%0), %%al" : : "r"(UINT64_C(0x8000000000000000)) : "eax");
}

static void kernel_address(void)
{
	asm volatile("mov (%0), %%al" : : "r"(UINT64_C(0xffff888000000000)) : "eax");
}

static void no_access(void)
{
	mprotect(page, PAGE, PROT_NONE);
	asm volatile("mov (%0), %%al" : : "r"(page) : "eax");
}

static void no_execute(void)
{
	mprotect(page, PAGE, PROT_READ | PROT_WRITE);
	memset(page, 0xc3, PAGE);
	((void (*)(void))page)();
}

static void x87_divide(void)
{
	const unsigned short unmasked = 0x037b;

	asm volatile("fninit\n fldcw %0\n fld1\n fldz\n fdivrp\n fwait"
		     :
		     : "m"(unmasked)
		     : "st", "st(1)");
}

static void sse_divide(void)
{
	const unsigned int unmasked = 0x1d80;

	asm volatile("ldmxcsr %0\n xorps %%xmm1, %%xmm1\n mov $0x3f800000, %%eax\n"
		     "movd %%eax, %%xmm0\n divss %%xmm1, %%xmm0"
		     :
		     : "m"(unmasked)
		     : "eax", "xmm0", "xmm1");
}

static void misaligned(void)
{
	static int words[2];

	asm volatile("pushf\n orl $0x40000, (%%rsp)\n popf\n mov %0, %%eax\n"
		     "pushf\n andl $~0x40000, (%%rsp)\n popf"
		     :
		     : "m"(*(int *)((char *)words + 1))
		     : "eax", "cc", "memory");
}

static const struct fault faults[] = {
	{ "#DE", divide_by_zero, SIGFPE, FPE_INTDIV, false },
	{ "#BP", breakpoint, SIGTRAP, ANY_CODE, false },
	{ "#UD", undefined, SIGILL, ILL_ILLOPN, false },
	{ "#GP of HLT", privileged, SIGSEGV, SI_KERNEL, false },
	{ "#GP of a non-canonical address", non_canonical, SIGSEGV, SI_KERNEL, false },
	{ "#PF of a kernel address", kernel_address, SIGSEGV, SEGV_MAPERR, false },
	{ "#PF of a PROT_NONE page", no_access, SIGSEGV, SEGV_ACCERR, false },
	{ "#PF of a no-execute page", no_execute, SIGSEGV, SEGV_ACCERR, false },
	{ "#MF", x87_divide, SIGFPE, FPE_FLTDIV, true },
	{ "#XM", sse_divide, SIGFPE, FPE_FLTDIV, true },
	{ "#AC", misaligned, SIGBUS, BUS_ADRALN, true },
};

static void recover(int number, siginfo_t *info, void *context)
{
	/* The handler was entered with the AC flag of the interrupted code. */
	asm volatile("pushf\n andl $~0x40000, (%%rsp)\n popf" : : : "cc", "memory");
	(void)context;
	got_signal = number;
	got_code = info->si_code;
	siglongjmp(recovery, 1);
}

static void install(int number, void (*handler)(int, siginfo_t *, void *))
{
	struct sigaction action = { .sa_sigaction = handler, .sa_flags = SA_SIGINFO };

	sigaction(number, &action, NULL);
}

/* Clears the exception flags and masks all, on x87 and SSE. */
static void reset_control_words(void)
{
	const unsigned int masked = 0x1f80;

	asm volatile("fninit\n ldmxcsr %0" : : "m"(masked));
}

/* Returns whether the fault was raised. */
static bool try_fault(const struct fault *fault)
{
	got_signal = 0;
	got_code = 0;
	if (sigsetjmp(recovery, 1) == 0)
		fault->trigger();
	reset_control_words();
	if (fault->optional && !got_signal)
		return false;
	expect(got_signal == fault->signal && (fault->code == ANY_CODE || got_code == fault->code),
	       "%s gave signal %d with code %d instead of %d with %d", fault->name, (int)got_signal,
	       (int)got_code, fault->signal, fault->code);
	done(1);
	return true;
}

static void make_writable(int number, siginfo_t *info, void *context)
{
	ucontext_t *interrupted = context;

	(void)number;
	expect(info->si_addr == page + 100, "SIGSEGV tells address %p instead of %p", info->si_addr,
	       (void *)(page + 100));
	/* Bits of the #PF error code: user mode, write (SDM vol. 3, "Page-Fault Exceptions"). */
	expect((interrupted->uc_mcontext.gregs[REG_ERR] & 6) == 6, "#PF error code %llx",
	       (long long)interrupted->uc_mcontext.gregs[REG_ERR]);
	got_signal++;
	if (!expect(got_signal == 1, "SIGSEGV came again after mprotect"))
		_Exit(1);
	mprotect(page, PAGE, PROT_READ | PROT_WRITE);
}

/* A store into a read-only page: the handler makes it writable and the store is repeated. */
static void repeated_store(void)
{
	install(SIGSEGV, make_writable);
	mprotect(page, PAGE, PROT_READ | PROT_WRITE);
	page[100] = 1;
	mprotect(page, PAGE, PROT_READ);
	got_signal = 0;
	*(volatile unsigned char *)&page[100] = 77;
	expect(got_signal == 1 && page[100] == 77, "%d SIGSEGV, byte %d after a store",
	       (int)got_signal, page[100]);
	done(1);
}

static uint64_t fault_round(void)
{
	uint64_t raised = 0;

	page = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (!expect_sys(page != MAP_FAILED, "mmap"))
		return 0;
	install(SIGFPE, recover);
	install(SIGTRAP, recover);
	install(SIGILL, recover);
	install(SIGBUS, recover);
	install(SIGSEGV, recover);
	for (size_t i = 0; i < ARRAY_SIZE(faults); i++)
		raised |= (uint64_t)try_fault(&faults[i]) << i;
	repeated_store();
	munmap(page, PAGE);
	return digest_u64(DIGEST_START, raised);
}

const struct worker fault_worker = { .name = "fault", .round = fault_round };
