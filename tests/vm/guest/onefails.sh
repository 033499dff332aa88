#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# onefails.sh SENTENCE: CPU 1 fails its first switch: all CPUs are native again, the reason names it,
# the next attempt works.
set -u

# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"

succeeds "the module with the fault loads" modprobe mercury-vmx verify=1
memory=$(field memory)
if sysctl -q mercury.mode=virtual 2> "$WORK/error"; then
	not_ok "the first attempt fails"
else
	ok "the first attempt fails"
fi
like "with an I/O error" "$(cat "$WORK/error")" "*nput/output error*"
like "the reason names the CPU and what failed" "$(field "last error")" "CPU 1, enter: $1*"
is "the mode is native" "$(mode)" native
succeeds "every CPU is native" hv --expect native

succeeds "the second attempt works" sysctl -q mercury.mode=virtual
succeeds "every CPU is a guest" hv --expect virtual
succeeds "and the way back" sysctl -q mercury.mode=native
succeeds "every CPU is native again" hv --expect native
is "no memory was taken or lost" "$(field memory)" "$memory"
like "the state was equal at every gate" "$(field "state check")" "equal in *"
succeeds "the module goes" rmmod mercury_vmx
finish
