#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# bench.sh WITH_PORT: raw figures of this machine's switches for tests/bench/switch.awk, which says what
# the lines mean. WITH_PORT is the module around an image that counts operations. Needs cpuidcost and
# mercury-port.ko.
set -u

# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/port.sh"

ROUNDS=5

need() {
	"$@" || {
		echo "bench: $* ended with $?" >&2
		exit 1
	}
}

# The plain module: what counts also executes.
windows() {
	need modprobe mercury-vmx
	need cpuidcost > "$WORK/native"
	round=0
	while [ $round -lt $ROUNDS ]; do
		need go virtual
		[ $round -gt 0 ] || need cpuidcost > "$WORK/virtual"
		need go native
		sed -n 's/^\(enter\|leave\) cpu\([0-9]*\): last \([0-9]*\) .*/window \1 \2 \3/p' $PROC
		round=$((round + 1))
	done
	paste -d ' ' "$WORK/native" "$WORK/virtual" | sed 's/^\([^ ]* [0-9]*\) [^ ]*/cpuid \1/'
	sed -n 's/^memory: used \([0-9]*\) KiB.*/memory used \1/p' $PROC
	sed -n 's/^memory per CPU: \([0-9]*\) KiB/memory percpu \1/p' $PROC
	need rmmod mercury_vmx
}

# snapshot NAME: the counters now. No program is started, whose CPUIDs would be counted too.
snapshot() {
	while read -r counter; do
		case $counter in cpu*) echo "$counter" ;; esac
	done < $PORT > "$WORK/$1"
}

# since PHASE BEFORE AFTER
since() {
	awk -v phase="$1" 'NR == FNR { before[$1, $2] = $3; next }
		{ print "op", phase, substr($1, 4), $2, $3 - before[$1, $2] }' "$WORK/$2" "$WORK/$3"
}

# Loading, and the second round trip: the first has changed what is changed once.
operations() {
	need insmod mercury-port.ko
	need insmod "$1"
	snapshot loaded
	sed 's/ [0-9]*$/ 0/' "$WORK/loaded" > "$WORK/unloaded"
	since load unloaded loaded
	need go virtual
	need go native
	snapshot a
	need go virtual
	snapshot b
	need go native
	snapshot c
	since enter a b
	since leave b c
}

windows
operations "$1"
