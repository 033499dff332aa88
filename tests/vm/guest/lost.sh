#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# lost.sh: the VMM fails on the last CPU, and again on the way back: Linux panics with the VMM's sentence,
# and does what it was told to do then. Needs a VMM that fails on request.
set -u

# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"

succeeds "the module loads" modprobe mercury-vmx
succeeds "to virtual" set_mode virtual
cpu=$(($(nproc) - 1))
if [ "$(cat $CTL/backend)" = ring1 ]; then
	vmmfault $cpu user every-sldt
	vmmfault $cpu user invalid-opcode
else
	vmmfault $cpu user every-vmread
fi
sleep 10
not_ok "the machine goes on"
finish
