// SPDX-License-Identifier: GPL-2.0-only
/*
 * Ring 1 as Linux sees it. While virtual the window hangs in slot 509 of all of Linux's page tables,
 * for the VMM runs on whichever are loaded; while native it is in none. New processes copy it with the
 * kernel's half.
 */
#include <linux/kdebug.h>
#include <linux/mm.h>
#include <linux/printk.h>
#include <linux/rcupdate.h>
#include <linux/security.h>
#include <linux/smp.h>
#include <asm/cpufeature.h>
#include <asm/pgtable.h>
#include <asm/ptrace.h>
#include <asm/tlbflush.h>

#include "compat/symbols.h"
#include "gate.h"
#include "mercury.h"
#include "sites.h"
#include "window.h"

static struct mercury_symbols symbols;

/* --- The window in Linux's page tables ---------------------------------------------------------- */

static bool is_hung;

/* Under page-table isolation the user half is the next page. */
static unsigned int halves(void)
{
	return cpu_feature_enabled(X86_FEATURE_PTI) ? 2 : 1;
}

static u64 *slot_of(pgd_t *pgd, unsigned int half)
{
	return (u64 *)&pgd[half * PTRS_PER_PGD + MERCURY_WINDOW_PML4_SLOT];
}

/* Of all roots, with `function` until one says no. Those of efi_mm exist with EFI only. */
static int all_roots(int (*function)(pgd_t *pgd))
{
	struct page *page;
	int error;

	/* New ones copy init_mm's under this lock, and are on the list when it is released. */
	spin_lock(symbols.pgd_lock);
	error = function(symbols.init_mm->pgd);
	if (!error && symbols.efi_mm && symbols.efi_mm->pgd)
		error = function(symbols.efi_mm->pgd);
	list_for_each_entry(page, symbols.pgd_list, lru)
		error = error ?: function(page_address(page));
	spin_unlock(symbols.pgd_lock);
	return error;
}

static int is_free(pgd_t *pgd)
{
	unsigned int half;

	for (half = 0; half < halves(); half++)
		if (READ_ONCE(*slot_of(pgd, half)))
			return -EBUSY;
	return 0;
}

static int hang(pgd_t *pgd)
{
	unsigned int half;

	for (half = 0; half < halves(); half++)
		WRITE_ONCE(*slot_of(pgd, half), mercury_window_pml4e());
	return 0;
}

static int take_down(pgd_t *pgd)
{
	unsigned int half;

	for (half = 0; half < halves(); half++)
		WRITE_ONCE(*slot_of(pgd, half), 0);
	return 0;
}

static void ring1_prepare(void)
{
	mercury_sites_load(&symbols);
}

static int ring1_open(void)
{
	int error;

	/* By way of native, since some CPUs went so by themselves: new processes have copied it too. */
	if (is_hung)
		return 0;
	error = all_roots(is_free);
	if (error) {
		mercury_refuse(
			"PML4 slot 509, where the window belongs, is occupied by something else: unload other hypervisors");
		return error;
	}
	is_hung = true;
	return all_roots(hang);
}

/* Everything of every PCID, what the processor knows of page tables' upper levels too. */
static void flush(void *unused)
{
	/* Every 64-bit CPU has it, and Linux sets it. */
	if (WARN_ON_ONCE(!(__read_cr4() & X86_CR4_PGE)))
		return;
	cr4_update_irqsoff(0, X86_CR4_PGE);
	cr4_update_irqsoff(X86_CR4_PGE, 0);
}

static void ring1_close(void)
{
	if (!is_hung)
		return;
	all_roots(take_down);
	on_each_cpu(flush, NULL, 1);
	is_hung = false;
}

/* --- Left behind -------------------------------------------------------------------------------- */

/*
 * Linux serialises by an IRET to itself, with CS and SS as it finds them. A task that was preempted
 * between reading them in ring 1 and the IRET does that IRET on the bare machine: #GP, for there is no
 * such selector. Give it Linux's own and let it try again.
 */
