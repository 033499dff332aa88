// SPDX-License-Identifier: GPL-2.0-only
/* Unexported symbols by name: a kprobe knows where kallsyms_lookup_name() is, which knows the rest. */
#include <linux/kprobes.h>

#include "symbols.h"

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

const char *mercury_symbols_find(struct mercury_symbols *symbols)
{
	lookup_fn lookup = find_lookup();

	if (!lookup)
		return "kallsyms_lookup_name";
#define S(name, type, required)                                                                    \
	symbols->name = (type)lookup(#name);                                                       \
	if (required && !symbols->name)                                                            \
		return #name;
	MERCURY_SYMBOLS(S)
#undef S
	return NULL;
}
