#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# hotfails.sh STEP SENTENCE PLAN...: CPU 1 comes online and STEP (VT-x, coming online) fails once, with
# SENTENCE as the reason, by that plan of the test port's. While virtual it stays offline, while native it
# comes; the next attempt works.
# shellcheck disable=SC2317 # functions are called through succeeds
set -u

# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"

step=$1
sentence=$2
shift 2
plan="$* cpu 1 nth 1"

# cpu1 0|1: offline or online.
cpu1() {
	echo "$1" > /sys/devices/system/cpu/cpu1/online
}

# begin: the module, with the fault ahead, and CPU 1 offline.
begin() {
	dmesg -c > /dev/null
	insmod /root/mercury-port.ko && modprobe mercury-vmx verify=1 && cpu1 0 &&
		echo "$plan" > /proc/mercury-port
}

succeeds "the module with the fault loads, CPU 1 goes" begin
memory=$(field memory)
succeeds "to virtual" set_mode virtual
if cpu1 1 2> "$WORK/error"; then
	not_ok "CPU 1 does not come while virtual"
else
	ok "CPU 1 does not come while virtual"
fi
like "whoever wanted it gets an I/O error" "$(cat "$WORK/error")" "*nput/output error*"
is "it is offline" "$(cat /sys/devices/system/cpu/online)" 0
like "last error names it and what failed" "$(field "last error")" "CPU 1, $step: $sentence*"
succeeds "the log says what becomes of it" \
	sh -c "dmesg | grep -F 'mercury: CPU 1 stays offline: the machine is virtual'"
is "the machine is virtual" "$(cat "$CTL/status")" "virtual on 1 of 1 CPUs"
succeeds "the first CPU is a guest" hv --expect virtual

succeeds "the next attempt works" cpu1 1
succeeds "both CPUs are guests" hv --expect virtual
succeeds "to native" set_mode native
succeeds "both are native" hv --expect native
is "no memory was taken or lost" "$(field memory)" "$memory"
like "the state was equal at every gate" "$(field "state check")" "equal in *"
succeeds "the modules go" rmmod mercury_vmx mercury_port

succeeds "again, but native" begin
succeeds "CPU 1 comes while native" cpu1 1
if [ "$step" = VT-x ]; then
	like "last error says that it could not be prepared" "$(field "last error")" \
		"CPU 1, $step: $sentence*"
	like "status does too" "$(cat "$CTL/status")" "native, 1 of 2 CPUs could not be prepared*"
	succeeds "its vote prepares it: virtual works" set_mode virtual
	succeeds "both CPUs are guests" hv --expect virtual
fi
succeeds "the modules go" rmmod mercury_vmx mercury_port
succeeds "both CPUs are native" hv --expect native
finish
