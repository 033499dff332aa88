// SPDX-License-Identifier: GPL-2.0-only
/*
 * Linux's end of the test port: /proc/mercury-port tells the CPUs what to do and what they have done.
 * To be loaded before mercury-vmx.
 *
 * A line that is written is a plan, or "clear", which takes all plans back:
 *
 *	ACTION OPERATION [FILTER] [MASK] [cpu N] [nth N]
 *
 * ACTION is fail, nmi, mc, and, or (the last two want MASK, for the operation's value); OPERATION is a
 * function of arch/x86/insn.h without insn_, or entry_ and an instruction of entry.asm; FILTER is what
 * its first argument must be, a VMCS field or an MSR. Each CPU has one plan, carried out once, at the
 * nth such call from now (default 1). Without cpu every CPU gets it. While mercury-vmx is not loaded, a
 * plan is for the time from its next load on.
 *
 * What is read, for each possible CPU:
 *
 *	plan cpuN ACTION OPERATION seen COUNT fired 0|1		if it has one
 *	nmis cpuN sent COUNT taken COUNT late COUNT	late: with a VM exit in between
 *	mcs cpuN sent COUNT
 *	cpuN OPERATION COUNT		for every operation, calls since mercury-vmx was loaded
 */
#include <linux/cpumask.h>
#include <linux/kprobes.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/percpu.h>
#include <linux/proc_fs.h>
#include <linux/seq_file.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/uaccess.h>
#include <asm/apic.h>
#include <asm/msr.h>
#include <asm/nmi.h>

#include "port.h"

static const struct {
	const char *name;
	bool fails, has_value;
} operations[PORT_OPERATIONS_NR] = {
#define O(name, fails, value) [PORT_##name] = { #name, fails, (value) >= 0 },
	PORT_OPERATIONS(O)
#undef O
};

static const char *const actions[] = {
	[PORT_FAIL] = "fail", [PORT_NMI] = "nmi", [PORT_MC] = "mc",
	[PORT_AND] = "and",   [PORT_OR] = "or",
};

/* --- The CPUs ----------------------------------------------------------------------------------- */

struct port_here {
	struct port_cpu *live; /* in the CPU's page while mercury-vmx has it */
	struct port_cpu none;  /* while it has not */
	u64 nmis_taken, nmis_late;
};
static DEFINE_PER_CPU(struct port_here, here);

/* Between what comes and goes with mercury-vmx and who reads or writes it. */
static DEFINE_SPINLOCK(lock);

static struct port_cpu *of_cpu(unsigned int cpu)
{
	struct port_here *h = per_cpu_ptr(&here, cpu);

	return h->live ?: &h->none;
}

/* --- mercury-vmx comes and goes ------------------------------------------------------------------ */

static struct mercury_cpu_shared *(*shared_of)(unsigned int cpu);

/*
 * The VMM's memory is there, and no call into the VMM has been made. The pages are kept from being used
 * anew as long as we look at them.
 */
static int attach(struct kprobe *unused, struct pt_regs *regs)
{
	unsigned long flags;
	unsigned int cpu;

	spin_lock_irqsave(&lock, flags);
	for_each_possible_cpu(cpu) {
		struct port_here *h = per_cpu_ptr(&here, cpu);
		void *page = shared_of(cpu);

		get_page(virt_to_page(page));
		h->nmis_taken = h->nmis_late = 0;
		h->live = page + PORT_CPU_OFFSET;
		h->live->plan = h->none.plan;
		h->none.plan.action = PORT_GO_ON;
	}
	spin_unlock_irqrestore(&lock, flags);
	return 0;
}

static void detach(void)
{
	unsigned long flags;
	unsigned int cpu;

	spin_lock_irqsave(&lock, flags);
	for_each_possible_cpu(cpu) {
		struct port_here *h = per_cpu_ptr(&here, cpu);

		if (h->live)
			put_page(virt_to_page(h->live));
		h->live = NULL;
	}
	spin_unlock_irqrestore(&lock, flags);
}

static struct kprobe probe;

/* kallsyms would search all of the kernel first. */
static void *symbol(const struct module *module, const char *name)
{
	const struct mod_kallsyms *k = module->kallsyms;
	unsigned int i;

	for (i = 0; i < k->num_symtab; i++)
		if (!strcmp(k->strtab + k->symtab[i].st_name, name))
			return (void *)k->symtab[i].st_value;
	return NULL;
}

/*
 * Behind the call of the function tracer, a no-operation by now, which only an ENDBR can precede: a
 * probe on that call goes by way of the tracer, which walks all functions of the kernel.
 */
