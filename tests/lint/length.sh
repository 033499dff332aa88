#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Small files and short functions.
set -u
# shellcheck source=lib/check.sh
. "$(dirname "$0")/lib/check.sh"

max_file=600
max_function=80
folders=(src arch include module tools)

mapfile -t all < <(files '.*' "${folders[@]}")
mapfile -t c < <(files '.*\.[ch]' "${folders[@]}")
mapfile -t shell < <(grep -lsE '^#!.*sh$' "${all[@]}")

for file in "${all[@]}"; do
	lines=$(wc -l < "$file")
	((lines <= max_file)) || echo "$file has $lines lines, more than $max_file: split it"
done | check "files have at most $max_file lines"

# Kernel style: a function's braces stand alone in column 0; nothing else has that opening brace.
awk -v max=$max_function '
	function judge(n) {
		if (n > max) print FILENAME ":" start ": " n " lines, more than " max ": " name
		start = 0
	}
	/^\{$/ { start = FNR; name = before }
	/^\}/ && start { judge(FNR - start + 1) }
	FNR == 1 { start = /^\{$/ ? start : 0 }
	{ before = $0 }
' "${c[@]}" /dev/null | check "functions in C have at most $max_function lines"

# And is written so that the check above can see it.
awk '/^[a-z].*\)[[:space:]]*\{$/ { print FILENAME ":" FNR ": the brace belongs into the next line" }' \
	"${c[@]}" /dev/null | check "functions in C open with a brace in column 0"

awk -v max=$max_function '
	/^[a-z_]+\(\) *[{(]$/ { start = FNR; name = $0 }
	/^[})]/ && start {
		n = FNR - start + 1
		if (n > max) print FILENAME ":" start ": " n " lines, more than " max ": " name
		start = 0
	}
' "${shell[@]}" /dev/null | check "functions in shell scripts have at most $max_function lines"
