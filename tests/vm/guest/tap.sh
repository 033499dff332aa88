# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=sh
# TAP for the case scripts: each check is one line, the last one the plan; for busybox sh.

tap_count=0
tap_failed=0

# check TEXT COMMAND...: ok if the command succeeds; its output is shown if not.
check() {
	tap_text=$1
	shift
	tap_count=$((tap_count + 1))
	if tap_output=$("$@" 2>&1); then
		echo "ok $tap_count - $tap_text"
	else
		tap_failed=$((tap_failed + 1))
		echo "not ok $tap_count - $tap_text"
		echo "$tap_output" | sed 's/^/# /'
	fi
}

# fails COMMAND...: succeeds if the command fails.
fails() {
	! "$@"
}

# logged TEXT: the kernel log has it.
logged() {
	dmesg | grep -qF -- "$1" || { dmesg | tail -n 5; return 1; }
}

# proc KEY: the rest of that line of /proc/mercury.
proc() {
	sed -n "s/^$1: *//p" /proc/mercury
}

# equal WHAT IS WANTED
equal() {
	[ "$2" = "$3" ] || { echo "$1 is '$2', not '$3'"; return 1; }
}

# The plan, and the script's exit status.
conclude() {
	echo "1..$tap_count"
	[ "$tap_failed" = 0 ]
	exit
}
