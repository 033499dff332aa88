// SPDX-License-Identifier: GPL-2.0-only
/*
 * The sites. The kernel's list of alternatives has all that are frequent, exactly: STAC and CLAC by
 * feature SMAP; operations that a Xen guest cannot execute, and the ways through its entry code that it
 * takes instead, by feature XENPV. What the entry code looks like between them is checked byte by byte.
 */
#define _GNU_SOURCE /* memmem() */
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "sites.h"

#define SWAPGS_BYTES 3
#define NEAR 0x200 /* the entry code's functions are shorter */

const char *const site_names[MERCURY_SITE_KINDS] = {
	[MERCURY_SITE_AC] = "STAC, CLAC",
	[MERCURY_SITE_READ_CR2] = "read of CR2",
	[MERCURY_SITE_WRITE_CR3] = "write of CR3",
	[MERCURY_SITE_READ_GS] = "read of the other GS base",
	[MERCURY_SITE_WRITE_GS] = "write of the other GS base",
	[MERCURY_SITE_USER_ENTRY] = "entry from user space",
	[MERCURY_SITE_KERNEL_ENTRY] = "entry from the kernel",
	[MERCURY_SITE_SYSCALL_RETURN] = "return from a system call",
	[MERCURY_SITE_USER_RETURN] = "return to user space",
	[MERCURY_SITE_KERNEL_RETURN] = "return to the kernel",
	[MERCURY_SITE_SYSCALL_ENTRY] = "entry of a system call",
	[MERCURY_SITE_ERROR_CALL] = "call of error_entry",
	[MERCURY_SITE_CAVE] = "entry for Xen, which never runs",
	[MERCURY_SITE_PCID_FLUSH] = "test of user_pcid_flush_mask",
};

struct search {
	const struct kernel *kernel;
	const struct alternative *all;
	size_t nr_all;
	struct mercury_site *sites;
	size_t count;
};

static const uint8_t swapgs[] = { 0x0f, 0x01, 0xf8 };
static const uint8_t nop3[] = { 0x0f, 0x1f, 0x00 };
static const uint8_t nop5[] = { 0x0f, 0x1f, 0x44, 0x00, 0x00 };
static const uint8_t nops[] = { 0x90, 0x90, 0x90, 0x90, 0x90 };

static bool text_is(const struct kernel *k, uint64_t address, const void *bytes, size_t n)
{
	const uint8_t *text = section_at(&k->text, address, n);

	return text && memcmp(text, bytes, n) == 0;
}

static struct mercury_site *add(struct search *s, enum mercury_site_kind kind, uint64_t address,
				unsigned int length, const void *old, size_t n)
{
	struct mercury_site *site = &s->sites[s->count++];

	if (s->count > MERCURY_SITES_MAX)
		fail("report it with the version of the kernel; ring 1 traps until then, which is slower",
		     "more than %u sites: not a kernel that is known here", MERCURY_SITES_MAX);
	*site = (struct mercury_site){ .offset = (uint32_t)(address - s->kernel->text.address),
				       .kind = (uint8_t)kind,
				       .length = (uint8_t)length };
	memcpy(site->old, old, n);
	return site;
}

static void set_target(const struct search *s, struct mercury_site *site, uint64_t target)
{
	site->target = (uint32_t)(target - s->kernel->text.address);
}

/* --- The frequent ones --------------------------------------------------------------------------- */

static bool replaces_with(const struct alternative *a, unsigned int feature, bool absent,
			  const uint8_t *bytes, unsigned int n)
{
	return a->feature == feature && a->absent == absent && a->new_length == n &&
	       memcmp(a->new, bytes, n) == 0;
}

