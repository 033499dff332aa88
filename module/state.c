// SPDX-License-Identifier: GPL-2.0-only
/*
 * Is Linux's state bit-equal across the gate? One table of items; each is read before and after the
 * gate in the same section with interrupts off, and the task-independent ones at load as well.
 */
#include <linux/cpu.h>
#include <linux/mutex.h>
#include <linux/percpu.h>
#include <linux/printk.h>
#include <linux/seq_file.h>
#include <linux/slab.h>
#include <linux/smp.h>
#include <asm/debugreg.h>
#include <asm/desc.h>
#include <asm/fpu/xcr.h>
#include <asm/msr.h>
#include <asm/segment.h>
#include <asm/tlbflush.h>

#include "compat/compat.h"
#include "mercury.h"

bool mercury_verify;
static bool verifying; /* for the command that runs */

/* What Linux goes without as long as its code is patched, and finds set while virtual. */
static u64 hidden_cr4(void)
{
	return mercury_chosen()->hidden_cr4 ? mercury_chosen()->hidden_cr4() : 0;
}

/* MSRs that may be missing read as zero: M(name, number, belongs to the machine, not the task). */
#define STATE_MSRS(M)                                                                              \
	M(XSS, MSR_IA32_XSS, 1)                                                                    \
	M(EFER, MSR_EFER, 1)                                                                       \
	M(PAT, MSR_IA32_CR_PAT, 1)                                                                 \
	M(STAR, MSR_STAR, 1)                                                                       \
	M(LSTAR, MSR_LSTAR, 1)                                                                     \
	M(CSTAR, MSR_CSTAR, 1)                                                                     \
	M(FMASK, MSR_SYSCALL_MASK, 1)                                                              \
	M(SYSENTER_CS, MSR_IA32_SYSENTER_CS, 1)                                                    \
	M(SYSENTER_ESP, MSR_IA32_SYSENTER_ESP, 1)                                                  \
	M(SYSENTER_EIP, MSR_IA32_SYSENTER_EIP, 1)                                                  \
	M(FS_BASE, MSR_FS_BASE, 0)                                                                 \
	M(GS_BASE, MSR_GS_BASE, 1)                                                                 \
	M(KERNEL_GS_BASE, MSR_KERNEL_GS_BASE, 0)                                                   \
	M(TSC_AUX, MSR_TSC_AUX, 1)                                                                 \
	M(TSC_ADJUST, MSR_IA32_TSC_ADJUST, 1)                                                      \
	M(DEBUGCTL, MSR_IA32_DEBUGCTLMSR, 0)                                                       \
	M(SPEC_CTRL, MSR_IA32_SPEC_CTRL, 0)                                                        \
	M(FEATURE_CONTROL, MSR_IA32_FEAT_CTL, 1)                                                   \
	M(MISC_ENABLE, MSR_IA32_MISC_ENABLE, 1)

#define STATE_SEGMENTS(M) M(ES, 0) M(CS, 1) M(SS, 0) M(DS, 0) M(FS, 0) M(GS, 0) M(LDTR, 0) M(TR, 1)

/* The others: M(name, belongs to the machine, expression). */
#define STATE_REGISTERS(M)                                                                         \
	M(CR0, 0, read_cr0())                                                                      \
	M(CR3, 0, __read_cr3())                                                                    \
	M(CR4, 0, __read_cr4() | hidden_cr4())                                                     \
	M(CR4_SHADOW, 0, cr4_read_shadow())                                                        \
	M(XCR0, 1, boot_cpu_has(X86_FEATURE_OSXSAVE) ? xgetbv(XCR_XFEATURE_ENABLED_MASK) : 0)      \
	M(DR0, 0, read_dr(0))                                                                      \
	M(DR1, 0, read_dr(1))                                                                      \
	M(DR2, 0, read_dr(2))                                                                      \
	M(DR3, 0, read_dr(3))                                                                      \
	M(DR6, 0, read_dr(6))                                                                      \
	M(DR7, 0, read_dr(7))                                                                      \
	M(RFLAGS, 0, native_save_fl() & ~STATE_ARITHMETIC & ~mercury_chosen()->flags_shown)        \
	M(GDTR_BASE, 1, gdt.address)                                                               \
	M(GDTR_LIMIT, 1, gdt.size)                                                                 \
	M(IDTR_BASE, 1, idt.address)                                                               \
	M(IDTR_LIMIT, 1, idt.size)

#define STATE_ARITHMETIC                                                                           \
	(X86_EFLAGS_CF | X86_EFLAGS_PF | X86_EFLAGS_AF | X86_EFLAGS_ZF | X86_EFLAGS_SF |           \
	 X86_EFLAGS_OF)

static unsigned long read_dr(int n)
{
	unsigned long value;

	get_debugreg(value, n);
	return value;
}

