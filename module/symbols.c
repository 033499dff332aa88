// SPDX-License-Identifier: GPL-2.0-only
/* Unexported symbols by name: a kprobe knows where kallsyms_lookup_name() is, which knows the rest. */
#include <linux/kprobes.h>

#include "compat/symbols.h"

typedef unsigned long (*lookup_fn)(const char *name);

static lookup_fn find_lookup(void)
{
	struct kprobe probe = { .symbol_name = "kallsyms_lookup_name" };
	lookup_fn lookup;

	if (register_kprobe(&probe))
		return NULL;
	lookup = (lookup_fn)probe.addr;
	unregister_kprobe(&probe);
	return lookup;
}

#define S(name, type, required) { #name, required },
static const struct {
	const char *name;
	bool required;
} names[] = { MERCURY_SYMBOLS(S) };
#undef S

/* One address for each, in the order of the list. */
static_assert(sizeof(struct mercury_symbols) == ARRAY_SIZE(names) * sizeof(unsigned long));

const char *mercury_symbols_find(struct mercury_symbols *symbols)
{
	unsigned long *addresses = (unsigned long *)symbols;
	lookup_fn lookup = find_lookup();
	unsigned int i;

	if (!lookup)
		return "kallsyms_lookup_name";
	for (i = 0; i < ARRAY_SIZE(names); i++) {
		addresses[i] = lookup(names[i].name);
		if (names[i].required && !addresses[i])
			return names[i].name;
	}
	return NULL;
}
