#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# The VMM image as `make image` builds it: nothing undefined, nothing to relocate, no SSE.
set -u
# shellcheck source=lib/check.sh
. "$(dirname "$0")/lib/check.sh"

elf=build/mercury.elf
max_frame=1024

output=$(make -s $elf image 2>&1) || output="make failed: $output"
[[ -s $elf ]] || output+=" there is no $elf"
printf '%s' "$output" | check "the image builds"
# The rest would find nothing in nothing.
[[ -z $output ]] || exit 1

# value TEXT: what make's variables in it stand for.
value() { make -s --eval="lint-value: ; @echo $1" lint-value; }

# A weak one is 0 and gone after the link, so: what the objects want and the image does not have.
# shellcheck disable=SC2016
objects=$(value '$(IMAGE_O)')
# shellcheck disable=SC2086
{
	nm -u $elf
	comm -23 <(nm -u $objects | sed -nE 's/^ +[Uwv] //p' | sort -u) \
		<(nm --defined-only -j $elf | sort -u)
} 2>&1 | check "the image has no undefined symbol"

readelf -rW $elf 2>&1 | grep -v -e '^$' -e 'There are no relocations in this file' |
	check "the image has no relocation"

# Registers and instructions of x87, MMX, SSE and later: they are Linux's, and live. XSAVES and XRSTORS
# are executed in Linux's place, at CPL 1 it may not.
register='%([xyz]mm|mm[0-7]|st\b|k[0-7]\b)'
mnemonic='\t(f[a-z0-9]+|emms|v?(ld|st)mxcsr|x(save|rstor)(c|opt)?(64)?)( |$)'
# The image begins with its header: 64 bytes of data.
objdump -d --no-show-raw-insn --start-address=0xfffffe8000000040 $elf |
	grep -P '^ *[0-9a-f]+:\t' | grep -P "$register|$mnemonic" |
	check "the image has no floating-point or vector instruction"

readelf -lW $elf | grep -E '^ +[A-Z_]+ .* (RWE|[R ]WE) ' |
	check "the image has no writable and executable segment"

# The ELF segments are not what is mapped: the header's three numbers are (include/abi/mercury.h).
symbol() { nm $elf | sed -n "s/^0*\([0-9a-f]*\) [A-Za-z] $1\$/0x\1/p"; }
text=$(symbol image_text_end) rodata=$(symbol image_rodata_end) memory=$(symbol image_memory_size)
{
	for name in text rodata memory; do
		if [[ -z ${!name} ]]; then
			echo "the image has no symbol for the end of its $name"
		elif ((${!name} % 4096)); then
			echo "the end of $name, ${!name}, is not on a page's boundary"
		fi
	done
	((text <= rodata && rodata <= memory)) || echo "text, rodata and data are not in this order"
	while read -r name address size flags; do
		offset=$((0x$address - 0xfffffe8000000000)) size=$((0x$size))
		if [[ $flags == *X* ]]; then
			((offset + size <= text)) || echo "$name is code outside the text"
		else
			((size == 0 || offset >= text)) || echo "$name is data inside the text"
		fi
	done < <(readelf -SW $elf | sed 's/^ *\[[ 0-9]*\]//' |
		awk '$2 ~ /BITS$/ && $3 ~ /^fffffe/ { print $1, $3, $5, $7 }')
} | check "the image's header keeps code and data apart"

# Compiled again with the image's own flags, for the sizes that only the compiler knows.
directory=$(mktemp -d)
trap 'rm -rf "$directory"' EXIT
# shellcheck disable=SC2016
flags=$(value '$(IMAGE_CFLAGS)') sources=$(value '$(IMAGE_C)')
for file in $sources; do
	# shellcheck disable=SC2086
	${CC:-gcc} $flags -fstack-usage -c -o "$directory/${file//\//_}.o" "$file" ||
		echo "$file does not compile"
done > "$directory/errors" 2>&1
{
	cat "$directory/errors"
	cat "$directory"/*.su | awk -F'\t' -v max=$max_frame '
		$2 > max { print $1 " has a stack frame of " $2 " bytes, more than " max }
		$3 == "dynamic" { print $1 " has a stack frame of a size known only at run time" }'
} | check "stack frames have at most $max_frame bytes"
