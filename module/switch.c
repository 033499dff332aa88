// SPDX-License-Identifier: GPL-2.0-only
/*
 * The switch as Linux sees it. Phase 1: every CPU votes. Phase 2: every CPU switches, in interrupt
 * context, without waiting for another: with an identity P2M the CPUs may run mixed for a moment. If
 * any fails, all go back to native.
 */
#include <linux/cpu.h>
#include <linux/mutex.h>
#include <linux/percpu.h>
#include <linux/printk.h>
#include <linux/smp.h>
#include <asm/msr.h>
#include <asm/nmi.h>
#include <asm/tlbflush.h>

#include "mercury.h"

/* Serialises commands; taken before the CPU hotplug lock, never by a hotplug callback. */
static DEFINE_MUTEX(mode_mutex);
static enum mercury_mode current_mode;
static u64 switches[2];
static bool closed; /* native for good: the module is about to go */

static DEFINE_SPINLOCK(reason_lock);
static char reason[MERCURY_REASON] = "none";

struct switch_cpu {
	struct mercury_cost cost[2]; /* by the mode entered */
	u64 error; /* mercury_error of the last phase on this CPU */
	bool owns_vmxe; /* we set CR4.VMXE in Linux's CR4 */
};
static DEFINE_PER_CPU(struct switch_cpu, switch_cpus);

/* --- Reports ------------------------------------------------------------------------------------ */

void mercury_refuse(const char *format, ...)
{
	va_list arguments;

	spin_lock(&reason_lock);
	va_start(arguments, format);
	vscnprintf(reason, sizeof(reason), format, arguments);
	va_end(arguments);
	spin_unlock(&reason_lock);
}

void mercury_last_error(char *text, size_t size)
{
	spin_lock(&reason_lock);
	strscpy(text, reason, size);
	spin_unlock(&reason_lock);
}

enum mercury_mode mercury_mode(void)
{
	return READ_ONCE(current_mode);
}

void mercury_switches(u64 *to_virtual, u64 *to_native)
{
	*to_virtual = READ_ONCE(switches[MERCURY_VIRTUAL]);
	*to_native = READ_ONCE(switches[MERCURY_NATIVE]);
}

void mercury_cpu_report(unsigned int cpu, struct mercury_cpu_report *report)
{
	const struct switch_cpu *s = &per_cpu(switch_cpus, cpu);

	report->enter = s->cost[MERCURY_VIRTUAL];
	report->leave = s->cost[MERCURY_NATIVE];
	report->is_virtual = READ_ONCE(mercury_cpu_shared(cpu)->is_virtual);
}

static void account(struct switch_cpu *s, enum mercury_mode mode, u64 cycles)
{
	struct mercury_cost *cost = &s->cost[mode];

	cost->last = cycles;
	cost->worst = max(cost->worst, cycles);
}

/* --- On one CPU, interrupts off ----------------------------------------------------------------- */

/*
 * CR4.VMXE is set and cleared by Linux's own function: its per-CPU shadow, what it reads as a guest,
 * and the register then agree, and whoever wants VMX sees that it is taken.
 */
static void give_back_vmxe(struct switch_cpu *s)
{
	if (s->owns_vmxe)
		cr4_update_irqsoff(0, X86_CR4_VMXE);
	s->owns_vmxe = false;
}

static void vote(void *unused)
{
	this_cpu_ptr(&switch_cpus)->error = mercury_call(MERCURY_CALL_AUDIT, 0, 0);
}

static void discard(void *unused)
{
	mercury_call(MERCURY_CALL_DISCARD, 0, 0);
}

static void enter(void *unused)
{
	struct switch_cpu *s = this_cpu_ptr(&switch_cpus);
	u64 start = rdtsc_ordered(), spent;

	/* KVM may have come since the vote. */
	if (__read_cr4() & X86_CR4_VMXE) {
		s->error = MERCURY_E_OWNED;
		return;
	}
	cr4_update_irqsoff(X86_CR4_VMXE, 0);
	s->owns_vmxe = true;
	spent = rdtsc_ordered() - start;

	mercury_state_before();
	start = rdtsc_ordered();
	s->error = mercury_call(MERCURY_CALL_ENTER, 0, 0);
	account(s, MERCURY_VIRTUAL, spent + rdtsc_ordered() - start);
	mercury_state_after("enter");
	if (s->error)
		give_back_vmxe(s);
}

static bool is_virtual_here(void)
{
	return mercury_cpu_shared(smp_processor_id())->is_virtual;
}

static void leave(void *unused)
{
	struct switch_cpu *s = this_cpu_ptr(&switch_cpus);
	u64 start, spent;

	s->error = MERCURY_E_OK;
	/* A CPU that went native by itself only gives back what it took. */
	if (!is_virtual_here()) {
		give_back_vmxe(s);
		return;
	}
	mercury_state_before();
	start = rdtsc_ordered();
	s->error = mercury_call(MERCURY_CALL_LEAVE, 0, 0);
	spent = rdtsc_ordered() - start;
	mercury_state_after("leave");
	if (s->error)
		return;
	start = rdtsc_ordered();
	give_back_vmxe(s);
	account(s, MERCURY_NATIVE, spent + rdtsc_ordered() - start);
}

