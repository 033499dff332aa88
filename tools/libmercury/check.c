// SPDX-License-Identifier: GPL-2.0-only
/* Can this machine go virtual? The VMM's own tables, asked from user space, CPU by CPU. */
#define _GNU_SOURCE
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "files.h"
#include "mercury.h"
#include "port.h"
#include "problem.h"
#include "ring1/require.h"
#include "vmx/capability.h"
#include "vmx/require.h"
#include "x86/msr_bits.h"

/* Whom the findings are told. */
struct listener {
	void (*tell)(const struct mercury_finding *finding, void *data);
	void *data;
};

/* Returns the verdict, as all that look at something do. */
static int __attribute__((format(printf, 5, 6)))
tell(struct listener *l, const char *name, int verdict, const char *next, const char *format, ...)
{
	struct mercury_finding finding = { .name = name, .verdict = (unsigned int)verdict };
	va_list arguments;

	snprintf(finding.next, sizeof(finding.next), "%s", next);
	va_start(arguments, format);
	vsnprintf(finding.sentence, sizeof(finding.sentence), format, arguments);
	va_end(arguments);
	l->tell(&finding, l->data);
	return verdict;
}

static int worse(int a, int b)
{
	return a > b ? a : b;
}

/* --- The kernel ----------------------------------------------------------------------------------- */

/* Does the line of /proc/cpuinfo that begins with "flags" have this word? */
static bool has_flag(const char *cpuinfo, const char *flag)
{
	const char *at = strstr(cpuinfo, "\nflags"), *end;
	size_t length = strlen(flag);

	if (!at)
		return false;
	end = strchrnul(at + 1, '\n');
	for (at = strstr(at, flag); at && at < end; at = strstr(at + 1, flag))
		if (at[-1] == ' ' && (at[length] == ' ' || at + length == end))
			return true;
	return false;
}

/* Linux shows these flags as long as it uses what they stand for. */
static uint64_t known_cr4(const char *cpuinfo)
{
	uint64_t cr4 = 0;

	if (has_flag(cpuinfo, "la57"))
		cr4 |= CR4_LA57;
	if (has_flag(cpuinfo, "ibt") || has_flag(cpuinfo, "user_shstk"))
		cr4 |= CR4_CET;
	if (has_flag(cpuinfo, "fred"))
		cr4 |= CR4_FRED;
	return cr4;
}

/* Is the module meant for this release? MERCURY_KERNELS are those of module/compat/, one space between. */
static bool is_meant_for(const char *release)
{
	unsigned int version, patchlevel;
	char word[32];

	if (sscanf(release, "%u.%u", &version, &patchlevel) != 2)
		return false;
	snprintf(word, sizeof(word), " %u.%u ", version, patchlevel);
	return strstr(" " MERCURY_KERNELS " ", word);
}

static int check_kernel(struct listener *l, bool is_loaded)
{
	struct utsname u;

	uname(&u);
	files_release(u.release);
	if (strcmp(u.machine, "x86_64"))
		return tell(l, "kernel", MERCURY_BAD, "run a 64-bit kernel",
			    "the kernel %s is for %s; Mercury is for x86_64", u.release, u.machine);
	if (!is_loaded && !is_meant_for(u.release))
		return tell(l, "kernel", MERCURY_BAD, "boot one of those",
			    "Linux %s is none that the module can be built for: " MERCURY_KERNELS,
			    u.release);
	return tell(l, "kernel", MERCURY_GOOD, "", "Linux %s, 64-bit", u.release);
}

static int check_lockdown(struct listener *l, bool is_loaded)
{
	int locked = files_locked_down();

	if (is_loaded && locked)
		return tell(l, "lockdown", MERCURY_GOOD, "", "the kernel has taken the module");
	if (!locked)
		return tell(l, "lockdown", MERCURY_GOOD, "", "the kernel is not locked down");
	if (locked > 0)
		return tell(l, "lockdown", MERCURY_UNKNOWN,
			    "sign the module with a key that the kernel trusts, or switch Secure Boot off",
			    "the kernel is locked down: it loads signed modules only");
	return tell(l, "lockdown", MERCURY_UNKNOWN,
		    "mount -t securityfs securityfs /sys/kernel/security",
		    "whether the kernel is locked down cannot be told: securityfs cannot be read");
}

static int check_module(struct listener *l, const struct mercury_status *status,
			const struct mercury_problem *problem)
{
	struct mercury_problem absent;
	char release[MAX_RELEASE];

	files_release(release);
	/* Where it could be loaded, that it is not yet is as it should be; where it cannot be built, it has been said. */
	if (!problem && status->state == MERCURY_STATE_ABSENT && is_meant_for(release) &&
	    !files_has_module()) {
		mercury_problem_absent(&absent);
		problem = &absent;
	}
	if (problem)
		return tell(l, "module", MERCURY_UNKNOWN, problem->next, "%s", problem->what);
	if (status->state == MERCURY_STATE_ABSENT)
		return tell(l, "module", MERCURY_GOOD, "", "mercury-vmx is not loaded");
	if (status->state == MERCURY_STATE_UNABLE)
		return tell(l, "module", MERCURY_BAD,
			    "see what else is said here, then load it again",
			    "mercury-vmx is loaded: %s", status->sentence);
	return tell(l, "module", MERCURY_GOOD, "", "mercury-vmx is loaded: %s", status->sentence);
}

