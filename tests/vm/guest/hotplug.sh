#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# hotplug.sh CYCLES: CPUs go and come in either mode; then, CYCLES times, while the mode changes as often
# as the time allows.
# shellcheck disable=SC2317 # functions are called through succeeds
set -u

# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"

cycles=$1
last=$(($(nproc) - 1))

# cpu N 0|1: offline or online.
cpu() {
	echo "$2" > "/sys/devices/system/cpu/cpu$1/online"
}

# others 0|1: all but CPU 0, which cannot go.
others() {
	for n in $(seq "$last"); do
		[ "$(cat "/sys/devices/system/cpu/cpu$n/online")" = "$1" ] || cpu "$n" "$1" || return
	done
}

# A CPU after another, but for the first.
plug() {
	for i in $(seq "$cycles"); do
		n=$((i % last + 1))
		cpu "$n" 0 && cpu "$n" 1 || return
	done
}

# To and fro until there is a file $WORK/done.
switch() {
	while [ ! -e "$WORK/done" ]; do
		echo virtual > "$PROC" && echo native > "$PROC" || return
	done
}

# --- One at a time --------------------------------------------------------------------------------

succeeds "all CPUs but the first go" others 0
succeeds "the module loads without them" modprobe mercury-vmx verify=1
succeeds "to virtual without them" set_mode virtual
succeeds "they come" others 1
succeeds "they have joined the machine's mode" hv --expect virtual
is "status counts them" "$(cat "$CTL/status")" "virtual on $((last + 1)) of $((last + 1)) CPUs$(nature)"
memory=$(field memory)

succeeds "they go while virtual" others 0
succeeds "the first stays virtual" hv --expect virtual
is "status counts it alone" "$(cat "$CTL/status")" "virtual on 1 of 1 CPUs$(nature)"
succeeds "to native without them" set_mode native
succeeds "to virtual again" set_mode virtual
succeeds "and to native" set_mode native
succeeds "they come while native" others 1
succeeds "every CPU is native" hv --expect native
succeeds "to virtual with all" set_mode virtual
succeeds "every CPU is virtual" hv --expect virtual
succeeds "they go and come while virtual" sh -c "echo 0 > /sys/devices/system/cpu/cpu$last/online &&
	echo 1 > /sys/devices/system/cpu/cpu$last/online"
succeeds "every CPU is virtual again" hv --expect virtual
succeeds "back to native" set_mode native

# --- All at once ----------------------------------------------------------------------------------

# The kinds that do not keep to a CPU, which may go.
workload --seconds 3600 --only cpuid,exec,file,x87,avx,timer,fault,step,segment \
	> "$WORK/load" 2>&1 &
load=$!
switch > "$WORK/switch" 2>&1 &
switch=$!
succeeds "$cycles times a CPU goes and comes while the mode changes" plug
touch "$WORK/done"
wait "$switch"
is "no switch was refused" $? 0
kill -TERM "$load"
wait "$load"
is "the load ends well" $? 0
like "its results are right" "$(tail -n 1 "$WORK/load")" "workload: 9 of 9 kinds good"
sed '/digest/d; s/^/# /' "$WORK/load"
echo "# switches in all: $(field switches)"
succeeds "every CPU is native after an even number" hv --expect native

# --- What it leaves -------------------------------------------------------------------------------

is "no command was refused" "$(field "last error")" none
is "no CPU left by itself" "$(grep -c "without a command [1-9]" "$PROC")" 0
is "no memory was taken or lost" "$(field memory)" "$memory"
like "the state is equal at every gate" "$(field "state check")" "equal in *"
# But for why ring 1 was chosen.
is "the VMM has nothing to say" \
	"$(dmesg | grep 'mercury: vmm:' | grep -cv 'the CPU has no VT-x')" 0

succeeds "virtual once more" set_mode virtual
succeeds "the others go" others 0
succeeds "the module unloads without them" rmmod mercury_vmx
succeeds "they come" others 1
succeeds "every CPU is native" hv --expect native
finish
