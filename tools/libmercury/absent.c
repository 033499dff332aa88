// SPDX-License-Identifier: GPL-2.0-only
/* Noting that the module, or what it shows, is not there. */
#include <errno.h>

#include "files.h"
#include "problem.h"

int mercury_problem_absent(struct mercury_problem *problem)
{
	char release[MAX_RELEASE];

	files_release(release);
	if (!files_has_module())
		return mercury_problem(
			problem, ENOENT,
			"apt-get install linux-headers-$(uname -r), then see: dkms status mercury; from the sources: make install",
			"there is no module mercury-vmx for Linux %s", release);
	if (files_locked_down() > 0)
		return mercury_problem(
			problem, ENOENT,
			"modprobe mercury-vmx; if its key is rejected, for the kernel is locked down: sign it with one that it trusts",
			"the module mercury-vmx is not loaded");
	return mercury_problem(problem, ENOENT, "modprobe mercury-vmx",
			       "the module mercury-vmx is not loaded");
}

int mercury_problem_debugfs(struct mercury_problem *problem, const char *path)
{
	struct mercury_status status;

	if (mercury_status_read(&status, problem))
		return -1;
	mercury_status_free(&status);
	switch (status.state) {
	case MERCURY_STATE_ABSENT:
		return mercury_problem_absent(problem);
	case MERCURY_STATE_UNABLE:
		return mercury_problem(problem, ENODEV,
				       "see mercury check for what this machine lacks",
				       "nothing to read: %s", status.sentence);
	default:
		/* ENOENT is the module's absence. */
		return mercury_problem(problem, ENXIO, "mount -t debugfs debugfs /sys/kernel/debug",
				       "%s: debugfs is not there", path);
	}
}
