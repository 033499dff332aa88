/* SPDX-License-Identifier: GPL-2.0-only */
/* Text out of the VMM: formatting, and the log ring that Linux reads and that survives the VMM. */
#ifndef MERCURY_CONSOLE_H
#define MERCURY_CONSOLE_H

#include <stdarg.h>
#include <stddef.h>

#include "abi/mercury.h"

/*
 * Format into `buffer`, always terminated. Knows %s %c %d %u %x %lu %lx %% and a width with leading
 * zeroes (%016lx); anything else is copied as it stands. Returns the length written, which is less
 * than `size`.
 */
size_t console_format(char *buffer, size_t size, const char *format, va_list arguments);

/* Where lines go from now on; NULL drops them. */
void console_init(struct mercury_shared *shared);

/* Append one line to the log ring, newline added. Safe from any CPU, also from an NMI's context. */
void console_line(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
