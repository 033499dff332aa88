// SPDX-License-Identifier: GPL-2.0-only
/*
 * same: is an image of memory at rest what memory holds? Checksums of all its pages, as the kernel's direct
 * map has them before and after, and as the image has them. The pages of writers that have stopped have to be
 * the same in all three. So has any other page that is the same before and after, but for those that were
 * something else meanwhile and came back: a stack on which the same calls were made again, a page that has
 * been had by one process after another.
 *
 * The processor's accessed and dirty bits (5 and 6 of an entry) are left out in pages of page tables that
 * differ in nothing else: processors write them past all software, Bochs past the EPT's write protection
 * as well, so that an image can have them newer than the instant.
 */
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PAGE 4096u
#define WORDS (PAGE / 8)
#define TOP (UINT64_C(1) << 40) /* physical addresses are below                                   */
#define KERNEL_IMAGE UINT64_C(0xffffffff80000000)
#define ACCESSED_DIRTY UINT64_C(0x60)
#define KPF_PGTABLE 26

static const char usage[] =
	"usage: same memory FILE             checksums of all of memory, by /proc/kcore, into FILE\n"
	"       same core FILE               the same of the core on standard input\n"
	"       same compare BEFORE IMAGE AFTER LAYOUT\n"
	"                                    LAYOUT: of `pattern run`, the writers' pages; the others are the\n"
	"                                    same, or but for accessed and dirty bits (marked), or have been\n"
	"                                    written, or written and are back at what they were\n";

/* Of one page, by frame; `there` is 0 where none was seen. */
struct sums {
	uint64_t plain, masked, there;
};

struct table {
	struct sums *sums;
	uint64_t frames;
};

static void __attribute__((noreturn)) die(const char *what)
{
	fprintf(stderr, "same: %s: %s\n", what, strerror(errno));
	exit(2);
}

static struct sums *slot(struct table *t, uint64_t frame)
{
	if (frame >= t->frames) {
		uint64_t frames = (frame / 4096 + 1) * 4096;

		t->sums = realloc(t->sums, frames * sizeof(*t->sums));
		if (!t->sums)
			die("memory");
		memset(t->sums + t->frames, 0, (frames - t->frames) * sizeof(*t->sums));
		t->frames = frames;
	}
	return &t->sums[frame];
}

static void add_page(struct table *t, uint64_t frame, const uint64_t *words)
{
	const uint64_t prime = UINT64_C(0x9e3779b97f4a7c15);
	struct sums s = { .there = 1 };
	unsigned int i;

	for (i = 0; i < WORDS; i++) {
		s.plain = (s.plain ^ words[i]) * prime;
		s.masked = (s.masked ^ (words[i] & ~ACCESSED_DIRTY)) * prime;
	}
	*slot(t, frame) = s;
}

/* The next `size` bytes of a file that may be a pipe. */
static void read_exactly(int fd, void *to, size_t size)
{
	while (size) {
		ssize_t n = read(fd, to, size);

		if (n <= 0)
			die("reading");
		to = (char *)to + n;
		size -= (size_t)n;
	}
}

static Elf64_Phdr *read_head(int fd, Elf64_Ehdr *elf)
{
	Elf64_Phdr *segments;

	read_exactly(fd, elf, sizeof(*elf));
	segments = calloc(elf->e_phnum, sizeof(*segments));
	if (!segments || elf->e_phoff != sizeof(*elf))
		die("the core's head");
	read_exactly(fd, segments, elf->e_phnum * sizeof(*segments));
	return segments;
}

/* Ranges of physical memory; the kernel's image, vmalloc and the like show the same again, or no memory. */
static bool is_memory(const Elf64_Phdr *s)
{
	return s->p_type == PT_LOAD && s->p_vaddr < KERNEL_IMAGE && s->p_paddr < TOP;
}

static void sum_up(struct table *t, int fd, const Elf64_Phdr *segment)
{
	static uint64_t words[WORDS];
	uint64_t done;

	for (done = 0; done + PAGE <= segment->p_filesz; done += PAGE) {
		read_exactly(fd, words, PAGE);
		add_page(t, (segment->p_paddr + done) / PAGE, words);
	}
}

