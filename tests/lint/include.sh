#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Who may include whom: the arrows of docs/architecture.md.
set -u
# shellcheck source=lib/check.sh
. "$(dirname "$0")/lib/check.sh"

source='.*\.[chS]'
freestanding='<(stdarg|stdbool|stddef|stdint)\.h>'

# only ALLOWED: of "FILE WHAT" on stdin those whose WHAT does not match, as findings.
only() {
	grep -vE "^[^ ]+ ($1)\$" | sed 's/ / includes /'
}

includes "$source" src include/mercury | only "$freestanding|\"(mercury|abi)/[a-z0-9_]+\.h\"" |
	check "src/ and include/mercury/ include only mercury/ and abi/"

includes "$source" include/x86 | only "$freestanding|\"x86/[a-z0-9_]+\.h\"" |
	check "include/x86/ includes only x86/"

includes "$source" include/abi | only 'nothing' | check "include/abi/ includes nothing"

includes "$source" arch | grep -v '^arch/x86/constants.c ' |
	only "$freestanding|\"[a-z0-9_/.]+\"" | check "arch/ includes nothing of the system's"

# Of one object's folder: headers beside the file, of arch/x86/ itself, and the portable ones.
for object in native vmx svm ring1; do
	includes "$source" "arch/x86/$object" | only "<.*>|\"((abi|mercury|x86)/)?[a-z0-9_]+\.h\""
done | check "virtual objects do not include each other"

for object in native vmx svm ring1; do
	includes "$source" "arch/x86/$object" | grep -v '<' | while read -r file what; do
		what=${what//\"/}
		[[ $what == */* || -e arch/x86/$object/$what || -e arch/x86/$what ]] ||
			echo "$file includes $what, which is not beside it nor in arch/x86/"
	done
done | check "virtual objects find their headers beside them or in arch/x86/"

# constants.c is a program of the build.
includes '[a-z0-9_]+\.[ch]' arch/x86 | grep -E '^arch/x86/[a-z0-9_]+\.[ch] ' |
	grep -vE '^arch/x86/(call|fatal|constants).c ' | only "<.*>|\"((abi|mercury|x86)/)?[a-z0-9_]+\.h\"" |
	check "of arch/x86/ only call.c and fatal.c know the virtual objects"

includes "$source" module | while read -r file what; do
	case $what in
	'"abi/mercury.h"' | '"uapi/mercury_'*'.h"' | '<linux/'* | '<asm/'* | '<uapi/'* | '<generated/'* | '<trace/'*) ;;
	'"'*'"') [[ -e $(dirname "$file")/${what//\"/} || -e module/${what//\"/} ]] ||
		echo "$file includes $what" ;;
	*) echo "$file includes $what" ;;
	esac
done | check "module/ includes of our tree only its own headers, abi/mercury.h and uapi/"

# What the module offers to programs is written in the kernel's words, as those it exports itself.
includes "$source" src arch include tools | grep -E ' (.(linux|asm)|<uapi)/' |
	grep -vE '^include/uapi/[a-z_]+\.h <linux/(ioctl|types)\.h>$' |
	check "nothing but module/ includes the kernel's headers"

# Names of one architecture, in what the compiler sees; comments may give examples.
words='x86|ept|npt|vmx|svm|vmcs|vmcb|vpid|cr[0348]|dr[67]|msr|mtrr|pat|cpuid|rip|rsp|rax|rflags|cpl'
words+='|gdt|idt|ldt|tss|idtr|gdtr|invept|invvpid|vmlaunch|vmcall|intel|amd|pml4|pdpt'
code_of "$source" src include/mercury | grep -iE "(^|[^a-z0-9])($words)([^a-z0-9]|\$)" |
	check "no x86 word in src/ and include/mercury/"

code_of "$source" src include/mercury | grep -E '(^|[^a-z0-9_])(vo_[a-z]|(native|vmx|svm|ring1)_[a-z])' |
	check "src/ and include/mercury/ name no virtual object"
