#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# The module builds without a word of the kernel's extra warnings (W=1) and of sparse (C=2).
set -u
# shellcheck source=lib/check.sh
. "$(dirname "$0")/lib/check.sh"

# One without and one with the later interfaces of module/compat/.
for kernel in 6.1 6.12; do
	name="the module builds for $kernel without a warning, sparse's included"
	need sparse sparse "$name" || continue
	mapfile -t lines < <(tests/vm/kernel $kernel)
	if [[ ! -d ${lines[2]-} ]]; then
		cannot "its headers are not there: tests/vm/kernel $kernel fetches them" "$name"
		continue
	fi
	# In a directory of its own: other flags would build everything anew, here and in the real one.
	{ make -s module KDIR="${lines[2]}" KRELEASE="lint-$kernel" C=2 W=1 || echo "error: make ended with $?"; } 2>&1 |
		grep -iE '(warning|error)[: ]|\*\*\*' | grep -v 'the compiler differs' |
		sed "s|$PWD/build/lint-$kernel/|module/|" | check "$name"
done
