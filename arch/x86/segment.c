// SPDX-License-Identifier: GPL-2.0-only
/* Segment conversion between descriptors in memory and what VMX calls guest register state. Pure. */
#include <stdbool.h>
#include <stddef.h>

#include "segment.h"

#define AR_IN_DESCRIPTOR (~(SEGMENT_AR_RESERVED | SEGMENT_AR_UNUSABLE) & 0xffff)

static struct segment unusable(uint16_t selector)
{
	return (struct segment){ .selector = selector, .ar = SEGMENT_AR_UNUSABLE };
}

/* `size` bytes at the selector's index, or NULL where the table ends before. */
static const void *descriptor_at(uint16_t selector, uint64_t base, uint32_t limit, uint32_t size)
{
	uint32_t offset = selector & SELECTOR_INDEX;

	return offset + size - 1 > limit ? NULL : (const char *)base + offset;
}

static uint32_t ar_of(const struct segment_descriptor *d)
{
	return (d->access | (uint32_t)d->limit_flags << 8) & AR_IN_DESCRIPTOR;
}

static uint32_t limit_of(const struct segment_descriptor *d)
{
	uint32_t limit = d->limit_15_0 | (uint32_t)(d->limit_flags & 0xf) << 16;

	return ar_of(d) & SEGMENT_AR_G ? limit << 12 | 0xfff : limit;
}

static uint32_t base_of(const struct segment_descriptor *d)
{
	return d->base_15_0 | (uint32_t)d->base_23_16 << 16 | (uint32_t)d->base_31_24 << 24;
}

struct segment segment_read(uint16_t selector, const struct descriptor_table_register *gdtr,
			    const struct segment *ldtr)
{
	const struct segment_descriptor *d = NULL;
	struct segment s;

	if (!(selector & ~SELECTOR_RPL))
		return unusable(selector);
	if (!(selector & SELECTOR_TI))
		d = descriptor_at(selector, gdtr->base, gdtr->limit, sizeof(*d));
	else if (!(ldtr->ar & SEGMENT_AR_UNUSABLE))
		d = descriptor_at(selector, ldtr->base, ldtr->limit, sizeof(*d));
	if (!d || !(ar_of(d) & SEGMENT_AR_P) || !(ar_of(d) & SEGMENT_AR_S))
		return unusable(selector);
	s = (struct segment){ selector, ar_of(d), limit_of(d), base_of(d) };
	/* The register was loaded with it, and loading sets the bit, in memory if it may. */
	s.ar |= SEGMENT_TYPE_ACCESSED;
	return s;
}

struct segment segment_read_system(uint16_t selector, const struct descriptor_table_register *gdtr)
{
	const struct system_descriptor *d = NULL;

	if (selector & ~SELECTOR_RPL && !(selector & SELECTOR_TI))
		d = descriptor_at(selector, gdtr->base, gdtr->limit, sizeof(*d));
	if (!d || !(ar_of(&d->low) & SEGMENT_AR_P) || ar_of(&d->low) & SEGMENT_AR_S)
		return unusable(selector);
	return (struct segment){ selector, ar_of(&d->low), limit_of(&d->low),
				 base_of(&d->low) | (uint64_t)d->base_63_32 << 32 };
}

uint64_t segment_descriptor_make(uint32_t ar, uint32_t limit, uint32_t base)
{
	return (limit & 0xffff) | (uint64_t)(base & 0xffffff) << 16 | (uint64_t)(ar & 0xff) << 40 |
	       (uint64_t)(limit >> 16 & 0xf) << 48 | (uint64_t)(ar >> 12 & 0xf) << 52 |
	       (uint64_t)(base >> 24) << 56;
}
