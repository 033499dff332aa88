// SPDX-License-Identifier: GPL-2.0-only
/* What is written over each of the kernel's sites, and the ways back from where that leads. */
#include <linux/irqflags.h>
#include <linux/kernel.h>
#include <linux/string.h>
#include <asm/cpufeature.h>

#include "sites.h"

#define CALL 0xe8
#define JMP 0xe9
#define NOP 0x90

extern const u8 mercury_hook_user_return[], mercury_hook_syscall_return[];
extern const u8 mercury_hook_read_cr2[], mercury_hook_write_cr3[];
extern const u8 mercury_hook_read_gs[], mercury_hook_write_gs[];
extern const u8 mercury_hook_kernel_entry[];
extern u8 mercury_hook_user_return_native_to[], mercury_hook_syscall_return_native_to[];
extern u8 mercury_hook_kernel_entry_to[];
extern const u8 mercury_cave[], mercury_cave_end[];
extern const u8 mercury_cave_user_entry[], mercury_cave_kernel_return[];
extern const u8 mercury_cave_user_entry_to[], mercury_cave_user_entry_native_to[];
extern const u8 mercury_cave_kernel_return_native_to[];

static u8 *text(const struct mercury_site_table *t, u32 offset)
{
	return t->text + offset;
}

const struct mercury_site *mercury_site_of(const struct mercury_site_table *t,
					   enum mercury_site_kind kind)
{
	u32 i;

	for (i = 0; i < t->count; i++)
		if (t->sites[i].kind == kind)
			return &t->sites[i];
	return NULL;
}

static void branch(u8 *bytes, u8 opcode, const u8 *at, const u8 *to)
{
	s32 distance = (s32)(to - (at + 5));

	bytes[0] = opcode;
	memcpy(bytes + 1, &distance, sizeof(distance));
}

static const struct {
	u8 opcode;
	const u8 *to;
} hooks[MERCURY_SITE_KINDS] = {
	[MERCURY_SITE_READ_CR2] = { CALL, mercury_hook_read_cr2 },
	[MERCURY_SITE_WRITE_CR3] = { CALL, mercury_hook_write_cr3 },
	[MERCURY_SITE_READ_GS] = { CALL, mercury_hook_read_gs },
	[MERCURY_SITE_WRITE_GS] = { CALL, mercury_hook_write_gs },
	[MERCURY_SITE_KERNEL_ENTRY] = { JMP, mercury_hook_kernel_entry },
	[MERCURY_SITE_SYSCALL_RETURN] = { JMP, mercury_hook_syscall_return },
	[MERCURY_SITE_USER_RETURN] = { JMP, mercury_hook_user_return },
};

/* Where in the kernel's code this of ours is. */
static u8 *in_cave(const struct mercury_site_table *t, const u8 *ours)
{
	return text(t, mercury_site_of(t, MERCURY_SITE_CAVE)->offset) + (ours - mercury_cave);
}

static void fill_cave_hole(struct mercury_patch *p, const struct mercury_site_table *t,
			   const u8 *hole, const u8 *to)
{
	branch(p->new + (hole - mercury_cave), JMP, in_cave(t, hole), to);
}

/* What it holds natively is known by its checksum. */
static void fill_cave(struct mercury_patch *p, const struct mercury_site_table *t)
{
	const struct mercury_site *entry = mercury_site_of(t, MERCURY_SITE_USER_ENTRY);
	const struct mercury_site *kernel = mercury_site_of(t, MERCURY_SITE_KERNEL_RETURN);

	p->length = MERCURY_CAVE_BYTES;
	memcpy(p->old, p->at, sizeof(p->old));
	memcpy(p->new, mercury_cave, mercury_cave_end - mercury_cave);
	fill_cave_hole(p, t, mercury_cave_user_entry_to, text(t, entry->target));
	fill_cave_hole(p, t, mercury_cave_user_entry_native_to,
		       text(t, entry->offset + entry->length));
	fill_cave_hole(p, t, mercury_cave_kernel_return_native_to,
		       text(t, kernel->offset + kernel->length));
}

void mercury_make_patch(struct mercury_patch *p, const struct mercury_site_table *t,
			const struct mercury_site *site)
{
	static const u8 nop[] = { 0x0f, 0x1f, 0x00 };

	*p = (struct mercury_patch){ .at = text(t, site->offset),
				     .length = site->length,
				     .kind = site->kind };
	memcpy(p->old, site->old, site->length);
	memset(p->new, NOP, sizeof(p->new));
	if (site->kind == MERCURY_SITE_AC)
		memcpy(p->new, nop, sizeof(nop));
	else if (site->kind == MERCURY_SITE_CAVE)
		fill_cave(p, t);
	else if (site->kind == MERCURY_SITE_USER_ENTRY)
		branch(p->new, JMP, p->at, in_cave(t, mercury_cave_user_entry));
	else if (site->kind == MERCURY_SITE_KERNEL_RETURN)
		branch(p->new, JMP, p->at, in_cave(t, mercury_cave_kernel_return));
	else
		branch(p->new, hooks[site->kind].opcode, p->at, hooks[site->kind].to);
}

bool mercury_is_written(const struct mercury_site *site)
{
	switch (site->kind) {
	case MERCURY_SITE_AC:
	case MERCURY_SITE_KERNEL_ENTRY:
		return boot_cpu_has(X86_FEATURE_SMAP);
	case MERCURY_SITE_CAVE:
		return true;
	}
	return site->kind <= MERCURY_SITE_KERNEL_RETURN;
}

/* The ways from our hooks back into Linux's code. */
void mercury_fill_hooks(const struct mercury_site_table *t)
{
	const struct mercury_site *call = mercury_site_of(t, MERCURY_SITE_SYSCALL_RETURN);
	const struct mercury_site *user = mercury_site_of(t, MERCURY_SITE_USER_RETURN);
	const struct mercury_site *kernel = mercury_site_of(t, MERCURY_SITE_KERNEL_ENTRY);
	const struct {
		u8 *hole;
		const u8 *to;
	} holes[] = {
		{ mercury_hook_syscall_return_native_to, text(t, call->target) },
		{ mercury_hook_user_return_native_to, text(t, user->offset + user->length) },
		{ mercury_hook_kernel_entry_to, text(t, kernel->offset + kernel->length) },
	};
	unsigned long flags;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(holes); i++) {
		u8 bytes[5];

		branch(bytes, JMP, holes[i].hole, holes[i].to);
		local_irq_save(flags);
		mercury_write_text(holes[i].hole, bytes, sizeof(bytes));
		local_irq_restore(flags);
	}
}
