#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# silent.sh: CPU 1 does not answer at each step of a switch: the command fails within its bound, says
# which CPU, all are native again, and the next attempt works. A snapshot tries again, until it is interrupted.
set -u

# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"

SILENT=/proc/mercury-silent
MS=2500 # longer than the VMM's module waits

# silences: how many are over. Without a new process, for those wait for CPU 1 too.
silences() {
	read -r over < $SILENT
}

# silence NTH: CPU 1, from the NTH time on that all CPUs are asked.
silence() {
	silences
	before=$over
	echo "1 $MS $1" > $SILENT
}

# pause SECONDS: without a new process, too.
mkfifo "$WORK/nothing"
exec 4<> "$WORK/nothing"
pause() {
	# shellcheck disable=SC3045 # busybox has -t
	read -r -t "$1" _ <&4
}

# wait_for_answer: until the silence is over.
wait_for_answer() {
	while silences && [ "$over" = "$before" ]; do sleep 0.2; done
	sleep 0.2
}

# refuses TEXT MODE STEP: CPU 1 keeps silent in that step, and the command says so before it is over.
# The mode at that time is in $now.
refuses() {
	refuses_first=succeeds refuses_again=succeeds
	{ echo "$2" > $PROC; } 2> "$WORK/error" || refuses_first=fails
	while read -r line; do refuses_line=$line; done < $PROC
	{ echo "$2" > $PROC; } 2> /dev/null || refuses_again=fails
	read -r now < $CTL/mode
	silences
	is "$1: the command does not wait for it" "$over" "$before"
	is "$1: it fails" $refuses_first fails
	is "$1: and fails when it is given once more" $refuses_again fails
	like "$1: as timed out" "$(cat "$WORK/error")" "*imed out*"
	like "$1: the reason names the CPU and the step" "$refuses_line" \
		"last error: CPU 1, $3: it did not answer an interrupt within a second*"
}

# comes_round TEXT: once CPU 1 answers again everything is as it should be.
comes_round() {
	wait_for_answer
	succeeds "$1: every CPU is native" hv --expect native
	is "$1: the mode is native" "$(mode)" native
	succeeds "$1: the next attempt works" set_mode virtual
	succeeds "$1: every CPU is a guest" hv --expect virtual
	succeeds "$1: and the way back" set_mode native
	succeeds "$1: every CPU is native again" hv --expect native
}

# The commands are given on another CPU than the one that keeps silent.
taskset -p 1 $$ > "$WORK/mask"
succeeds "the module loads" modprobe mercury-vmx verify=1
succeeds "what keeps a CPU silent loads" insmod /root/mercury-silent.ko
memory=$(field memory)

silence 1
refuses "silent at the vote" virtual vote
is "silent at the vote: nothing was switched" "$(field switches)" "0 to virtual, 0 to native"
comes_round "silent at the vote"

silence 2
refuses "silent when entering" virtual enter
comes_round "silent when entering"

succeeds "to virtual" set_mode virtual
silence 1
refuses "silent when leaving" native leave
is "silent when leaving: the mode is what CPU 1 is" "$now" virtual
wait_for_answer
sleep 2
is "silent when leaving: CPU 1 follows by itself" "$(mode)" native
is "silent when leaving: nothing is said to have gone by itself" \
	"$(dmesg | grep -c 'went native by themselves')" 0
comes_round "silent when leaving"

succeeds "to virtual" set_mode virtual
silence 1
{ echo mem > /sys/power/state; } 2> "$WORK/error"
like "silent before sleep: there is none" "$(cat "$WORK/error")" "*imed out*"
wait_for_answer
sleep 2
comes_round "silent before sleep"

succeeds "to virtual" set_mode virtual
silence 1
mercury snapshot "$WORK/core" 2> "$WORK/error" &
snapshot=$!
pause 1
kill -INT $snapshot
wait $snapshot
status=$?
silences
is "silent at a snapshot's instant: a signal ends it" "$over $status" "$before 1"
like "silent at a snapshot's instant: it says so" "$(cat "$WORK/error")" "*interrupted*"
wait_for_answer
succeeds "the next snapshot" mercury snapshot --range 0x1000000-0x1100000 "$WORK/core"

silence 1
succeeds "the module unloads while a CPU is silent: it waits" rmmod mercury_vmx
succeeds "every CPU is native" hv --expect native
succeeds "it loads again" modprobe mercury-vmx verify=1
is "no memory was taken or lost" "$(field memory)" "$memory"
succeeds "to virtual" set_mode virtual
succeeds "to native" set_mode native
like "the state was equal at every gate" "$(field "state check")" "equal in *"
succeeds "all modules go" rmmod mercury_silent mercury_vmx
finish
