// SPDX-License-Identifier: GPL-2.0-only
/*
 * Floating point on x87, SSE2 and AVX: registers held across interrupts, a yield, a sleep and a
 * signal whose handler overwrites them; and computations whose results are digested.
 */
#include <immintrin.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "hold.h"
#include "worker.h"

#define LOOPS 300

static bool scribble_avx;

/* Leaves nothing in the registers that the interrupted code had there. */
static void scribble(int number)
{
	(void)number;
	asm volatile("fninit\n fldpi\n fldpi\n fldpi\n fldpi\n"
		     :
		     :
		     : "st", "st(1)", "st(2)", "st(3)", "st(4)", "st(5)", "st(6)", "st(7)");
	asm volatile("pcmpeqd %%xmm0, %%xmm0\n pcmpeqd %%xmm7, %%xmm7\n pcmpeqd %%xmm15, %%xmm15\n"
		     :
		     :
		     : "xmm0", "xmm7", "xmm15");
	if (scribble_avx)
		asm volatile("vzeroall"
			     :
			     :
			     : "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7",
			       "xmm8", "xmm9", "xmm10", "xmm11", "xmm12", "xmm13", "xmm14",
			       "xmm15");
	asm volatile("fninit" : : : "st", "st(1)", "st(2)", "st(3)");
}

/* Calls @hold_once for each system call that the registers have to survive. */
static void hold_across_calls(void (*hold_once)(const struct hold_call *call))
{
	static const struct timespec pause = { .tv_nsec = 500000 };
	struct sigaction action = { .sa_handler = scribble };
	const struct hold_call calls[] = {
		{ SYS_sched_yield, 0, 0, 0 },
		{ SYS_nanosleep, (long)&pause, 0, 0 },
		{ SYS_tgkill, getpid(), syscall(SYS_gettid), SIGUSR2 },
	};

	sigaction(SIGUSR2, &action, NULL);
	for (size_t i = 0; i < ARRAY_SIZE(calls); i++) {
		hold_once(&calls[i]);
		done(1);
	}
}

static void hold_x87_once(const struct hold_call *call)
{
	long double in[8], out[8];
	unsigned short control = 0x0a7f; /* all masked, double precision, round up */

	memset(in, 0, sizeof(in));
	memset(out, 0, sizeof(out));
	for (int i = 0; i < 8; i++)
		in[i] = (long double)(i + 1) / 3;
	hold_x87(in, out, &control, call);
	for (int i = 0; i < 8; i++)
		expect(memcmp(&in[i], &out[i], 10) == 0, "st(%d) changed across call %ld", i,
		       call->number);
	expect(control == 0x0a7f, "the x87 control word became %04x across call %ld", control,
	       call->number);
}

static uint64_t x87_round(void)
{
	volatile long double third = 1.0L / 3;
	long double value = third, root;
	uint64_t digest = DIGEST_START;

	hold_across_calls(hold_x87_once);
	for (int i = 0; i < LOOPS; i++) {
		root = value * third + 1;
		asm("fsqrt" : "+t"(root));
		value = root / (value + third);
		digest = digest_bytes(digest, &value, 10);
	}
	done(1);
	return digest;
}

static void hold_sse2_once(const struct hold_call *call)
{
	unsigned char in[16][16], out[16][16] = { 0 };
	unsigned int control = 0x5f80; /* all masked, round up */

	for (int i = 0; i < 16; i++)
		for (int j = 0; j < 16; j++)
			in[i][j] = (unsigned char)(17 * i + 3 * j + 1);
	hold_sse2(in, out, &control, call);
	for (int i = 0; i < 16; i++)
		expect(memcmp(in[i], out[i], 16) == 0, "xmm%d changed across call %ld", i,
		       call->number);
	expect(control == 0x5f80, "MXCSR became %04x across call %ld", control, call->number);
}

static uint64_t sse2_round(void)
{
	volatile double start = 0.3;
	double chaotic = start;
	__m128i mixed = _mm_set_epi32(1, 2, 3, 4);
	uint64_t digest = DIGEST_START;

	hold_across_calls(hold_sse2_once);
	for (int i = 0; i < LOOPS; i++) {
		chaotic = 3.99 * chaotic * (1 - chaotic);
		mixed = _mm_xor_si128(_mm_add_epi32(mixed, _mm_shuffle_epi32(mixed, 0x39)),
				      _mm_set1_epi32(i));
		digest = digest_bytes(digest, &chaotic, sizeof(chaotic));
	}
	done(1);
	return digest_bytes(digest, &mixed, sizeof(mixed));
}

static const char *avx_missing(void)
{
	/* Asks CPUID for AVX and OSXSAVE, and XGETBV for the YMM state. */
	__builtin_cpu_init();
	return __builtin_cpu_supports("avx") ? NULL : "CPUID and XGETBV do not offer AVX";
}

static void hold_avx_once(const struct hold_call *call)
{
	unsigned char in[16][32], out[16][32] = { 0 };

	for (int i = 0; i < 16; i++)
		for (int j = 0; j < 32; j++)
			in[i][j] = (unsigned char)(13 * i + 5 * j + 2);
	hold_avx(in, out, call);
	for (int i = 0; i < 16; i++)
		expect(memcmp(in[i], out[i], 32) == 0, "ymm%d changed across call %ld", i,
		       call->number);
}

__attribute__((target("avx"))) static uint64_t avx_compute(void)
{
	__m256d value = _mm256_set_pd(0.1, 0.2, 0.3, 0.4);
	const __m256d factor = _mm256_set1_pd(3.97), one = _mm256_set1_pd(1);
	double lanes[4];
	uint64_t digest = DIGEST_START;

	for (int i = 0; i < LOOPS; i++) {
		value = _mm256_mul_pd(factor, _mm256_mul_pd(value, _mm256_sub_pd(one, value)));
		value = _mm256_permute_pd(value, 5);
		_mm256_storeu_pd(lanes, value);
		digest = digest_bytes(digest, lanes, sizeof(lanes));
	}
	return digest;
}

static uint64_t avx_round(void)
{
	scribble_avx = true;
	hold_across_calls(hold_avx_once);
	done(1);
	return avx_compute();
}

const struct worker x87_worker = { .name = "x87", .round = x87_round };
const struct worker sse2_worker = { .name = "sse2", .round = sse2_round };
const struct worker avx_worker = { .name = "avx", .missing = avx_missing, .round = avx_round };
