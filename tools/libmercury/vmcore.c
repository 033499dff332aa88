// SPDX-License-Identifier: GPL-2.0-only
/*
 * Writing an ELF64 core of physical memory. The layout: ELF header, program headers, notes, and from
 * the next page on the ranges one after the other.
 */
#include "vmcore.h"

#include <elf.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/procfs.h>
#include <unistd.h>

#include "problem.h"

#define PAGE 4096
#define CHUNK ((size_t)1 << 20)

/* A growing piece of the file; a failed allocation shows in `failed` at the end. */
struct buffer {
	char *bytes;
	size_t size;
	bool failed;
};

static void append(struct buffer *b, const void *bytes, size_t size)
{
	char *more = b->failed ? NULL : realloc(b->bytes, b->size + size);

	if (!more) {
		b->failed = true;
		return;
	}
	b->bytes = more;
	if (bytes)
		memcpy(more + b->size, bytes, size);
	else
		memset(more + b->size, 0, size);
	b->size += size;
}

static void pad(struct buffer *b, size_t to)
{
	append(b, NULL, (to - b->size % to) % to);
}

/* --- Notes ---------------------------------------------------------------------------------------- */

static void append_note(struct buffer *b, const char *name, uint32_t type, const void *bytes,
			size_t size)
{
	const Elf64_Nhdr header = { (uint32_t)strlen(name) + 1, (uint32_t)size, type };

	append(b, &header, sizeof(header));
	append(b, name, header.n_namesz);
	pad(b, 4);
	append(b, bytes, size);
	pad(b, 4);
}

static void append_cpu(struct buffer *b, const struct vmcore_cpu *cpu)
{
	prstatus_t status = { .pr_pid = (pid_t)cpu->pid };

	_Static_assert(sizeof(status.pr_reg) == sizeof(cpu->regs), "the registers of a core file");
	memcpy(&status.pr_reg, cpu->regs, sizeof(cpu->regs));
	append_note(b, "CORE", NT_PRSTATUS, &status, sizeof(status));
}

static bool is_note(const void *bytes, size_t size)
{
	Elf64_Nhdr header;

	if (size < sizeof(header))
		return false;
	memcpy(&header, bytes, sizeof(header));
	return header.n_namesz == sizeof("VMCOREINFO") &&
	       sizeof(header) + ((header.n_namesz + 3u) & ~3u) + header.n_descsz <= size &&
	       !memcmp((const char *)bytes + sizeof(header), "VMCOREINFO", header.n_namesz);
}

static void build_notes(struct buffer *b, const struct vmcore *core)
{
	size_t i;

	for (i = 0; i < core->nr_cpus; i++)
		append_cpu(b, &core->cpus[i]);
	if (core->vmcoreinfo) {
		Elf64_Nhdr header;

		/* The kernel's buffer is larger than its note. */
		memcpy(&header, core->vmcoreinfo, sizeof(header));
		append(b, core->vmcoreinfo,
		       sizeof(header) + ((header.n_namesz + 3u) & ~3u) + header.n_descsz);
		pad(b, 4);
	}
	append_note(b, "MERCURY", VMCORE_NOTE_DMA, core->dma, strlen(core->dma) + 1);
}

/* --- Headers -------------------------------------------------------------------------------------- */

static void append_elf_header(struct buffer *b, size_t segments)
{
	const Elf64_Ehdr header = {
		.e_ident = { ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64, ELFDATA2LSB,
			     EV_CURRENT, ELFOSABI_NONE },
		.e_type = ET_CORE,
		.e_machine = EM_X86_64,
		.e_version = EV_CURRENT,
		.e_phoff = sizeof(header),
		.e_ehsize = sizeof(header),
		.e_phentsize = sizeof(Elf64_Phdr),
		.e_phnum = (uint16_t)segments,
	};

	append(b, &header, sizeof(header));
}

static void append_range(struct buffer *b, const struct vmcore_range *range, uint64_t map,
			 uint64_t offset)
{
	const uint64_t size = range->end - range->start;
	const Elf64_Phdr header = {
		.p_type = PT_LOAD,
		.p_flags = PF_R | PF_W | PF_X,
		.p_offset = offset,
		.p_vaddr = map + range->start,
		.p_paddr = range->start,
		.p_filesz = size,
		.p_memsz = size,
	};

	append(b, &header, sizeof(header));
}

/* What of a range is the kernel's image; false: nothing. */
static bool is_kernel(const struct vmcore *core, const struct vmcore_range *range,
		      struct vmcore_range *part)
{
	part->start = range->start > core->kernel.start ? range->start : core->kernel.start;
	part->end = range->end < core->kernel.end ? range->end : core->kernel.end;
	return part->start < part->end;
}