static void find_operations(struct search *s)
{
	static const uint8_t clac[] = { 0x0f, 0x01, 0xca }, stac[] = { 0x0f, 0x01, 0xcb };
	static const uint8_t read_cr2[] = { 0x0f, 0x20, 0xd0, 0x0f, 0x1f, 0x00 };
	static const uint8_t write_cr3[] = { 0x0f, 0x22, 0xdf, 0x0f, 0x1f, 0x00 };
	size_t i;

	for (i = 0; i < s->nr_all; i++) {
		const struct alternative *a = &s->all[i];

		if (replaces_with(a, FEATURE_SMAP, false, clac, 3) ||
		    replaces_with(a, FEATURE_SMAP, false, stac, 3))
			add(s, MERCURY_SITE_AC, a->address, 3, a->new, 3);
		else if (a->old_length == 6 && replaces_with(a, FEATURE_XENPV, true, read_cr2, 3))
			add(s, MERCURY_SITE_READ_CR2, a->address, 6, read_cr2, 6);
		else if (a->old_length == 6 && replaces_with(a, FEATURE_XENPV, true, write_cr3, 3))
			add(s, MERCURY_SITE_WRITE_CR3, a->address, 6, write_cr3, 6);
	}
}

/*
 * Of what a thread has as its GS base, in __rdgsbase_inactive() and __wrgsbase_inactive(): there is no list
 * of these, but no other code has these eleven bytes.
 */
static void find_gs_bases(struct search *s)
{
	static const uint8_t read_gs[] = { 0x0f, 0x01, 0xf8, 0xf3, 0x48, 0x0f,
					   0xae, 0xc8, 0x0f, 0x01, 0xf8 };
	static const uint8_t write_gs[] = { 0x0f, 0x01, 0xf8, 0xf3, 0x48, 0x0f,
					    0xae, 0xdf, 0x0f, 0x01, 0xf8 };
	const struct section *text = &s->kernel->text;
	const uint8_t *at = text->data, *end;

	if (text->size < sizeof(read_gs))
		return;
	end = text->data + text->size - sizeof(read_gs);
	while ((at = memmem(at, (size_t)(end - at), swapgs, sizeof(swapgs)))) {
		uint64_t address = text->address + (uint64_t)(at - text->data);

		if (!memcmp(at, read_gs, sizeof(read_gs)))
			add(s, MERCURY_SITE_READ_GS, address, sizeof(read_gs), at, sizeof(read_gs));
		else if (!memcmp(at, write_gs, sizeof(write_gs)))
			add(s, MERCURY_SITE_WRITE_GS, address, sizeof(write_gs), at,
			    sizeof(write_gs));
		at++;
	}
}

/* --- The entry code ------------------------------------------------------------------------------ */

/* The alternative for page-table isolation at `address`, which without it is a short JMP. */
static uint64_t behind_cr3_switch(const struct search *s, uint64_t address)
{
	size_t i;

	for (i = 0; i < s->nr_all; i++) {
		const struct alternative *a = &s->all[i];

		if (a->address == address && a->feature == FEATURE_PTI && a->old_length >= 2 &&
		    a->old[0] == 0xeb)
			return address + 2 + (uint64_t)(int8_t)a->old[1];
	}
	return 0;
}

/* SWAPGS, room for an LFENCE, the switch of CR3. */
static bool find_user_entry(struct search *s, uint64_t error_entry)
{
	uint64_t at;

	for (at = error_entry; at < error_entry + NEAR; at++) {
		uint64_t target = behind_cr3_switch(s, at + SWAPGS_BYTES + 3);
		uint8_t old[6];

		if (!target || !text_is(s->kernel, at, swapgs, sizeof(swapgs)) ||
		    !text_is(s->kernel, at + SWAPGS_BYTES, nops, 3))
			continue;
		memcpy(old, swapgs, 3);
		memcpy(old + 3, nop3, 3);
		set_target(s, add(s, MERCURY_SITE_USER_ENTRY, at, sizeof(old), old, sizeof(old)),
			   target);
		return true;
	}
	return false;
}

/* Where an exception in the kernel gets the address of its registers: LEA RAX, [RSP + 8]. */
static bool find_kernel_entry(struct search *s, uint64_t error_entry)
{
	static const uint8_t lea[] = { 0x48, 0x8d, 0x44, 0x24, 0x08 };
	uint64_t at;

	for (at = error_entry; at < error_entry + NEAR; at++) {
		if (!text_is(s->kernel, at, lea, sizeof(lea)))
			continue;
		add(s, MERCURY_SITE_KERNEL_ENTRY, at, sizeof(lea), lea, sizeof(lea));
		return true;
	}
	return false;
}

