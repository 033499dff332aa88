// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the kernel sees of the machine: each probe executes one instruction on every CPU with
 * interrupts off and tells which exception it raised, or which value it gave. /proc/mercury-view: a
 * name is written ("all": every harmless probe), then the outcomes are read, a line for each.
 */
#include <linux/cpu.h>
#include <linux/irq_work.h>
#include <linux/module.h>
#include <linux/smp.h>
#include <linux/string.h>
#include <linux/uaccess.h>
#include <asm/asm.h>
#include <asm/msr.h>
#include <asm/processor-flags.h>

#include "abi/mercury.h"
#include "proc.h"

#define NO_EXCEPTION 255
#define MAX_PROBES 128
#define MAX_CPUS 64

struct outcome {
	u64 exception, value;
};

/*
 * Executes INSN with rax, rcx, rdx and, in rdi, an address. The vector of the exception that the
 * instruction behind AT raises comes by the kernel's own table of fixups (EX_TYPE_FAULT).
 */
#define AT "1: "
#define TRY(o, insn, a, c, d)                                                                      \
	do {                                                                                       \
		u64 rax = (a), rcx = (c), rdx = (d), value = 0;                                    \
		void *rdi = scratch;                                                               \
		asm volatile(insn "\n"                                                             \
				  "	mov %%rax, %[value]\n"                                         \
				  "	mov %[none], %%eax\n"                                          \
				  "2:\n" _ASM_EXTABLE_FAULT(1b, 2b)                                \
			     : "+a"(rax), "+c"(rcx), "+d"(rdx), "+D"(rdi), [value] "+r"(value)     \
			     : [none] "i"(NO_EXCEPTION)                                            \
			     : "memory", "cc");                                                    \
		(o)->exception = rax;                                                              \
		(o)->value = value;                                                                \
	} while (0)

static u64 scratch[8];

/* --- Model-specific registers ------------------------------------------------------------------- */

static void read_msr(struct outcome *o, u32 msr)
{
	TRY(o, AT "rdmsr; shl $32, %%rdx; or %%rdx, %%rax", 0, msr, 0);
}

static void write_msr(struct outcome *o, u32 msr, u64 value)
{
	TRY(o, AT "wrmsr; xor %%eax, %%eax", (u32)value, msr, value >> 32);
}

/* The value it has, with the bits of change flipped. */
static void rewrite_msr(struct outcome *o, u32 msr, u64 change)
{
	read_msr(o, msr);
	if (o->exception == NO_EXCEPTION)
		write_msr(o, msr, o->value ^ change);
}

/* --- Control registers: each is as it was afterwards --------------------------------------------- */

static void flip_cr4(struct outcome *o, u64 bits)
{
	u64 before, between, after;

	asm volatile("mov %%cr4, %0" : "=r"(before));
	TRY(o, AT "mov %%rax, %%cr4", before ^ bits, 0, 0);
	asm volatile("mov %%cr4, %0" : "=r"(between));
	if (between != before)
		asm volatile("mov %0, %%cr4" : : "r"(before) : "memory");
	asm volatile("mov %%cr4, %0" : "=r"(after));
	o->value = (between ^ before) << 32 | (after ^ before);
}

static void flip_cr0(struct outcome *o, u64 bits)
{
	u64 before, between, after;

	asm volatile("mov %%cr0, %0" : "=r"(before));
	TRY(o, AT "mov %%rax, %%cr0", before ^ bits, 0, 0);
	asm volatile("mov %%cr0, %0" : "=r"(between));
	if (between != before)
		asm volatile("mov %0, %%cr0" : : "r"(before) : "memory");
	asm volatile("mov %%cr0, %0" : "=r"(after));
	o->value = (between ^ before) << 32 | (after ^ before);
}

static void rewrite_cr3(struct outcome *o, u64 change)
{
	u64 cr3;

	asm volatile("mov %%cr3, %0" : "=r"(cr3));
	TRY(o, AT "mov %%rax, %%cr3; xor %%eax, %%eax", cr3 ^ change, 0, 0);
}

static void rewrite_dr7(struct outcome *o, u64 change)
{
	u64 dr7;

	asm volatile("mov %%db7, %0" : "=r"(dr7));
	TRY(o, AT "mov %%rax, %%db7; xor %%eax, %%eax", dr7 ^ change, 0, 0);
}

/* --- Interrupts: value 1 if one that is pending comes where it is let in --------------------------- */

