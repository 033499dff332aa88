// SPDX-License-Identifier: GPL-2.0-only
/* seeds DIR: the instructions of real kernels as files, for a fuzzer to begin with. */
#include <stdint.h>
#include <stdio.h>

#include "ring1_kernels.h"

struct seed {
	const uint8_t *bytes;
	size_t n;
};

#define BYTES(...) (const uint8_t[]){ __VA_ARGS__ }, sizeof((const uint8_t[]){ __VA_ARGS__ })
#define K(op, text, ...) { BYTES(__VA_ARGS__) },
static const struct seed seeds[] = { RING1_KERNELS(K) };

int main(int argc, char **argv)
{
	char name[4096];
	size_t i;

	if (argc != 2)
		return 2;
	for (i = 0; i < sizeof(seeds) / sizeof(seeds[0]); i++) {
		FILE *file;

		snprintf(name, sizeof(name), "%s/kernel-%03zu", argv[1], i);
		file = fopen(name, "w");
		if (!file || fwrite(seeds[i].bytes, 1, seeds[i].n, file) != seeds[i].n ||
		    fclose(file)) {
			perror(name);
			return 1;
		}
	}
	return 0;
}
