#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# One fact, one place: no table's number written out elsewhere; no table with a hole.
set -u
# shellcheck source=lib/check.sh
. "$(dirname "$0")/lib/check.sh"

# Three digits and more, and no round ones: those are sizes. VMCS encodings have the same form.
number='0x[0-9a-f]*[1-9a-f][0-9a-f]{2}'
numbers=$(sed -nE "s/.*F\([A-Z0-9_]+,[[:space:]]*($number)\).*/\1/p" include/x86/{msr,vmcs}.h |
	sed -E 's/^0x0*//' | grep -v '00$' | paste -sd '|')
code_of '.*\.([chS]|asm)' src arch module | grep -iE "(^|[^0-9a-z_])(0x0*($numbers)|0*($numbers)h)(u?l*)?\b" |
	check "MSRs and VMCS fields are numbered in include/x86/ only"

verbs=$(code include/mercury/vo.h | sed -nE 's/.*\(\*([a-z]+)\).*/\1/p')
for file in arch/x86/*/*.c; do
	for object in $(code "$file" | sed -nE 's/.*\bstruct vo (vo_[a-z0-9]+) = \{/\1/p'); do
		table=$(code "$file" | sed -n "/struct vo $object = {/,/};/p")
		[[ $table == *":const struct vo"* ]] || echo "$file: $object is not const"
		for verb in $verbs; do
			[[ $table == *".$verb = "* ]] || echo "$file: $object has no $verb"
		done
	done
done | check "every virtual object is const and has all verbs"

compat=module/compat
probes=$(sed -nE 's/.*mercury-probe,([a-z_]+),([A-Z_]+)\).*/\1 \2/p' $compat/Makefile.compat)
{
	while read -r file macro; do
		[[ -e $compat/$file.c ]] || echo "there is no probe $compat/$file.c"
		[[ $file == control ]] || code $compat/compat.h | grep -qw "$macro" ||
			echo "$compat/compat.h does not ask for $macro"
	done <<< "$probes"
	for file in "$compat"/*.c; do
		grep -q "^$(basename "$file" .c) " <<< "$probes" || echo "nobody compiles $file"
	done
	code_of '.*\.[chS]' module | grep -v "^$compat/" | grep -E '\bHAVE_[A-Z_]+'
} | check "every probe of module/compat/ is compiled and asked for, and only there"