static struct irq_work works[MAX_CPUS];
static bool has_come[MAX_CPUS];

static void note_work(struct irq_work *work)
{
	has_come[work - works] = true;
}

/* With INSN in front of CLI; it may use rax and rcx (0), rdx and rbx, and has SS in esi. */
#define LET_IN(o, insn)                                                                            \
	do {                                                                                       \
		unsigned int cpu = smp_processor_id();                                             \
		u64 rax = 0, rcx = 0, ss;                                                          \
		asm volatile("mov %%ss, %0" : "=S"(ss));                                           \
		has_come[cpu] = false;                                                             \
		init_irq_work(&works[cpu], note_work);                                             \
		irq_work_queue(&works[cpu]);                                                       \
		asm volatile("sti; " insn "; cli"                                                  \
			     : "+a"(rax), "+c"(rcx)                                                \
			     : "S"(ss)                                                             \
			     : "rbx", "rdx", "memory", "cc");                                      \
		(o)->exception = NO_EXCEPTION;                                                     \
		(o)->value = READ_ONCE(has_come[cpu]);                                             \
	} while (0)

/* --- What is probed ------------------------------------------------------------------------------ */

/* clang-format off */
#define READ_MSRS(M)                                                                               \
	M(0x2000) M(0x40000000) M(0x4b564d00) M(0xbfffffff) M(0xc0002000) M(0xdeadbeef)            \
	M(0xffffffff) M(0x3a) M(0xfe) M(0x174) M(0x175) M(0x176) M(0x1d9) M(0x277) M(0x280)        \
	M(0x2ff) M(0x480) M(0x48b) M(0xc0000080) M(0xc0000082) M(0xc0000101) M(0xc0000103)

/* Unknown ones, and ones that are read only: nothing may come of it. */
#define WRITE_MSRS(M)                                                                              \
	M(0x2000) M(0x40000000) M(0x4b564d00) M(0xbfffffff) M(0xc0002000) M(0xdeadbeef)            \
	M(0xffffffff) M(0xfe) M(0x480) M(0x48b)
/* clang-format on */

#define XCR0 "xgetbv; shl $32, %%rdx; or %%rdx, %%rax"

