// SPDX-License-Identifier: GPL-2.0-only
/* Prints the table of docs/exits.md from the exit policy; docs/generate puts it there. */
#include <stdio.h>

#include "vmx/exit_policy.h"
#include "x86/vmx_exit.h"

static const struct {
	const char *when, *answer;
} policy[VMX_REASON_COUNT] = {
#define ROW(reason, handler, when, answer) [VMX_REASON_##reason] = { when, answer },
	EXIT_POLICY(ROW)
};

static const char *const names[VMX_REASON_COUNT] = {
#define NAME(name, number, sentence) [number] = #name,
	VMX_EXIT_REASONS(NAME)
};

/* The manual's words: blanks instead of underscores. */
static void print_name(const char *name)
{
	for (; *name; name++)
		putchar(*name == '_' ? ' ' : *name);
}

int main(void)
{
	unsigned int reason;

	puts("| number | reason | when | answer |\n|---|---|---|---|");
	for (reason = 0; reason < VMX_REASON_COUNT; reason++) {
		if (!policy[reason].when)
			continue;
		printf("| %u | ", reason);
		print_name(names[reason]);
		printf(" | %s | %s |\n", policy[reason].when, policy[reason].answer);
	}
	return 0;
}
