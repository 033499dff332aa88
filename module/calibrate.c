// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the instructions of a switch cost on this machine, one kind after the other: debugfs
 * mercury/calibrate. On one CPU, native, interrupts off for some microseconds at a time. The VMM has no
 * part in it: the VMCSs are this file's own.
 */
#include <linux/gfp.h>
#include <linux/mutex.h>
#include <linux/seq_file.h>
#include <linux/slab.h>
#include <linux/smp.h>
#include <linux/sort.h>
#include <linux/vmalloc.h>
#include <asm/desc.h>
#include <asm/io.h>
#include <asm/msr.h>
#include <asm/tlbflush.h>
#include <asm/tsc.h>
#include <asm/vmx.h>

#include "compat/compat.h"
#include "mercury.h"

#define SAMPLES 201
#define ROUNDS 16 /* in one sample, but of what cannot be done twice */

/* E(event, as tests/bench/weights has it) */
/* clang-format off */
#define EVENTS(E)                                                                                  \
	E(rdmsr) E(wrmsr) E(store) E(lgdt) E(lidt) E(ltr) E(lldt) E(cr) E(cr3) E(vmxon) E(vmxoff)  \
	E(vmclear) E(vmptrld) E(vmwrite) E(vmread) E(invept) E(invvpid) E(cpuid)

/* The first two are the measuring itself, of ROUNDS and of one: they are taken off. */
#define E(name) EVENT_##name,
enum event { EVENT_NONE, EVENT_NONE_ONCE, EVENTS(E) EVENTS_NR };
#undef E

static const char *const names[EVENTS_NR] = {
#define E(name) [EVENT_##name] = #name,
	EVENTS(E)
#undef E
};
/* clang-format on */

struct calibration {
	u32 sample, cycles[EVENTS_NR][SAMPLES];
	unsigned int rounds[EVENTS_NR]; /* 0: this CPU cannot                                     */
	void *vmxon, *vmcs[2];
	int error;
};

#define TIME(c, event, n, statement)                                                               \
	do {                                                                                       \
		u64 start = rdtsc_ordered();                                                       \
		unsigned int round;                                                                \
		for (round = 0; round < (n); round++) {                                            \
			statement;                                                                 \
			barrier();                                                                 \
		}                                                                                  \
		(c)->cycles[event][(c)->sample] = rdtsc_ordered() - start;                         \
		(c)->rounds[event] = (n);                                                          \
	} while (0)

/* --- Without VMX -------------------------------------------------------------------------------- */

/* LTR wants a TSS that is not busy, in a GDT that can be written. */
static void time_ltr(struct calibration *c)
{
	unsigned int cpu = smp_processor_id();
	struct desc_struct *gdt = get_cpu_gdt_rw(cpu);

	load_direct_gdt(cpu);
	TIME(c, EVENT_ltr, ROUNDS, {
		((tss_desc *)&gdt[GDT_ENTRY_TSS])->type = DESC_TSS;
		asm volatile("ltr %w0" : : "q"(GDT_ENTRY_TSS * 8) : "memory");
	});
	load_fixmap_gdt(cpu);
}

static void time_plain(struct calibration *c)
{
	unsigned long cr0 = read_cr0(), cr3 = __native_read_cr3(), cr4 = __read_cr4();
	struct desc_ptr gdt, idt;
	unsigned int a, b, d, e;
	u64 value = native_read_msr(MSR_IA32_SYSENTER_CS);
	u16 ldt;

	native_store_gdt(&gdt);
	store_idt(&idt);
	asm volatile("sldt %0" : "=m"(ldt));
	TIME(c, EVENT_NONE, ROUNDS, barrier());
	TIME(c, EVENT_NONE_ONCE, 1, barrier());
	TIME(c, EVENT_rdmsr, ROUNDS, (void)native_read_msr(MSR_IA32_SYSENTER_CS));
	TIME(c, EVENT_wrmsr, ROUNDS, mercury_write_msr(MSR_IA32_SYSENTER_CS, value));
	TIME(c, EVENT_store, ROUNDS, native_store_gdt(&gdt));
	TIME(c, EVENT_lgdt, ROUNDS, native_load_gdt(&gdt));
	TIME(c, EVENT_lidt, ROUNDS, native_load_idt(&idt));
	TIME(c, EVENT_lldt, ROUNDS, asm volatile("lldt %w0" : : "q"(ldt)));
	TIME(c, EVENT_cr, ROUNDS, {
		asm volatile("mov %0, %%cr0" : : "r"(cr0) : "memory");
		asm volatile("mov %0, %%cr4" : : "r"(cr4) : "memory");
	});
	c->rounds[EVENT_cr] *= 2;
	TIME(c, EVENT_cr3, ROUNDS, asm volatile("mov %0, %%cr3" : : "r"(cr3) : "memory"));
	TIME(c, EVENT_cpuid, ROUNDS, {
		a = d = 0;
		asm volatile("cpuid" : "+a"(a), "=b"(b), "+c"(d), "=d"(e));
	});
	time_ltr(c);
}

/* --- In VMX operation --------------------------------------------------------------------------- */

static const struct {
	u64 vpid, address;
} everything;

/* An instruction of VMX with a memory operand; true: it failed. */
#define VMX(insn, operand)                                                                         \
	({                                                                                         \
		bool failed;                                                                       \
		asm volatile(insn : "=@ccbe"(failed) : "m"(operand) : "memory");                   \
		failed;                                                                            \
	})

