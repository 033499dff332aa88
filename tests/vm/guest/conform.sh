#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# conform.sh BACKEND EMULATOR: what x86 programs observe (conform) is the same natively, while virtual, and
# natively again. Differences that are known are in conform.BACKEND: line by line as diff shows them, or ~ and
# the name of a case whose answer is an address; conform.EMULATOR names cases that the emulator gets wrong by itself.
set -u

# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"

backend=$1
HERE=$(dirname "$0")
EXPECTED=$HERE/conform.$backend
SKIPPED=$(sed -n '/^[a-z]/s/^/--skip /p' "$HERE/conform.$2")

# observe NAME
observe() {
	# shellcheck disable=SC2086,SC2317 # several words; called by succeeds
	conform $SKIPPED > "$WORK/$1" 2> "$WORK/errors" && [ ! -s "$WORK/errors" ]
}

# differences FILE: against native, one a line: "- " or "+ " and the line itself.
differences() {
	diff -U 0 "$WORK/native" "$1" | sed -n '3,$ { /^[-+]/p; }'
}

# Lines that may differ, of those cases that this machine has; nothing else may.
compare() {
	differences "$WORK/virtual" > "$WORK/found"
	: > "$WORK/wanted"
	[ ! -e "$EXPECTED" ] || grep '^[-+]' "$EXPECTED" > "$WORK/wanted"
	sed -n 's/^~\(.*\)/^[-+]\1:/p' "$EXPECTED" > "$WORK/cases" 2> /dev/null
	[ ! -s "$WORK/cases" ] || { grep -v -f "$WORK/cases" "$WORK/found" > "$WORK/rest"; mv "$WORK/rest" "$WORK/found"; }
	grep -v -x -F -f "$WORK/wanted" "$WORK/found" > "$WORK/unexpected"
	[ -s "$WORK/wanted" ] || cp "$WORK/found" "$WORK/unexpected"
	if [ -s "$WORK/unexpected" ]; then
		not_ok "virtual: all is as it is natively" "$(cat "$WORK/unexpected")"
	else
		ok "virtual: all is as it is natively, but for $(grep -c '^+' "$WORK/found") known lines"
	fi
}

succeeds "the cases run natively" observe native
like "there are thousands of observations" "$(wc -l < "$WORK/native")" "[2-9]???"
succeeds "they run natively again" observe again
is "and find the same, so that they can be compared" "$(differences "$WORK/again")" ""
succeeds "the module loads" modprobe mercury-vmx backend="$backend"
succeeds "it goes virtual" set_mode virtual
is "the backend is $backend" "$(cat $CTL/backend)" "$backend"
succeeds "the cases run while virtual" observe virtual
is "and make as many observations" "$(wc -l < "$WORK/virtual")" "$(wc -l < "$WORK/native")"
succeeds "every CPU is still virtual" hv --expect virtual
compare
# Linux restores a signal's spoiled FPU frame and has a fixup for the fault.
is "no trap was unknown" "$(grep '^unknown cpu' $PROC | grep -v __fpu_restore_sig)" ""
succeeds "it goes native" set_mode native
succeeds "the cases run natively again" observe last
is "all is as it was before" "$(differences "$WORK/last")" ""
succeeds "the module goes" rmmod mercury_vmx
finish
