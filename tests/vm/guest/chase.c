// SPDX-License-Identifier: GPL-2.0-only
/*
 * chase MIB STEPS: follows pointers through that much memory in an order that no prefetcher knows, a page at
 * each step: every one is a TLB miss, and on a bare machine hardly more than that.
 */
#include <err.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#define PAGE 4096
#define LINE 64

int main(int argc, char **argv)
{
	uint64_t pages = argc == 3 ? strtoull(argv[1], NULL, 10) << 8 : 0, seed = 1;
	uint64_t steps = argc == 3 ? strtoull(argv[2], NULL, 10) : 0;
	uint32_t *order = malloc(pages * sizeof(*order));
	char *memory;
	void **p;

	if (!pages || !steps || !order)
		errx(2, "usage: chase MIB STEPS");
	memory = mmap(NULL, pages * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
		      0);
	if (memory == MAP_FAILED)
		err(1, "mmap");
	madvise(memory, pages * PAGE, MADV_NOHUGEPAGE);
	/* One cycle through all pages (Sattolo), each at a line of its own, not to lie in one set of a cache. */
	for (uint64_t i = 0; i < pages; i++)
		order[i] = i;
	for (uint64_t i = pages - 1; i; i--) {
		uint64_t j = (seed = seed * 6364136223846793005 + 1442695040888963407) >> 33;
		uint32_t was = order[i];

		order[i] = order[j % i];
		order[j % i] = was;
	}
#define AT(n) ((void **)(memory + (uint64_t)(n)*PAGE + (n) % (PAGE / LINE) * LINE))
	for (uint64_t i = 0; i < pages; i++)
		*AT(order[i]) = AT(order[(i + 1) % pages]);
	for (p = AT(0); steps; steps--)
		p = *p;
	/* So that nobody optimizes the walk away. */
	return p == NULL;
}
