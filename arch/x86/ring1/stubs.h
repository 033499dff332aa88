/* SPDX-License-Identifier: GPL-2.0-only */
/* The page of stubs, as stubs.asm lays it out; every CPU maps it at MERCURY_CPU_RING1_STUB. */
#ifndef ARCH_X86_RING1_STUBS_H
#define ARCH_X86_RING1_STUBS_H

#include <stdint.h>

extern const char ring1_stubs[], ring1_stub_syscall[], ring1_stub_compat[], ring1_stub_sysenter[];
extern const char ring1_stub_shared[], ring1_stub_apart[];

/* A stub for patched code: offsets into the page. */
struct ring1_patched_stub {
	uint64_t start, swapped, asked, latched;
	uint64_t user, sysret_cr3, sysret_gs, iret, iret_cr3, iret_gs, iretq;
	uint64_t other, cr3, read_gs, read_gs_in, read_gs_out, write_gs, write_gs_in, back, end;
};

/* The first of those with no page tables apart for user space. */
extern const struct ring1_patched_stub ring1_patched_stubs[2];

#endif
