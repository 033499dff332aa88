#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# refused.sh PATTERN: on a machine that cannot be virtual the module loads, says PATTERN as the reason
# wherever it is asked, and changes nothing.
set -u

# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"

# attempt TEXT COMMAND...: it must fail, because there is no such device.
attempt() {
	attempt_text=$1
	shift
	if "$@" > "$WORK/attempt" 2>&1; then
		not_ok "$attempt_text fails" "it succeeded"
		return
	fi
	like "$attempt_text fails" "$(cat "$WORK/attempt")" "*No such device*"
}

succeeds "the module loads all the same" modprobe mercury-vmx
is "the mode is native" "$(mode)" native
is "there is no backend" "$(cat "$CTL/backend")" none
like "status says why" "$(cat "$CTL/status")" "native, no backend: *$1*"
like "so does /proc/mercury" "$(field "last error")" "*$1*"
succeeds "so does the log" sh -c "dmesg | grep 'mercury: ' | grep -F '$1'"

attempt "sysctl mercury.mode=virtual" set_mode virtual
attempt "virtual by /proc/mercury" sh -c "echo virtual > $PROC"
like "the reason stays" "$(field "last error")" "no usable backend: *$1*"
succeeds "native, which it is, can be asked for" set_mode native
is "nothing was switched" "$(field switches)" "0 to virtual, 0 to native"
succeeds "every CPU is native" hv --expect native
succeeds "the module goes" rmmod mercury_vmx

dmesg -c > /dev/null
attempt "modprobe backend=vmx" modprobe mercury-vmx backend=vmx
succeeds "the log says why" sh -c "dmesg | grep 'mercury: ' | grep -F '$1'"
is "it leaves no files" "$(ls "$PROC" 2> /dev/null)" ""
succeeds "every CPU is still native" hv --expect native
finish
