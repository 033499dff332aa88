#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Every refusal has a test: each sentence of a table is expected by one, each line of the vote is run.
set -u
# shellcheck source=lib/check.sh
. "$(dirname "$0")/lib/check.sh"

# literals FILE...: what stands in quotes there, without the quotes.
literals() {
	local file

	for file; do code "$file"; done | grep -oE '"([^"\\]|\\.)*"' | sed -E 's/^"|"$//g'
}

mapfile -t words < <(literals tests/unit/pure_{require,feature}.c | grep -E '.{4}' | sort -u)
literals arch/x86/vmx/require.c | grep ' ' | while IFS= read -r sentence; do
	for word in "${words[@]}"; do
		[[ $sentence != *"$word"* ]] || continue 2
	done
	echo "neither pure_require.c nor pure_feature.c expects: $sentence"
done | check "each sentence of vmx/require.c is expected by a test"

# By name in a unit test, by the beginning of its sentence on a booted kernel.
code include/abi/mercury.h | sed -nE 's/.*\bE\(([A-Z0-9_]+), [A-Z]+, "(.{1,24}).*/\1|\2/p' |
	while IFS='|' read -r name sentence; do
		grep -rqwF "MERCURY_E_$name" tests/unit || grep -rqF "$sentence" tests/vm ||
			echo "no test expects MERCURY_E_$name"
	done | check "each error of the ABI is expected by a test"

# What the vote asks, built for coverage and run by the tests of the same names. The rest of the VMM
# is put back between tests, its counters too.
sources=(arch/x86/vmx/{audit,capability,feature,require}.c src/{mode,switch}.c)
tests=(pure_{audit,capability,feature,require,mode} switch_generic)
build=$PWD/build/lint-coverage
{
	# From here, as gcov wants it: its notes have the compiler's relative paths.
	cd tests/unit || exit
	make -s B="$build" SANITIZE='--coverage -O0' "${tests[@]/#/$build/}"
	find "$build" -name '*.gcda' -delete
	for test in "${tests[@]}"; do
		"$build/$test" > "$build/log" 2>&1 || cat "$build/log"
	done
	for file in "${sources[@]}"; do
		gcov --stdout -o "$build/vmm/${file%/*}" "$build/vmm/${file%.c}.o" |
			sed -nE "s|^ *#####: *([0-9]+):|$file:\1: no test comes here: |p"
	done
} 2>&1 | check "each line that votes is run by a test"
