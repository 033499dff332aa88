#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# tasklist.sh: for tests that take a whole image: has it the processes that there were? Sourced, behind lib.sh.

set -u

# pids: of all processes, without one more of our own.
pids() {
	for pids_of in /proc/[0-9]*; do
		echo "${pids_of#/proc/}"
	done | sort
}

# has_tasks TEXT IMAGE MAKER: all that $WORK/before and $WORK/after have, and else the MAKER's alone.
has_tasks() {
	tasks "$2" 2> "$WORK/output" | sort > "$WORK/tasks"
	grep -xF -f "$WORK/before" "$WORK/after" > "$WORK/stayed"
	is "$1: every process that was there" \
		"$(cat "$WORK/output")$(grep -vxF -f "$WORK/tasks" "$WORK/stayed" | tr '\n' ' ')" ""
	is "$1: and no other one" \
		"$(sort "$WORK/before" "$WORK/after" | grep -vxF -f - "$WORK/tasks" | tr '\n' ' ')" "$3 "
	succeeds "$1: that is many" test "$(wc -l < "$WORK/tasks")" -gt 20
}
