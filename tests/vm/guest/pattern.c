// SPDX-License-Identifier: GPL-2.0-only
/*
 * pattern: is every byte of an image as it was at one instant? Threads on all CPUs fill most of memory,
 * word by word, over and over; each word says which page it is of, where it stands there, and in which
 * round it was written. So at any instant a thread's pages are of the new round up to one word, and of
 * the round before from there on; whatever else an image holds, it was not taken at one instant.
 */
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define PAGE 4096u
#define WORDS (PAGE / 8)
#define MAX_THREADS 64u
#define NONE UINT32_MAX

static const char usage[] =
	"usage: pattern run MIB FILE [ROUNDS]  fills MIB of memory again and again until it is killed, or\n"
	"                                      ROUNDS times before it rests; into FILE where that lies\n"
	"       pattern plain MIB FILE                the same, and reads its own memory as it comes\n"
	"       pattern check FILE             the core on standard input, and the FILE of when it was taken\n";

/* FILE: this, and the physical address of each page. */
struct layout {
	uint32_t pages, threads;
};

static struct layout layout;
static uint64_t (*memory)[WORDS];
static unsigned int rounds; /* 0: no end */
static unsigned int resting;

static void __attribute__((noreturn)) die(const char *what)
{
	fprintf(stderr, "pattern: %s: %s\n", what, strerror(errno));
	exit(2);
}

static uint64_t word(uint32_t round, uint32_t page, uint32_t at)
{
	return (uint64_t)round << 32 | page << 9 | at;
}

/* Thread `i` has the pages from first(i) to first(i + 1). */
static uint32_t first(uint32_t i)
{
	return (uint32_t)((uint64_t)layout.pages * i / layout.threads);
}

/* --- Writing ------------------------------------------------------------------------------------ */

static void fill(uint32_t page, uint32_t round)
{
	volatile uint64_t *to = memory[page];
	uint32_t at;

	for (at = 0; at < WORDS; at++)
		to[at] = word(round, page, at);
}

static void *work(void *argument)
{
	uint32_t me = (uint32_t)(uintptr_t)argument, round, page;
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(me, &set);
	if (sched_setaffinity(0, sizeof(set), &set))
		die("sched_setaffinity");
	for (round = 2; !rounds || round < 2 + rounds; round++)
		for (page = first(me); page < first(me + 1); page++)
			fill(page, round);
	__atomic_fetch_add(&resting, 1, __ATOMIC_RELEASE);
	return NULL;
}

/* Physical, from /proc/self/pagemap: bits 54:0 are the frame. */
static void tell_where(const char *path)
{
	int pagemap = open("/proc/self/pagemap", O_RDONLY);
	FILE *to = fopen(path, "w");
	uint32_t i;

	if (pagemap < 0 || !to || fwrite(&layout, sizeof(layout), 1, to) != 1)
		die(path);
	for (i = 0; i < layout.pages; i++) {
		uint64_t entry;
		off_t at = (off_t)((uintptr_t)memory[i] / PAGE * sizeof(entry));

		if (pread(pagemap, &entry, sizeof(entry), at) != sizeof(entry))
			die("/proc/self/pagemap");
		entry = (entry & ((UINT64_C(1) << 55) - 1)) * PAGE;
		if (fwrite(&entry, sizeof(entry), 1, to) != 1)
			die(path);
	}
	if (fclose(to))
		die(path);
	close(pagemap);
}

static void start(unsigned int mib, const char *path)
{
	pthread_t thread;
	uint32_t i;
	size_t size = (size_t)mib << 20;

	layout.pages = (uint32_t)(size / PAGE);
	layout.threads = (uint32_t)sysconf(_SC_NPROCESSORS_ONLN);
	layout.threads = layout.threads < MAX_THREADS ? layout.threads : MAX_THREADS;
	memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (memory == MAP_FAILED || mlock(memory, size))
		die("memory");
	madvise(memory, size, MADV_NOHUGEPAGE);
	for (i = 0; i < layout.pages; i++)
		fill(i, 1);
	tell_where(path);
	for (i = 0; i < layout.threads; i++)
		if (pthread_create(&thread, NULL, work, (void *)(uintptr_t)i))
			die("pthread_create");
}

static void __attribute__((noreturn)) run(void)
{
	while (rounds && __atomic_load_n(&resting, __ATOMIC_ACQUIRE) < layout.threads)
		usleep(10000);
	puts(rounds ? "rests" : "runs");
	fflush(stdout);
	for (;;)
		pause();
}

/* --- Checking ----------------------------------------------------------------------------------- */

/* Rounds of a page's first word and last one; 0: not seen. */
struct seen {
	uint32_t first, last;
};

static uint32_t *page_at; /* by frame */
static uint64_t frames;
static struct seen *seen;