static void memory(struct table *t)
{
	int fd = open("/proc/kcore", O_RDONLY), i;
	Elf64_Phdr *segments;
	Elf64_Ehdr elf;

	if (fd < 0)
		die("/proc/kcore");
	segments = read_head(fd, &elf);
	for (i = 0; i < elf.e_phnum; i++) {
		if (!is_memory(&segments[i]))
			continue;
		if (lseek(fd, (off_t)segments[i].p_offset, SEEK_SET) < 0)
			die("/proc/kcore");
		sum_up(t, fd, &segments[i]);
	}
}

/* What comes before the first range is skipped; the ranges follow each other. */
static void core(struct table *t)
{
	static char skipped[PAGE];
	Elf64_Phdr *segments;
	Elf64_Ehdr elf;
	uint64_t at;
	int i;

	segments = read_head(0, &elf);
	at = sizeof(elf) + elf.e_phnum * sizeof(*segments);
	for (i = 0; i < elf.e_phnum; i++) {
		if (!is_memory(&segments[i]))
			continue;
		for (; at < segments[i].p_offset; at++)
			read_exactly(0, skipped, 1);
		if (at != segments[i].p_offset)
			die("the core's layout");
		sum_up(t, 0, &segments[i]);
		at += segments[i].p_filesz;
	}
}

static void save(const struct table *t, const char *path)
{
	FILE *to = fopen(path, "w");

	if (!to || fwrite(t->sums, sizeof(*t->sums), t->frames, to) != t->frames || fclose(to))
		die(path);
}

static void load(struct table *t, const char *path)
{
	FILE *from = fopen(path, "r");
	struct sums s;
	uint64_t frame;

	if (!from)
		die(path);
	for (frame = 0; fread(&s, sizeof(s), 1, from) == 1; frame++)
		*slot(t, frame) = s;
	fclose(from);
}

static bool is_page_table(int flags, uint64_t frame)
{
	uint64_t f;

	return pread(flags, &f, sizeof(f), (off_t)(frame * sizeof(f))) == sizeof(f) &&
	       f >> KPF_PGTABLE & 1;
}

enum verdict { SAME, MARKED, WRITTEN, DIFFERS };

static enum verdict judge(const struct sums *b, const struct sums *i, const struct sums *a,
			  bool page_table)
{
	if (b->plain == a->plain)
		return i->plain == b->plain ? SAME : DIFFERS;
	if (b->masked == a->masked && page_table)
		return i->masked == b->masked ? MARKED : DIFFERS;
	return WRITTEN;
}

/* The writers' frames: struct layout of pattern.c, then an address each. */
static unsigned int read_layout(const char *path, struct table *writers)
{
	FILE *from = fopen(path, "r");
	uint32_t head[2], i;
	uint64_t address;

	if (!from || fread(head, sizeof(head), 1, from) != 1)
		die(path);
	for (i = 0; i < head[0]; i++) {
		if (fread(&address, sizeof(address), 1, from) != 1)
			die(path);
		slot(writers, address / PAGE)->there = 1;
	}
	fclose(from);
	return head[0];
}

static int compare(char **paths)
{
	struct table before = { 0 }, image = { 0 }, after = { 0 }, writers = { 0 };
	unsigned int all, own[4] = { 0 }, others[4] = { 0 }, *count;
	int flags = open("/proc/kpageflags", O_RDONLY);
	uint64_t frame;

	load(&before, paths[0]);
	load(&image, paths[1]);
	load(&after, paths[2]);
	all = read_layout(paths[3], &writers);
	for (frame = 0; frame < image.frames; frame++) {
		const struct sums *i = slot(&image, frame), *b = slot(&before, frame),
				  *a = slot(&after, frame);

		if (!i->there || !b->there || !a->there)
			continue;
		count = slot(&writers, frame)->there ? own : others;
		count[judge(b, i, a, is_page_table(flags, frame))]++;
	}
	printf("writers %u of %u the same, others %u the same, %u marked, %u written, %u back\n",
	       own[SAME], all, others[SAME], others[MARKED], others[WRITTEN], others[DIFFERS]);
	return own[SAME] != all;
}

int main(int argc, char **argv)
{
	struct table t = { 0 };

	if (argc == 6 && !strcmp(argv[1], "compare"))
		return compare(argv + 2);
	if (argc == 3 && !strcmp(argv[1], "memory"))
		memory(&t);
	else if (argc == 3 && !strcmp(argv[1], "core"))
		core(&t);
	else {
		fputs(usage, stderr);
		return 2;
	}
	save(&t, argv[2]);
	return 0;
}
