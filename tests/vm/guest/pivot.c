// SPDX-License-Identifier: GPL-2.0-only
/*
 * pivot: is an image of memory that of one instant? Threads on all CPUs count in turns, each on pages of
 * its own: page i+1 is counted up only by who has seen page i counted up. So at no instant a page is
 * ahead of the one before it, nor the first one by more than one ahead of the last. An image that was
 * not taken at one instant shows it.
 */
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <x86intrin.h>

#include "uapi/mercury_snapshot.h"

#define PAGE 4096u
#define PAGES 64u
#define MAX_THREADS 64
#define MAGIC UINT64_C(0x746f7669702d2d2d)

static const char usage[] =
	"usage: pivot device N [unprotected]  N snapshots by the device; says how many were torn\n"
	"       pivot plain N                 the same without any snapshot\n"
	"                                     Between the halves of each all pages are counted up.\n"
	"       pivot run                     counts until it is killed; prints --range for each page\n"
	"       pivot check FILE              the pages in the core FILE: is it of one instant?\n"
	"       pivot dma DISK                a page that the disk writes to after the instant; wipes DISK\n"
	"       pivot secret                  a page of memfd_secret(2), which is written to after the instant\n"
	"       pivot poisoned                a page that an error in memory has taken out of use before the instant\n"
	"       pivot apart                   reads two pages with others in between, then writes them\n"
	"       pivot cost                    cycles: of the stop; of a page's first write, and of the next\n"
	"       pivot load                    cycles to write all words of 1,024 pages: before a snapshot, for the\n"
	"                                     first time in one, and again\n"
	"       pivot scatter MIB [none]      writes once in each 2 MiB that MIB of memory lie in; `none`: with\n"
	"                                     no tables but those that were set aside at load\n"
	"       pivot hold                    a snapshot until a line comes in; then what reading gives\n";

struct page {
	uint64_t magic, index;
	uint64_t count;
	uint8_t rest[PAGE - 24];
};

static struct page *pages;
static unsigned int nr_threads;

static void __attribute__((noreturn)) die(const char *what)
{
	fprintf(stderr, "pivot: %s: %s\n", what, strerror(errno));
	exit(2);
}

static uint64_t count_of(unsigned int i)
{
	return __atomic_load_n(&pages[i].count, __ATOMIC_ACQUIRE);
}

/* Page i is ours if the page before it is one ahead; the first, if it is level with the last. */
static void *count(void *argument)
{
	unsigned int me = (unsigned int)(uintptr_t)argument, i;
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(me, &set);
	if (sched_setaffinity(0, sizeof(set), &set))
		die("sched_setaffinity");
	for (;;) {
		for (i = me; i < PAGES; i += nr_threads) {
			uint64_t next = pages[i].count + 1;

			while (count_of(i ? i - 1 : PAGES - 1) != (i ? next : next - 1))
				sched_yield();
			__atomic_store_n(&pages[i].count, next, __ATOMIC_RELEASE);
		}
	}
	return NULL;
}