static void *body(u8 *code)
{
	static const u8 untraced[MCOUNT_INSN_SIZE] = { 0x0f, 0x1f, 0x44, 0x00, 0x00 };
	unsigned int endbr = memcmp(code, untraced, sizeof(untraced)) ? 4 : 0;

	return code + endbr + sizeof(untraced);
}

static int wait_for_start(const struct module *module)
{
	void *start = symbol(module, "mercury_vmm_start");

	shared_of = symbol(module, "mercury_cpu_shared");
	if (!shared_of || !start)
		return -ENOENT;
	probe = (struct kprobe){ .addr = body(start), .pre_handler = attach };
	return register_kprobe(&probe);
}

static int on_module(struct notifier_block *block, unsigned long state, void *data)
{
	const struct module *module = data;

	if (strcmp(module->name, "mercury_vmx"))
		return NOTIFY_DONE;
	if (state == MODULE_STATE_COMING)
		return notifier_from_errno(wait_for_start(module));
	if (state == MODULE_STATE_LIVE || state == MODULE_STATE_GOING)
		unregister_kprobe(&probe);
	if (state == MODULE_STATE_GOING)
		detach();
	return NOTIFY_OK;
}

static struct notifier_block module_block = { .notifier_call = on_module };

/* --- NMIs that the port announced ---------------------------------------------------------------- */

static int on_nmi(unsigned int type, struct pt_regs *regs)
{
	struct port_here *h = this_cpu_ptr(&here);
	struct port_cpu *live = READ_ONCE(h->live);

	if (!live || h->nmis_taken >= live->nmis)
		return NMI_DONE;
	h->nmis_taken++;
	h->nmis_late += live->exits_at_nmi != live->count[PORT_vmexit_entry];
	return NMI_HANDLED;
}

/* --- Writing ------------------------------------------------------------------------------------- */

struct request {
	struct port_plan plan;
	int cpu; /* or -1 */
};

static int find(const char *const *names, size_t stride, unsigned int n, const char *name)
{
	unsigned int i;

	for (i = 0; i < n; i++, names = (void *)names + stride)
		if (*names && !strcmp(*names, name))
			return i;
	return -EINVAL;
}

static char *next_word(char **rest)
{
	char *word;

	do
		word = strsep(rest, "\n ");
	while (word && !*word);
	return word;
}

/* FILTER, MASK: as many as the action takes; one number alone is the mask if there must be one. */
static int take_numbers(struct port_plan *plan, const u64 *number, int n)
{
	bool masks = plan->action == PORT_AND || plan->action == PORT_OR;

	if (n > 1 + masks || n < masks)
		return -EINVAL;
	if (masks)
		plan->mask = number[n - 1];
	plan->filters = n > masks;
	if (plan->filters)
		plan->filter = number[0];
	return 0;
}

static int parse_options(struct request *r, char *word, char **rest)
{
	unsigned int value;

	for (; word; word = next_word(rest)) {
		char *argument = next_word(rest);

		if (!argument || kstrtouint(argument, 0, &value))
			return -EINVAL;
		if (!strcmp(word, "cpu") && value < nr_cpu_ids && cpu_possible(value))
			r->cpu = value;
		else if (!strcmp(word, "nth") && value)
			r->plan.nth = value;
		else
			return -EINVAL;
	}
	return 0;
}

static int parse(struct request *r, char *text)
{
	char *word = next_word(&text);
	u64 numbers[2];
	int found, n = 0;

	*r = (struct request){ .cpu = -1, .plan.nth = 1 };
	if (!word)
		return -EINVAL;
	if (!strcmp(word, "clear"))
		return next_word(&text) ? -EINVAL : 0;
	found = find(actions, sizeof(*actions), ARRAY_SIZE(actions), word);
	if (found < 0)
		return found;
	r->plan.action = found;
	word = next_word(&text);
	found = find(&operations[0].name, sizeof(*operations), PORT_OPERATIONS_NR, word ?: "");
	if (found < 0)
		return found;
	r->plan.operation = found;
	for (word = next_word(&text); word && n < 2 && !kstrtou64(word, 0, &numbers[n]); n++)
		word = next_word(&text);
	return take_numbers(&r->plan, numbers, n) ?: parse_options(r, word, &text);
}

/* What cannot be done must not look done. */
static int check(struct port_plan *plan)
{
	u64 base;

	if (plan->action == PORT_FAIL && !operations[plan->operation].fails)
		return -EOPNOTSUPP;
	if (plan->action >= PORT_AND && !operations[plan->operation].has_value)
		return -EOPNOTSUPP;
	/* The port sends by memory. */
	rdmsrl(MSR_IA32_APICBASE, base);
	plan->apic = base & MSR_IA32_APICBASE_BASE;
	return plan->action == PORT_NMI && base & X2APIC_ENABLE ? -EOPNOTSUPP : 0;
}