/*
 * xen_error_entry begins by saving and clearing all registers: PUSH_AND_CLEAR_REGS with save_ret=1. That is
 * room for what must be mapped in user space.
 */
static bool find_cave(struct search *s, uint64_t at)
{
	static const uint8_t known[MERCURY_CAVE_BYTES] = {
		0x56, 0x48, 0x8b, 0x74, 0x24, 0x08, 0x48, 0x89, 0x7c, 0x24, 0x08, 0x52, 0x51, 0x50,
		0x41, 0x50, 0x41, 0x51, 0x41, 0x52, 0x41, 0x53, 0x53, 0x55, 0x41, 0x54, 0x41, 0x55,
		0x41, 0x56, 0x41, 0x57, 0x56, 0x31, 0xf6, 0x31, 0xd2, 0x31, 0xc9, 0x45, 0x31, 0xc0,
		0x45, 0x31, 0xc9, 0x45, 0x31, 0xd2, 0x45, 0x31, 0xdb, 0x31, 0xdb, 0x31, 0xed, 0x45,
		0x31, 0xe4, 0x45, 0x31, 0xed, 0x45, 0x31, 0xf6, 0x45, 0x31, 0xff,
	};

	if (!text_is(s->kernel, at, known, sizeof(known)))
		return false;
	add(s, MERCURY_SITE_CAVE, at, 0, "", 0)->target = (uint32_t)crc32(0, known, sizeof(known));
	return true;
}

/* In the entry of each vector: CALL error_entry; MOV RSP, RAX. */
static bool find_error_entry(struct search *s)
{
	static const uint8_t take_rsp[] = { 0x48, 0x89, 0xc4 };
	uint64_t error_entry = 0, xen_error_entry = 0;
	size_t i;

	for (i = 0; i < s->nr_all; i++) {
		const struct alternative *a = &s->all[i];
		uint64_t to;
		int32_t distance;

		if (a->feature != FEATURE_XENPV || a->absent || a->old_length != 8 ||
		    a->old[0] != 0xe8 || memcmp(a->old + 5, take_rsp, 3) != 0 || !a->new_length ||
		    a->new[0] != 0xe8)
			continue;
		memcpy(&distance, a->old + 1, sizeof(distance));
		to = a->address + 5 + (uint64_t)(int64_t)distance;
		if (error_entry && to != error_entry)
			return false;
		error_entry = to;
		xen_error_entry = a->target;
		add(s, MERCURY_SITE_ERROR_CALL, a->address, 0, a->old, a->old_length);
	}
	return error_entry && find_user_entry(s, error_entry) &&
	       find_kernel_entry(s, error_entry) && find_cave(s, xen_error_entry);
}

/* MOV RSP, GS:...; PUSH user SS; PUSH GS:...; PUSH R11; PUSH user CS: that of 64-bit system calls. */
static bool is_syscall_entry(const struct kernel *k, uint64_t at)
{
	static const uint8_t push_ss[] = { 0x6a, 0x2b, 0x65, 0xff };
	static const uint8_t push_cs[] = { 0x41, 0x53, 0x6a, 0x33, 0x51 };
	unsigned int relative = text_is(k, at, "\x65\x48\x8b\x25", 4);
	unsigned int absolute = text_is(k, at, "\x65\x48\x8b\x24\x25", 5);
	uint64_t next = at + (relative ? 8 : 9);

	if (!relative && !absolute)
		return false;
	if (!text_is(k, next, push_ss, sizeof(push_ss)))
		return false;
	return text_is(k, next + 2 + (relative ? 7 : 8), push_cs, sizeof(push_cs));
}

static uint64_t find_syscall_entry(struct search *s)
{
	uint64_t found = 0;
	size_t i;

	for (i = 0; i < s->nr_all; i++) {
		uint64_t target = behind_cr3_switch(s, s->all[i].address);

		if (!target || !is_syscall_entry(s->kernel, target))
			continue;
		if (found)
			return 0;
		found = target;
	}
	if (found)
		add(s, MERCURY_SITE_SYSCALL_ENTRY, found, 0, "", 0);
	return found;
}

