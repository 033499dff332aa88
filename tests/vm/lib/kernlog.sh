# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# The verdict on a kernel log: which lines are bad, which of those are allowed.

readonly KERNLOG_BAD='BUG|WARNING|Oops|Call Trace|soft lockup|panic'

# kernlog_allowed: the harmless lines of the emulators, one extended regex a line.
kernlog_allowed() {
	sed -E '/^[[:space:]]*(#|$)/d' "$VM_DIR/allow.txt"
}

# kernlog_bad_lines LOG [REGEX]...: prints the bad lines that no REGEX and no harmless one matches.
# The kernel's own command line is no message, whatever it says.
kernlog_bad_lines() {
	local log=$1 allow=() regex

	shift
	while IFS= read -r regex; do
		allow+=(-e "$regex")
	done < <(kernlog_allowed)
	for regex; do
		allow+=(-e "$regex")
	done
	tr -d '\r\000' <"$log" | grep -aE -e "$KERNLOG_BAD" | grep -avE -e 'ommand line: ' |
		if ((${#allow[@]})); then grep -avE "${allow[@]}"; else cat; fi
}
