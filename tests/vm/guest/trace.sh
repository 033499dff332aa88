#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# trace.sh: each tracepoint of ours is hit when it should be, and says what /proc/mercury says. tracers.sh
# has those who read them.
set -u

# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"

TRACING=/sys/kernel/tracing
CPUS=$(nproc)

mount -t tracefs tracefs $TRACING 2> /dev/null

# hits EVENT [TEXT]: how often it was hit, with that in its line.
hits() {
	grep " $1: " $TRACING/trace | grep -c -- "${2:-}"
}

succeeds "mercury-vmx loads" modprobe mercury-vmx
is "its tracepoints" "$(cd $TRACING/events/mercury && echo mercury_*)" \
	"mercury_cpu mercury_forced mercury_mode mercury_snapshot_begin mercury_snapshot_end"
is "which say themselves what each number means" "$(grep -h MERCURY_ $TRACING/events/mercury/*/format)" ""
succeeds "to virtual, unseen" set_mode virtual
succeeds "to native, unseen" set_mode native
is "who does not look sees nothing" "$(grep -c mercury_ $TRACING/trace)" 0

echo 1 > $TRACING/events/mercury/enable
echo "p:pt intel_pt_handle_vmx on=%di:s32" > $TRACING/kprobe_events
echo 1 > $TRACING/events/kprobes/pt/enable
succeeds "to virtual" set_mode virtual
is "Linux is told on each CPU, for Intel PT" "$(hits pt on=1)" "$CPUS"
is "each CPU says so" "$(hits mercury_cpu mode=virtual)" "$CPUS"
is "the machine too" "$(hits mercury_mode "mode=virtual wanted=virtual cpus=$CPUS error=0 ")" 1
cycles=$(sed -n 's/^enter cpu0: last \([0-9]*\) .*/\1/p' "$PROC")
is "with the cycles of CPU 0" "$(grep '\[000\].* mercury_cpu: ' $TRACING/trace | sed 's/.*cycles=//')" "$cycles"

pivot device 1 > /dev/null
is "a snapshot begins" "$(hits mercury_snapshot_begin "cpus=$CPUS .*error=0")" 1
is "and ends" "$(hits mercury_snapshot_end faults=[1-9])" 1

echo "id == 16" > $TRACING/events/raw_syscalls/sys_enter/filter
echo 1 > $TRACING/events/raw_syscalls/sys_enter/enable
succeeds "a snapshot of two pages that lie apart" \
	mercury snapshot --range 0x1000000-0x1001000 --range 0x1400000-0x1401000 "$WORK/core"
is "gives up what lies between" "$(hits sys_enter 40086d54)" 2
echo 0 > $TRACING/events/raw_syscalls/sys_enter/enable

succeeds "to native" set_mode native
is "Linux is told that it is over" "$(hits pt on=0)" "$CPUS"
is "each CPU says that" "$(hits mercury_cpu mode=native)" "$CPUS"
is "and the machine" "$(hits mercury_mode "mode=native wanted=native cpus=0 error=0 ")" 1
is "no CPU was forced" "$(hits mercury_forced)" 0

echo 0 > $TRACING/events/mercury/enable
echo 0 > $TRACING/events/kprobes/pt/enable
echo > $TRACING/kprobe_events
succeeds "the module goes" rmmod mercury_vmx
is "and its tracepoints" "$(ls -d $TRACING/events/mercury 2> /dev/null)" ""
finish