/* KVM owns VMX, or SVM, from its first guest on, or (6.12 and later) as soon as it is loaded. */
static int check_kvm(struct listener *l)
{
	char *intel = files_read("/sys/module/kvm_intel/refcnt");
	char *amd = files_read("/sys/module/kvm_amd/refcnt");
	char *early = files_read("/sys/module/kvm/parameters/enable_virt_at_load");
	const char *users = intel ? intel : amd;
	bool owns = users && (atoi(users) || (early && *early == 'Y'));
	int verdict;

	if (!users)
		verdict = tell(l, "kvm", MERCURY_GOOD, "", "KVM is not loaded");
	else if (owns && intel)
		verdict = tell(l, "kvm", MERCURY_BAD, "end its guests, then: modprobe -r kvm_intel",
			       "kvm_intel is loaded and owns VMX: one owner only");
	else if (owns)
		verdict = tell(l, "kvm", MERCURY_BAD, "end its guests, then: modprobe -r kvm_amd",
			       "kvm_amd is loaded and owns SVM, which ring 1 cannot share");
	else
		verdict = tell(l, "kvm", MERCURY_GOOD, "", "%s is loaded, without a guest",
			       intel ? "kvm_intel" : "kvm_amd");
	free(early);
	free(amd);
	free(intel);
	return verdict;
}

/* --- The CPUs ------------------------------------------------------------------------------------- */

/* One question to all CPUs, and the answer. */
struct question {
	const char *name; /* of the finding                                                       */
	/* NULL, or what is wrong with the CPU that the port is open for. */
	const char *(*judge)(struct question *q);
	const char *cpuinfo;
	long cpus;         /* that were asked                                                     */
	const char *wrong; /* with the last of them that was asked                                */
	long cpu;
	int error; /* their MSRs cannot be read                                                   */
	/* What the first one showed; the others must be like it. */
	bool known;
	struct vmx_capability capability;
	char buffer[200]; /* for `wrong`                                                          */
};

static void ask_cpus(struct question *q)
{
	long all = sysconf(_SC_NPROCESSORS_CONF);

	for (q->cpu = 0; q->cpu < all; q->cpu++) {
		bool is_open = port_open((unsigned int)q->cpu, known_cr4(q->cpuinfo));

		if (is_open) {
			q->wrong = q->judge(q);
			q->cpus++;
		}
		port_close();
		/* An offline CPU cannot be run on, which is EINVAL; nor can one that the cpuset leaves out. */
		if (!is_open && errno != EINVAL && errno != ENXIO)
			q->error = errno;
		if (q->error || q->wrong)
			return;
	}
}

/* The next step is what follows the last of these; docs/messages holds every sentence to that. */
static int tell_wrong(struct listener *l, const struct question *q)
{
	const char *at, *step = NULL;

	for (at = q->wrong; (at = strpbrk(at, ":;")); at++)
		if (at[1] == ' ')
			step = at;
	return tell(l, q->name, MERCURY_BAD, step ? step + 2 : "report it", "CPU %ld: %.*s", q->cpu,
		    step ? (int)(step - q->wrong) : (int)strlen(q->wrong), q->wrong);
}

/* Nothing speaks against those that were asked. */
static int tell_missed(struct listener *l, const struct question *q)
{
	return tell(l, q->name, MERCURY_UNKNOWN,
		    "run it where it may run on all CPUs, outside of the cpuset of a service or a container",
		    "only %ld of %ld CPUs could be asked", q->cpus, port_online());
}

/* --- VT-x ----------------------------------------------------------------------------------------- */

static const char *judge_vmx(struct question *q)
{
	struct vmx_capability capability;
	struct vmx_obstacle obstacle;
	struct vmx_controls controls;
	struct vmx_facts facts;
	const char *sentence;

	vmx_facts_read(&facts);
	sentence = vmx_unmet(&facts);
	if (sentence)
		return sentence;
	vmx_capability_read(&capability);
	if (q->known && memcmp(&capability, &q->capability, sizeof(capability)))
		return "its VT-x capabilities differ from the first CPU's: update firmware and microcode";
	q->capability = capability;
	q->known = true;
	if (vmx_controls_negotiate(&capability, &facts.features, vmx_has_ept(&capability),
				   &controls, &obstacle))
		return NULL;
	snprintf(q->buffer, sizeof(q->buffer),
		 "VT-x %s: the CPU %s %s, which Mercury does not handle; use backend=ring1",
		 obstacle.word, obstacle.forced ? "insists on" : "lacks", obstacle.name);
	return q->buffer;
}

