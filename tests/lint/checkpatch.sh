#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# The kernel's checkpatch on what is written in the kernel's style; .checkpatch.conf says what not.
set -u
# shellcheck source=lib/check.sh
. "$(dirname "$0")/lib/check.sh"

name="checkpatch has nothing to say"
need perl perl "$name" || exit 0
if ! tool=$(tests/vm/checkpatch); then
	cannot "checkpatch.pl is not there: tests/vm/checkpatch fetches it" "$name"
	exit 0
fi

# It takes its time: only what has changed since the last run without a finding.
clean=build/lint-checkpatch
mkdir -p build
touch $clean.new
for file in .checkpatch.conf "$tool" "$0"; do
	[[ $clean -nt $file ]] || rm -f $clean
done
findings=$(
	files '.*\.[chS]' module src arch include tests/vm/{peek,view,port,starve} |
		while IFS= read -r file; do [[ $clean -nt $file ]] || echo "$file"; done |
		xargs -r -P "$(nproc)" -n 16 perl "$tool" --file --terse --show-types 2>&1
)
[[ -n $findings ]] || mv $clean.new $clean
printf '%s' "$findings" | check "$name"
