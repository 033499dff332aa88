/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Writing an ELF64 core of physical memory, as /proc/vmcore gives one: notes, then one segment for each
 * range of RAM. In one go, so that a pipe will do.
 */
#ifndef LIBMERCURY_VMCORE_H
#define LIBMERCURY_VMCORE_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "mercury.h"

struct vmcore_range {
	uint64_t start, end; /* physical bytes, whole pages                                       */
};

struct vmcore_cpu {
	uint32_t pid;
	uint64_t regs[27]; /* as struct user_regs_struct has them                                 */
};

/* What is written. The caller keeps all of it until vmcore_write() returns. */
struct vmcore {
	const struct vmcore_range *ranges; /* ascending                                           */
	size_t nr_ranges;
	uint64_t direct_map; /* virtual address of physical address 0                             */
	struct vmcore_range kernel; /* where the kernel's own image lies; end 0: not known        */
	uint64_t kernel_map; /* virtual address of it minus physical                              */
	const struct vmcore_cpu *cpus;
	size_t nr_cpus;
	const void *vmcoreinfo; /* the whole note as the kernel made it, or NULL                  */
	size_t vmcoreinfo_size;
	const char *dma; /* the note on devices, text                                             */

	/* Read `size` bytes at physical `address`, all of them: 0, or -1 with the problem noted.  */
	int (*read)(void *data, void *buffer, size_t size, uint64_t address);
	/* So much of so much is written, or a signal came meanwhile; 0 to go on. May be NULL. */
	int (*progress)(void *data, uint64_t done, uint64_t total);
	void *data;          /* for read()                                                        */
	void *progress_data; /* for progress()                                                    */
};

/* The type of the note "MERCURY" that says which devices may write to memory by themselves. */
#define VMCORE_NOTE_DMA 0x444d41

/*
 * Write it to `fd`, in whole pages from pages, as O_DIRECT wants it. 0, or -1 with `problem`: what writing
 * gave, read() noted itself, ECANCELED if progress() said so, EINVAL if vmcoreinfo is no note.
 */
int vmcore_write(const struct vmcore *core, int fd, struct mercury_problem *problem);

#endif
