/* SPDX-License-Identifier: GPL-2.0-only */
/* mercury-sites: the files' interfaces to each other. */
#ifndef SITES_H
#define SITES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "uapi/mercury_sites.h"

/* Say why not and the next step, and end with 1. */
void fail(const char *next, const char *format, ...)
	__attribute__((noreturn, format(printf, 2, 3)));

/* --- vmlinuz.c ---------------------------------------------------------------------------------- */

struct bytes {
	uint8_t *data;
	size_t size;
};

/*
 * The kernel's ELF image out of `file`, a bzImage or that image itself. Documentation/arch/x86/boot.rst,
 * payload_offset. Ends the program if it is neither.
 */
struct bytes read_kernel(const char *file);

/* --- elf.c -------------------------------------------------------------------------------------- */

struct section {
	const uint8_t *data;
	uint64_t address;
	size_t size;
};

struct kernel {
	struct Elf *elf; /* libelf's                                                            */
	struct section text, alternatives, replacements;
	uint8_t build_id[MERCURY_SITES_BUILD_ID];
};

void open_kernel(struct kernel *kernel, const struct bytes *image);
void close_kernel(struct kernel *kernel);

/* `n` bytes of the section at `address`; NULL: not all of them are in it. */
const uint8_t *section_at(const struct section *section, uint64_t address, size_t n);

/* --- alternatives.c ------------------------------------------------------------------------------ */

/* One entry of the kernel's .altinstructions. */
struct alternative {
	uint64_t address;         /* of what it replaces                                        */
	uint64_t target;          /* of the JMP or CALL that replaces it, or 0                  */
	const uint8_t *old, *new; /* bytes of both                                              */
	unsigned int old_length, new_length;
	unsigned int feature; /* X86_FEATURE_ number                                        */
	bool absent;          /* it is where the CPU has the feature not                    */
};

#define FEATURE_PTI (7 * 32 + 11)
#define FEATURE_XENPV (8 * 32 + 16)
#define FEATURE_SMAP (9 * 32 + 20)

/* All of the .text section's, in the kernel's order; to be freed. */
struct alternative *read_alternatives(const struct kernel *kernel, size_t *count);

/* --- find.c ------------------------------------------------------------------------------------- */

/* All sites of the kernel, ascending; to be freed. Ends the program where one is missing. */
struct mercury_site *find_sites(const struct kernel *kernel, size_t *count);

extern const char *const site_names[MERCURY_SITE_KINDS];

#endif