static void read_layout(const char *path)
{
	FILE *from = fopen(path, "r");
	uint64_t *address, i;

	if (!from || fread(&layout, sizeof(layout), 1, from) != 1)
		die(path);
	address = calloc(layout.pages, sizeof(*address));
	seen = calloc(layout.pages, sizeof(*seen));
	if (!address || !seen ||
	    fread(address, sizeof(*address), layout.pages, from) != layout.pages)
		die(path);
	fclose(from);
	for (i = 0; i < layout.pages; i++)
		frames = address[i] / PAGE >= frames ? address[i] / PAGE + 1 : frames;
	page_at = malloc(frames * sizeof(*page_at));
	if (!page_at)
		die("memory");
	memset(page_at, 0xff, frames * sizeof(*page_at));
	for (i = 0; i < layout.pages; i++)
		page_at[address[i] / PAGE] = (uint32_t)i;
	free(address);
}

/* Up to one word of one round, from there on of the one before. */
static bool check_page(const uint64_t *words, uint32_t page)
{
	struct seen s = { (uint32_t)(words[0] >> 32), (uint32_t)(words[WORDS - 1] >> 32) };
	uint32_t at;

	for (at = 0; at < WORDS && words[at] == word(s.first, page, at); at++)
		;
	for (; at < WORDS && words[at] == word(s.last, page, at); at++)
		;
	if (at < WORDS || !s.last || (s.first != s.last && s.first != s.last + 1))
		return false;
	seen[page] = s;
	return true;
}

/* The same from page to page. */
static bool check_thread(uint32_t i)
{
	uint32_t page, round = seen[first(i)].first, oldest = round - 1;

	for (page = first(i); page < first(i + 1); page++) {
		if (seen[page].first > round || seen[page].last < oldest)
			return false;
		round = seen[page].last;
	}
	return true;
}

static int conclude(uint32_t found, uint32_t wrong)
{
	uint32_t torn = 0, i;

	for (i = 0; i < layout.threads; i++)
		torn += !check_thread(i);
	printf("%s, %u pages wrong, %u of %u threads torn\n",
	       found == layout.pages ? "all pages" : "pages are missing", wrong, torn,
	       layout.threads);
	return found != layout.pages || wrong || torn;
}

static void read_exactly(void *to, size_t size)
{
	if (fread(to, size, 1, stdin) != 1)
		die("the core");
}

static uint32_t check_segment(const Elf64_Phdr *segment, uint32_t *wrong)
{
	static uint64_t words[WORDS];
	uint32_t found = 0;
	uint64_t done;

	for (done = 0; done < segment->p_filesz; done += PAGE) {
		uint64_t frame = (segment->p_paddr + done) / PAGE;

		read_exactly(words, PAGE);
		if (frame >= frames || page_at[frame] == NONE)
			continue;
		found++;
		*wrong += !check_page(words, page_at[frame]);
	}
	return found;
}

static int check(const char *path)
{
	static uint8_t skipped[1 << 20];
	uint32_t found = 0, wrong = 0, i;
	Elf64_Phdr *segments;
	uint64_t at;
	Elf64_Ehdr elf;

	read_layout(path);
	read_exactly(&elf, sizeof(elf));
	segments = calloc(elf.e_phnum, sizeof(*segments));
	if (!segments || !elf.e_phnum)
		die("the core");
	read_exactly(segments, elf.e_phnum * sizeof(*segments));
	at = sizeof(elf) + elf.e_phnum * sizeof(*segments);
	for (i = 0; i < elf.e_phnum; i++) {
		/* Some come twice. */
		if (segments[i].p_type != PT_LOAD || segments[i].p_offset < at)
			continue;
		if (segments[i].p_offset - at > sizeof(skipped))
			die("the core's layout");
		if (segments[i].p_offset > at)
			read_exactly(skipped, segments[i].p_offset - at);
		found += check_segment(&segments[i], &wrong);
		at = segments[i].p_offset + segments[i].p_filesz;
	}
	return conclude(found, wrong);
}

/* Of each thread one half, and the other when all of it has been written anew. */
static int plainly(void)
{
	uint32_t wrong = 0, i, page;

	seen = calloc(layout.pages, sizeof(*seen));
	if (!seen)
		die("memory");
	for (i = 0; i < layout.threads; i++) {
		const volatile uint64_t *begin = memory[first(i)];
		uint64_t round = 0;

		for (page = first(i); page < first(i + 1); page++) {
			if (page == (first(i) + first(i + 1)) / 2)
				while (begin[0] >> 32 < round + 2)
					sched_yield();
			wrong += !check_page(memory[page], page);
			round = page == first(i) ? seen[page].first : round;
		}
	}
	return conclude(layout.pages, wrong);
}

int main(int argc, char **argv)
{
	unsigned int mib = argc > 3 ? (unsigned int)strtoul(argv[2], NULL, 0) : 0;

	rounds = argc > 4 ? (unsigned int)strtoul(argv[4], NULL, 0) : 0;
	if (argc > 3 && mib && (!strcmp(argv[1], "run") || !strcmp(argv[1], "plain"))) {
		start(mib, argv[3]);
		if (!strcmp(argv[1], "plain"))
			return plainly();
		run();
	}
	if (argc == 3 && !strcmp(argv[1], "check"))
		return check(argv[2]);
	fputs(usage, stderr);
	return 2;
}