static void time_fields(struct calibration *c)
{
	unsigned long value = 0;

	TIME(c, EVENT_vmwrite, ROUNDS,
	     asm volatile("vmwrite %0, %1"
			  :
			  : "r"(value), "r"(GUEST_RIP + 0UL)
			  : "cc"));
	TIME(c, EVENT_vmread, ROUNDS,
	     asm volatile("vmread %1, %0"
			  : "=r"(value)
			  : "r"(GUEST_RIP + 0UL)
			  : "cc"));
	if (mercury_shared()->uses_ept)
		TIME(c, EVENT_invept, ROUNDS,
		     asm volatile("invept %0, %1"
				  :
				  : "m"(everything), "r"(2UL)
				  : "cc", "memory"));
	if (mercury_shared()->uses_vpid)
		TIME(c, EVENT_invvpid, ROUNDS,
		     asm volatile("invvpid %0, %1"
				  :
				  : "m"(everything), "r"(2UL)
				  : "cc", "memory"));
}

/* Whatever happens both VMCSs are clear at the end: no processor has to write one back. */
static bool time_vmcs(struct calibration *c, const u64 pa[2])
{
	bool failed = VMX("vmclear %1", pa[0]) || VMX("vmclear %1", pa[1]);

	if (!failed)
		TIME(c, EVENT_vmptrld, ROUNDS, failed |= VMX("vmptrld %1", pa[round & 1]));
	if (!failed)
		time_fields(c);
	TIME(c, EVENT_vmclear, 1, failed |= VMX("vmclear %1", pa[1]));
	failed |= VMX("vmclear %1", pa[0]);
	return !failed;
}

static int time_vmx(struct calibration *c)
{
	u64 on = virt_to_phys(c->vmxon),
	    pa[2] = { virt_to_phys(c->vmcs[0]), virt_to_phys(c->vmcs[1]) };
	bool failed = false, good;

	if (__read_cr4() & X86_CR4_VMXE)
		return -EBUSY;
	cr4_update_irqsoff(X86_CR4_VMXE, 0);
	TIME(c, EVENT_vmxon, 1, failed = VMX("vmxon %1", on));
	good = !failed && time_vmcs(c, pa);
	if (!failed)
		TIME(c, EVENT_vmxoff, 1, asm volatile("vmxoff" : : : "cc", "memory"));
	cr4_update_irqsoff(0, X86_CR4_VMXE);
	return good ? 0 : -EIO;
}

/* --- All of it ---------------------------------------------------------------------------------- */

static void take_sample(void *data)
{
	struct calibration *c = data;

	time_plain(c);
	c->error = time_vmx(c);
}

static int ascending(const void *a, const void *b)
{
	const u32 *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

static u32 part(const struct calibration *c, unsigned int event, unsigned int percent)
{
	return c->cycles[event][SAMPLES * percent / 100];
}

/* To a tenth of a cycle. */
static void print(struct seq_file *m, const struct calibration *c, unsigned int event)
{
	static const unsigned int percent[] = { 5, 50, 95 };
	u32 none = part(c, c->rounds[event] == 1 ? EVENT_NONE_ONCE : EVENT_NONE, 50);
	unsigned int i;

	seq_puts(m, names[event]);
	for (i = 0; i < ARRAY_SIZE(percent); i++) {
		u32 cycles = part(c, event, percent[i]);
		u32 tenths = (cycles - min(cycles, none)) * 10 / c->rounds[event];

		seq_printf(m, " %u.%u", tenths / 10, tenths % 10);
	}
	seq_puts(m, "\n");
}

static struct calibration *room(void)
{
	struct calibration *c = vzalloc(sizeof(*c));
	u32 revision;
	int i;

	if (!c)
		return NULL;
	c->vmxon = (void *)get_zeroed_page(GFP_KERNEL);
	for (i = 0; i < 2; i++)
		c->vmcs[i] = (void *)get_zeroed_page(GFP_KERNEL);
	if (!c->vmxon || !c->vmcs[0] || !c->vmcs[1])
		return c;
	revision = native_read_msr(MSR_IA32_VMX_BASIC) & 0x7fffffff;
	*(u32 *)c->vmxon = *(u32 *)c->vmcs[0] = *(u32 *)c->vmcs[1] = revision;
	return c;
}

static void free_room(struct calibration *c)
{
	free_page((unsigned long)c->vmxon);
	free_page((unsigned long)c->vmcs[0]);
	free_page((unsigned long)c->vmcs[1]);
	vfree(c);
}

static DEFINE_MUTEX(one);
static struct calibration *current_one;

/* No command comes meanwhile, so that native stays native. */
static void run(void)
{
	struct calibration *c = current_one;
	unsigned int cpu = cpumask_first(cpu_online_mask);
	const struct mercury_cpu_shared *shared = mercury_cpu_shared(cpu);

	c->error = mercury_mode() == MERCURY_NATIVE ? 0 : -EBUSY;
	/* One that could not be prepared may fault at VMXON; not where it only had another owner then. */
	if (!shared->is_warm && !shared->is_owned)
		c->error = -ENODEV;
	for (c->sample = 0; c->sample < SAMPLES && !c->error; c->sample++)
		smp_call_function_single(cpu, take_sample, c, 1);
}

int mercury_calibrate(struct seq_file *m)
{
	struct calibration *c;
	int error, event;

	if (!mercury_usable() || !mercury_chosen()->takes_vmxe)
		return -ENODEV;
	c = room();
	if (!c)
		return -ENOMEM;
	error = -ENOMEM;
	if (c->vmxon && c->vmcs[0] && c->vmcs[1]) {
		mutex_lock(&one);
		current_one = c;
		mercury_undisturbed(run);
		error = c->error;
		mutex_unlock(&one);
	}
	for (event = 0; event < EVENTS_NR; event++)
		sort(c->cycles[event], SAMPLES, sizeof(u32), ascending, NULL);
	for (event = EVENT_NONE_ONCE + 1; event < EVENTS_NR && !error; event++)
		if (c->rounds[event])
			print(m, c, event);
	free_room(c);
	return error;
}
