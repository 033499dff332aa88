// SPDX-License-Identifier: GPL-2.0-only
/* Can this machine go virtual on VT-x? The VMM's own tables, asked from user space, CPU by CPU. */
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
#include "vmx/capability.h"
#include "vmx/require.h"

/* Whom the findings are told, and the worst verdict so far. */
struct listener {
	void (*tell)(const struct mercury_finding *finding, void *data);
	void *data;
	int worst;
};

static void __attribute__((format(printf, 5, 6)))
tell(struct listener *l, const char *name, int verdict, const char *next, const char *format, ...)
{
	struct mercury_finding finding = { .name = name, .verdict = (unsigned int)verdict };
	va_list arguments;

	snprintf(finding.next, sizeof(finding.next), "%s", next);
	va_start(arguments, format);
	vsnprintf(finding.sentence, sizeof(finding.sentence), format, arguments);
	va_end(arguments);
	if (verdict > l->worst)
		l->worst = verdict;
	l->tell(&finding, l->data);
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

static void check_kernel(struct listener *l, bool is_loaded)
{
	char *release = files_read("/proc/sys/kernel/osrelease");
	struct utsname u;

	uname(&u);
	if (release)
		snprintf(u.release, sizeof(u.release), "%.*s", (int)strcspn(release, "\n"),
			 release);
	free(release);
	if (strcmp(u.machine, "x86_64"))
		tell(l, "kernel", MERCURY_BAD, "run a 64-bit kernel",
		     "the kernel %s is for %s; Mercury is for x86_64", u.release, u.machine);
	else if (!is_loaded && !is_meant_for(u.release))
		tell(l, "kernel", MERCURY_BAD, "boot one of those",
		     "Linux %s is none that the module can be built for: " MERCURY_KERNELS,
		     u.release);
	else
		tell(l, "kernel", MERCURY_GOOD, "", "Linux %s, 64-bit", u.release);
}

static void check_lockdown(struct listener *l, bool is_loaded)
{
	int locked = files_locked_down();

	if (is_loaded && locked)
		tell(l, "lockdown", MERCURY_GOOD, "", "the kernel has taken the module");
	else if (!locked)
		tell(l, "lockdown", MERCURY_GOOD, "", "the kernel is not locked down");
	else if (locked > 0)
		tell(l, "lockdown", MERCURY_UNKNOWN,
		     "sign the module with a key that the kernel trusts, or switch Secure Boot off",
		     "the kernel is locked down: it loads signed modules only");
	else
		tell(l, "lockdown", MERCURY_UNKNOWN,
		     "mount -t securityfs securityfs /sys/kernel/security",
		     "whether the kernel is locked down cannot be told: securityfs cannot be read");
}

static void check_module(struct listener *l)
{
	struct mercury_problem problem;
	struct mercury_status status;

	if (mercury_status_read(&status, &problem)) {
		tell(l, "module", MERCURY_UNKNOWN, problem.next, "%s", problem.what);
		return;
	}
	if (status.state == MERCURY_STATE_ABSENT)
		tell(l, "module", MERCURY_GOOD, "", "mercury-vmx is not loaded");
	else if (status.state == MERCURY_STATE_UNABLE)
		tell(l, "module", MERCURY_BAD, "see what else is said here, then load it again",
		     "mercury-vmx is loaded: %s", status.sentence);
	else
		tell(l, "module", MERCURY_GOOD, "", "mercury-vmx is loaded: %s", status.sentence);
	mercury_status_free(&status);
}

/* KVM owns VMX from its first guest on, or (6.12 and later) as soon as it is loaded. */
static void check_kvm(struct listener *l)
{
	char *text = files_read("/sys/module/kvm_intel/refcnt");
	char *early = files_read("/sys/module/kvm/parameters/enable_virt_at_load");
	bool owns = text && (atoi(text) || (early && *early == 'Y'));

	if (!text)
		tell(l, "kvm", MERCURY_GOOD, "", "kvm_intel is not loaded");
	else if (owns)
		tell(l, "kvm", MERCURY_BAD, "end its guests, then: modprobe -r kvm_intel",
		     "kvm_intel is loaded and owns VMX: one owner only");
	else
		tell(l, "kvm", MERCURY_GOOD, "", "kvm_intel is loaded, without a guest");
	free(early);
	free(text);
}

/* --- The CPUs ------------------------------------------------------------------------------------- */

/* What the first CPU showed; the others must be like it. */
struct first_cpu {
	bool known;
	struct vmx_capability capability;
};

/* NULL, or what is wrong with the CPU that the port is open for; the text may be in `buffer`. */
static const char *judge_cpu(struct first_cpu *first, char *buffer, size_t size)
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
	if (first->known && memcmp(&capability, &first->capability, sizeof(capability)))
		return "its VT-x capabilities differ from the first CPU's: update firmware and microcode";
	first->capability = capability;
	first->known = true;
	if (vmx_controls_negotiate(&capability, &facts.features, vmx_has_ept(&capability),
				   &controls, &obstacle))
		return NULL;
	snprintf(buffer, size,
		 "VT-x %s: the CPU %s %s, which Mercury does not handle; use backend=ring1",
		 obstacle.word, obstacle.forced ? "insists on" : "lacks", obstacle.name);
	return buffer;
}

