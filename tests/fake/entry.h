/* SPDX-License-Identifier: GPL-2.0-only */
/* Values that stand for what only the image's assembly and linker script define. */
#ifndef TESTS_FAKE_ENTRY_H
#define TESTS_FAKE_ENTRY_H

#include <stdint.h>

/* The VMM's trap entries, and the one entry of the table of expected faults. */
#define FAKE_TRAP_ENTRY UINT64_C(0xfffffe8000001230)
#define FAKE_FIXUP_FAULT UINT64_C(0xf00d1000)
#define FAKE_FIXUP_RESUME UINT64_C(0xf00d2000)

extern const uint64_t trap_entries[32];

#endif
