/* SPDX-License-Identifier: GPL-2.0-only */
/* Differences between kernels, found by compiling probes (Makefile.compat), never by version. */
#ifndef MODULE_COMPAT_H
#define MODULE_COMPAT_H

#include <linux/sysctl.h>
#include <asm/msr.h>

#ifdef HAVE_CTL_TABLE_CONST
typedef const struct ctl_table mercury_ctl_table;
#else
typedef struct ctl_table mercury_ctl_table;
#endif

/* Where register_sysctl() does not count the table, an empty entry ends it. */
#ifdef HAVE_REGISTER_SYSCTL_SZ
#define MERCURY_CTL_TABLE_END
#else
/* clang-format off */
#define MERCURY_CTL_TABLE_END {}
/* clang-format on */
#endif

#ifndef HAVE_RDMSRQ
#define rdmsrq rdmsrl
#define rdmsrq_safe rdmsrl_safe
#endif

#ifdef HAVE_WRITE_MSR_WHOLE
#define mercury_write_msr(msr, value) native_write_msr(msr, value)
#else
#define mercury_write_msr(msr, value) native_write_msr(msr, value, (value) >> 32)
#endif

#endif
