#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# zero.sh ROUNDS: native mode costs nothing: a kernel that never had the module, one that has it, and one that
# went ROUNDS times to virtual and back are the same: text, read-only data, IDT, GDT, MSRs; interrupts of an
# idle minute, kernel threads, timers; and with one CPU, in instructions, the ways through the kernel.
set -u

# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"

# interrupts: those of an idle minute, NAME COUNT.
interrupts() {
	sed 's/^ *//' /proc/interrupts > "$WORK/interrupts-before"
	sleep 60
	sed 's/^ *//' /proc/interrupts | awk '
		{ sum = 0; for (i = 2; i <= NF && $i ~ /^[0-9]+$/; i++) sum += $i }
		NR == FNR { before[$1] = sum; next }
		sum != before[$1] { print $1, sum - before[$1] }' "$WORK/interrupts-before" -
}

# threads: the kernel's, by name; those of its own work queues come and go, and are not ours.
threads() {
	for status in /proc/[0-9]*/status; do
		sed -n '/^Name:/s/Name:[[:space:]]*//p; /^VmSize/s/.*/user/p' "$status" 2> /dev/null |
			paste -s -d ' ' -
	done | grep -v ' user$' | grep -v '^kworker' | sort
}

# timers: functions that wait in timer_list, with a name that says mercury, or in the module.
timers() {
	grep -ciE 'mercury' /proc/timer_list
}

# look NAME: all of it, into files of that name.
look() {
	succeeds "$1: checksums" sh -c "kernelsum > $WORK/sum-$1"
	threads > "$WORK/threads-$1"
	timers > "$WORK/timers-$1"
	interrupts > "$WORK/interrupts-$1"
	paths > "$WORK/paths-$1"
}

# same WHAT NAME: as it was at first.
same() {
	is "$2: $1 as without the module" "$(diff "$WORK/$1-plain" "$WORK/$1-$2")" ""
}

# same_interrupts NAME: the same ones come, as often: half of it more or less of what comes by chance.
same_interrupts() {
	is "$1: no other interrupt comes" "$(cut -d ' ' -f 1 "$WORK/interrupts-$1" | paste -s -d ' ' -)" \
		"$(cut -d ' ' -f 1 "$WORK/interrupts-plain" | paste -s -d ' ' -)"
	awk -v name="$1" 'NR == FNR { was[$1] = $2; next }
		{ printf "# %s: interrupts in an idle minute, %s %d, without the module %d\n", name, $1, $2, was[$1] }
		$2 > was[$1] * 1.05 + 5 || $2 < was[$1] * 0.95 - 5 { bad = bad " " $1 }
		END { print bad > "/dev/stderr" }' "$WORK/interrupts-plain" "$WORK/interrupts-$1" 2> "$WORK/bad"
	is "$1: each as often, within 5 %" "$(cat "$WORK/bad")" ""
}

succeeds "the module msr loads" modprobe msr
look plain
sed 's/^/# /' "$WORK/sum-plain" "$WORK/paths-plain"
is "no thread or timer is called mercury" "$(grep -c mercury "$WORK/threads-plain"),$(cat "$WORK/timers-plain")" "0,0"

succeeds "the module loads" modprobe mercury-vmx
look loaded
succeeds "to virtual" set_mode virtual
paths > "$WORK/paths-virtual"
round=0
while [ $round -lt "$1" ]; do
	echo native > $PROC || break
	echo virtual > $PROC || break
	round=$((round + 1))
done
is "round trips" $round "$1"
succeeds "to native" set_mode native
look after

for phase in loaded after; do
	for what in sum threads timers; do same $what $phase; done
	same_interrupts $phase
	# Bochs's TSC counts instructions exactly with one CPU only.
	[ "$(nproc)" -gt 1 ] || same paths $phase
done
[ "$(nproc)" -gt 1 ] || is "virtual: the ways through the kernel take as many" \
	"$(diff "$WORK/paths-plain" "$WORK/paths-virtual")" ""
succeeds "the module goes" rmmod mercury_vmx
finish
