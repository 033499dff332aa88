#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# cppcheck on VMM and tools: it finds more than clang's analyzer on such code, in an eighth of the time.
set -u
# shellcheck source=lib/check.sh
. "$(dirname "$0")/lib/check.sh"

name="cppcheck has nothing to say of VMM and tools"
need cppcheck cppcheck "$name" || exit 0

# Not findings: bits asked for by `a & b ? c : d`, arrays whose ends are the linker script's symbols.
{ cppcheck --quiet --std=c11 --enable=warning,style,performance,portability \
	--suppress=clarifyCalculation --suppress=comparePointers:arch/x86/trap.c --suppress=comparePointers:arch/x86/ring1/trap.c \
	--suppress=unusedStructMember:arch/x86/call.c \
	--template='{file}:{line}: {message} [{id}]' --template-location='' \
	-D__x86_64__ -Iinclude -Iarch/x86 -Itools/libmercury src arch tools || echo "cppcheck ended with $?"; } 2>&1 | check "$name"
