// SPDX-License-Identifier: GPL-2.0-only
/* The fuzz target without a fuzzer: instructions of real kernels, a little changed. make -C tests/fuzz */
#include <stdlib.h>

#include "unit.h"

#include "../fuzz/ring1_decode.c"
#include "ring1_kernels.h"

#define TIMES 1000000
#define MOST 16

#define BYTES(...) (const uint8_t[]){ __VA_ARGS__ }, sizeof((const uint8_t[]){ __VA_ARGS__ })
#define K(op, text, ...) { BYTES(__VA_ARGS__) },
static const struct seed {
	const uint8_t *bytes;
	size_t n;
} seeds[] = { RING1_KERNELS(K) };

/* xorshift; the same every time */
static uint64_t next_random(void)
{
	static uint64_t state = 88172645463325252;

	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return state;
}

/* Prefixes in front, one byte another one, the rest anything, cut somewhere. */
static size_t mutate(uint8_t *bytes, const struct seed *seed)
{
	static const uint8_t prefixes[] = { 0x66, 0x67, 0xf2, 0xf3, 0x65, 0x48, 0x41, 0x0f };
	uint64_t random = next_random();
	size_t front = random % 4, i;

	for (i = 0; i < MOST; i++)
		bytes[i] = (uint8_t)(random >> (i * 7 % 48));
	for (i = 0; i < front; i++)
		bytes[i] = prefixes[random >> (8 + 3 * i) & 7];
	for (i = 0; i < seed->n && front + i < MOST; i++)
		bytes[front + i] = seed->bytes[i];
	random = next_random();
	if (random & 1)
		bytes[random >> 8 & 15] = (uint8_t)(random >> 16);
	return random >> 32 & 1 ? MOST : random >> 33 & 15;
}

static void what_is_like_an_instruction_is_decoded_soundly(void **unused)
{
	uint8_t bytes[MOST];
	unsigned int i;

	(void)unused;
	for (i = 0; i < TIMES; i++) {
		size_t n = mutate(bytes, &seeds[i % (sizeof(seeds) / sizeof(seeds[0]))]);
		/* A copy of its own, so that the sanitizer sees a byte too many. */
		uint8_t *exact = malloc(n ? n : 1);

		memcpy(exact, bytes, n);
		LLVMFuzzerTestOneInput(exact, n);
		free(exact);
	}
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(what_is_like_an_instruction_is_decoded_soundly),
};

UNIT_MAIN(tests)
