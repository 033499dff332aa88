// SPDX-License-Identifier: GPL-2.0-only
/* libFuzzer: whatever bytes a fault points at, the decoder ends, reads no further, and agrees with itself. */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "ring1/decode.h"

static void check(int what)
{
	if (!what)
		__builtin_trap();
}

static void decode(const uint8_t *data, size_t n, bool long_mode)
{
	struct insn all, exact, cut;

	if (!insn_decode(data, n, long_mode, &all))
		return;
	check(all.op > INSN_UNKNOWN && all.op < INSN_NR);
	check(all.length > 0 && all.length <= INSN_MAX && all.length <= n);
	check(all.gpr <= INSN_NO_REG);
	check(all.memory.base <= INSN_NO_REG && all.memory.index <= INSN_NO_REG);
	/* Its own bytes are enough, and no fewer are. */
	check(insn_decode(data, all.length, long_mode, &exact));
	check(!memcmp(&all, &exact, sizeof(all)));
	check(!insn_decode(data, all.length - 1u, long_mode, &cut));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	decode(data, n, true);
	decode(data, n, false);
	return 0;
}