/* P(name, what is done with outcome o) */
#define PROBES(P)                                                                                  \
	P(vmcall, TRY(o, AT "vmcall", 0, 0, 0))                                                    \
	P(vmcall_near_cookie, TRY(o, AT "vmcall", MERCURY_COOKIE ^ 1, 0, 0))                       \
	P(vmclear, TRY(o, AT "vmclear (%%rdi)", 0, 0, 0))                                          \
	P(vmptrld, TRY(o, AT "vmptrld (%%rdi)", 0, 0, 0))                                          \
	P(vmptrst, TRY(o, AT "vmptrst (%%rdi)", 0, 0, 0))                                          \
	P(vmread, TRY(o, AT "vmread %%rax, %%rcx", 0x681e, 0, 0))                                  \
	P(vmwrite, TRY(o, AT "vmwrite %%rax, %%rcx", 0, 0x681e, 0))                                \
	P(vmlaunch, TRY(o, AT "vmlaunch", 0, 0, 0))                                                \
	P(vmresume, TRY(o, AT "vmresume", 0, 0, 0))                                                \
	P(vmxon, TRY(o, AT "vmxon (%%rdi)", 0, 0, 0))                                              \
	P(invept, TRY(o, AT "invept (%%rdi), %%rax", 2, 0, 0))                                     \
	P(invvpid, TRY(o, AT "invvpid (%%rdi), %%rax", 2, 0, 0))                                   \
	P(vmfunc, TRY(o, AT ".byte 0x0f, 0x01, 0xd4", 0, 0, 0))                                    \
	P(getsec, TRY(o, AT ".byte 0x0f, 0x37", 0, 0, 0))                                          \
	P(rsm, TRY(o, AT ".byte 0x0f, 0xaa", 0, 0, 0))                                             \
	P(wbinvd, TRY(o, AT "wbinvd", 0, 0, 0))                                                    \
	P(xcr0, TRY(o, AT XCR0, 0, 0, 0))                                                          \
	P(xsetbv_same, TRY(o, "xgetbv; " AT "xsetbv", 0, 0, 0))                                    \
	P(xsetbv_without_x87, TRY(o, "xgetbv; and $~1, %%eax; " AT "xsetbv", 0, 0, 0))             \
	P(xsetbv_reserved, TRY(o, "xgetbv; or $1 << 30, %%edx; " AT "xsetbv", 0, 0, 0))            \
	P(xsetbv_index_1, TRY(o, AT "xsetbv", 1, 1, 0))                                            \
	P(xcr0_still, TRY(o, AT XCR0, 0, 0, 0))                                                    \
	P(cr4_pge, flip_cr4(o, X86_CR4_PGE))                                                       \
	P(cr4_pce, flip_cr4(o, X86_CR4_PCE))                                                       \
	P(cr4_tsd, flip_cr4(o, X86_CR4_TSD))                                                       \
	P(cr4_bit_31, flip_cr4(o, 1UL << 31))                                                      \
	P(cr4_bit_40, flip_cr4(o, 1UL << 40))                                                      \
	P(cr4_smxe, flip_cr4(o, X86_CR4_SMXE))                                                     \
	P(cr4_la57, flip_cr4(o, X86_CR4_LA57))                                                     \
	P(cr0_no_paging, flip_cr0(o, X86_CR0_PG))                                                  \
	P(cr0_no_protection, flip_cr0(o, X86_CR0_PE))                                              \
	P(cr0_ts, flip_cr0(o, X86_CR0_TS))                                                         \
	P(cr0_bit_40, flip_cr0(o, 1UL << 40))                                                      \
	P(cr0_nw_alone, flip_cr0(o, X86_CR0_NW))                                                   \
	P(cr3_same, rewrite_cr3(o, 0))                                                             \
	P(cr3_reserved, rewrite_cr3(o, 1UL << 51))                                                 \
	P(dr7_same, rewrite_dr7(o, 0))                                                             \
	P(dr7_reserved, rewrite_dr7(o, 1UL << 32))                                                 \
	P(efer_reserved, rewrite_msr(o, MSR_EFER, 1ULL << 63))                                     \
	P(mtrr_default_same, rewrite_msr(o, MSR_MTRRdefType, 0))                                   \
	P(mtrr_default_reserved, rewrite_msr(o, MSR_MTRRdefType, 1ULL << 63))                      \
	P(mtrr_variable_same, rewrite_msr(o, 0x200, 0))                                            \
	P(mtrr_variable_reserved, rewrite_msr(o, 0x200, 1ULL << 63))                               \
	P(mtrr_fixed_same, rewrite_msr(o, MSR_MTRRfix64K_00000, 0))                                \
	P(interrupt_behind_sti_nop, LET_IN(o, "nop"))                                              \
	P(interrupt_behind_sti_cpuid, LET_IN(o, "cpuid"))                                          \
	P(interrupt_behind_mov_ss_cpuid, LET_IN(o, "mov %%esi, %%ss; cpuid"))                      \
	P(mc0_ctl2_same, rewrite_msr(o, MSR_IA32_MC0_CTL2, 0))

/* Natively INVD loses what the caches hold, VMXOFF and the calls mean something else; the rest is long. */
#define BY_NAME(P)                                                                                 \
	P(invd, TRY(o, AT "invd", 0, 0, 0))                                                        \
	P(vmxoff, TRY(o, AT "vmxoff", 0, 0, 0))                                                    \
	P(calls, garbage_calls(o))                                                                 \
	P(wild, wild_writes(o))

/* Of the numbers that follow each other each looks like any. */
static u64 next(u64 number)
{
	return number * 6364136223846793005 + 1442695040888963407;
}

/*
 * A thousand wrong calls: those that are known and never made while virtual, and numbers that nobody
 * knows. Natively each is #UD, virtually an error. value: 1 if all were alike.
 */
static void garbage_calls(struct outcome *o)
{
	u64 number = 0x9e3779b97f4a7c15, exception = 0, i;
	bool alike = true;

	for (i = 0; i < 1000; i++) {
		u64 call = i % 2 ? number | 1ULL << 40 : i / 2 % MERCURY_CALL_LEAVE;

		number = next(number);
		TRY(o, "mov %%rcx, %%rdi; " AT "vmcall", MERCURY_COOKIE, call, number);
		if (o->exception == NO_EXCEPTION && (!o->value || o->value >= MERCURY_E_NR))
			alike = false;
		if (i && o->exception != exception)
			alike = false;
		exception = o->exception;
	}
	o->value = alike;
}

/*
 * MSRs that nobody has, inside and outside of the bitmap's ranges, are read and written, and CR4 gets
 * bits that it has not. The same each time; value: a digest of all that came of it.
 */
