#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Every header compiles alone, and twice; what others call is documented there.
set -u
# shellcheck source=lib/check.sh
. "$(dirname "$0")/lib/check.sh"

files '.*\.h' include arch | while IFS= read -r header; do
	{ printf '#include "%s"\n#include "%s"\n' "$PWD/$header" "$PWD/$header" |
		${CC:-gcc} -std=gnu11 -ffreestanding -fsyntax-only -Wall -Wextra -Werror \
			-Wstrict-prototypes -Iinclude -Iarch/x86 -x c - ||
		echo "$PWD/$header: error: the compiler ended with $?"; } 2>&1 |
		sed -n "s|^$PWD/||; s|^<stdin>|$header|; /error/p"
done | check "every header compiles alone"

# Right above the prototype, or above the group without an empty line that it belongs to.
files '.*\.h' include/mercury tools/libmercury | while IFS= read -r header; do
	awk -v file="$header" '
		/^$/ { documented = 0 }
		/\*\/$/ && !/^[ \t]+[^ \t*]/ { documented = 1 }
		/^[a-z_][^={}]*\(/ && !/^(typedef|static_assert)/ && !documented { print file ":" FNR ": " $0 }
	' "$header"
done | check "every function of include/mercury/ and the library is documented"
