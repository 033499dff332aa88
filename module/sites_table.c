// SPDX-License-Identifier: GPL-2.0-only
/*
 * Whether a file is this kernel's table of sites. It says where the kernel's code is written over, and nobody has
 * signed it: what is relied on later is checked here.
 */
#include <linux/align.h>
#include <linux/crc32.h>
#include <linux/elf.h>
#include <linux/string.h>

#include "compat/symbols.h"
#include "sites.h"

#define DAMAGED "the table of sites is damaged: make it anew by mercury-sites"
#define UNKNOWN                                                                                    \
	"the table of sites has an entry that this module does not know: make it anew by mercury-sites"
#define OUTSIDE                                                                                    \
	"the table of sites has an entry that is not of the kernel's code, or not in order: make it anew by mercury-sites"

/* Of each kind: how many bytes are written, one of two, or else looked at. */
static const struct {
	u8 length, or_length, looked_at;
} kinds[MERCURY_SITE_KINDS] = {
	[MERCURY_SITE_AC] = { 3, 3 },
	[MERCURY_SITE_READ_CR2] = { 6, 6 },
	[MERCURY_SITE_WRITE_CR3] = { 6, 6 },
	[MERCURY_SITE_READ_GS] = { 11, 11 },
	[MERCURY_SITE_WRITE_GS] = { 11, 11 },
	[MERCURY_SITE_USER_ENTRY] = { 6, 6 },
	[MERCURY_SITE_KERNEL_ENTRY] = { 5, 5 },
	[MERCURY_SITE_SYSCALL_RETURN] = { 5, 8 },
	[MERCURY_SITE_USER_RETURN] = { 5, 5 },
	[MERCURY_SITE_KERNEL_RETURN] = { 5, 5 },
	[MERCURY_SITE_CAVE] = { .looked_at = MERCURY_CAVE_BYTES },
	[MERCURY_SITE_PCID_FLUSH] = { .looked_at = MERCURY_PCID_FLUSH_BYTES },
};

static bool is_this_kernel(const struct mercury_symbols *symbols, const u8 *build_id)
{
	const u8 *at = symbols->__start_notes, *end = symbols->__stop_notes;

	while (at && at + sizeof(struct elf64_note) <= end) {
		const struct elf64_note *note = (const struct elf64_note *)at;
		const u8 *name = at + sizeof(*note);
		const u8 *description = name + ALIGN(note->n_namesz, 4);

		if (note->n_type == 3 && note->n_namesz == sizeof("GNU") &&
		    !memcmp(name, "GNU", sizeof("GNU")) && note->n_descsz == MERCURY_SITES_BUILD_ID)
			return !memcmp(description, build_id, MERCURY_SITES_BUILD_ID);
		at = description + ALIGN(note->n_descsz, 4);
	}
	return false;
}

static bool is_whole(const struct mercury_sites *header, size_t size)
{
	const u8 *rest = header->build_id;

	return size >= sizeof(*header) && header->magic == MERCURY_SITES_MAGIC &&
	       header->count <= MERCURY_SITES_MAX &&
	       size == sizeof(*header) + header->count * sizeof(struct mercury_site) &&
	       header->crc == ~crc32_le(~0, rest, (const u8 *)header + size - rest);
}

/* `end`: of the site before, then of this one. */
static const char *check_site(const struct mercury_site *site, u64 text_size, u64 *end)
{
	if (site->kind >= MERCURY_SITE_KINDS || (site->length != kinds[site->kind].length &&
						 site->length != kinds[site->kind].or_length))
		return UNKNOWN;
	if (site->offset < *end)
		return OUTSIDE;
	*end = (u64)site->offset + max(site->length, kinds[site->kind].looked_at);
	if (*end > text_size || (site->kind != MERCURY_SITE_CAVE && site->target >= text_size))
		return OUTSIDE;
	return NULL;
}

const char *mercury_sites_check(const void *table, size_t size,
				const struct mercury_symbols *symbols)
{
	const struct mercury_sites *header = table;
	const struct mercury_site *sites = (const struct mercury_site *)(header + 1);
	u64 text_size = symbols->_etext - symbols->_text, end = 0;
	u32 found[MERCURY_SITE_KINDS] = { 0 }, i;

	if (!is_whole(header, size))
		return DAMAGED;
	if (!is_this_kernel(symbols, header->build_id))
		return "the table of sites is another kernel's: make it anew by mercury-sites";
	for (i = 0; i < header->count; i++) {
		const char *why = check_site(&sites[i], text_size, &end);

		if (why)
			return why;
		found[sites[i].kind]++;
	}
	for (i = MERCURY_SITE_USER_ENTRY; i < MERCURY_SITE_KINDS; i++)
		if (!found[i] || (found[i] > 1 && i != MERCURY_SITE_ERROR_CALL))
			return "the table of sites lacks one, or has it twice: make it anew by mercury-sites";
	return NULL;
}
