/* SPDX-License-Identifier: GPL-2.0-only */
/* The virtual object "native": Linux on the bare machine. */
#ifndef ARCH_X86_NATIVE_H
#define ARCH_X86_NATIVE_H

#include "mercury/vo.h"

extern const struct vo vo_native;

#endif
