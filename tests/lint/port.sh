#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# The test port (tests/vm/port) stands before every operation of the hardware port.
set -u
# shellcheck source=lib/check.sh
. "$(dirname "$0")/lib/check.sh"

generate=tests/vm/port/generate
objects=build/image/arch/x86

make -s image > /dev/null 2>&1

# What the objects define, against what the port is generated from.
{
	names=$(bash $generate names < arch/x86/insn.h 2>&1) || echo "$names"
	nm --defined-only -g $objects/*.asm.o 2>&1 | sed -nE 's/.* T insn_//p' | sort |
		comm -23 - <(sort <<< "$names") | sed 's/^/no part of the test port: insn_/'
} | check "the test port stands before every function of the hardware port"

# And the other assembly has no instruction of that kind but those that are points of the port.
points=$(bash $generate nasm < arch/x86/insn.h | sed -nE 's/^PORT_ENTRY_([A-Z]+) .*/\1/p' |
	tr 'A-Z\n' 'a-z|')
privileged='[ls][gil]dt|ltr|str|[ls]msw|clts|hlt|inv[a-z]+|wbinvd|(rd|wr)msr|x[sg]etbv|cpuid|vm[a-z]+'
privileged+='|swapgs|[il]retq?|cli|sti|mov .*%(cr|db)[0-9].*'
# Nor are two pieces that tests/unit has as they are in the image: the answer to CPUID in the exit stub
# (asm_vmexit, an NMI at each of its instructions) and the tail for a crash kernel (port_identity).
for object in "$objects"/*.asm.o; do
	[[ $object =~ /(insn|header)\.asm ]] || objdump -D -j .text --no-show-raw-insn "$object"
done | awk '/^[0-9a-f]+ <.*>:$/ { own = /<(insn_vmexit_entry|cpuid_check|insn_identity_tail.*)>/ } !own' |
	sed -nE 's/^ *[0-9a-f]+:\t//p' |
	grep -E "^($privileged)( |\$)" |
	grep -vE "^(${points%|})( |\$)" |
	check "no privileged instruction evades the test port"