static void wild_writes(struct outcome *o)
{
	u64 number = 0x9e3779b97f4a7c15, digest = 0, i;

	for (i = 0; i < 100; i++) {
		u32 msr = i % 2 ? 0x1000 | (number >> 20 & 0xfff) :
				  0x4000 | (number >> 32 & 0x7fffffff);

		read_msr(o, msr);
		digest = next(digest + o->exception + o->value);
		write_msr(o, msr, number);
		digest = next(digest + o->exception);
		flip_cr4(o, (number | 1) << 23);
		digest = next(digest + o->exception + o->value);
		number = next(number);
	}
	*o = (struct outcome){ NO_EXCEPTION, digest };
}

#define FUNCTION(name, action)                                                                     \
	static void probe_##name(struct outcome *o)                                                \
	{                                                                                          \
		action;                                                                            \
	}
#define READ_FUNCTION(msr) FUNCTION(rdmsr_##msr, read_msr(o, msr))
#define WRITE_FUNCTION(msr) FUNCTION(wrmsr_##msr, write_msr(o, msr, 0))
PROBES(FUNCTION)
BY_NAME(FUNCTION)
READ_MSRS(READ_FUNCTION)
WRITE_MSRS(WRITE_FUNCTION)

static const struct probe {
	const char *name;
	void (*run)(struct outcome *o);
	bool by_name;
} probes[] = {
#define ROW(name, action) { #name, probe_##name, false },
#define NAMED_ROW(name, action) { #name, probe_##name, true },
#define READ_ROW(msr) { "rdmsr_" #msr, probe_rdmsr_##msr, false },
#define WRITE_ROW(msr) { "wrmsr_" #msr, probe_wrmsr_##msr, false },
	PROBES(ROW) READ_MSRS(READ_ROW) WRITE_MSRS(WRITE_ROW) BY_NAME(NAMED_ROW)
};

/* --- The file ------------------------------------------------------------------------------------ */

static struct outcome outcomes[MAX_CPUS][MAX_PROBES];
static char selected[32];

static bool is_selected(const struct probe *probe)
{
	return strcmp(selected, "all") ? !strcmp(selected, probe->name) : !probe->by_name;
}

static void run_here(void *unused)
{
	struct outcome *o = outcomes[smp_processor_id()];
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(probes); i++)
		if (is_selected(&probes[i]))
			probes[i].run(&o[i]);
}

/* "NAME" on all CPUs, "NAME CPU" on one. */
static ssize_t write(struct file *file, const char __user *user, size_t count, loff_t *ppos)
{
	char text[64] = "";
	int cpu = -1, words;

	if (count >= sizeof(text) || copy_from_user(text, user, count))
		return -EINVAL;
	words = sscanf(text, "%31s %d", selected, &cpu);
	memset(outcomes, 0, sizeof(outcomes));
	cpus_read_lock();
	if (words == 2 && cpu >= 0)
		smp_call_function_single(cpu, run_here, NULL, 1);
	else
		on_each_cpu(run_here, NULL, 1);
	cpus_read_unlock();
	return count;
}

static void show_one(struct seq_file *m, unsigned int cpu, unsigned int i)
{
	const struct outcome *o = &outcomes[cpu][i];

	if (o->exception == NO_EXCEPTION)
		seq_printf(m, "cpu%u %s: %llx\n", cpu, probes[i].name, o->value);
	else if (o->exception || o->value)
		seq_printf(m, "cpu%u %s: exception %llu, %llx\n", cpu, probes[i].name, o->exception,
			   o->value);
}

static int show(struct seq_file *m, void *unused)
{
	unsigned int cpu, i;

	for (cpu = 0; cpu < ARRAY_SIZE(outcomes) && cpu < nr_cpu_ids; cpu++)
		for (i = 0; i < ARRAY_SIZE(probes); i++)
			show_one(m, cpu, i);
	return 0;
}

TEST_PROC_OPS(ops, show, write);

static int __init view_init(void)
{
	BUILD_BUG_ON(ARRAY_SIZE(probes) > MAX_PROBES);
	return proc_create("mercury-view", 0600, NULL, &ops) ? 0 : -ENOMEM;
}

static void __exit view_exit(void)
{
	remove_proc_entry("mercury-view", NULL);
}

module_init(view_init);
module_exit(view_exit);
MODULE_DESCRIPTION("Mercury's test: what the kernel sees");
MODULE_LICENSE("GPL");
