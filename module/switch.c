// SPDX-License-Identifier: GPL-2.0-only
/*
 * The switch as Linux sees it. Phase 1: every CPU votes. Phase 2: every CPU switches, with interrupts
 * off, without waiting for another: with an identity P2M the CPUs may run mixed for a moment. If
 * any fails, all go back to native.
 */
#include <linux/cpu.h>
#include <linux/delay.h>
#include <linux/mutex.h>
#include <linux/percpu.h>
#include <linux/printk.h>
#include <linux/smp.h>
#include <linux/timekeeping.h>
#include <asm/msr.h>
#include <asm/nmi.h>
#include <asm/tlbflush.h>

#include "mercury.h"
#include "trace.h"

/* Serialises commands; taken before the CPU hotplug lock, never by a hotplug callback. */
static DEFINE_MUTEX(mode_mutex);
static enum mercury_mode current_mode, wanted_mode;
static u64 switches[2];

/*
 * Why the machine must stay native, until all sleep is over (hibernation may be under way while the machine is
 * suspended and wakes) or for good, and what it was before.
 */
static const char *held;
static unsigned int holds; /* a bit for each of enum mercury_holder */
static enum mercury_mode mode_before_hold;

struct switch_cpu {
	struct mercury_cost cost[2]; /* by the mode entered */
	u64 error;                   /* mercury_error of the last phase on this CPU */
	bool owns_vmxe;              /* we set CR4.VMXE in Linux's CR4 */
	bool entered;                /* and has not left by a command since */
	bool told;                   /* the backend that this CPU enters, and not that it left */
};
static DEFINE_PER_CPU(struct switch_cpu, switch_cpus);

/* --- Reports ------------------------------------------------------------------------------------ */

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
	trace_mercury_cpu(mode, cycles);
}

/* --- On one CPU, interrupts off ----------------------------------------------------------------- */

static bool is_virtual_here(void)
{
	return READ_ONCE(mercury_cpu_shared(smp_processor_id())->is_virtual);
}

/*
 * CR4.VMXE is set and cleared by Linux's own function: its per-CPU shadow, what it reads as a guest,
 * and the register then agree, and whoever wants VMX sees that it is taken.
 */
static void give_back(struct switch_cpu *s)
{
	if (s->owns_vmxe)
		cr4_update_irqsoff(0, X86_CR4_VMXE);
	s->owns_vmxe = false;
}

static void tell_enters(struct switch_cpu *s)
{
	if (mercury_chosen()->enters)
		mercury_chosen()->enters();
	s->told = true;
}

/* Not of one that never was about to enter: VMX may be KVM's there. */
static void tell_left(struct switch_cpu *s)
{
	if (s->told && mercury_chosen()->left)
		mercury_chosen()->left();
	s->told = false;
}

static void vote(void *unused)
{
	this_cpu_ptr(&switch_cpus)->error = mercury_call(MERCURY_CALL_AUDIT, 0, 0);
}

/* Where there is no vote to take back, the VMM refuses the call and nothing happens. */
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
	if (mercury_chosen()->takes_vmxe) {
		cr4_update_irqsoff(X86_CR4_VMXE, 0);
		s->owns_vmxe = true;
	}
	spent = rdtsc_ordered() - start;

	tell_enters(s);
	mercury_state_before();
	start = rdtsc_ordered();
	s->error = mercury_call(MERCURY_CALL_ENTER, 0, 0);
	spent += rdtsc_ordered() - start;
	mercury_state_after("enter");
	s->entered = !s->error;
	if (!s->error) {
		account(s, MERCURY_VIRTUAL, spent);
		return;
	}
	give_back(s);
	tell_left(s);
}

