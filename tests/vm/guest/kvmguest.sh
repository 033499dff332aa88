#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# kvmguest.sh: in a guest of KVM's, which Linux knows: it goes to and fro under load, makes hypercalls while virtual
# if it has several CPUs, and a CPU that comes up then finds KVM's features. Started by nested.sh.
set -u

# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"

# KVM's MSRs, as Linux sees them: wall clock, asynchronous page faults, steal time, end of interrupt.
msrs() {
	for cpu in /dev/cpu/[0-9]*/msr; do
		for msr in 0x4b564d00 0x4b564d02 0x4b564d03 0x4b564d04; do
			dd if="$cpu" bs=8 count=1 skip=$((msr)) iflag=skip_bytes 2> /dev/null | od -An -tx8
		done
	done
}

# In ticks, of all CPUs.
steal() {
	awk '$1 == "cpu" { print $9 }' /proc/stat
}

# shellcheck disable=SC2317 # by succeeds
to_and_fro() {
	for _ in 1 2 3 4 5 6 7 8 9 10; do
		set_mode virtual && hv --expect virtual && set_mode native && hv --expect native || return
	done
}

# shellcheck disable=SC2317 # by succeeds
go_and_come() {
	echo 0 > /sys/devices/system/cpu/cpu1/online && echo 1 > /sys/devices/system/cpu/cpu1/online
}

modprobe msr
like "Linux runs on KVM" "$(hv)" '*hypervisor "KVMKVMKVM*'
succeeds "the module loads" modprobe mercury-vmx verify=1
is "with VT-x" "$(cat $CTL/backend)" vmx
native=$(msrs)
# shellcheck disable=SC2086 # four words a CPU
is "steal time is on" "$(set -- $native; printf %s "${3#???????????????}")" 1
workload --seconds 3600 --only fault,signal,pipe,futex,clock > "$WORK/load" 2>&1 &
load=$!
stolen=$(steal)
sleep 3
[ "$(steal)" -gt "$stolen" ]
is "natively, KVM tells what time it stole" $? 0
succeeds "ten round trips under load" to_and_fro
succeeds "virtual" set_mode virtual
is "KVM's MSRs are what they were" "$(msrs)" "$native"
hv
stolen=$(steal)
sleep 3
is "steal time stands still" "$(steal)" "$stolen"
kill -TERM "$load"
wait "$load"
is "the load ends well" $? 0
sed 's/^/# /' "$WORK/load"
if [ "$(nproc)" -gt 1 ]; then
	succeeds "a CPU goes and comes while virtual" go_and_come
	succeeds "and is a guest" hv --expect virtual
	is "KVM's MSRs are what they were" "$(msrs)" "$native"
fi
like "the state is equal at every gate" "$(field "state check")" "equal in *"
is "no CPU left by itself" "$(grep -c "without a command [1-9]" /proc/mercury)" 0
is "nothing was refused" "$(field "last error")" none
succeeds "native" set_mode native
is "KVM's MSRs are what they were" "$(msrs)" "$native"
succeeds "the module goes" rmmod mercury_vmx
finish
