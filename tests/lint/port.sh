#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# The test port (tests/vm/port) stands before every operation of the hardware port.
set -u
# shellcheck source=lib/check.sh
. "$(dirname "$0")/lib/check.sh"

# It runs at its physical address, where nothing of the port is mapped.
place=identity_tail
generate=tests/vm/port/generate
objects=build/image/arch/x86

make -s image > /dev/null 2>&1

# What the objects define, against what the port is generated from.
{
	names=$(bash $generate names < arch/x86/insn.h 2>&1) || echo "$names"
	nm --defined-only -g $objects/*.asm.o 2>&1 | sed -nE 's/.* T insn_//p' | sort |
		grep -vx "$place" | comm -23 - <(sort <<< "$names") | sed 's/^/no part of the test port: insn_/'
} | check "the test port stands before every function of the hardware port"

# And the other assembly has no instruction of that kind but those that are points of the port.
points=$(bash $generate points < arch/x86/insn.h | sed 's/^entry_//' | paste -sd '|')
privileged='[ls][gil]dt|ltr|str|[ls]msw|clts|hlt|inv[a-z]+|wbinvd|(rd|wr)msr|x[sg]etbv|cpuid|vm[a-z]+'
privileged+='|swapgs|[il]retq?|cli|sti|mov .*%(cr|db)[0-9].*'
for object in "$objects"/*.asm.o; do
	[[ $object =~ /(insn|header)\.asm ]] || objdump -D -j .text --no-show-raw-insn "$object"
done | sed "/<insn_$place>:/,/^\$/d" | sed -nE 's/^ *[0-9a-f]+:\t//p' | grep -E "^($privileged)( |\$)" |
	grep -vE "^($points)( |\$)" |
	check "no privileged instruction evades the test port"