/* All ranges as the direct map has them, and then, of the same bytes, those that are mapped twice. */
static void append_ranges(struct buffer *b, const struct vmcore *core, uint64_t offset)
{
	struct vmcore_range part;
	uint64_t at = offset;
	size_t i;

	for (i = 0; i < core->nr_ranges; i++) {
		append_range(b, &core->ranges[i], core->direct_map, at);
		at += core->ranges[i].end - core->ranges[i].start;
	}
	for (i = 0, at = offset; i < core->nr_ranges; i++) {
		if (is_kernel(core, &core->ranges[i], &part))
			append_range(b, &part, core->kernel_map,
				     at + part.start - core->ranges[i].start);
		at += core->ranges[i].end - core->ranges[i].start;
	}
}

static size_t count_segments(const struct vmcore *core)
{
	size_t n = 1 + core->nr_ranges, i;
	struct vmcore_range part;

	for (i = 0; i < core->nr_ranges; i++)
		n += is_kernel(core, &core->ranges[i], &part);
	return n;
}

/* All that comes before memory, to a page's boundary. */
static void build_head(struct buffer *b, const struct vmcore *core, const struct buffer *notes)
{
	const size_t segments = count_segments(core);
	const uint64_t at = sizeof(Elf64_Ehdr) + segments * sizeof(Elf64_Phdr);
	const Elf64_Phdr note = {
		.p_type = PT_NOTE,
		.p_offset = at,
		.p_filesz = notes->size,
		.p_memsz = notes->size,
		.p_align = 4,
	};

	append_elf_header(b, segments);
	append(b, &note, sizeof(note));
	append_ranges(b, core, (at + notes->size + PAGE - 1) / PAGE * PAGE);
	append(b, notes->bytes, notes->size);
	pad(b, PAGE);
}

/* --- Writing -------------------------------------------------------------------------------------- */

static const char *next_step(int number)
{
	switch (number) {
	case ENOSPC:
	case EDQUOT:
		return "free some space, or write somewhere else";
	case EPIPE:
		return "see why ended what reads it";
	}
	return "write somewhere else";
}

/* How far the file is. */
struct writer {
	const struct vmcore *core;
	int fd;
	uint64_t done, total; /* of memory                                                        */
	struct mercury_problem *problem;
};

/* 0 to go on. */
static int ask(const struct writer *w)
{
	const struct vmcore *core = w->core;

	if (core->progress && core->progress(core->progress_data, w->done, w->total))
		return mercury_problem(w->problem, ECANCELED, "run it again", "interrupted");
	return 0;
}

/* A signal ends a write() that waits, before its first byte or behind some: who asked to be told may be done. */
static int write_all(const struct writer *w, const char *bytes, size_t size)
{
	while (size) {
		ssize_t n = write(w->fd, bytes, size);

		if (n < 0 && errno != EINTR)
			return mercury_problem(w->problem, errno, next_step(errno),
					       "writing the image: %s", strerror(errno));
		if (n > 0) {
			bytes += n;
			size -= (size_t)n;
		}
		if (size && ask(w))
			return -1;
	}
	return 0;
}

static int write_range(struct writer *w, const struct vmcore_range *range, char *chunk)
{
	uint64_t at = range->start;

	while (at < range->end) {
		size_t size = range->end - at < CHUNK ? (size_t)(range->end - at) : CHUNK;

		if (w->core->read(w->core->data, chunk, size, at) || write_all(w, chunk, size))
			return -1;
		at += size;
		w->done += size;
		if (ask(w))
			return -1;
	}
	return 0;
}

static int write_memory(struct writer *w)
{
	char *chunk = aligned_alloc(PAGE, CHUNK);
	int result = 0;
	size_t i;

	if (!chunk)
		return mercury_problem(w->problem, ENOMEM, "free some memory", "out of memory");
	for (i = 0; i < w->core->nr_ranges && !result; i++)
		result = write_range(w, &w->core->ranges[i], chunk);
	free(chunk);
	return result;
}

int vmcore_write(const struct vmcore *core, int fd, struct mercury_problem *problem)
{
	struct buffer notes = { .failed = false }, head = { .failed = false };
	struct writer w = { .core = core, .fd = fd, .problem = problem };
	char *aligned;
	int result;
	size_t i;

	if (count_segments(core) >= PN_XNUM)
		return mercury_problem(problem, E2BIG, "give a --range",
				       "memory has %zu ranges, more than a core file can list",
				       core->nr_ranges);
	if (core->vmcoreinfo && !is_note(core->vmcoreinfo, core->vmcoreinfo_size))
		return mercury_problem(problem, EINVAL, "report it, with uname -r",
				       "what /sys/kernel/vmcoreinfo points to is no note");
	for (i = 0; i < core->nr_ranges; i++)
		w.total += core->ranges[i].end - core->ranges[i].start;
	build_notes(&notes, core);
	build_head(&head, core, &notes);
	aligned = head.failed ? NULL : aligned_alloc(PAGE, head.size);
	if (notes.failed || !aligned) {
		result = mercury_problem(problem, ENOMEM, "free some memory", "out of memory");
	} else {
		memcpy(aligned, head.bytes, head.size);
		result = write_all(&w, aligned, head.size);
	}
	free(aligned);
	free(notes.bytes);
	free(head.bytes);
	return result ? result : write_memory(&w);
}
