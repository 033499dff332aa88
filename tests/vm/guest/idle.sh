#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# idle.sh READS [MODULE PARAMETERS]: CPU 0 idles in ring 1, and each other CPU has it interrupted READS times
# and awaits the answer. So interrupts come at every instruction between one HLT and the next, while the others
# trap: an interrupt that CPU 0 sleeps over hangs them all.
set -u

# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"

reads=$1
shift

# interrupts: that CPU 0 took for others.
interrupts() {
	awk '/CAL:/ { print $2 }' /proc/interrupts
}

# ask CPU: CPU 0 what its CPUID says, from that CPU.
ask() {
	taskset -c "$1" dd if=/dev/cpu/0/cpuid of=/dev/null bs=16 count="$reads" 2> /dev/null
}

succeeds "the module cpuid loads" modprobe cpuid
succeeds "the module loads" modprobe mercury-vmx "$@"
is "the backend is ring1" "$(cat $CTL/backend)" ring1
succeeds "it goes virtual" set_mode virtual
before=$(interrupts)
cpus=$(nproc)
taskset -p -c 1 $$ > /dev/null
cpu=1
while [ $cpu -lt "$cpus" ]; do
	ask $cpu &
	echo $! >> "$WORK/pids"
	cpu=$((cpu + 1))
done
while read -r pid; do
	succeeds "a CPU has all its $reads answers" wait "$pid"
done < "$WORK/pids"
after=$(interrupts)
succeeds "CPU 0 was interrupted $((after - before)) times" test $((after - before)) -ge "$reads"
succeeds "it goes native" set_mode native
succeeds "the module goes" rmmod mercury_vmx
finish