static void tell_capability(struct listener *l, const struct first_cpu *first, long cpus)
{
	bool ept = vmx_has_ept(&first->capability), vpid = vmx_has_vpid(&first->capability);

	tell(l, "vt-x", MERCURY_GOOD, "", "all %ld CPUs can: %s, %s", cpus,
	     ept ? "EPT" : "no EPT (nothing is hidden while virtual)", vpid ? "VPID" : "no VPID");
}

/* Without the MSRs CPUID still tells the commonest case. */
static void tell_without_msrs(struct listener *l, const char *why)
{
	uint32_t r[4];

	port_cpuid(1, 0, r);
	if (!(r[2] & 1u << 5))
		tell(l, "vt-x", MERCURY_BAD,
		     "enable VT-x in the firmware setup, or in the outer hypervisor",
		     "the CPU has no VT-x, or it is hidden (CPUID.1:ECX.VMX is 0)");
	else
		tell(l, "vt-x", MERCURY_UNKNOWN, "run it as root, after: modprobe msr",
		     "the CPU has VT-x; its MSRs cannot be read: %s", why);
}

/* The next step is what follows the last of these; docs/messages holds every sentence to that. */
static void tell_wrong(struct listener *l, long cpu, const char *sentence)
{
	const char *at, *step = NULL;

	for (at = sentence; (at = strpbrk(at, ":;")); at++)
		if (at[1] == ' ')
			step = at;
	tell(l, "vt-x", MERCURY_BAD, step ? step + 2 : "report it", "CPU %ld: %.*s", cpu,
	     step ? (int)(step - sentence) : (int)strlen(sentence), sentence);
}

static void check_cpus(struct listener *l)
{
	char *cpuinfo = files_read("/proc/cpuinfo"), buffer[200];
	long cpu, online = 0, all = sysconf(_SC_NPROCESSORS_CONF);
	struct first_cpu first = { .known = false };
	const char *wrong = NULL;

	for (cpu = 0; cpu < all && !wrong; cpu++) {
		bool is_open = port_open((unsigned int)cpu, known_cr4(cpuinfo ? cpuinfo : ""));

		if (is_open) {
			wrong = judge_cpu(&first, buffer, sizeof(buffer));
			online++;
		}
		port_close();
		/* An offline CPU cannot be run on, which is EINVAL. */
		if (!is_open && errno != EINVAL && errno != ENXIO) {
			tell_without_msrs(l, strerror(errno));
			free(cpuinfo);
			return;
		}
	}
	free(cpuinfo);
	if (wrong)
		tell_wrong(l, cpu - 1, wrong);
	else
		tell_capability(l, &first, online);
}

int mercury_check(void (*tell_one)(const struct mercury_finding *finding, void *data), void *data)
{
	struct listener l = { tell_one, data, MERCURY_GOOD };
	struct mercury_problem problem;
	struct mercury_status status;
	bool is_read = !mercury_status_read(&status, &problem);
	bool is_loaded = is_read && status.state != MERCURY_STATE_ABSENT;

	check_kernel(&l, is_loaded);
	check_lockdown(&l, is_loaded);
	/* A guest of Mercury's sees no VT-x, which says nothing of the machine. */
	if (is_read && status.state == MERCURY_STATE_VIRTUAL) {
		tell(&l, "vt-x", MERCURY_GOOD, "", "in use: Linux is virtual now");
	} else {
		check_cpus(&l);
		check_kvm(&l);
	}
	mercury_status_free(&status);
	check_module(&l);
	return l.worst;
}