static void allocate(void)
{
	unsigned int i;

	pages = mmap(NULL, sizeof(*pages) * PAGES, PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (pages == MAP_FAILED)
		die("mmap");
	madvise(pages, sizeof(*pages) * PAGES, MADV_NOHUGEPAGE);
	for (i = 0; i < PAGES; i++)
		pages[i] = (struct page){ .magic = MAGIC, .index = i };
	if (mlock(pages, sizeof(*pages) * PAGES))
		die("mlock");
}

static void start(void)
{
	pthread_t thread;
	unsigned int i;

	nr_threads = (unsigned int)sysconf(_SC_NPROCESSORS_ONLN);
	nr_threads = nr_threads < MAX_THREADS ? nr_threads : MAX_THREADS;
	for (i = 0; i < nr_threads; i++)
		if (pthread_create(&thread, NULL, count, (void *)(uintptr_t)i))
			die("pthread_create");
}

/* Physical, from /proc/self/pagemap: bits 54:0 are the frame. */
static void locate(uint64_t *address)
{
	int fd = open("/proc/self/pagemap", O_RDONLY);
	unsigned int i;

	if (fd < 0)
		die("/proc/self/pagemap");
	for (i = 0; i < PAGES; i++) {
		uint64_t entry;
		off_t at = (off_t)((uintptr_t)&pages[i] / PAGE * sizeof(entry));

		if (pread(fd, &entry, sizeof(entry), at) != sizeof(entry))
			die("/proc/self/pagemap");
		address[i] = (entry & ((UINT64_C(1) << 55) - 1)) * PAGE;
	}
	close(fd);
}

/* Of one instant? */
static bool is_torn(const uint64_t *counts)
{
	unsigned int i;

	for (i = 1; i < PAGES; i++)
		if (counts[i] > counts[i - 1])
			return true;
	return counts[0] > counts[PAGES - 1] + 1;
}

/*
 * Reading a large memory takes long. Of these few pages one half is read, and the other one when each has
 * been counted up again: so what is not of one instant is torn, every time.
 */
static void halfway(unsigned int i)
{
	uint64_t seen = count_of(0);

	if (i == PAGES / 2)
		while (count_of(0) < seen + 2)
			sched_yield();
}

/* --- By the device ------------------------------------------------------------------------------ */

/* The hull of the pages at `address`; NULL: all of memory. */
static int begin_with(const uint64_t *address, struct mercury_snapshot_start start)
{
	int fd = open(MERCURY_SNAPSHOT_DEVICE, O_RDONLY);
	unsigned int i;

	if (fd < 0)
		die(MERCURY_SNAPSHOT_DEVICE);
	start.pool_bytes = address ? 4 << 20 : 0;
	start.from = address ? UINT64_MAX : 0;
	for (i = 0; address && i < PAGES; i++) {
		start.from = address[i] < start.from ? address[i] : start.from;
		start.to = address[i] + PAGE > start.to ? address[i] + PAGE : start.to;
	}
	if (ioctl(fd, MERCURY_SNAPSHOT_START, &start))
		die("START");
	return fd;
}

static int begin(const uint64_t *address, bool unprotected)
{
	return begin_with(address, (struct mercury_snapshot_start){ .unprotected = unprotected });
}

/* False: the kernel has moved a page meanwhile. */
static bool read_counts(int fd, const uint64_t *address, uint64_t *counts)
{
	static struct page page;
	unsigned int i;

	for (i = 0; i < PAGES; i++) {
		halfway(i);
		if (pread(fd, &page, sizeof(page), (off_t)address[i]) != sizeof(page))
			die("reading");
		if (page.magic != MAGIC || page.index != i)
			return false;
		counts[i] = page.count;
	}
	return true;
}

static int by_device(unsigned int n, bool unprotected)
{
	uint64_t address[PAGES], counts[PAGES], first = count_of(0);
	unsigned int i, torn = 0, moved = 0;

	for (i = 0; i < n; i++) {
		int fd;

		locate(address);
		fd = begin(address, unprotected);
		if (read_counts(fd, address, counts))
			torn += is_torn(counts);
		else
			moved++;
		close(fd);
	}
	printf("%u snapshots, %u torn, %u moved, %s\n", n, torn, moved,
	       count_of(0) - first > n ? "counting" : "at rest");
	return 0;
}

static int plainly(unsigned int n)
{
	uint64_t counts[PAGES];
	unsigned int i, k, torn = 0;

	for (k = 0; k < n; k++) {
		for (i = 0; i < PAGES; i++) {
			halfway(i);
			counts[i] = count_of(i);
		}
		torn += is_torn(counts);
	}
	printf("%u reads, %u torn\n", n, torn);
	return 0;
}

static int hold(void)
{
	uint64_t address[PAGES];
	char line[8];
	int fd;

	locate(address);
	fd = begin(address, false);
	puts("holds");
	fflush(stdout);
	if (!fgets(line, sizeof(line), stdin))
		return 2;
	errno = 0;
	puts(pread(fd, line, 1, (off_t)address[0]) == 1 ? "read" : strerrorname_np(errno));
	return 0;
}

static uint64_t write_time(unsigned int i)
{
	uint64_t start = __rdtsc();

	__atomic_store_n(&pages[i].count, i, __ATOMIC_RELEASE);
	return __rdtsc() - start;
}

static uint64_t least(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* The least of all: what nothing else has come between, such as an interrupt. */
static int cost(void)
{
	uint64_t address[PAGES], stop = UINT64_MAX, first = UINT64_MAX, next = UINT64_MAX;
	struct mercury_snapshot_stats stats;
	unsigned int i, k;

	locate(address);
	for (k = 0; k < 10; k++) {
		int fd = begin(address, false);

		if (ioctl(fd, MERCURY_SNAPSHOT_STATS, &stats))
			die("STATS");
		stop = least(stop, stats.stop_max);
		for (i = 0; i < PAGES; i++)
			first = least(first, write_time(i));
		for (i = 0; i < PAGES; i++)
			next = least(next, write_time(i));
		close(fd);
	}
	printf("stop %llu first %llu next %llu\n", (unsigned long long)stop,
	       (unsigned long long)first, (unsigned long long)next);
	return 0;
}

static uint64_t round_time(volatile uint64_t *words, size_t n)
{
	uint64_t start = __rdtsc();
	size_t i;

	for (i = 0; i < n; i++)
		words[i] = start;
	return __rdtsc() - start;
}

/* What who writes all the time has to pay. */
static int load(void)
{
	const size_t n = 1024 * PAGE / sizeof(uint64_t);
	uint64_t *words = mmap(NULL, n * sizeof(*words), PROT_READ | PROT_WRITE,
			       MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	uint64_t before = UINT64_MAX, first, next = UINT64_MAX;
	unsigned int k;
	int fd;

	if (words == MAP_FAILED)
		die("memory");
	for (k = 0; k < 3; k++)
		before = least(before, round_time(words, n));
	fd = begin_with(NULL, (struct mercury_snapshot_start){ .on_full = 0 });
	first = round_time(words, n);
	for (k = 0; k < 3; k++)
		next = least(next, round_time(words, n));
	close(fd);
	printf("before %llu first %llu next %llu\n", (unsigned long long)before,
	       (unsigned long long)first, (unsigned long long)next);
	return 0;
}

/* Each of the first writes to 2 MiB takes a table, though nothing of them is wanted in the image. */
static int scatter(size_t mib, bool no_tables)
{
	size_t n = (mib << 20) / PAGE, i, blocks = 0;
	uint8_t *memory = mmap(NULL, n * PAGE, PROT_READ | PROT_WRITE,
			       MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	uint64_t *entry = calloc(n, sizeof(*entry)), address[PAGES];
	int pagemap = open("/proc/self/pagemap", O_RDONLY), fd;
	static bool written[1 << 16];
	struct mercury_snapshot_stats stats;
	char byte;

	if (memory == MAP_FAILED || !entry || pagemap < 0 ||
	    pread(pagemap, entry, n * sizeof(*entry),
		  (off_t)((uintptr_t)memory / PAGE * sizeof(*entry))) !=
		    (ssize_t)(n * sizeof(*entry)))
		die("memory");
	locate(address);
	fd = begin_with(address, (struct mercury_snapshot_start){ .no_tables = no_tables });
	for (i = 0; i < n; i++) {
		uint64_t block = entry[i] % (UINT64_C(1) << 55) / 512;

		if (block >= sizeof(written) || written[block])
			continue;
		written[block] = true;
		blocks++;
		__atomic_store_n(&memory[i * PAGE], 1, __ATOMIC_RELEASE);
	}
	if (ioctl(fd, MERCURY_SNAPSHOT_STATS, &stats))
		die("STATS");
	printf("%zu of 2 MiB, %llu of %llu tables: ", blocks, (unsigned long long)stats.table_peak,
	       (unsigned long long)stats.table_pages);
	puts(pread(fd, &byte, 1, (off_t)address[0]) == 1 ? "read" : strerrorname_np(errno));
	return 0;
}

/*
 * Half a page comes from the disk after the instant. A disk controller writes it to memory by itself, and
 * nobody is told.
 */
static int dma(const char *path)
{
	int disk = open(path, O_RDWR | O_DIRECT), fd;
	uint8_t *page = (uint8_t *)pages, seen[PAGE];
	uint64_t address[PAGES];
	unsigned int i, newer = 0;

	if (disk < 0)
		die(path);
	memset(page, 0x5a, PAGE);
	if (pwrite(disk, page, PAGE, 0) != PAGE)
		die(path);
	memset(page, 0xa5, PAGE);
	locate(address);
	fd = begin(address, false);
	if (pread(disk, page, PAGE / 2, 0) != PAGE / 2)
		die(path);
	if (pread(fd, seen, PAGE, (off_t)address[0]) != PAGE)
		die("reading");
	for (i = 0; i < PAGE; i++)
		newer += seen[i] == 0x5a;
	printf("%u of %u bytes are newer than the instant\n", newer, PAGE);
	return 0;
}

/*
 * A page that the kernel cannot read itself; but the VMM has kept its content. Exit status 3: the kernel
 * has no such pages, or is not to have (before 6.5: secretmem.enable=1).
 */
static int secret(void)
{
	int memory = (int)syscall(SYS_memfd_secret, 0), fd;
	uint64_t address[PAGES];
	uint8_t seen[PAGE];
	unsigned int i, told = 0;

	if (memory < 0 && errno == ENOSYS)
		return 3;
	if (memory < 0 || ftruncate(memory, sizeof(*pages) * PAGES))
		die("memfd_secret");
	pages = mmap(NULL, sizeof(*pages) * PAGES, PROT_READ | PROT_WRITE, MAP_SHARED, memory, 0);
	if (pages == MAP_FAILED)
		die("mmap");
	memset(pages, 0x5a, sizeof(*pages) * PAGES);
	locate(address);
	fd = begin(address, false);
	memset(pages, 0xa5, sizeof(*pages) * PAGES);
	if (pread(fd, seen, PAGE, (off_t)address[0]) != PAGE)
		die("reading");
	for (i = 0; i < PAGE; i++)
		told += seen[i] != 0;
	printf("%u of %u secret bytes are told\n", told, PAGE);
	return 0;
}

static void go_on(int signal)
{
	(void)signal;
}

/* A page with a memory error, as far as Linux is told: it stays in the direct map, and can be read. */
static int poisoned(void)
{
	uint64_t address[PAGES];
	uint8_t seen[PAGE];
	unsigned int i, told = 0;

	memset(pages, 0x5a, PAGE);
	locate(address);
	/* As if we had come upon it. */
	signal(SIGBUS, go_on);
	if (madvise(pages, PAGE, MADV_HWPOISON))
		die("MADV_HWPOISON");
	if (pread(begin(address, false), seen, PAGE, (off_t)address[0]) != PAGE)
		die("reading");
	for (i = 0; i < PAGE; i++)
		told += seen[i] != 0;
	printf("%u of %u bytes are told\n", told, PAGE);
	return 0;
}

static int ascending(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

/* A write to what has been read, or given up, is nobody's concern: nothing of it is kept. */
static int apart(void)
{
	uint64_t address[PAGES], first, last;
	struct mercury_snapshot_stats before, after;
	uint8_t seen[PAGE];
	unsigned int i;
	int fd;

	locate(address);
	fd = begin(address, false);
	qsort(address, PAGES, sizeof(*address), ascending);
	first = address[0];
	last = address[PAGES - 1];
	if (pread(fd, seen, PAGE, (off_t)first) != PAGE ||
	    ioctl(fd, MERCURY_SNAPSHOT_GIVE_UP, &last) ||
	    pread(fd, seen, PAGE, (off_t)last) != PAGE)
		die("reading");
	if (pread(fd, seen, PAGE, (off_t)address[1]) >= 0 || errno != ESPIPE)
		die("reading what is given up");
	if (ioctl(fd, MERCURY_SNAPSHOT_STATS, &before))
		die("STATS");
	for (i = 0; i < PAGES; i++)
		pages[i].count++;
	if (ioctl(fd, MERCURY_SNAPSHOT_STATS, &after))
		die("STATS");
	printf("%llu of %u pages are kept\n", (unsigned long long)(after.copied - before.copied),
	       PAGES);
	last++;
	if (!ioctl(fd, MERCURY_SNAPSHOT_GIVE_UP, &last) || errno != EINVAL)
		die("giving up half a page");
	return 0;
}

/* --- By a core file ----------------------------------------------------------------------------- */

static void __attribute__((noreturn)) run(void)
{
	uint64_t address[PAGES];
	unsigned int i;

	locate(address);
	for (i = 0; i < PAGES; i++)
		printf("--range %#llx-%#llx ", (unsigned long long)address[i],
		       (unsigned long long)address[i] + PAGE);
	puts("");
	fflush(stdout);
	for (;;)
		pause();
}

static int check(const char *path)
{
	uint64_t counts[PAGES], seen = 0;
	const Elf64_Ehdr *elf;
	const Elf64_Phdr *segment;
	struct stat s;
	int fd = open(path, O_RDONLY), i;

	if (fd < 0 || fstat(fd, &s))
		die(path);
	elf = mmap(NULL, (size_t)s.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (elf == MAP_FAILED)
		die(path);
	segment = (const Elf64_Phdr *)((const char *)elf + elf->e_phoff);
	for (i = 0; i < elf->e_phnum; i++) {
		uint64_t at;

		for (at = 0; segment[i].p_type == PT_LOAD && at < segment[i].p_filesz; at += PAGE) {
			const struct page *page =
				(const void *)((const char *)elf + segment[i].p_offset + at);

			if (page->magic != MAGIC || page->index >= PAGES)
				continue;
			counts[page->index] = page->count;
			seen |= UINT64_C(1) << page->index;
		}
	}
	if (seen != UINT64_MAX) {
		puts("pages are missing");
		return 2;
	}
	puts(is_torn(counts) ? "torn" : "of one instant");
	return is_torn(counts);
}

int main(int argc, char **argv)
{
	unsigned int n = argc > 2 ? (unsigned int)strtoul(argv[2], NULL, 0) : 0;

	if (argc == 3 && !strcmp(argv[1], "check"))
		return check(argv[2]);
	if (argc < 2)
		goto wrong;
	allocate();
	if (argc == 3 && !strcmp(argv[1], "dma"))
		return dma(argv[2]);
	if (!strcmp(argv[1], "secret"))
		return secret();
	if (!strcmp(argv[1], "apart"))
		return apart();
	if (!strcmp(argv[1], "poisoned"))
		return poisoned();
	if (!strcmp(argv[1], "cost"))
		return cost();
	if (!strcmp(argv[1], "load"))
		return load();
	if (!strcmp(argv[1], "scatter") && n)
		return scatter(n, argc > 3 && !strcmp(argv[3], "none"));
	start();
	if (!strcmp(argv[1], "device") && n)
		return by_device(n, argc > 3);
	if (!strcmp(argv[1], "plain") && n)
		return plainly(n);
	if (!strcmp(argv[1], "hold"))
		return hold();
	if (!strcmp(argv[1], "run"))
		run();
wrong:
	fputs(usage, stderr);
	return 2;
}
