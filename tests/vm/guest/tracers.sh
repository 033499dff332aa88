#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# tracers.sh: perf, trace-cmd and bpftrace on our tracepoints, by the very lines that docs/operators.md gives;
# what they say is what /proc/mercury says. Needs operators.md.
set -u

# shellcheck source=SCRIPTDIR/lib.sh
. "$(dirname "$0")/lib.sh"

CPUS=$(nproc)

# shellcheck disable=SC2317 # by settled
# used PID: the processor time it has taken.
used() {
	cut -d ' ' -f 14-17 "/proc/$1/stat"
}

# shellcheck disable=SC2317 # by succeeds
# settled PID: it has started, and now waits for something to happen.
settled() {
	settled_now=$(used "$1")
	while sleep 3 && settled_before=$settled_now && settled_now=$(used "$1"); do
		[ "$settled_now" != "$settled_before" ] || return 0
	done
	return 1
}

# watched LINE: both switches, seen by a line of the document that Ctrl-C ends.
watched() {
	line=$(grep "^ *$1" /root/operators.md)
	(cd "$WORK" && eval "exec $line") > "$WORK/out" 2> "$WORK/err" &
	watcher=$!
	succeeds "it starts: $(echo "$line" | sed 's/^ *//; s/  *#.*//')" settled $watcher
	set_mode virtual
	enter=$(cycles enter)
	set_mode native
	leave=$(cycles leave)
	kill -INT $watcher
	wait $watcher
	sed 's/^/# /' "$WORK/out" "$WORK/err" | head -n 20
}

# cycles DIRECTION: what the CPUs took, one after the other.
cycles() {
	sed -n "s/^$1 cpu[0-9]*: last \([0-9]*\) .*/\1/p" "$PROC" | sort -n | tr '\n' ' '
}

sum() {
	echo "$1" | awk '{ for (i = 1; i <= NF; i++) n += $i; print n }'
}

# told MODE: the cycles of the CPUs that went there, out of $WORK/report.
told() {
	sed -n "s/.*mercury_cpu: .*mode=$1 cycles=\([0-9]*\).*/\1/p" "$WORK/report" | sort -n | tr '\n' ' '
}

# reported WHO: what was recorded is all of it.
reported() {
	is "$1: each CPU goes virtual, with its cycles" "$(told virtual)" "$enter"
	is "$1: and native" "$(told native)" "$leave"
	is "$1: the machine goes virtual" \
		"$(grep -c "mercury_mode: .*mode=virtual wanted=virtual cpus=$CPUS error=0 " "$WORK/report")" 1
	is "$1: and native" \
		"$(grep -c "mercury_mode: .*mode=native wanted=native cpus=0 error=0 " "$WORK/report")" 1
}

succeeds "mercury-vmx loads" modprobe mercury-vmx

perf stat -x ' ' -o "$WORK/perf" -a -e mercury:mercury_cpu -e mercury:mercury_mode \
	sysctl -q -w mercury.mode=virtual
is "perf counts each CPU, and the machine" \
	"$(sed -nE 's/^([0-9]+) +(mercury:[a-z_]+) .*/\1 \2/p' "$WORK/perf" | paste -sd ' ')" \
	"$CPUS mercury:mercury_cpu 1 mercury:mercury_mode"
sed 's/^/# /' "$WORK/perf"
succeeds "to native" set_mode native

watched 'perf record'
perf script -i "$WORK/perf.data" > "$WORK/report" 2> "$WORK/err"
reported perf

watched 'trace-cmd record'
trace-cmd report -i "$WORK/trace.dat" > "$WORK/report" 2> "$WORK/err"
reported trace-cmd

watched 'bpftrace .*mercury_mode'
is "bpftrace: the machine goes virtual, and native" "$(grep mode "$WORK/out" | paste -sd ';')" \
	"mode 1, wanted 1, errno 0;mode 0, wanted 0, errno 0"

watched 'bpftrace .*mercury_cpu'
for mode in 0 1; do
	cycles=$(sum "$([ $mode = 0 ] && echo "$leave" || echo "$enter")")
	is "bpftrace: cycles of each CPU, mode $mode" "$(grep "^@cycles\[$mode\]" "$WORK/out")" \
		"@cycles[$mode]: count $CPUS, average $((cycles / CPUS)), total $cycles"
done

succeeds "the module goes" rmmod mercury_vmx
finish