#define ID_MSR(name, number, machine) ITEM_##name,
#define ID_REGISTER(name, machine, expression) ITEM_##name,
#define ID_SEGMENT(name, machine) ITEM_##name##_SELECTOR, ITEM_##name##_LIMIT, ITEM_##name##_ACCESS,
#define SEGMENT_ITEMS 3
/* clang-format off */
enum item {
	STATE_REGISTERS(ID_REGISTER)
	STATE_MSRS(ID_MSR)
	ITEMS_PLAIN,
	ITEM_SEGMENTS = ITEMS_PLAIN - 1,
	STATE_SEGMENTS(ID_SEGMENT)
	ITEMS
};

static const struct {
	const char *name;
	bool machine;
} items[ITEMS] = {
#define ROW_MSR(name, number, machine) [ITEM_##name] = { #name, machine },
#define ROW_REGISTER(name, machine, expression) [ITEM_##name] = { #name, machine },
#define ROW_SEGMENT(name, machine)                                                                 \
	[ITEM_##name##_SELECTOR] = { #name " selector", machine },                                 \
	[ITEM_##name##_LIMIT] = { #name " limit", machine },                                       \
	[ITEM_##name##_ACCESS] = { #name " access rights", machine },
	STATE_REGISTERS(ROW_REGISTER)
	STATE_MSRS(ROW_MSR)
	STATE_SEGMENTS(ROW_SEGMENT)
};
/* clang-format on */

struct machine_state {
	u64 value[ITEMS];
};

struct state_cpu {
	struct machine_state before, after, at_load, shown;
	u64 checks, differences, told;
	const char *when, *first; /* of the differences: on which way, and its name */
	char text[160];
};
static struct state_cpu __percpu *state_cpus;

/* --- Reading ------------------------------------------------------------------------------------ */

static u64 msr_or_zero(u32 msr)
{
	u64 value;

	return rdmsrq_safe(msr, &value) ? 0 : value;
}

/* A selector with what LSL and LAR say of its descriptor; 0 where they refuse it. */
static void read_segment(u64 *value, u16 selector)
{
	u32 limit = 0, access = 0;

	asm volatile("lsl %1, %0" : "+r"(limit) : "r"((u32)selector) : "cc");
	asm volatile("lar %1, %0" : "+r"(access) : "r"((u32)selector) : "cc");
	value[0] = selector;
	value[1] = limit;
	value[2] = access >> 8 & 0xf0ff;
}

static u16 read_ldtr(void)
{
	u16 selector;

	asm volatile("sldt %0" : "=m"(selector));
	return selector;
}

static void read_segments(u64 *value)
{
	u16 selector;

#define READ_SELECTOR(reg)                                                                         \
	savesegment(reg, selector);                                                                \
	read_segment(value, selector);                                                             \
	value += SEGMENT_ITEMS;
	READ_SELECTOR(es)
	READ_SELECTOR(cs)
	READ_SELECTOR(ss)
	READ_SELECTOR(ds)
	READ_SELECTOR(fs)
	READ_SELECTOR(gs)
	read_segment(value, read_ldtr());
	read_segment(value + SEGMENT_ITEMS, native_store_tr());
#undef READ_SELECTOR
}

/*
 * While virtual the VMM shows what the CPU really holds. Of a segment that is unusable there only
 * the selector says anything; bases are in the MSRs (FS, GS) or not looked at by 64-bit code.
 */
static bool read_hidden(struct machine_state *state)
{
	const struct mercury_cpu_shared *shared = mercury_cpu_shared(smp_processor_id());
	const struct mercury_segment *s = shared->hidden;
	u64 *value = &state->value[ITEMS_PLAIN];
	int i;

	if (mercury_call(MERCURY_CALL_HIDDEN, 0, 0))
		return false;
	state->value[ITEM_GDTR_BASE] = shared->gdtr.base;
	state->value[ITEM_GDTR_LIMIT] = shared->gdtr.limit;
	state->value[ITEM_IDTR_BASE] = shared->idtr.base;
	state->value[ITEM_IDTR_LIMIT] = shared->idtr.limit;
	for (i = 0; i < MERCURY_SEGMENTS_NR; i++, s++, value += SEGMENT_ITEMS) {
		bool usable = !(s->access_rights & 1U << 16);

		value[0] = s->selector;
		value[1] = usable ? s->limit : 0;
		value[2] = usable ? s->access_rights : 0;
	}
	return true;
}

static void read_state(struct machine_state *state)
{
	struct desc_ptr gdt, idt;

	native_store_gdt(&gdt);
	store_idt(&idt);
#define READ_MSR(name, number, machine) state->value[ITEM_##name] = msr_or_zero(number);
#define READ_REGISTER(name, machine, expression) state->value[ITEM_##name] = expression;
	STATE_REGISTERS(READ_REGISTER)
	STATE_MSRS(READ_MSR)
	/* An NMI may take this CPU native in between, and then the VMM does not answer. */
	if (!mercury_cpu_shared(smp_processor_id())->is_virtual || !read_hidden(state))
		read_segments(&state->value[ITEMS_PLAIN]);
}

/* --- Comparing ---------------------------------------------------------------------------------- */

static void compare(struct state_cpu *s, const struct machine_state *a,
		    const struct machine_state *b, bool machine_only, const char *when)
{
	int i;

	s->checks++;
	for (i = 0; i < ITEMS; i++) {
		if (a->value[i] == b->value[i] || (machine_only && !items[i].machine))
			continue;
		if (s->differences++)
			continue;
		s->when = when;
		s->first = items[i].name;
		scnprintf(s->text, sizeof(s->text), "%s: %s %llx, then %llx", when, items[i].name,
			  a->value[i], b->value[i]);
	}
}

void mercury_state_begin(void)
{
	WRITE_ONCE(verifying, READ_ONCE(mercury_verify));
}

void mercury_state_before(void)
{
	if (READ_ONCE(verifying))
		read_state(&this_cpu_ptr(state_cpus)->before);
}

void mercury_state_after(const char *direction)
{
	struct state_cpu *s = this_cpu_ptr(state_cpus);

	if (!READ_ONCE(verifying))
		return;
	read_state(&s->after);
	compare(s, &s->before, &s->after, false, direction);
}

static void keep(void *unused)
{
	read_state(&this_cpu_ptr(state_cpus)->at_load);
}

void mercury_state_keep(unsigned int cpu)
{
	smp_call_function_single(cpu, keep, NULL, 1);
}

static void compare_with_load(void *unused)
{
	struct state_cpu *s = this_cpu_ptr(state_cpus);

	read_state(&s->after);
	compare(s, &s->at_load, &s->after, true, "since load");
}

int mercury_state_start(void)
{
	state_cpus = alloc_percpu(struct state_cpu);
	return state_cpus ? 0 : -ENOMEM;
}

u64 mercury_state_size(void)
{
	return (u64)num_possible_cpus() * sizeof(struct state_cpu);
}

void mercury_state_stop(void)
{
	free_percpu(state_cpus);
}

static void tell_differences(unsigned int cpu, struct state_cpu *s)
{
	/* Values are addresses of the kernel's, and the log may be anybody's to read. */
	pr_err("CPU %u: state check: %llu differences, first: %s: %s; switch to native and report it with /proc/mercury\n",
	       cpu, s->differences, s->when, s->first);
	s->told = s->differences;
}

/* After a switch, under the hotplug lock: those that it has added. */
void mercury_state_tell(void)
{
	unsigned int cpu;

	for_each_online_cpu(cpu) {
		struct state_cpu *s = per_cpu_ptr(state_cpus, cpu);

		if (s->differences > s->told)
			tell_differences(cpu, s);
	}
}

/* At unload, native again: equal to what was found at load, or when the CPU came? */
void mercury_state_conclude(void)
{
	unsigned int cpu;

	if (!READ_ONCE(mercury_verify))
		return;
	cpus_read_lock();
	on_each_cpu(compare_with_load, NULL, 1);
	for_each_online_cpu(cpu) {
		struct state_cpu *s = per_cpu_ptr(state_cpus, cpu);

		if (s->differences)
			tell_differences(cpu, s);
		else
			pr_info("CPU %u: state check: equal in %llu comparisons of %d items\n", cpu,
				s->checks, ITEMS);
	}
	cpus_read_unlock();
}

static void look(void *unused)
{
	read_state(&this_cpu_ptr(state_cpus)->shown);
}

void mercury_state_print(struct seq_file *m)
{
	static DEFINE_MUTEX(one_at_a_time);
	unsigned int cpu, i;

	mutex_lock(&one_at_a_time);
	cpus_read_lock();
	on_each_cpu(look, NULL, 1);
	for_each_online_cpu(cpu)
		for (i = 0; i < ITEMS; i++)
			seq_printf(m, "cpu%u %-7s %-20s %016llx\n", cpu,
				   items[i].machine ? "machine" : "task", items[i].name,
				   per_cpu_ptr(state_cpus, cpu)->shown.value[i]);
	cpus_read_unlock();
	mutex_unlock(&one_at_a_time);
}

void mercury_state_show(struct seq_file *m)
{
	unsigned int cpu;
	u64 checks = 0;

	if (!READ_ONCE(mercury_verify)) {
		seq_puts(m, "state check: off; set the parameter verify to 1\n");
		return;
	}
	for_each_online_cpu(cpu) {
		const struct state_cpu *s = per_cpu_ptr(state_cpus, cpu);

		checks += s->checks;
		if (!s->differences)
			continue;
		seq_printf(m,
			   "state check: differs on cpu%u: %s (%llu differences); switch to native and report it\n",
			   cpu, mercury_may_see(m) ? s->text : "shown to root only",
			   s->differences);
		return;
	}
	seq_printf(m, "state check: equal in %llu comparisons of %d items\n", checks, ITEMS);
}
