// SPDX-License-Identifier: GPL-2.0-only
/*
 * The kernel's own list of code that it replaces by CPU feature, .altinstructions. An entry is two
 * offsets, each from its own place, then feature, flags and two lengths: of 12 bytes with the flag in
 * the feature's highest bit (to 6.2), or of 14 with flags of their own (from 6.3 on).
 */
#include <stdlib.h>
#include <string.h>

#include "sites.h"

#define SHORT_ENTRY 12
#define LONG_ENTRY 14
#define SHORT_ABSENT 0x8000

static int32_t le32(const uint8_t *p)
{
	return (int32_t)(p[0] | p[1] << 8 | p[2] << 16 | (uint32_t)p[3] << 24);
}

static unsigned int le16(const uint8_t *p)
{
	return p[0] | p[1] << 8;
}

/* False: it replaces nothing of .text. */
static bool read_entry(const struct kernel *k, size_t offset, size_t size, struct alternative *a)
{
	const uint8_t *entry = k->alternatives.data + offset;
	uint64_t at = k->alternatives.address + offset;
	uint64_t from = at + 4 + (uint64_t)(int64_t)le32(entry + 4);

	*a = (struct alternative){ .address = at + (uint64_t)(int64_t)le32(entry),
				   .feature = le16(entry + 8) };
	if (size == SHORT_ENTRY) {
		a->absent = a->feature & SHORT_ABSENT;
		a->feature &= ~SHORT_ABSENT;
	} else {
		a->absent = le16(entry + 10) & 1;
	}
	a->old_length = entry[size - 2];
	a->new_length = entry[size - 1];
	a->old = section_at(&k->text, a->address, a->old_length);
	a->new = section_at(&k->replacements, from, a->new_length);
	if (!a->old || !a->new)
		return false;
	if (a->new_length >= 5 && (a->new[0] == 0xe9 || a->new[0] == 0xe8))
		a->target = from + 5 + (uint64_t)(int64_t)le32(a->new + 1);
	return true;
}

/* Of this size each entry's replacement lies among the replacements. */
static bool entries_have_size(const struct kernel *k, size_t size)
{
	size_t offset;

	if (k->alternatives.size % size)
		return false;
	for (offset = 0; offset < k->alternatives.size; offset += size) {
		const uint8_t *entry = k->alternatives.data + offset;
		uint64_t from =
			k->alternatives.address + offset + 4 + (uint64_t)(int64_t)le32(entry + 4);

		if (!section_at(&k->replacements, from, entry[size - 1]))
			return false;
	}
	return true;
}

struct alternative *read_alternatives(const struct kernel *k, size_t *count)
{
	size_t size = entries_have_size(k, SHORT_ENTRY) ? SHORT_ENTRY : LONG_ENTRY, offset;
	struct alternative *all = calloc(k->alternatives.size / size + 1, sizeof(*all));

	if (!all)
		fail("free some memory", "out of memory");
	if (!entries_have_size(k, size))
		fail("report it with the version of the kernel; ring 1 traps until then, which is slower",
		     "the kernel's .altinstructions have a format that is not known here");
	*count = 0;
	for (offset = 0; offset < k->alternatives.size; offset += size)
		*count += read_entry(k, offset, size, &all[*count]);
	return all;
}
