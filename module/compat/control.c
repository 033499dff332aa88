// SPDX-License-Identifier: GPL-2.0-only
/* Compiles with every kernel. */
#include <linux/module.h>
#include <linux/sysctl.h>
