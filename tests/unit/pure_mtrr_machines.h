/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * MTRR layouts of machines, as published in logs, and the memory types that they come to, worked out
 * by hand by SDM vol. 3, 12.11.4.1, MTRR Precedences. Registers that a log calls disabled are left
 * out, but for those between others.
 */
#ifndef TESTS_UNIT_PURE_MTRR_MACHINES_H
#define TESTS_UNIT_PURE_MTRR_MACHINES_H

#include "pure_mtrr.h"

/* From where the last one ends; an `end` of 0 closes a list. Neighbours differ in type. */
struct piece {
	uint64_t end;
	uint32_t type;
};

struct machine {
	const char *name;
	uint32_t maxphyaddr;
	uint64_t def_type;
	struct piece fixed[6]; /* up to 1 MByte; none: no fixed ranges                            */
	struct {
		uint64_t base, mask; /* without type and valid bit; a mask of 0: disabled         */
		uint32_t type;
	} variable[8];
	uint64_t ram_end; /* the kernel's "last_pfn"; 4 GiB where the log does not show it        */
	struct piece types[10];
	/* Of a P2M up to there, counted by hand: with pages of 1 GiB, of 2 MiB; 0: too many.     */
	uint32_t tables[2];
};

/*
 * Counting tables: the root and the one for hidden chunks; one for each 512 GiB; with 1 GiB pages one
 * for each GiB that registers divide, with 2 MiB pages one for each GiB; one for each 2 MiB that is
 * of several types.
 */