/* Where a Xen guest leaves the way back from a system call: empty, or TEST AL, AL and JZ. */
static bool find_returns(struct search *s, uint64_t syscall_entry)
{
	const struct alternative *call = NULL, *user = NULL;
	static const uint8_t test_al[] = { 0x84, 0xc0, 0x0f, 0x84 };
	static const uint8_t end[] = { 0x48, 0x83, 0xc4, 0x08, 0xe9, 0x00, 0x00, 0x00, 0x00 };
	uint64_t at, kernel = 0, iret = 0, flush = 0;
	bool empty;
	size_t i;

	for (i = 0; i < s->nr_all; i++) {
		const struct alternative *a = &s->all[i];

		if (a->feature == FEATURE_XENPV && a->new_length == 5 && a->new[0] == 0xe9 &&
		    a->address > syscall_entry && a->address < syscall_entry + NEAR &&
		    (!call || a->address < call->address))
			call = a;
	}
	if (!call || call->old_length > MERCURY_SITE_BYTES)
		return false;
	empty = call->old_length == 5 && memcmp(call->old, nops, 5) == 0;
	if (!empty && (call->old_length != 8 || memcmp(call->old, test_al, sizeof(test_al)) != 0))
		return false;
	for (i = 0; i < s->nr_all; i++) {
		const struct alternative *a = &s->all[i];

		if (a->feature == FEATURE_XENPV && a->new_length == 5 && a->new[0] == 0xe9 &&
		    a->old_length == 5 && memcmp(a->old, nops, 5) == 0 &&
		    a->address >= call->target && a->address < call->target + NEAR)
			user = a;
	}
	if (!user)
		return false;
	for (at = user->address; at < user->address + NEAR; at++) {
		if (text_is(s->kernel, at, "\x65\x48\x0f\xa3\x3c\x25", 6) ||
		    text_is(s->kernel, at, "\x65\x48\x0f\xa3\x3d", 5))
			flush = at;
		if (text_is(s->kernel, at, end, sizeof(end)))
			kernel = at + 4;
		if (kernel && !iret && text_is(s->kernel, at, "\x48\xcf", 2))
			iret = at;
	}
	if (!kernel || !iret || !flush || !section_at(&s->kernel->text, flush, 8))
		return false;
	set_target(s,
		   add(s, MERCURY_SITE_SYSCALL_RETURN, call->address, call->old_length,
		       empty ? nop5 : call->old, call->old_length),
		   call->target);
	add(s, MERCURY_SITE_USER_RETURN, user->address, 5, nop5, sizeof(nop5));
	set_target(s, add(s, MERCURY_SITE_KERNEL_RETURN, kernel, 5, end + 4, 5), iret);
	add(s, MERCURY_SITE_PCID_FLUSH, flush, 0, section_at(&s->kernel->text, flush, 8), 8);
	return true;
}

/* --- Together ------------------------------------------------------------------------------------- */

static int by_offset(const void *a, const void *b)
{
	const struct mercury_site *x = a, *y = b;

	return (x->offset > y->offset) - (x->offset < y->offset);
}

struct mercury_site *find_sites(const struct kernel *kernel, size_t *count)
{
	struct search s = { .kernel = kernel };
	uint64_t syscall_entry;

	s.all = read_alternatives(kernel, &s.nr_all);
	s.sites = calloc(MERCURY_SITES_MAX + 1, sizeof(*s.sites));
	if (!s.sites)
		fail("free some memory", "out of memory");
	find_operations(&s);
	find_gs_bases(&s);
	if (!find_error_entry(&s))
		fail("report it with the version of the kernel; ring 1 traps until then, which is slower",
		     "error_entry is not as it is known");
	syscall_entry = find_syscall_entry(&s);
	if (!syscall_entry)
		fail("report it with the version of the kernel; ring 1 traps until then, which is slower",
		     "entry_SYSCALL_64 is not as it is known");
	if (!find_returns(&s, syscall_entry))
		fail("report it with the version of the kernel; ring 1 traps until then, which is slower",
		     "the ways back to user space are not as they are known");
	free((void *)s.all);
	qsort(s.sites, s.count, sizeof(*s.sites), by_offset);
	*count = s.count;
	return s.sites;
}
