#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# What must not stand in the code, and what each file must say.
set -u
# shellcheck source=lib/check.sh
. "$(dirname "$0")/lib/check.sh"

word_asm='(^|[^a-zA-Z0-9_])(asm|__asm|__asm__)([^a-zA-Z0-9_]|$)'
code_of '.*\.[ch]' src arch include | grep -vE '#[[:space:]]*include' | grep -E "$word_asm" |
	check "no inline assembly in C"

version='LINUX_VERSION_CODE|KERNEL_VERSION|LINUX_VERSION_MAJOR|RHEL_RELEASE|UTS_RELEASE'
code_of '.*' module src arch include tools | grep -v '^module/compat/' | grep -E "$version" |
	check "no test of the kernel's version outside module/compat/"

# Variation by link or by table: conditions guard headers and C from assembly, no more.
code_of '.*\.[ch]' src arch | grep -E ':[[:space:]]*#[[:space:]]*(if|ifdef|ifndef|elif)' |
	grep -vE '#[[:space:]]*ifndef [A-Z0-9_]+_H$' |
	check "no conditional compilation in src/ and arch/"

# In the module they stand in compat/ only, and where a header is for C and for assembly, or is read
# several times as the kernel's tracepoints are.
code_of '.*\.[chS]' module | grep -v '^module/compat/' |
	grep -E ':[[:space:]]*#[[:space:]]*(if|ifdef|ifndef|elif)' |
	grep -vE '#[[:space:]]*ifndef ([A-Z0-9_]+_H|__ASSEMBLY__)$' |
	grep -vE '^[^:]*trace\.h:.*defined\(TRACE_HEADER_MULTI_READ\)$' |
	check "no conditional compilation in module/ but in compat/"

# Data of one size on both sides: no function, no pointer, no type of the compiler's choice.
code_of '.*\.h' include/abi | grep -vE '#define|typedef' |
	grep -E '(^|[^a-z_])(inline|extern|static|int|long|short|void|bool|size_t)([^a-z_]|$)|\*[a-z_]+[;[]' |
	check "include/abi/ has no function, pointer or type without a size"

license='SPDX-License-Identifier: GPL-2.0-only'
sources='.*\.(c|h|S|asm|ld|sh|test)|.*/(Makefile.*|Kbuild|run)'
files "$sources" src arch include module tools tests | while IFS= read -r file; do
	head -n 2 "$file" | grep -q "$license" || echo "$file does not say $license"
done | check "every source says its license"

files '.*\.(c|h|S|asm)' src arch include module tools tests | while IFS= read -r file; do
	sed -n 2p "$file" | grep -qE '^(/\*|;)' || echo "$file does not say in line 2 what it holds"
done | check "every source says what it holds"

grep -rnE '\b(TODO|FIXME|XXX)\b' src arch include module tools 2> /dev/null |
	check "no TODO left"
