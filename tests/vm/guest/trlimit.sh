#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# trlimit.sh: with a VMM that loads a wrong TR limit the state check must fail. The gate's own gate.
set -u

# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"

succeeds "the module with the fault loads" modprobe mercury-vmx verify=1
succeeds "it goes virtual" sysctl -q mercury.mode=virtual
succeeds "and native" sysctl -q mercury.mode=native
like "the state check names the TR limit" "$(field "state check")" \
	"differs on cpu0: enter: TR limit *"
succeeds "it unloads" rmmod mercury_vmx
succeeds "the log has it too" sh -c 'dmesg | grep "first: enter: TR limit"'
finish