/* Without the MSRs CPUID still tells the commonest case. */
static int tell_vmx_by_cpuid(struct listener *l, const char *why)
{
	uint32_t r[4];

	port_cpuid(1, 0, r);
	if (!(r[2] & 1u << 5))
		return tell(l, "vt-x", MERCURY_BAD,
			    "enable VT-x in the firmware setup, or in the outer hypervisor",
			    "the CPU has no VT-x, or it is hidden (CPUID.1:ECX.VMX is 0)");
	return tell(l, "vt-x", MERCURY_UNKNOWN, "run it as root, after: modprobe msr",
		    "the CPU has VT-x; its MSRs cannot be read: %s", why);
}

static int check_vmx(struct listener *l, const char *cpuinfo)
{
	struct question q = { .name = "vt-x", .judge = judge_vmx, .cpuinfo = cpuinfo };
	bool ept, vpid;

	ask_cpus(&q);
	if (q.error)
		return tell_vmx_by_cpuid(l, strerror(q.error));
	if (q.wrong)
		return tell_wrong(l, &q);
	if (q.cpus < port_online())
		return tell_missed(l, &q);
	ept = vmx_has_ept(&q.capability);
	vpid = vmx_has_vpid(&q.capability);
	return tell(l, "vt-x", MERCURY_GOOD, "", "all %ld CPUs can: %s, %s", q.cpus,
		    ept ? "EPT" : "no EPT (nothing is hidden while virtual)",
		    vpid ? "VPID" : "no VPID");
}

/* --- Ring 1 --------------------------------------------------------------------------------------- */

static const char *judge_ring1(struct question *q)
{
	struct ring1_facts facts;

	(void)q;
	ring1_facts_read(&facts);
	return ring1_unmet(&facts);
}

/* Without the MSRs what CPUID tells: of them is assumed what Linux sets. */
static const char *judge_ring1_by_cpuid(void)
{
	struct ring1_facts facts;

	ring1_facts_read(&facts);
	facts.value[RING1_FACT_EFER] = EFER_SCE | EFER_NXE;
	facts.value[RING1_FACT_FMASK] = RING1_FMASK;
	facts.value[RING1_FACT_ASYNC_PF] = 0;
	return ring1_unmet(&facts);
}

static int check_ring1(struct listener *l, const char *cpuinfo, bool is_loaded)
{
	struct question q = { .name = "ring-1", .judge = judge_ring1, .cpuinfo = cpuinfo };

	if (!is_loaded && files_confidential())
		return tell(l, "ring-1", MERCURY_BAD, "boot with lockdown=integrity",
			    "the kernel is locked down and does not tell where its symbols are");
	ask_cpus(&q);
	if (q.error)
		q.wrong = judge_ring1_by_cpuid();
	if (q.wrong)
		return tell_wrong(l, &q);
	if (q.error)
		return tell(l, "ring-1", MERCURY_UNKNOWN, "run it as root, after: modprobe msr",
			    "CPUID tells nothing against it; MSRs cannot be read: %s",
			    strerror(q.error));
	if (q.cpus < port_online())
		return tell_missed(l, &q);
	return tell(l, "ring-1", MERCURY_GOOD, "",
		    "all %ld CPUs can, cooperatively (Linux can write the VMM)", q.cpus);
}

/* --- Together ------------------------------------------------------------------------------------- */

/*
 * The way that the module has taken, or would take by itself: VT-x, and ring 1 where that cannot be. What
 * is said of VT-x beside ring 1 says why it is not that.
 */
static int check_ways(struct listener *l, const struct mercury_status *status)
{
	char *text = files_read("/proc/cpuinfo");
	const char *cpuinfo = text ? text : "";
	bool took_ring1 = !strcmp(status->backend, "ring1");
	int verdict = check_vmx(l, cpuinfo);

	if (took_ring1 || (verdict == MERCURY_BAD && strcmp(status->backend, "vmx")))
		verdict = check_ring1(l, cpuinfo, took_ring1);
	free(text);
	return worse(verdict, check_kvm(l));
}

/* A guest of Mercury's sees no VT-x, which says nothing of the machine. */
static int tell_in_use(struct listener *l, const char *backend)
{
	if (!strcmp(backend, "ring1"))
		return tell(l, "ring-1", MERCURY_GOOD, "", "in use: Linux is virtual now");
	return tell(l, "vt-x", MERCURY_GOOD, "", "in use: Linux is virtual now");
}

int mercury_check(void (*tell_one)(const struct mercury_finding *finding, void *data), void *data)
{
	struct listener l = { tell_one, data };
	struct mercury_problem problem;
	struct mercury_status status;
	bool is_read = !mercury_status_read(&status, &problem);
	bool is_loaded = is_read && status.state != MERCURY_STATE_ABSENT;
	int verdict;

	verdict = check_kernel(&l, is_loaded);
	verdict = worse(verdict, check_lockdown(&l, is_loaded));
	verdict = worse(verdict, is_read && status.state == MERCURY_STATE_VIRTUAL ?
					 tell_in_use(&l, status.backend) :
					 check_ways(&l, &status));
	verdict = worse(verdict, check_module(&l, &status, is_read ? NULL : &problem));
	mercury_status_free(&status);
	return verdict;
}
