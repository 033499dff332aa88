// SPDX-License-Identifier: GPL-2.0-only
/* mercury_check() on the fake CPU: one true verdict for VT-x, for ring 1, and for a module that is loaded. */
#include "unit.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "mercury.h"
#include "tools_port.h"
#include "x86/msr.h"
#include "x86/msr_bits.h"
#include "x86/vmx.h"

/* --- What it finds -------------------------------------------------------------------------------- */

static char found[2000]; /* "name verdict, ..." in order                                          */

static void note(const struct mercury_finding *finding, void *unused)
{
	size_t used = strlen(found);

	(void)unused;
	assert_int_equal(finding->verdict == MERCURY_GOOD, !*finding->next);
	snprintf(found + used, sizeof(found) - used, "%s%s %s", used ? ", " : "", finding->name,
		 (const char *const[]){ "ok", "unknown", "no" }[finding->verdict]);
}

static void put(const char *path, const char *text)
{
	char full[200];
	FILE *file;

	snprintf(full, sizeof(full), "%s%s", getenv("MERCURY_ROOT"), path);
	if (!text) {
		unlink(full);
		return;
	}
	file = fopen(full, "w");
	assert_non_null(file);
	fputs(text, file);
	fclose(file);
}

static void loaded(const char *mode, const char *backend)
{
	char text[100];

	snprintf(text, sizeof(text), "mode: %s\nbackend: %s\n", mode, backend);
	put("/proc/mercury", text);
}

