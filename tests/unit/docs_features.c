// SPDX-License-Identifier: GPL-2.0-only
/* docs/features.md is the table of arch/x86/vmx/feature.h, printed. */
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>

#include "vmx/feature.h"

#define DOCUMENT "../../docs/features.md"

#define ROW(name, cpuid, control, where, bits, verdict, sentence)                                  \
	{ #name, #cpuid, #control, #where, #bits, #verdict, sentence },
static const struct {
	const char *name, *cpuid, *control, *where, *bits, *verdict, *sentence;
} rows[] = { VMX_FEATURES(ROW) };

#define ROWS (sizeof(rows) / sizeof(rows[0]))

#define SOURCE(name, leaf, subleaf, reg, bit) { #name, leaf, subleaf, #reg, bit },
static const struct {
	const char *name;
	uint32_t leaf, subleaf;
	const char *reg;
	unsigned int bit;
} sources[] = { CPUID_FEATURES(SOURCE) };

static bool is(const char *a, const char *b)
{
	return !strcmp(a, b);
}

static void print_cpuid(FILE *out, const char *feature)
{
	size_t i;

	for (i = 0; i < CPUID_FEATURE_COUNT; i++) {
		if (!is(sources[i].name, feature))
			continue;
		fprintf(out, " %X", sources[i].leaf);
		if (sources[i].leaf == 7 || sources[i].leaf == 0xd)
			fprintf(out, ".%u", sources[i].subleaf);
		fprintf(out, " %s %u", sources[i].reg, sources[i].bit);
	}
	fprintf(out, " |");
}

/* Register and bit with a dot between; bits of CR4 are named so already. */
static void print_in_use(FILE *out, const char *where, const char *bits)
{
	const char *p;

	fprintf(out, " ");
	if (is(where, "CPUID"))
		fprintf(out, "as soon as CPUID shows it");
	else if (is(where, "TD_GUEST"))
		fprintf(out, "CPUID 21 names it");
	else if (is(where, "OUTER"))
		fprintf(out, "CPUID 40000000 names it");
	else if (is(where, "RTIT_CTL"))
		fprintf(out, "IA32_RTIT_CTL.TraceEn");
	else if (is(where, "CR4"))
		for (p = strstr(bits, "CR4_"); p; p = strstr(p, "CR4_")) {
			size_t n = strspn(p += 4, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_");

			fprintf(out, "%s%.*s", p - 4 == bits ? "CR4." : ", ", (int)n, p);
		}
	fprintf(out, " |");
}

static void print_table(FILE *out, const char *verdict, const char *head)
{
	size_t i;

	fputs(head, out);
	for (i = 0; i < ROWS; i++) {
		if (!is(rows[i].verdict, verdict))
			continue;
		fprintf(out, "| %s |", rows[i].name);
		print_cpuid(out, rows[i].cpuid);
		print_in_use(out, rows[i].where, rows[i].bits);
		if (is(verdict, "SUPPORTED"))
			fprintf(out, " %s |", is(rows[i].control, "NONE") ? "" : rows[i].control);
		fprintf(out, " %s |\n", rows[i].sentence);
	}
}

static void print_document(FILE *out)
{
	fputs("# CPU features\n\n"
	      "Made by `make feature-table` from the table in `arch/x86/vmx/feature.h`; do not edit.\n"
	      "\n"
	      "What of a CPU asks for a VT-x control, or would be lost or changed by a switch. CPUID is\n"
	      "given as leaf, subleaf, register and bit, in the manual's hexadecimal numbers. A feature\n"
	      "that is not here is not looked at; but a bit of CR4 that is not here, and is set, is\n"
	      "refused.\n\n"
	      "## Refused while in use\n\n"
	      "A CPU may have them. Linux stays native, with the sentence in the log and in the status,\n"
	      "only as long as they are in use. A bit of CR4 that is set while virtual sends the CPU\n"
	      "native; tracing or sampling that begins then is not noticed.\n\n",
	      out);
	print_table(out, "REFUSED",
		    "| feature | CPUID | in use | what the user is told |\n"
		    "|---|---|---|---|\n");
	fputs("\n## Supported\n\n"
	      "Where CPUID shows a feature with a control, the control must be there, and is on; a CPU\n"
	      "that lacks it is refused by the control's name. The others need no control.\n\n",
	      out);
	print_table(out, "SUPPORTED",
		    "| feature | CPUID | in CR4 | control | why that is enough |\n"
		    "|---|---|---|---|---|\n");
}

static char *slurp(const char *path)
{
	char *text = NULL;
	size_t size = 0;
	FILE *in = fopen(path, "r");

	if (!in)
		return NULL;
	if (getdelim(&text, &size, 0, in) < 0) {
		free(text);
		text = NULL;
	}
	fclose(in);
	return text;
}

/* The committed file is what the table makes; MERCURY_WRITE_FEATURES writes it instead. */
static void the_document_is_the_table(void **state)
{
	size_t size;
	char *made = NULL, *committed;
	FILE *out = getenv("MERCURY_WRITE_FEATURES") ? fopen(DOCUMENT, "w") :
						       open_memstream(&made, &size);
	bool same;

	(void)state;
	assert_non_null(out);
	print_document(out);
	assert_int_equal(fclose(out), 0);
	if (!made)
		return;
	committed = slurp(DOCUMENT);
	same = committed && is(made, committed);
	free(made);
	free(committed);
	if (!same)
		fail_msg("docs/features.md is not the table: run `make feature-table`");
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(the_document_is_the_table),
};

UNIT_MAIN(tests)