/* The VMM cannot take a CPU native while it is in user space: it asks by an NMI. */
static int on_nmi(unsigned int type, struct pt_regs *regs)
{
	struct mercury_cpu_shared *shared = mercury_cpu_shared(smp_processor_id());

	if (!shared->asks_leave)
		return NMI_DONE;
	shared->asks_leave = 0;
	if (is_virtual_here())
		mercury_call(MERCURY_CALL_LEAVE, 0, 0);
	return NMI_HANDLED;
}

/* --- On all CPUs -------------------------------------------------------------------------------- */

/* The first CPU whose last phase failed, its reason noted; 0 or -errno. */
static int verdict(const char *phase)
{
	unsigned int cpu;

	for_each_online_cpu(cpu) {
		u64 error = per_cpu(switch_cpus, cpu).error;
		const struct mercury_cpu_shared *shared = mercury_cpu_shared(cpu);

		if (!error)
			continue;
		mercury_refuse("CPU %u, %s: %s", cpu, phase,
			       shared->error == error ? shared->text : mercury_error_text(error));
		return mercury_errno(error);
	}
	return 0;
}

static int all_to_native(void)
{
	int error;

	on_each_cpu(leave, NULL, 1);
	error = verdict("leave");
	if (!error)
		unregister_nmi_handler(NMI_LOCAL, "mercury");
	return error;
}

static int all_to_virtual(void)
{
	int error;

	on_each_cpu(vote, NULL, 1);
	error = verdict("vote");
	if (error) {
		on_each_cpu(discard, NULL, 1);
		return error;
	}
	error = register_nmi_handler(NMI_LOCAL, on_nmi, 0, "mercury");
	if (error) {
		on_each_cpu(discard, NULL, 1);
		return error;
	}
	on_each_cpu(enter, NULL, 1);
	error = verdict("enter");
	if (error) {
		/* The reason is noted; a CPU that never entered only gives back what it took. */
		on_each_cpu(leave, NULL, 1);
		on_each_cpu(discard, NULL, 1);
		unregister_nmi_handler(NMI_LOCAL, "mercury");
	}
	return error;
}

static int set_mode_locked(enum mercury_mode mode)
{
	int error;

	if (mode == current_mode)
		return 0;
	if (closed)
		return -ENODEV;
	if (!mercury_usable()) {
		mercury_refuse("no usable backend; the kernel log says why");
		return -ENODEV;
	}
	cpus_read_lock();
	error = mode == MERCURY_VIRTUAL ? all_to_virtual() : all_to_native();
	/* Before the lock is gone: a CPU that comes next reads it. */
	if (!error)
		WRITE_ONCE(current_mode, mode);
	cpus_read_unlock();
	mercury_log_flush();
	if (error) {
		char text[MERCURY_REASON];

		mercury_last_error(text, sizeof(text));
		pr_warn("staying %s: %s\n", current_mode == MERCURY_VIRTUAL ? "virtual" : "native",
			text);
		return error;
	}
	WRITE_ONCE(switches[mode], switches[mode] + 1);
	return 0;
}

int mercury_set_mode(enum mercury_mode mode)
{
	int error = mutex_lock_interruptible(&mode_mutex);

	if (error)
		return error;
	error = set_mode_locked(mode);
	mutex_unlock(&mode_mutex);
	return error;
}

/* --- One CPU, in the hotplug callbacks ---------------------------------------------------------- */

static int log_failure(const char *what, u64 error)
{
	const struct mercury_cpu_shared *shared = mercury_cpu_shared(smp_processor_id());

	if (!error)
		return 0;
	pr_err("CPU %u, %s: %s\n", smp_processor_id(), what,
	       shared->error == error ? shared->text : mercury_error_text(error));
	return mercury_errno(error);
}

int mercury_cpu_to_machine_mode(void)
{
	struct switch_cpu *s = this_cpu_ptr(&switch_cpus);
	unsigned long flags;

	if (current_mode == MERCURY_NATIVE)
		return 0;
	local_irq_save(flags);
	vote(NULL);
	if (!s->error)
		enter(NULL);
	local_irq_restore(flags);
	return log_failure("coming online while the machine is virtual", s->error);
}

int mercury_cpu_to_native(void)
{
	unsigned long flags;

	local_irq_save(flags);
	leave(NULL);
	local_irq_restore(flags);
	return log_failure("going offline", this_cpu_ptr(&switch_cpus)->error);
}

void mercury_switch_stop(void)
{
	mutex_lock(&mode_mutex);
	if (set_mode_locked(MERCURY_NATIVE))
		pr_alert("unload: a CPU did not go native\n");
	closed = true;
	mutex_unlock(&mode_mutex);
}
