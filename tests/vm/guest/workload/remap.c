// SPDX-License-Identifier: GPL-2.0-only
/*
 * One page address, mapped to one physical page after another while threads on all CPUs read it:
 * a stale translation shows as the wrong content.
 */
#include <pthread.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "worker.h"

#define PAGE 4096
#define PAGES 8
#define STEPS 12
#define FAULT_PAGES 64

struct remap {
	unsigned char *window;
	int fd;
	pthread_barrier_t barrier;
};

struct reader {
	struct remap *remap;
	unsigned int cpu;
};

static unsigned char content_of(unsigned int index)
{
	return (unsigned char)(0x40 + 11 * (index % PAGES));
}

static void *read_window(void *argument)
{
	const struct reader *reader = argument;
	struct remap *remap = reader->remap;
	volatile unsigned char *byte = remap->window + 123;

	pin_to_cpu(reader->cpu);
	for (unsigned int step = 0; step < STEPS; step++) {
		pthread_barrier_wait(&remap->barrier);
		expect(*byte == content_of(step), "step %u: byte %02x instead of %02x", step, *byte,
		       content_of(step));
		done(1);
		pthread_barrier_wait(&remap->barrier);
	}
	return NULL;
}

static bool map_page(struct remap *remap, unsigned int index)
{
	void *got = mmap(remap->window, PAGE, PROT_READ, MAP_SHARED | MAP_FIXED, remap->fd,
			 (off_t)(index % PAGES) * PAGE);

	return expect_sys(got == remap->window, "mmap over the old page");
}

static bool prepare(struct remap *remap)
{
	unsigned char bytes[PAGE];

	remap->fd = memfd_create("remap", 0);
	if (!expect_sys(remap->fd >= 0, "memfd_create"))
		return false;
	for (unsigned int i = 0; i < PAGES; i++) {
		memset(bytes, content_of(i), sizeof(bytes));
		expect_sys(write(remap->fd, bytes, PAGE) == PAGE, "write of a page");
	}
	remap->window = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, remap->fd, 0);
	return expect_sys(remap->window != MAP_FAILED, "mmap");
}

static void run_readers(struct remap *remap)
{
	pthread_t threads[thread_count];
	struct reader readers[thread_count];

	pthread_barrier_init(&remap->barrier, NULL, thread_count + 1);
	for (unsigned int i = 0; i < thread_count; i++) {
		readers[i] = (struct reader){ remap, i };
		/* Without all of them the barrier would never open. */
		if (!expect(pthread_create(&threads[i], NULL, read_window, &readers[i]) == 0,
			    "pthread_create failed"))
			_exit(1);
	}
	for (unsigned int step = 0; step < STEPS; step++) {
		map_page(remap, step);
		pthread_barrier_wait(&remap->barrier);
		pthread_barrier_wait(&remap->barrier);
	}
	for (unsigned int i = 0; i < thread_count; i++)
		pthread_join(threads[i], NULL);
	pthread_barrier_destroy(&remap->barrier);
}

/* First touch gives zeroed pages, MADV_DONTNEED takes them away again. */
static void touch_and_drop(void)
{
	unsigned char *area = mmap(NULL, FAULT_PAGES * PAGE, PROT_READ | PROT_WRITE,
				   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (!expect_sys(area != MAP_FAILED, "mmap"))
		return;
	for (int pass = 0; pass < 2; pass++) {
		for (size_t i = 0; i < FAULT_PAGES; i++) {
			if (!expect(area[i * PAGE + i] == 0, "a new page is not zero"))
				break;
			area[i * PAGE + i] = 1;
		}
		expect_sys(madvise(area, FAULT_PAGES * PAGE, MADV_DONTNEED) == 0, "madvise");
	}
	munmap(area, FAULT_PAGES * PAGE);
	done(FAULT_PAGES);
}

static uint64_t remap_round(void)
{
	struct remap remap = { .fd = -1 };

	if (prepare(&remap))
		run_readers(&remap);
	if (remap.window && remap.window != MAP_FAILED)
		munmap(remap.window, PAGE);
	close(remap.fd);
	touch_and_drop();
	return DIGEST_START;
}

const struct worker remap_worker = { .name = "remap", .round = remap_round };
