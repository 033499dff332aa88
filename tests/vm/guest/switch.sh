#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# switch.sh N [MODULE PARAMETERS]: N round trips under a verifying load, state compared at each gate.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/tap.sh"

rounds=$1
shift

# Rounds until told to stop, so that the load always outlasts the switches.
load() {
	while [ ! -e /run/stop ]; do
		workload --rounds 1 || return 1
	done
}

check "the module loads" modprobe mercury-vmx verify=1 "$@"
check "it starts native" hv --expect native
used=$(proc memory)

load > /run/load 2>&1 &
load=$!
sleep 1
# An odd number: checks fall on virtual and on native.
check "$rounds round trips under load" storm --pause 2000 --check-every 51 $((2 * rounds))
touch /run/stop
wait "$load"
check "the load's results are right" test $? = 0
grep -v ' 0 errors$' /run/load | sed 's/^/# /'
grep -c '^workload: ' /run/load | sed 's/$/ rounds of load/; s/^/# /'
check "the state is equal at every gate" sh -c 'grep -q "^state check: equal" /proc/mercury || {
	grep "^state check" /proc/mercury; exit 1; }'
check "all went through" equal switches "$(proc switches)" "$rounds to virtual, $rounds to native"
check "no command was refused" equal "last error" "$(proc 'last error')" none
check "no CPU left by itself" sh -c '! grep "without a command [1-9]" /proc/mercury'
check "no memory was taken or lost" equal memory "$(proc memory)" "$used"
sed -n '/^enter/p; /^leave/p; /^exits/p; /^state/p' /proc/mercury | sed 's/^/# /'

check "one more time: virtual" sysctl -q mercury.mode=virtual
check "every CPU is a guest" hv --expect virtual
check "the module unloads while virtual" rmmod mercury_vmx
check "every CPU is native again" hv --expect native
check "task-independent state is as it was at load" logged "state check: equal"
check "its files are gone" fails test -e /proc/mercury
conclude
