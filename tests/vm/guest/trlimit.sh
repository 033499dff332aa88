#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# trlimit.sh: with a VMM that loads a wrong TR limit, the state check must say so. The gate itself.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/tap.sh"

check "the module with the fault loads" modprobe mercury-vmx verify=1
check "it goes virtual" sysctl -q mercury.mode=virtual
check "and native" sysctl -q mercury.mode=native
check "the state check names the TR limit" sh -c '
	grep -q "^state check: differs on cpu0: enter: TR limit" /proc/mercury || {
		grep "^state check" /proc/mercury; exit 1; }'
check "it unloads" rmmod mercury_vmx
check "the log has it too" logged "first: enter: TR limit"
conclude
