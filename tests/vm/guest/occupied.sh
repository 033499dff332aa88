#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# occupied.sh: while PML4 slot 509 of one process holds something, ring 1 is refused and nothing has changed.
set -u

# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"

succeeds "the module loads" modprobe mercury-vmx
is "the backend is ring1" "$(cat $CTL/backend)" ring1
succeeds "process 1 has something in slot 509" insmod mercury-occupy.ko
if set_mode virtual 2> /dev/null; then
	not_ok "going virtual fails" "it succeeded"
else
	ok "going virtual fails"
fi
like "the reason is the slot" "$(field "last error")" \
	"*PML4 slot 509, where the window belongs, is occupied*"
succeeds "every CPU is native" hv --expect native
succeeds "the slot is free again: it holds what it held" rmmod mercury_occupy
succeeds "it goes virtual" set_mode virtual
succeeds "every CPU is in ring 1" hv --expect virtual
if insmod mercury-occupy.ko 2> /dev/null; then
	not_ok "the slot is the window's" "it was free"
else
	ok "the slot is the window's"
fi
succeeds "it goes native" set_mode native
succeeds "the slot is free" insmod mercury-occupy.ko
succeeds "that goes" rmmod mercury_occupy
succeeds "the module goes" rmmod mercury_vmx
finish