#define assert_check(verdict, findings)                                                            \
	do {                                                                                       \
		*found = 0;                                                                        \
		assert_int_equal(mercury_check(note, NULL), MERCURY_##verdict);                    \
		assert_string_equal(found, findings);                                              \
	} while (0)

#define MODULES "/lib/modules/6.1.0/modules.dep"

/* A machine with VT-x that nobody uses, and a module that is not loaded. */
static int machine(void **unused)
{
	(void)unused;
	fake_tools_machine(false);
	put("/proc/mercury", NULL);
	put(MODULES, "updates/dkms/mercury-vmx.ko:\n");
	put("/sys/module/kvm_amd/refcnt", NULL);
	put("/sys/kernel/security/lockdown", "[none] integrity confidentiality\n");
	return 0;
}

static void lock_off(void)
{
	fake_tools_mask(MSR_IA32_FEATURE_CONTROL, FEATURE_CONTROL_LOCK);
}

static void vt_x_is_the_way_where_it_can_be(void **unused)
{
	(void)unused;
	assert_check(GOOD, "kernel ok, lockdown ok, vt-x ok, kvm ok, module ok");
	loaded("native", "vmx");
	assert_check(GOOD, "kernel ok, lockdown ok, vt-x ok, kvm ok, module ok");
	loaded("virtual", "vmx");
	assert_check(GOOD, "kernel ok, lockdown ok, vt-x ok, module ok");
}

static void ring_1_is_it_where_vt_x_cannot_be(void **unused)
{
	(void)unused;
	lock_off();
	assert_check(GOOD, "kernel ok, lockdown ok, vt-x no, ring-1 ok, kvm ok, module ok");
	loaded("native", "ring1");
	assert_check(GOOD, "kernel ok, lockdown ok, vt-x no, ring-1 ok, kvm ok, module ok");
}

static void a_module_in_ring_1_says_nothing_of_vt_x_in_use(void **unused)
{
	(void)unused;
	loaded("virtual", "ring1");
	assert_check(GOOD, "kernel ok, lockdown ok, ring-1 ok, module ok");
}

static void it_cannot_where_neither_can(void **unused)
{
	(void)unused;
	fake_tools_mask(MSR_IA32_EFER, ~EFER_NXE);
	assert_check(BAD, "kernel ok, lockdown ok, vt-x no, ring-1 no, kvm ok, module ok");
	loaded("native", "none");
	assert_check(BAD, "kernel ok, lockdown ok, vt-x no, ring-1 no, kvm ok, module no");
}

/* What VT-x says stands, but it would not load. */
static void it_cannot_be_told_where_there_is_no_module(void **unused)
{
	(void)unused;
	put(MODULES, "kernel/drivers/block/loop.ko:\n");
	assert_check(UNKNOWN, "kernel ok, lockdown ok, vt-x ok, kvm ok, module unknown");
	loaded("native", "vmx");
	assert_check(GOOD, "kernel ok, lockdown ok, vt-x ok, kvm ok, module ok");
}

/* The module has no second try. */
static void a_loaded_vmx_does_not_fall_to_ring_1(void **unused)
{
	(void)unused;
	lock_off();
	loaded("native", "vmx");
	assert_check(BAD, "kernel ok, lockdown ok, vt-x no, kvm ok, module ok");
}

static void without_msrs_cpuid_tells_what_it_can(void **unused)
{
	(void)unused;
	fake_tools_error = ENOENT;
	assert_check(UNKNOWN, "kernel ok, lockdown ok, vt-x unknown, kvm ok, module ok");
	fake_tools_shows_vmx = false;
	fake_tools_mask(MSR_IA32_EFER, 0);
	assert_check(UNKNOWN, "kernel ok, lockdown ok, vt-x no, ring-1 unknown, kvm ok, module ok");
	fake_tools_machine(true);
	fake_tools_error = ENOENT;
	fake_tools_shows_vmx = false;
	assert_check(BAD, "kernel ok, lockdown ok, vt-x no, ring-1 no, kvm ok, module ok");
}

/* As in a cpuset; or, where no set of CPUs holds as many as the kernel may have, of all. */
static void a_cpu_that_cannot_be_run_on_is_not_offline(void **unused)
{
	(void)unused;
	fake_tools_online = 2;
	assert_check(UNKNOWN, "kernel ok, lockdown ok, vt-x unknown, kvm ok, module ok");
	loaded("native", "ring1");
	assert_check(UNKNOWN,
		     "kernel ok, lockdown ok, vt-x unknown, ring-1 unknown, kvm ok, module ok");
	machine(NULL);
	fake_tools_error = EINVAL;
	assert_check(UNKNOWN, "kernel ok, lockdown ok, vt-x unknown, kvm ok, module ok");
}

static void ring_1_needs_symbols_and_ring_0(void **unused)
{
	(void)unused;
	lock_off();
	put("/sys/kernel/security/lockdown", "none integrity [confidentiality]\n");
	assert_check(BAD, "kernel ok, lockdown unknown, vt-x no, ring-1 no, kvm ok, module ok");
	machine(NULL);
	lock_off();
	put("/sys/module/kvm_amd/refcnt", "1\n");
	assert_check(BAD, "kernel ok, lockdown ok, vt-x no, ring-1 ok, kvm no, module ok");
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test_setup(vt_x_is_the_way_where_it_can_be, machine),
	cmocka_unit_test_setup(ring_1_is_it_where_vt_x_cannot_be, machine),
	cmocka_unit_test_setup(a_module_in_ring_1_says_nothing_of_vt_x_in_use, machine),
	cmocka_unit_test_setup(it_cannot_where_neither_can, machine),
	cmocka_unit_test_setup(it_cannot_be_told_where_there_is_no_module, machine),
	cmocka_unit_test_setup(a_loaded_vmx_does_not_fall_to_ring_1, machine),
	cmocka_unit_test_setup(without_msrs_cpuid_tells_what_it_can, machine),
	cmocka_unit_test_setup(a_cpu_that_cannot_be_run_on_is_not_offline, machine),
	cmocka_unit_test_setup(ring_1_needs_symbols_and_ring_0, machine),
};

/* The kernel's files that it looks at, below a folder of their own. */
int main(int argc, char **argv)
{
	char root[] = "/tmp/mercury-check.XXXXXX", command[400];
	int failed;

	if (argc > 1)
		cmocka_set_test_filter(argv[1]);
	if (!mkdtemp(root) || setenv("MERCURY_ROOT", root, 1))
		return 1;
	snprintf(command, sizeof(command),
		 "cd %s && mkdir -p proc/sys/kernel sys/module/kvm_amd sys/kernel/security "
		 "lib/modules/6.1.0 && "
		 "echo 6.1.0 > proc/sys/kernel/osrelease",
		 root);
	if (system(command))
		return 1;
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	snprintf(command, sizeof(command), "rm -r %s", root);
	return system(command) || failed;
}
