// SPDX-License-Identifier: GPL-2.0-only
/* Calls into the VMM: through the gate while native, by VMCALL while virtual. */
#include <linux/cc_platform.h>
#include <linux/cpu.h>
#include <linux/printk.h>
#include <linux/sizes.h>
#include <linux/smp.h>
#include <asm/cpufeature.h>
#include <asm/pgtable.h>
#include <asm/processor.h>
#include <asm/tlbflush.h>

#include "gate.h"
#include "mercury.h"
#include "window.h"

int mercury_errno(u64 error)
{
#define E(name, errno_, text) [MERCURY_E_##name] = -(errno_),
	static const int errnos[] = { MERCURY_ERRORS(E) };
#undef E
	return error < ARRAY_SIZE(errnos) ? errnos[error] : -EIO;
}

const char *mercury_error_text(u64 error)
{
#define E(name, errno_, text) [MERCURY_E_##name] = text,
	static const char *const texts[] = { MERCURY_ERRORS(E) };
#undef E
	return error < ARRAY_SIZE(texts) ? texts[error] :
					   "the VMM returned an unknown error: report it";
}

const char *mercury_cpu_text(unsigned int cpu, u64 error)
{
	const struct mercury_cpu_shared *shared = mercury_cpu_shared(cpu);

	return shared->error == error && *shared->text ? shared->text : mercury_error_text(error);
}

/* Linux's kernel half as it is now; slot 509 of the transition root stays the window's. */
static void refresh_root(u64 *root)
{
	const u64 *from = __va(read_cr3_pa());
	u64 window = root[MERCURY_WINDOW_PML4_SLOT];

	memcpy(root + PTRS_PER_PGD / 2, from + PTRS_PER_PGD / 2, PAGE_SIZE / 2);
	root[MERCURY_WINDOW_PML4_SLOT] = window;
}

static u64 call_native(u64 call, u64 arg0, u64 arg1)
{
	unsigned int cpu = smp_processor_id();
	struct mercury_cpu_memory *m = mercury_cpu_memory(cpu);
	bool pcid = cpu_feature_enabled(X86_FEATURE_PCID);
	const struct mercury_gate gate = {
		.entry = mercury_window_entry(),
		.root = m->boot.root_pa | (pcid ? MERCURY_PCID_TRANSITION : 0),
		.noflush = pcid ? X86_CR3_PCID_NOFLUSH : 0,
		.cpu = MERCURY_WINDOW_BASE + MERCURY_WINDOW_CPUS + cpu * MERCURY_CPU_SLOT +
		       MERCURY_CPU_DATA,
	};

	refresh_root(m->root);
	return mercury_gate_call(&gate, call, arg0, arg1);
}

u64 mercury_call(u64 call, u64 arg0, u64 arg1)
{
	if (mercury_cpu_shared(smp_processor_id())->is_virtual)
		return mercury_chosen()->call(call, arg0, arg1);
	return call_native(call, arg0, arg1);
}

struct remote_call {
	u64 call, arg0, arg1, error;
};

static void call_ipi(void *data)
{
	struct remote_call *c = data;

	c->error = mercury_call(c->call, c->arg0, c->arg1);
}

u64 mercury_call_on(unsigned int cpu, u64 call, u64 arg0, u64 arg1)
{
	struct remote_call c = { call, arg0, arg1, MERCURY_E_BAD_STATE };

	smp_call_function_single(cpu, call_ipi, &c, 1);
	return c.error;
}

/* --- Start -------------------------------------------------------------------------------------- */

/* What would make the very first call fail, before the VMM can look for itself. */
static const char *first_obstacle(void)
{
	const pgd_t *pgd = __va(read_cr3_pa());

	if (__read_cr4() & X86_CR4_LA57)
		return "5-level paging is on: boot with no5lvl";
	/* With FRED no IDT is looked at, so that the VMM could not take its own exceptions. */
	if (__read_cr4() & BIT_ULL(32))
		return "FRED (CR4.FRED) is on: boot with fred=off";
	if (pgd_val(pgd[MERCURY_WINDOW_PML4_SLOT]))
		return "PML4 slot 509, where the window belongs, is occupied by something else: unload other hypervisors";
	if (cpu_feature_enabled(X86_FEATURE_XENPV))
		return "this is a Xen PV guest, Linux does not own its page tables: run it as PVH or HVM";
	if (cc_platform_has(CC_ATTR_MEM_ENCRYPT))
		return "memory encryption (SME, SEV, TDX) is active, not supported: boot with mem_encrypt=off, outside of SEV and TDX";
	return NULL;
}

int mercury_cpu_failed(unsigned int cpu, const char *what, u64 error)
{
	if (!error)
		return 0;
	mercury_refuse("CPU %u, %s: %s", cpu, what, mercury_cpu_text(cpu, error));
	pr_err_ratelimited("CPU %u, %s: %s\n", cpu, what, mercury_cpu_text(cpu, error));
	return mercury_errno(error);
}

/* The P2M, a slice at a time: each is one section with interrupts off. */
static u64 build_p2m(unsigned int cpu)
{
	u64 top = max_t(u64, round_up(mercury_ram_top(), SZ_1G), SZ_4G);
	u64 at, error = MERCURY_E_OK;

	for (at = 0; at < top && !error; at += SZ_1G)
		error = mercury_call_on(cpu, MERCURY_CALL_MAP, at, at + SZ_1G);
	return error ?: mercury_call_on(cpu, MERCURY_CALL_HIDE, 0, 0);
}

static int start(void)
{
	unsigned int cpu = cpumask_first(cpu_online_mask);
	u64 error = mercury_call_on(cpu, MERCURY_CALL_INIT, 0, 0);

	if (error)
		return mercury_cpu_failed(cpu, "start", error);
	if (!mercury_ept_wanted())
		return 0;
	error = build_p2m(cpu);
	/* A CPU without EPT goes without; one without VT-x says so when it is prepared. */
	if (error && error != MERCURY_E_UNSUPPORTED)
		return mercury_cpu_failed(cpu, "EPT", error);
	return 0;
}

int mercury_prepare_cpu(unsigned int cpu)
{
	u64 error = mercury_call_on(cpu, MERCURY_CALL_INIT_CPU, cpu,
				    (u64)&mercury_cpu_memory(cpu)->boot);

	if (error)
		return mercury_cpu_failed(cpu, "set-up", error);
	error = mercury_call_on(cpu, MERCURY_CALL_PREPARE, 0, 0);
	if (error)
		return mercury_cpu_failed(cpu, mercury_chosen()->title, error);
	if (mercury_cpu_shared(cpu)->is_owned)
		pr_info_ratelimited(
			"CPU %u is cold: VMX is owned by another (kvm_intel?); unload it before you switch\n",
			cpu);
	return 0;
}

int mercury_vmm_start(void)
{
	const char *obstacle = first_obstacle();
	int result;

	if (obstacle) {
		mercury_refuse("%s", obstacle);
		pr_err("%s\n", obstacle);
		return -ENODEV;
	}
	cpus_read_lock();
	result = start();
	cpus_read_unlock();
	return result;
}
