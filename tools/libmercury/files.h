/* SPDX-License-Identifier: GPL-2.0-only */
/* The files that the module and the kernel offer, below a root that tests may move. */
#ifndef LIBMERCURY_FILES_H
#define LIBMERCURY_FILES_H

#include <stdbool.h>

#define PROC_MERCURY "/proc/mercury"
#define SYSCTL_STATUS "/proc/sys/mercury/status"
#define DEBUGFS_STATE "/sys/kernel/debug/mercury/state"
#define DEBUGFS_CALIBRATE "/sys/kernel/debug/mercury/calibrate"
#define KERNEL_LOG "/dev/kmsg"

/* "", or what MERCURY_ROOT in the environment says, unless that gives rights: the tests' own /proc. */
const char *files_root(void);

/* The whole of a file, to be freed, with a 0 behind it; NULL with errno. */
char *files_read(const char *path);

/* Open it for reading. A descriptor, or -1 with errno; O_NONBLOCK if so said. */
int files_open(const char *path, bool nonblocking);

/* Whether the kernel loads signed modules only: 1 or 0, -1 where securityfs is not mounted. */
int files_locked_down(void);
/* So far that it keeps what it holds from root? Not where that cannot be told. */
bool files_confidential(void);

/* The release of the kernel that runs, as in uname -r: MAX_RELEASE bytes at most, with the 0. */
#define MAX_RELEASE 65
void files_release(char *release);
/* Would modprobe find mercury-vmx for that kernel? */
bool files_has_module(void);

/* `text` in one write(). 0, or -1 with errno. */
int files_write(const char *path, const char *text);

#endif
