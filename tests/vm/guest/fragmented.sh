#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# fragmented.sh: memory without a free 2 MiB block: the VMM lives in smaller ones, each hidden.
set -u

# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"

# Huge pages take every block of 2 MiB there is; what is left free lies in smaller ones.
echo 10000 > /proc/sys/vm/nr_hugepages
echo "# $(cat /proc/sys/vm/nr_hugepages) huge pages taken"

succeeds "the module loads" modprobe mercury-vmx verify=1
like "its memory is in smaller blocks" "$(field memory)" "*(0 chunks of 2 MiB, * smaller)"
succeeds "to virtual" set_mode virtual
succeeds "every CPU is a guest" hv --expect virtual
succeeds "hidden in pieces" test "$(grep -c 'r-- WB' /sys/kernel/debug/mercury/p2m)" -gt 1
succeeds "to native" set_mode native
like "the state is equal at every gate" "$(field "state check")" "equal in *"
succeeds "the module goes" rmmod mercury_vmx
echo 0 > /proc/sys/vm/nr_hugepages
finish
