#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# disturb.sh TIMES: how late a task of real-time priority wakes up (cyclictest, each millisecond) while nothing
# happens, while the machine is virtual, during TIMES switches to and fro, and during snapshots: lines
#
#	late PHASE WAKES MEDIAN P99 MAX		microseconds of the machine's clock
#	switches N, snapshots N			that happened meanwhile
set -u

# late PHASE: for TIMES * 4 wake-ups.
late() {
	cyclictest -q -m -p 90 -i 1000 -l $((times * 4)) -h 20000 > /tmp/late
	awk -v phase="$1" '
		# Numbers that begin with zeros are octal to some.
		/^[0-9]/ { sub(/^0+/, "", $1); sub(/^0+/, "", $2) }
		$1 !~ /^#/ && $2 != "" && NF == 2 { value[++n] = $1 + 0; count[n] = $2 + 0 }
		/^# Total/ { sub(/^0+/, "", $3); all = $3 + 0 }
		/^# Max Latencies/ { sub(/^0+/, "", $4); max = $4 + 0 }
		END {
			for (i = 1; i <= n; i++) {
				seen += count[i]
				if (median == "" && seen * 2 >= all) median = value[i]
				if (p99 == "" && seen * 100 >= all * 99) p99 = value[i]
			}
			print "late", phase, all, median, p99, max
		}' /tmp/late
}

# during NAME COMMAND: again and again, while late looks; how often that was.
during() {
	: > /tmp/stop
	(
		n=0
		while [ -e /tmp/stop ] && eval "$2"; do n=$((n + 1)); done
		echo "$1 $n" > /tmp/count
	) &
	late "$1"
	rm /tmp/stop
	wait
	cat /tmp/count
}

times=$1
modprobe mercury-vmx || exit
late native
echo virtual > /proc/mercury || exit
late virtual
echo native > /proc/mercury
during switches 'echo virtual > /proc/mercury && echo native > /proc/mercury && sleep 0.001'
echo virtual > /proc/mercury
during snapshots 'mercury snapshot --range 0x1000000-0x2000000 - > /dev/null'
echo native > /proc/mercury