/* clang-format off */
static const struct machine machines[] = {
	{
		/*
		 * linux-mm, 16 April 2015, "Re: [RFC PATCH 0/14] Parallel memory initialisation":
		 * HP Superdome 2, 16 sockets, 12 TiB. UC over UC, above and below 4 GiB.
		 */
		"16-socket server", 46, DEF_E | DEF_FE | WB,
		{ { 0xa0000, WB }, { 0xc0000, UC }, { 0xe0000, WP }, { 0x100000, UC } },
		{
			{ 0x000080000000, 0x3fff80000000, UC },
			{ 0x0f0000000000, 0x3f8000000000, UC },
			{ 0x0f8000000000, 0x3fc000000000, UC },
			{ 0x0fc000000000, 0x3fe000000000, UC },
			{ 0x0fe000000000, 0x3ff000000000, UC },
			{ 0x0000ff000000, 0x3fffffe00000, UC },
			{ 0x0fdf80000000, 0x3fff80000000, UC },
			{ 0x0fe000000000, 0x3ff800000000, UC },
		},
		0xc2000000000,
		{ { 0xa0000, WB }, { 0xc0000, UC }, { 0xe0000, WP }, { 0x100000, UC },
		  { 0x80000000, WB }, { 0x100000000, UC }, { 0x0f0000000000, WB },
		  { 0x0ff000000000, UC }, { 0x400000000000, WB } },
		/* 25 times 512 GiB; GiB 0 and its first 2 MiB; GiB 3. */
		{ 2 + 25 + 2 + 1, 0 },
	},
	{
		/*
		 * linux-mm, 29 April 2014, "[BUG] kernel BUG at mm/vmacache.c:85!": IBM Flex node,
		 * 2 sockets, 128 GiB. The firmware's ROM WT inside the UC hole: UC.
		 */
		"2-socket server", 46, DEF_E | DEF_FE | WB,
		{ { 0xa0000, WB }, { 0x100000, UC } },
		{
			{ 0x0000ff800000, 0x3fffff800000, WT },
			{ 0x000080000000, 0x3fff80000000, UC },
			{ 0x3c0000000000, 0x3ff800000000, UC },
		},
		0x2080000000,
		{ { 0xa0000, WB }, { 0x100000, UC }, { 0x80000000, WB }, { 0x100000000, UC },
		  { 0x3c0000000000, WB }, { 0x3c0800000000, UC }, { 0x400000000000, WB } },
		/* GiB 0 and its first 2 MiB; GiB 3. */
		{ 2 + 1 + 2 + 1, 2 + 1 + 130 + 1 },
	},
	{
		/*
		 * linux-kernel, 13 July 2020, "Re: [RFC PATCH 14/16] irq: Add support for core-wide
		 * protection of IRQ and softirq": Intel Cooper City, 320 GiB. Default UC, the end of
		 * RAM cut out of the last WB range.
		 */
		"4-socket server", 46, DEF_E | DEF_FE | UC,
		{ { 0xa0000, WB }, { 0x100000, UC } },
		{
			{ 0x000000000000, 0x3fc000000000, WB },
			{ 0x004000000000, 0x3ff000000000, WB },
			{ 0x005000000000, 0x3fff80000000, WB },
			{ 0x005070000000, 0x3ffff0000000, UC },
			{ 0x000080000000, 0x3fff80000000, UC },
			{ 0x00007f000000, 0x3fffff000000, UC },
		},
		0x5070000000,
		{ { 0xa0000, WB }, { 0x100000, UC }, { 0x7f000000, WB }, { 0x100000000, UC },
		  { 0x5070000000, WB }, { 0x400000000000, UC } },
		/* GiB 0 and its first 2 MiB; GiB 1; GiB 321. */
		{ 2 + 1 + 2 + 1 + 1, 2 + 1 + 322 + 1 },
	},
	{
		/*
		 * reiserfs-devel, 1 August 2019, "Reiser4 -enabled Linux kernels 5.0.xy do not hang
		 * in HP ProLiant Epyc -based bare hardware unit": HPE DL325, 64 GiB. WP over
		 * nothing, disabled registers between. (Above 4 GiB its processor has another
		 * register, no MTRR, that makes memory WB.)
		 */
		"1-socket server, 48 bits", 48, DEF_E | DEF_FE | UC,
		{ { 0xa0000, WB }, { 0x100000, UC } },
		{
			{ 0x000000000000, 0xffff80000000, WB },
			{ 0x0000e4000000, 0xfffffc000000, WP },
			{ 0x000078000000, 0xfffff8000000, UC },
			{ 0, 0, 0 },
			{ 0, 0, 0 },
			{ 0, 0, 0 },
			{ 0, 0, 0 },
			{ 0x0000ff000000, 0xffffff000000, WP },
		},
		0x107f200000,
		{ { 0xa0000, WB }, { 0x100000, UC }, { 0x78000000, WB }, { 0xe4000000, UC },
		  { 0xe8000000, WP }, { 0xff000000, UC }, { 0x100000000, WP },
		  { 0x1000000000000, UC } },
		/* GiB 0 and its first 2 MiB; GiB 1; GiB 3. */
		{ 2 + 1 + 2 + 1 + 1, 2 + 1 + 66 + 1 },
	},
	{
		/*
		 * linux-kernel, 25 October 2019, "Re: mlockall(MCL_CURRENT) blocking infinitely":
		 * MSI X99A, 64 GiB. WT over UC, a hole that begins below 1 GiB.
		 */
		"workstation", 46, DEF_E | DEF_FE | WB,
		{ { 0xa0000, WB }, { 0xc0000, UC }, { 0x100000, WP } },
		{
			{ 0x000080000000, 0x3fff80000000, UC },
			{ 0x000040000000, 0x3fffc0000000, UC },
			{ 0x380000000000, 0x3fc000000000, UC },
			{ 0x00003f000000, 0x3fffff000000, UC },
			{ 0x0000e0000000, 0x3ffff0000000, WT },
			{ 0x0000f0000000, 0x3ffffe000000, WT },
		},
		0x10c0000000,
		{ { 0xa0000, WB }, { 0xc0000, UC }, { 0x100000, WP }, { 0x3f000000, WB },
		  { 0x100000000, UC }, { 0x380000000000, WB }, { 0x384000000000, UC },
		  { 0x400000000000, WB } },
		/* GiB 0 and its first 2 MiB; GiB 3. */
		{ 2 + 1 + 2 + 1, 2 + 1 + 67 + 1 },
	},
	{
		/*
		 * linux-surface/linux-surface, issue 398: Surface Book 3. Default WB, the hole below
		 * 4 GiB in powers of two, all of the upper half UC.
		 */
		"laptop, 39 bits", 39, DEF_E | DEF_FE | WB,
		{ { 0xa0000, WB }, { 0xc0000, UC }, { 0x100000, WP } },
		{
			{ 0x00c0000000, 0x7fc0000000, UC },
			{ 0x00a0000000, 0x7fe0000000, UC },
			{ 0x0098000000, 0x7ff8000000, UC },
			{ 0x0094000000, 0x7ffc000000, UC },
			{ 0x0092000000, 0x7ffe000000, UC },
			{ 0x0091000000, 0x7fff000000, UC },
			{ 0x4000000000, 0x4000000000, UC },
		},
		4 * GB,
		{ { 0xa0000, WB }, { 0xc0000, UC }, { 0x100000, WP }, { 0x91000000, WB },
		  { 0x100000000, UC }, { 0x4000000000, WB }, { 0x8000000000, UC } },
		/* GiB 0 and its first 2 MiB; GiB 2. */
		{ 2 + 1 + 2 + 1, 2 + 1 + 4 + 1 },
	},
	{
		/*
		 * Ubuntu Forums, 1 June 2012, "System Freezes after Upgrade to 12.04 (from 11.10)":
		 * Gigabyte H77M, 8 GiB. UC cut out of WB below 4 GiB and at the end of RAM.
		 */
		"desktop, 36 bits", 36, DEF_E | DEF_FE | UC,
		{ { 0xa0000, WB }, { 0xc0000, UC }, { 0xd0000, WP }, { 0xe8000, UC },
		  { 0x100000, WP } },
		{
			{ 0x000000000, 0xe00000000, WB },
			{ 0x200000000, 0xfe0000000, WB },
			{ 0x0e0000000, 0xfe0000000, UC },
			{ 0x0dc000000, 0xffc000000, UC },
			{ 0x0db800000, 0xfff800000, UC },
			{ 0x21f800000, 0xfff800000, UC },
			{ 0x21f600000, 0xfffe00000, UC },
		},
		0x21f600000,
		{ { 0xa0000, WB }, { 0xc0000, UC }, { 0xd0000, WP }, { 0xe8000, UC },
		  { 0x100000, WP }, { 0xdb800000, WB }, { 0x100000000, UC },
		  { 0x21f600000, WB }, { 0x1000000000, UC } },
		/* GiB 0 and its first 2 MiB; GiB 3; GiB 8. */
		{ 2 + 1 + 2 + 1 + 1, 2 + 1 + 9 + 1 },
	},
	{
		/*
		 * Ubuntu Forums, 26 December 2009, "Wireless interface disappeared in Karmic": Dell
		 * Precision M60, 2 GiB. 128 KiB of WT, within 2 MiB of UC.
		 */
		"laptop, 36 bits", 36, DEF_E | DEF_FE | UC,
		{ { 0xa0000, WB }, { 0xc0000, UC }, { 0xd0000, WP }, { 0xf0000, UC },
		  { 0x100000, WP } },
		{
			{ 0x000000000, 0xf80000000, WB },
			{ 0x0feda0000, 0xffffe0000, WT },
		},
		0x7ffae000,
		{ { 0xa0000, WB }, { 0xc0000, UC }, { 0xd0000, WP }, { 0xf0000, UC },
		  { 0x100000, WP }, { 0x80000000, WB }, { 0xfeda0000, UC }, { 0xfedc0000, WT },
		  { 0x1000000000, UC } },
		/* GiB 0 and its first 2 MiB; GiB 3 and the 2 MiB with WT. */
		{ 2 + 1 + 2 + 2, 2 + 1 + 4 + 2 },
	},
	{
		/*
		 * Ubuntu Forums, 24 March 2011, "no network, new motherboard, old HDD": nettop with
		 * an Atom 330, 512 MiB. Fixed ranges of all four types, 32 bits of address.
		 */
		"nettop, 32 bits", 32, DEF_E | DEF_FE | UC,
		{ { 0xa0000, WB }, { 0xc0000, UC }, { 0xd0000, WP }, { 0xe0000, UC },
		  { 0xf0000, WT }, { 0x100000, WP } },
		{ { 0x00000000, 0xc0000000, WB } },
		0x1ffa0000,
		{ { 0xa0000, WB }, { 0xc0000, UC }, { 0xd0000, WP }, { 0xe0000, UC },
		  { 0xf0000, WT }, { 0x100000, WP }, { 0x40000000, WB }, { 0x100000000, UC } },
		/* GiB 0 and its first 2 MiB. */
		{ 2 + 1 + 2, 2 + 1 + 4 + 1 },
	},
#define SDM_EXAMPLE(bits, high)                                                                    \
	{                                                                                          \
		"SDM's example, " #bits " bits", bits, DEF_E | UC, { { 0 } },                          \
		{                                                                                  \
			{ 0x00000000, high | 0xfc000000, WB },                                     \
			{ 0x04000000, high | 0xfe000000, WB },                                     \
			{ 0x06000000, high | 0xffc00000, WB },                                     \
			{ 0x04000000, high | 0xffc00000, UC },                                     \
			{ 0x00f00000, high | 0xfff00000, UC },                                     \
			{ 0xa0000000, high | 0xff800000, WC },                                     \
		},                                                                                 \
		100 * MB,                                                                          \
		{ { 0xf00000, WB }, { 0x1000000, UC }, { 0x4000000, WB }, { 0x4400000, UC },       \
		  { 0x6400000, WB }, { 0xa0000000, UC }, { 0xa0800000, WC },                       \
		  { UINT64_C(1) << bits, UC } },                                                   \
		/* GiB 0 and the 2 MiB below 16 MByte; GiB 2. */                                   \
		{ 2 + 1 + 2 + 1, 2 + 1 + 4 + 1 },                                                  \
	}
	/*
	 * SDM vol. 3, 12.11.3, Example Base and Mask Calculations, for 36 bits, and 12.11.3.1, for
	 * more: UC within WB, and WC. The fixed ranges, of which it does not speak, are off here.
	 */
	SDM_EXAMPLE(36, UINT64_C(0xf00000000)),
	SDM_EXAMPLE(40, UINT64_C(0xff00000000)),
	{
		/*
		 * cloud-hypervisor/cloud-hypervisor, issue 1752: what its guest found, no MTRRs. The
		 * log does not show the width.
		 */
		"virtual machine, disabled", 39, 0, { { 0 } }, { { 0 } }, 4 * GB,
		{ { 0x8000000000, UC } },
		{ 2 + 1, 2 + 1 + 4 },
	},
	{
		/*
		 * The same issue: what it should have found. Default WB, no fixed ranges, all of the
		 * variable ranges disabled.
		 */
		"virtual machine, default", 39, DEF_E | WB, { { 0x100000, UC } }, { { 0 } }, 4 * GB,
		{ { 0x8000000000, WB } },
		{ 2 + 1, 2 + 1 + 4 },
	},
};
/* clang-format on */

