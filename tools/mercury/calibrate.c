// SPDX-License-Identifier: GPL-2.0-only
/*
 * mercury calibrate: what the events of a switch cost on this machine, as a file of weights for
 * tests/bench/predict. The module measures what takes CPL 0; an exit is measured here, by CPUID, for which
 * the machine goes virtual and back.
 */
#include <cpuid.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <x86intrin.h>

#include "command.h"
#include "output.h"

#define SAMPLES 201
#define ROUNDS 16

/* Low, middle and high. */
struct weight {
	double cycles[3];
};

static const unsigned int percent[3] = { 5, 50, 95 };

static int ascending(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

static uint64_t now(void)
{
	uint64_t tsc;

	_mm_lfence();
	tsc = __rdtsc();
	_mm_lfence();
	return tsc;
}

static struct weight measure(void (*what)(void))
{
	uint64_t sample[SAMPLES];
	struct weight weight;
	int i, round;

	for (i = 0; i < SAMPLES; i++) {
		uint64_t start = now();

		for (round = 0; round < ROUNDS; round++)
			what();
		sample[i] = now() - start;
	}
	qsort(sample, SAMPLES, sizeof(*sample), ascending);
	for (i = 0; i < 3; i++)
		weight.cycles[i] = (double)sample[SAMPLES * percent[i] / 100] / ROUNDS;
	return weight;
}

/* A leaf that the VMM answers on its shortest way. */
static void cpuid(void)
{
	unsigned int a, b, c, d;

	__cpuid(0, a, b, c, d);
}

static void nothing(void)
{
	asm volatile("" : : : "memory");
}

/* The same number of instructions, one waiting for the other, and not. */
static void chain(void)
{
	uint64_t x = 3;

	asm volatile(".rept 64\n\timul %0, %0\n\t.endr" : "+r"(x));
}

static void row(void)
{
	asm volatile(".rept 64\n\tnop\n\t.endr");
}

/* --- What is said of it ------------------------------------------------------------------------------ */

static bool in_virtual_machine(void)
{
	unsigned int a, b, c, d;

	__cpuid(1, a, b, c, d);
	return c & 1U << 31;
}

/* A multiplication that waits takes three times as long as a NOP, where time is counted. */
static bool tsc_counts_instructions(void)
{
	return measure(chain).cycles[1] < 1.5 * measure(row).cycles[1];
}

static void brand(char *name, size_t size)
{
	unsigned int words[12];
	unsigned int i;

	for (i = 0; i < 3; i++)
		__cpuid(0x80000002 + i, words[4 * i], words[4 * i + 1], words[4 * i + 2],
			words[4 * i + 3]);
	snprintf(name, size, "%.*s", (int)sizeof(words), (const char *)words);
}

static void print_head(FILE *to)
{
	struct utsname kernel;
	char name[64];

	uname(&kernel);
	brand(name, sizeof(name));
	fprintf(to, "# SPDX-License-Identifier: GPL-2.0-only\n# kind: %s on %s, Linux %s\n",
		tsc_counts_instructions() ? "meaningless, for the TSC counts instructions:" :
		in_virtual_machine()      ? "doubtful, for this is a virtual machine:" :
					    "measured",
		name + strspn(name, " "), kernel.release);
	fputs("# Cycles of one event: low, mid and high are the 5th, 50th and 95th percentile.\n",
	      to);
}

/* --- Together ---------------------------------------------------------------------------------------- */

static void print_measured(const struct mercury_cost *cost, void *data)
{
	FILE *to = data;

	fprintf(to, "%s %.1f %.1f %.1f measured\n", cost->event, cost->low, cost->middle,
		cost->high);
}

/*
 * The hardware's part of an exit and entry: what a CPUID takes longer when virtual, less the VMM's own
 * (docs/mode-switch.md, "Cost"): 5 VMREADs and a VMWRITE, each an instruction here.
 */
static int print_round_trip(FILE *to, struct mercury_problem *problem)
{
	struct weight native = measure(cpuid), exits;
	double cycles[3];
	int i;

	if (mercury_set_virtual(true, problem))
		return -1;
	exits = measure(cpuid);
	if (mercury_set_virtual(false, problem))
		return -1;
	for (i = 0; i < 3; i++) {
		cycles[i] = exits.cycles[i] - native.cycles[1];
		if (cycles[i] < 0)
			cycles[i] = 0;
	}
	fprintf(to, "# A CPUID that exits, in all: %.0f %.0f %.0f.\n", exits.cycles[0],
		exits.cycles[1], exits.cycles[2]);
	fprintf(to,
		"roundtrip %.1f %.1f %.1f measured, with the 30 instructions of the VMM's answer\n",
		cycles[0], cycles[1], cycles[2]);
	return 0;
}

static int calibrate(FILE *to, struct mercury_problem *problem)
{
	if (mercury_set_virtual(false, problem))
		return -1;
	print_head(to);
	fprintf(to, "# The measuring itself: %.1f.\n", measure(nothing).cycles[1]);
	if (mercury_costs_read(print_measured, to, problem))
		return -1;
	return print_round_trip(to, problem);
}

/* Into that file, or to stdout without one. */
static int calibrate_to(void *argument, struct mercury_problem *problem)
{
	struct output o;

	if (!argument)
		return calibrate(stdout, problem);
	if (output_open(&o, argument, problem))
		return 1;
	return output_close(&o, 0644, calibrate(o.to, problem), problem);
}

enum exit_status command_calibrate(const struct options *options, int argc, char **argv)
{
	struct mercury_problem problem;
	int error;

	if (options->json) {
		fputs("mercury: calibrate is a format already; see mercury bench --json\n", stderr);
		return EXIT_USAGE;
	}
	if (argc > 2)
		return wrong_word("calibrate", argv[2]);
	error = keep_mode(calibrate_to, argc == 2 && strcmp(argv[1], "-") ? argv[1] : NULL,
			  &problem);
	if (!error)
		return EXIT_DONE;
	print_problem(options, &problem);
	return error > 0 ? EXIT_FAILED : exit_for(&problem);
}
