/* SPDX-License-Identifier: GPL-2.0-only */
/* Memory that Linux lends for the P2M's tables while a snapshot is taken. */
#ifndef ARCH_X86_LEND_H
#define ARCH_X86_LEND_H

#include <stdint.h>

#include "abi/mercury.h"

/*
 * Hide the chunk at `pa` from Linux and add it to the pool. Linux can still reach it by what its CPUs have
 * cached: they flush before a snapshot begins. Errors: BAD_CALL: not aligned, not above the one before, or
 * not Linux's own; NO_MEMORY; UNSUPPORTED.
 */
enum mercury_error lend_chunk(uint64_t pa);

/*
 * Linux has all of them back when each CPU has flushed. Errors: IN_USE, one holds a table; NO_MEMORY, some
 * stay hidden.
 */
enum mercury_error lend_give_back(void);

#endif
