#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# C is laid out as clang-format would by .clang-format; `make format` does it.
set -u
# shellcheck source=lib/check.sh
. "$(dirname "$0")/lib/check.sh"

name="C is formatted as by make format"
need clang-format-14 clang-format-14 "$name" || exit 0

mapfile -t sources < <(files '.*\.[ch]' .)
clang-format-14 --dry-run "${sources[@]}" 2>&1 | grep -iE '(warning|error)' |
	sed -E 's|^(\./)?([^:]*:[0-9]+):.*clang-format-violations\]$|\2|' | awk '!seen[$0]++' |
	check "$name"
