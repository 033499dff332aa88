#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Every header compiles alone, and twice.
set -u
# shellcheck source=lib/check.sh
. "$(dirname "$0")/lib/check.sh"

files '.*\.h' include arch | while IFS= read -r header; do
	printf '#include "%s"\n#include "%s"\n' "$PWD/$header" "$PWD/$header" |
		${CC:-gcc} -std=gnu11 -ffreestanding -fsyntax-only -Wall -Wextra -Werror \
			-Wstrict-prototypes -Iinclude -Iarch/x86 -x c - 2>&1 |
		sed -n "s|^$PWD/||; s|^<stdin>|$header|; /error/p"
done | check "every header compiles alone"
