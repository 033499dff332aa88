// SPDX-License-Identifier: GPL-2.0-only
/* sysctl mercury.mode, mercury.backend, mercury.status. */
#include <linux/cpu.h>
#include <linux/irqflags.h>
#include <linux/smp.h>
#include <linux/sysctl.h>
#include <asm/msr.h>
#include <asm/processor-flags.h>
#include <asm/special_insns.h>

#include "compat/compat.h"
#include "mercury.h"

/* Give `text` and a newline to the reader, or refuse the write. */
static int show(const char *text, int write, void *buffer, size_t *lenp, loff_t *ppos)
{
	char line[MERCURY_REASON + 2];
	struct ctl_table table = { .data = line, .maxlen = sizeof(line) };

	if (write)
		return -EPERM;
	strscpy(line, text, sizeof(line));
	return proc_dostring(&table, 0, buffer, lenp, ppos);
}

static int do_mode(mercury_ctl_table *table, int write, void *buffer, size_t *lenp, loff_t *ppos)
{
	int error;

	if (!write)
		return show(mercury_mode() == MERCURY_VIRTUAL ? "virtual" : "native", 0, buffer,
			    lenp, ppos);
	if (*ppos) {
		mercury_refuse(
			"a mode is written at once, not at offset %lld; write native or virtual to a file just opened",
			*ppos);
		return -EINVAL;
	}
	error = mercury_command(buffer, *lenp);
	if (!error)
		*ppos += *lenp;
	return error;
}

static int do_backend(mercury_ctl_table *table, int write, void *buffer, size_t *lenp, loff_t *ppos)
{
	return show(mercury_backend(), write, buffer, lenp, ppos);
}

static unsigned int count_cpus(bool (*is)(unsigned int cpu))
{
	unsigned int cpu, n = 0;

	for_each_online_cpu(cpu)
		n += is(cpu);
	return n;
}

static bool is_virtual(unsigned int cpu)
{
	return READ_ONCE(mercury_cpu_shared(cpu)->is_virtual);
}

/* What was owned by another when it was to be prepared is no failure: the next vote prepares it. */
static bool has_failed(unsigned int cpu)
{
	const struct mercury_cpu_shared *shared = mercury_cpu_shared(cpu);

	return !READ_ONCE(shared->is_warm) && !READ_ONCE(shared->is_owned);
}

struct owner {
	bool vmx, svm;
};

/* Now, on this CPU: KVM takes either on all. The others are not interrupted for whoever reads a file. */
static struct owner owner_here(void)
{
	struct owner owner = { false, false };
	unsigned long flags;
	u64 efer;

	local_irq_save(flags);
	if (!is_virtual(smp_processor_id())) {
		rdmsrq(MSR_EFER, efer);
		owner.vmx = __read_cr4() & X86_CR4_VMXE;
		owner.svm = efer & EFER_SVME;
	}
	local_irq_restore(flags);
	return owner;
}

/* Under the hotplug lock. */
static void describe(char *text, size_t size)
{
	unsigned int online = num_online_cpus();
	const char *nature = mercury_chosen()->nature;
	struct owner owner = owner_here();

	if (mercury_mode() == MERCURY_VIRTUAL)
		scnprintf(text, size, "virtual on %u of %u CPUs%s%s", count_cpus(is_virtual),
			  online, nature ? ", " : "", nature ?: "");
	else if (owner.vmx)
		scnprintf(text, size,
			  "native, VMX owned by another (kvm_intel?); unload it before you switch");
	else if (owner.svm)
		scnprintf(text, size,
			  "native, SVM owned by another (kvm_amd?); unload it before you switch");
	else if (count_cpus(has_failed))
		scnprintf(text, size,
			  "native, %u of %u CPUs could not be prepared; see the kernel log for why",
			  count_cpus(has_failed), online);
	else if (nature)
		scnprintf(text, size, "native, ready on %u CPUs, %s", online, nature);
	else
		scnprintf(text, size, "native, ready on %u CPUs%s%s", online,
			  mercury_shared()->uses_ept ? ", EPT" : ", nothing hidden (no EPT)",
			  mercury_shared()->uses_vpid ? ", VPID" : "");
}

static int do_status(mercury_ctl_table *table, int write, void *buffer, size_t *lenp, loff_t *ppos)
{
	char text[MERCURY_REASON];

	if (!mercury_usable()) {
		scnprintf(text, sizeof(text), "native, no backend: %s", mercury_backend_reason());
		return show(text, write, buffer, lenp, ppos);
	}
	cpus_read_lock();
	describe(text, sizeof(text));
	cpus_read_unlock();
	return show(text, write, buffer, lenp, ppos);
}

static struct ctl_table table[] = {
	{ .procname = "mode", .mode = 0644, .proc_handler = do_mode },
	{ .procname = "backend", .mode = 0444, .proc_handler = do_backend },
	{ .procname = "status", .mode = 0444, .proc_handler = do_status },
	MERCURY_CTL_TABLE_END
};

static struct ctl_table_header *header;

int mercury_sysctl_start(void)
{
	header = register_sysctl("mercury", table);
	return header ? 0 : -ENOMEM;
}

void mercury_sysctl_stop(void)
{
	unregister_sysctl_table(header);
}
