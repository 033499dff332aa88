#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# novtx.sh PATTERN: on a machine without VT-x backend=vmx is refused with PATTERN, and auto takes ring1.
set -u

# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"

if modprobe mercury-vmx backend=vmx > "$WORK/output" 2>&1; then
	not_ok "modprobe backend=vmx fails" "it succeeded"
else
	like "modprobe backend=vmx fails" "$(cat "$WORK/output")" "*No such device*"
fi
succeeds "the log says why" sh -c "dmesg | grep -F 'mercury: CPU 0, VT-x: $1'"
is "it leaves no files" "$(ls "$PROC" 2> /dev/null)" ""
succeeds "every CPU is still native" hv --expect native
succeeds "the module loads by itself" modprobe mercury-vmx
is "with the other backend" "$(cat "$CTL/backend")" ring1
is "which is no error" "$(field "last error")" none
succeeds "it goes" rmmod mercury_vmx
finish