static void leave(void *unused)
{
	struct switch_cpu *s = this_cpu_ptr(&switch_cpus);
	u64 start, spent;

	s->error = MERCURY_E_OK;
	s->entered = false;
	/* A CPU that went native by itself only gives back what it took. */
	if (!is_virtual_here()) {
		give_back(s);
		tell_left(s);
		return;
	}
	mercury_state_before();
	start = rdtsc_ordered();
	s->error = mercury_call(MERCURY_CALL_LEAVE, 0, 0);
	spent = rdtsc_ordered() - start;
	mercury_state_after("leave");
	/* Whatever the result: on a CPU that is native VMX is not ours any more. */
	if (is_virtual_here())
		return;
	start = rdtsc_ordered();
	give_back(s);
	account(s, MERCURY_NATIVE, spent + rdtsc_ordered() - start);
	tell_left(s);
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

/* --- On all CPUs, under the mutex and the hotplug lock ------------------------------------------- */

static unsigned int count_virtual(void)
{
	unsigned int cpu, n = 0;

	for_each_online_cpu(cpu)
		n += READ_ONCE(mercury_cpu_shared(cpu)->is_virtual);
	return n;
}

/* A CPU that is virtual, or went native by itself and has not been heard of since. */
static bool any_entered(void)
{
	unsigned int cpu;

	for_each_online_cpu(cpu)
		if (READ_ONCE(mercury_cpu_shared(cpu)->is_virtual) ||
		    per_cpu(switch_cpus, cpu).entered)
			return true;
	return false;
}

/*
 * The first CPU whose last phase failed, its reason noted; 0 or -errno. That the VMM has failed before is no
 * reason if another CPU has just seen it fail.
 */
static int verdict(const char *phase)
{
	unsigned int cpu, found = nr_cpu_ids;
	u64 error;

	for_each_online_cpu(cpu) {
		error = per_cpu(switch_cpus, cpu).error;
		if (!error)
			continue;
		if (found >= nr_cpu_ids || per_cpu(switch_cpus, found).error == MERCURY_E_BROKEN)
			found = cpu;
	}
	if (found >= nr_cpu_ids)
		return 0;
	error = per_cpu(switch_cpus, found).error;
	mercury_refuse("CPU %u, %s: %s", found, phase, mercury_cpu_text(found, error));
	return mercury_errno(error);
}

/* On every CPU; one that does not answer has failed. */
static void on_all(smp_call_func_t work)
{
	static struct cpumask silent;
	unsigned int cpu;

	mercury_each_cpu(work, &silent);
	for_each_cpu(cpu, &silent)
		per_cpu(switch_cpus, cpu).error = MERCURY_E_NO_ANSWER;
}

/* Out of the machine's mode or into it, as the backend wants it done. */
static void together(smp_call_func_t work)
{
	if (mercury_chosen()->on_each_cpu)
		mercury_chosen()->on_each_cpu(work, work == enter);
	else
		on_all(work);
}

static int all_to_native(void)
{
	mercury_snapshot_cancel();
	together(leave);
	return verdict("leave");
}

static int all_to_virtual(void)
{
	int error;

	error = mercury_chosen()->open();
	if (error)
		return error;
	on_all(vote);
	error = verdict("vote");
	if (!error) {
		together(enter);
		error = verdict("enter");
	}
	if (!error)
		return 0;
	/* All or none. The first reason is the one that counts; a leave that fails shows in the mode. */
	together(leave);
	on_all(discard);
	return error;
}

static int switch_all(enum mercury_mode mode)
{
	unsigned int is_virtual;
	int error = 0;

	if (mode == MERCURY_VIRTUAL && current_mode == MERCURY_NATIVE && mercury_chosen()->prepare)
		mercury_chosen()->prepare();
	cpus_read_lock();
	wanted_mode = mode;
	is_virtual = count_virtual();
	if (is_virtual != (mode == MERCURY_VIRTUAL ? num_online_cpus() : 0) ||
	    mode != current_mode) {
		/*
		 * Some virtual, some not: by way of native, where every CPU votes anew. So too if all
		 * went native by themselves: each gives back CR4.VMXE.
		 */
		if (is_virtual || current_mode == MERCURY_VIRTUAL || mode == MERCURY_NATIVE)
			error = all_to_native();
		if (!error && mode == MERCURY_VIRTUAL)
			error = all_to_virtual();
		if (!error)
			WRITE_ONCE(switches[mode], switches[mode] + 1);
		else
			wanted_mode = MERCURY_NATIVE;
	}
	if (!count_virtual())
		mercury_chosen()->close();
	mercury_state_tell();
	/*
	 * What the CPUs are, not what was asked for; and before a CPU that comes next can read it. If
	 * all went native by themselves already, the look that follows says so.
	 */
	WRITE_ONCE(current_mode, any_entered() ? MERCURY_VIRTUAL : MERCURY_NATIVE);
	cpus_read_unlock();
	return error;
}

/* What became of it. Whoever asks in vain again and again fills no log: the reason is in `last error`. */
static void tell(enum mercury_mode mode, int error)
{
	char text[MERCURY_REASON];
	bool tells = true;

	mercury_last_error(text, sizeof(text));
	if (error)
		tells = mercury_log_limit(text);
	mercury_log_flush(tells);
	if (error && tells)
		pr_warn("not %s: %s\n", mode == MERCURY_VIRTUAL ? "virtual" : "native", text);
}

static int set_mode_locked(enum mercury_mode mode)
{
	enum mercury_mode before = current_mode;
	u64 start = ktime_get_ns();
	int error;

	if (!mercury_usable()) {
		if (mode == MERCURY_NATIVE)
			return 0;
		mercury_refuse("no usable backend: %s", mercury_backend_reason());
		return -ENODEV;
	}
	if (held && mode == MERCURY_VIRTUAL) {
		mercury_refuse("the machine stays native: %s", held);
		return -EBUSY;
	}
	/* What the VMM has said before is none of this command's, which tell() may leave out. */
	mercury_log_flush(true);
	mercury_state_begin();
	error = switch_all(mode);
	trace_mercury_mode(mode, current_mode, count_virtual(), error, ktime_get_ns() - start);
	tell(mode, error);
	mercury_watch(current_mode == MERCURY_VIRTUAL);
	if (current_mode != before)
		mercury_proc_notify();
	return error;
}

int mercury_while_virtual(int (*work)(void *data), void *data)
{
	int error = mutex_lock_interruptible(&mode_mutex);

	if (error)
		return error;
	cpus_read_lock();
	error = current_mode == MERCURY_VIRTUAL && count_virtual() == num_online_cpus() ?
			work(data) :
			-EINVAL;
	cpus_read_unlock();
	mercury_log_flush(true);
	mutex_unlock(&mode_mutex);
	return error;
}

void mercury_undisturbed(void (*work)(void))
{
	mutex_lock(&mode_mutex);
	cpus_read_lock();
	work();
	cpus_read_unlock();
	mutex_unlock(&mode_mutex);
}

int mercury_set_mode(enum mercury_mode mode)
{
	int error;

	/* Also where the freezer interrupts who waits, before sleep: it asks again afterwards. */
	if (mutex_lock_interruptible(&mode_mutex))
		return -ERESTARTSYS;
	error = set_mode_locked(mode);
	mutex_unlock(&mode_mutex);
	return error;
}

int mercury_hold_native(enum mercury_holder holder, const char *why)
{
	int error;

	mutex_lock(&mode_mutex);
	if (!holds)
		mode_before_hold = current_mode;
	if (!(holds & BIT(MERCURY_HOLDER_FOR_GOOD)))
		held = why;
	holds |= BIT(holder);
	error = set_mode_locked(MERCURY_NATIVE);
	mutex_unlock(&mode_mutex);
	return error;
}

/*
 * What sleep left of a CPU's VMX state is not relied on; and those that came online during it did so
 * before Linux had given them their MTRRs and PAT back. One that fails does so again in its vote.
 */
static void prepare_anew(void)
{
	unsigned int cpu;

	cpus_read_lock();
	for_each_online_cpu(cpu) {
		/* If it could not leave there was no sleep. */
		if (READ_ONCE(mercury_cpu_shared(cpu)->is_virtual))
			continue;
		mercury_state_keep(cpu);
		mercury_prepare_cpu(cpu);
	}
	cpus_read_unlock();
}

int mercury_release(enum mercury_holder holder)
{
	bool was_held;
	int error = 0;

	mutex_lock(&mode_mutex);
	was_held = holds & BIT(holder);
	holds &= ~BIT(holder);
	if (was_held && !holds) {
		held = NULL;
		prepare_anew();
		error = set_mode_locked(mode_before_hold);
	}
	mutex_unlock(&mode_mutex);
	return error;
}

void mercury_check_mode(void)
{
	mutex_lock(&mode_mutex);
	cpus_read_lock();
	if (current_mode == MERCURY_VIRTUAL && count_virtual() != num_online_cpus()) {
		mercury_log_flush(true);
		trace_mercury_forced(num_online_cpus() - count_virtual(), num_online_cpus());
		/* Else a command to go native has not reached every CPU, and has said so. */
		if (wanted_mode == MERCURY_VIRTUAL)
			mercury_refuse("%u of %u CPUs went native by themselves, the others "
				       "followed; see the kernel log for why",
				       num_online_cpus() - count_virtual(), num_online_cpus());
		cpus_read_unlock();
		set_mode_locked(MERCURY_NATIVE);
	} else {
		cpus_read_unlock();
	}
	mercury_watch(current_mode == MERCURY_VIRTUAL);
	mutex_unlock(&mode_mutex);
}

/* --- One CPU, in the hotplug callbacks ---------------------------------------------------------- */

int mercury_cpu_to_machine_mode(void)
{
	struct switch_cpu *s = this_cpu_ptr(&switch_cpus);
	unsigned long flags;

	if (wanted_mode == MERCURY_NATIVE)
		return 0;
	local_irq_save(flags);
	vote(NULL);
	if (!s->error)
		enter(NULL);
	if (s->error)
		discard(NULL);
	local_irq_restore(flags);
	return mercury_cpu_failed(smp_processor_id(), "coming online", s->error);
}

int mercury_cpu_to_native(void)
{
	unsigned long flags;

	local_irq_save(flags);
	leave(NULL);
	local_irq_restore(flags);
	return mercury_cpu_failed(smp_processor_id(), "going offline",
				  this_cpu_ptr(&switch_cpus)->error);
}

/* --- Start and stop ----------------------------------------------------------------------------- */

/* Registered once: taking it away again takes a grace period, which no switch should wait for. */
int mercury_switch_start(void)
{
	/* A backend that was tried before has been stopped for good. */
	held = NULL;
	holds = 0;
	return register_nmi_handler(NMI_LOCAL, on_nmi, 0, "mercury");
}

void mercury_switch_stop(void)
{
	/* The VMM's memory must not go while a CPU needs it: there is no way but to wait. */
	while (mercury_hold_native(MERCURY_HOLDER_FOR_GOOD,
				   "the module is being unloaded; load it again")) {
		pr_alert("unload waits: a CPU does not go native; see above for why\n");
		msleep(1000);
	}
	mercury_watch_stop();
	mercury_each_cpu_stop();
	unregister_nmi_handler(NMI_LOCAL, "mercury");
}