static void carry_over(const struct request *r)
{
	unsigned long flags;
	unsigned int cpu;

	spin_lock_irqsave(&lock, flags);
	for_each_possible_cpu(cpu) {
		struct port_plan *plan = &of_cpu(cpu)->plan;

		if (r->cpu >= 0 && r->cpu != cpu)
			continue;
		/* A CPU that looks at it meanwhile finds no plan, or all of this one. */
		WRITE_ONCE(plan->action, PORT_GO_ON);
		smp_wmb(); /* before the rest changes */
		plan->operation = r->plan.operation;
		plan->nth = r->plan.nth;
		plan->filters = r->plan.filters;
		plan->filter = r->plan.filter;
		plan->mask = r->plan.mask;
		plan->apic = r->plan.apic;
		plan->seen = 0;
		plan->fired = 0;
		smp_store_release(&plan->action, r->plan.action); /* after it has */
	}
	spin_unlock_irqrestore(&lock, flags);
}

static ssize_t port_write(struct file *file, const char __user *user, size_t count, loff_t *ppos)
{
	struct request request;
	char text[80];
	int error;

	if (count >= sizeof(text))
		return -EINVAL;
	if (copy_from_user(text, user, count))
		return -EFAULT;
	text[count] = 0;
	error = parse(&request, text) ?: check(&request.plan);
	if (error)
		return error;
	carry_over(&request);
	return count;
}

/* --- Reading ------------------------------------------------------------------------------------- */

static void show_counts(struct seq_file *m, unsigned int cpu, const struct port_cpu *port)
{
	unsigned int i;

	for (i = 0; i < PORT_OPERATIONS_NR; i++)
		seq_printf(m, "cpu%u %s %llu\n", cpu, operations[i].name, port->count[i]);
}

static void show_plan(struct seq_file *m, unsigned int cpu, const struct port_cpu *port)
{
	const struct port_plan *plan = &port->plan;

	if (plan->action != PORT_GO_ON)
		seq_printf(m, "plan cpu%u %s %s seen %llu fired %llu\n", cpu, actions[plan->action],
			   operations[plan->operation].name, plan->seen, plan->fired);
	seq_printf(m, "nmis cpu%u sent %llu taken %llu late %llu\n", cpu, port->nmis,
		   per_cpu_ptr(&here, cpu)->nmis_taken, per_cpu_ptr(&here, cpu)->nmis_late);
	seq_printf(m, "mcs cpu%u sent %llu\n", cpu, port->mcs);
}

static void for_all(struct seq_file *m, struct port_cpu *copy,
		    void (*show)(struct seq_file *m, unsigned int cpu, const struct port_cpu *port))
{
	unsigned long flags;
	unsigned int cpu;

	for_each_possible_cpu(cpu) {
		spin_lock_irqsave(&lock, flags);
		*copy = *of_cpu(cpu);
		spin_unlock_irqrestore(&lock, flags);
		show(m, cpu, copy);
	}
}

/* Plans first: scripts ask for them often. */
static int port_show(struct seq_file *m, void *unused)
{
	struct port_cpu *copy = kmalloc(sizeof(*copy), GFP_KERNEL);

	if (!copy)
		return -ENOMEM;
	for_all(m, copy, show_plan);
	for_all(m, copy, show_counts);
	kfree(copy);
	return 0;
}

static int port_open(struct inode *inode, struct file *file)
{
	return single_open_size(file, port_show, NULL, 4096 * num_possible_cpus());
}

static const struct proc_ops ops = {
	.proc_open = port_open,
	.proc_read = seq_read,
	.proc_release = single_release,
	.proc_write = port_write,
};

/* --- Load and unload ----------------------------------------------------------------------------- */

static int __init port_init(void)
{
	int error = register_nmi_handler(NMI_LOCAL, on_nmi, 0, "mercury-port");

	if (error)
		return error;
	error = register_module_notifier(&module_block);
	if (error)
		goto no_notifier;
	if (proc_create("mercury-port", 0600, NULL, &ops))
		return 0;
	error = -ENOMEM;
	unregister_module_notifier(&module_block);
no_notifier:
	unregister_nmi_handler(NMI_LOCAL, "mercury-port");
	return error;
}

static void __exit port_exit(void)
{
	const struct request none = { .cpu = -1 };

	remove_proc_entry("mercury-port", NULL);
	carry_over(&none);
	unregister_module_notifier(&module_block);
	detach();
	unregister_nmi_handler(NMI_LOCAL, "mercury-port");
}

module_init(port_init);
module_exit(port_exit);
MODULE_DESCRIPTION("Mercury's test: count the operations of a switch, and let one go wrong");
MODULE_LICENSE("GPL");