static int on_die(struct notifier_block *block, unsigned long reason, void *data)
{
	struct die_args *args = data;
	unsigned long *frame;
	u8 opcode[2];

	if (reason != DIE_GPF || !args->regs || user_mode(args->regs) ||
	    copy_from_kernel_nofault(opcode, (void *)args->regs->ip, sizeof(opcode)) ||
	    opcode[0] != 0x48 || opcode[1] != 0xcf)
		return NOTIFY_DONE;
	frame = (unsigned long *)args->regs->sp;
	if (frame[1] != MERCURY_RING1_CS)
		return NOTIFY_DONE;
	frame[1] = __KERNEL_CS;
	frame[4] = __KERNEL_DS;
	return NOTIFY_STOP;
}

static struct notifier_block die_block = { .notifier_call = on_die };

/* --- Start and stop ----------------------------------------------------------------------------- */

static int ring1_start(void)
{
	const char *missing;

	/* Before the symbols: with IBT the kernel's own functions are no targets of an indirect call. */
	if (__read_cr4() & X86_CR4_CET) {
		mercury_refuse("CET (CR4.CET) is on: boot with ibt=off clearcpuid=519");
		pr_err("ring 1: CET (CR4.CET) is on: boot with ibt=off clearcpuid=519\n");
		return -ENODEV;
	}
	if (security_locked_down(LOCKDOWN_KPROBES)) {
		mercury_refuse(
			"the kernel is locked down and does not tell where its symbols are: boot with lockdown=integrity");
		pr_err("ring 1: the kernel is locked down and does not tell where its symbols are: boot with lockdown=integrity\n");
		return -ENODEV;
	}
	missing = mercury_symbols_find(&symbols);
	if (missing) {
		mercury_refuse(
			"the kernel does not tell where its symbol %s is: boot one with CONFIG_KALLSYMS_ALL, or use VT-x",
			missing);
		pr_err("ring 1: the kernel does not tell where its symbol %s is: boot one with CONFIG_KALLSYMS_ALL, or use VT-x\n",
		       missing);
		return -ENODEV;
	}
	return register_die_notifier(&die_block);
}

/* No task sleeps at such an IRET any more when this returns. */
static void ring1_stop(void)
{
	synchronize_rcu_tasks();
	unregister_die_notifier(&die_block);
	mercury_sites_free();
}

struct together {
	smp_call_func_t work;
	unsigned int cpus;
	bool to_virtual;
};

static int stopped(void *data)
{
	const struct together *t = data;

	if (t->to_virtual)
		mercury_sites_patch(t->cpus);
	t->work(NULL);
	if (!t->to_virtual)
		mercury_sites_restore(t->cpus);
	return 0;
}

/* Where every CPU is in its stopper thread, nothing of Linux is in the middle of anything. */
static void by_stop_machine(smp_call_func_t work, bool to_virtual)
{
	struct together t = { work, num_online_cpus(), to_virtual };

	mercury_sites_begin(to_virtual);
	symbols.stop_machine_cpuslocked(stopped, &t, cpu_online_mask);
	mercury_sites_end(to_virtual);
}

static const char *trap_name(unsigned int i)
{
#define R(name, text) text,
	static const char *const names[] = { MERCURY_RING1_TRAPS(R) };
#undef R
	return i < ARRAY_SIZE(names) ? names[i] : "?";
}

const struct mercury_backend mercury_ring1 = {
	.name = "ring1",
	.title = "ring 1",
	.nature = "ring1 (cooperative: Linux can write the VMM)",
	.id = MERCURY_BACKEND_RING1,
	.flags_shown = X86_EFLAGS_IOPL,
	.start = ring1_start,
	.stop = ring1_stop,
	.prepare = ring1_prepare,
	.open = ring1_open,
	.close = ring1_close,
	.call = mercury_gate_ring1,
	.on_each_cpu = by_stop_machine,
	.enters = mercury_sites_enter,
	.left = mercury_sites_left,
	.hidden_cr4 = mercury_sites_hidden_cr4,
	.show = mercury_sites_show,
	.counts = "traps",
	.count_name = trap_name,
};