#define MACHINES (sizeof(machines) / sizeof(machines[0]))

static inline void fill_fixed(struct mtrr_state *s, const struct piece *p)
{
	uint32_t i;

	for (i = 0; p->end && i < 88; i++) {
		uint64_t at = i < 8  ? i * 0x10000 :
			      i < 24 ? 0x80000 + (i - 8) * 0x4000 :
				       0xc0000 + (i - 24) * 0x1000;

		if (at == p->end)
			p++;
		s->fixed[i / 8] |= (uint64_t)p->type << i % 8 * 8;
	}
}

/* The registers of `m`. */
static inline struct mtrr_state registers_of(const struct machine *m)
{
	struct mtrr_state s = state_of(m->def_type);
	uint32_t i;

	s.maxphyaddr = m->maxphyaddr;
	s.has_fixed = m->fixed[0].end;
	fill_fixed(&s, m->fixed);
	for (i = 0; i < 8; i++) {
		s.base[i] = m->variable[i].base | m->variable[i].type;
		s.mask[i] = m->variable[i].mask ? m->variable[i].mask | VALID : 0;
	}
	s.variable = 8;
	return s;
}

/* The piece that `address` lies in. */
static inline const struct piece *piece_of(const struct machine *m, uint64_t address)
{
	const struct piece *p = m->types;

	while (address >= p->end)
		p++;
	return p;
}

#endif
