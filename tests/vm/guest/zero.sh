#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# zero.sh ROUNDS: native mode costs nothing: a kernel that never had the module, one that has it, and one that
# went ROUNDS times to virtual and back are the same: text, read-only data, IDT, GDT, MSRs; kernel threads,
# timers; nothing of the module runs while the machine is idle; interrupts; and with one CPU, in
# instructions, the ways through the kernel.
set -u

# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"

TRACING=/sys/kernel/tracing
# Idle times in which interrupts are counted, and the seconds of each.
WINDOWS=8
WINDOW=20
# Lines that paths prints.
WAYS=8

# interrupts: of each idle time, NAME COUNT of those that came.
interrupts() {
	window=0
	while [ $window -lt $WINDOWS ]; do
		sed 's/^ *//' /proc/interrupts > "$WORK/interrupts-before"
		sleep $WINDOW
		sed 's/^ *//' /proc/interrupts | awk '
			{ sum = 0; for (i = 2; i <= NF && $i ~ /^[0-9]+$/; i++) sum += $i }
			NR == FNR { before[$1] = sum; next }
			sum != before[$1] { print $1, sum - before[$1] }' "$WORK/interrupts-before" -
		window=$((window + 1))
	done
}

# watch: from now on the function tracer notes whatever of the module runs, by whoever it is called: timers,
# work queues, interrupts, threads, hooks.
# shellcheck disable=SC2317 # called by succeeds, as the other
watch() {
	echo ':mod:mercury_vmx' > "$TRACING/set_ftrace_filter" && echo function > "$TRACING/current_tracer" &&
		echo > "$TRACING/trace"
}

# seen: the functions that ran since.
seen() {
	sed -n '/^#/!s/.*: \([^ ]*\) <-.*/\1/p' "$TRACING/trace" | sort -u | paste -s -d ' ' -
}

# shellcheck disable=SC2317
unwatch() {
	echo nop > "$TRACING/current_tracer" && echo > "$TRACING/set_ftrace_filter"
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

# ways: through the kernel, the least of two processes; with addresses that are not random, for how mappings lie
# changes what a fault and mprotect() take.
ways() {
	echo 0 > /proc/sys/kernel/randomize_va_space
	{ paths && paths; } | awk '
		!($1 in least) { order[++n] = $1; least[$1] = $2 }
		$2 < least[$1] { least[$1] = $2 }
		END { for (i = 1; i <= n; i++) print order[i], least[order[i]] }'
}

# all_ways NAME: into a file of that name.
all_ways() {
	ways > "$WORK/paths-$1"
	is "$1: all ways are measured" "$(wc -l < "$WORK/paths-$1")" "$WAYS"
}

# look NAME: all of it, into files of that name.
look() {
	succeeds "$1: checksums" sh -c "kernelsum > $WORK/sum-$1"
	threads > "$WORK/threads-$1"
	timers > "$WORK/timers-$1"
	[ ! -e $PROC ] || succeeds "$1: the module is watched" watch
	interrupts > "$WORK/interrupts-$1"
	[ ! -e $PROC ] || nothing_ran "$1"
	all_ways "$1"
}

# nothing_ran NAME: of the module, while the machine was idle; and what runs is seen.
nothing_ran() {
	is "$1: no function of the module ran in $((WINDOWS * WINDOW)) idle seconds" "$(seen)" ""
	mode > /dev/null
	like "$1: one that is called is seen" " $(seen) " "* mercury_*"
	succeeds "$1: it is not watched any more" unwatch
}

# same WHAT NAME: as it was at first.
same() {
	is "$2: $1 as without the module" "$(diff "$WORK/$1-plain" "$WORK/$1-$2")" ""
}

# same_interrupts NAME: none comes more often in every idle time than it did in any without the module. If the
# module makes no difference that happens to one interrupt by chance once in 12,870 times (8 of 16 in order);
# those of a machine that rests are too few and too irregular for a closer bound.
same_interrupts() {
	awk -v name="$1" -v windows=$WINDOWS '
		function note(which, n) {
			count[which, $1]++
			if (!((which, $1) in least) || n < least[which, $1]) least[which, $1] = n
			if (n > most[which, $1]) most[which, $1] = n
		}
		NR == FNR { note("plain", $2); next }
		{ note("now", $2); names[$1] }
		function lowest(which, i) { return count[which, i] == windows ? least[which, i] : 0 }
		END {
			for (i in names) {
				printf "# %s: interrupts in an idle time, %s %d to %d, without the module %d to %d\n", name, i,
					lowest("now", i), most["now", i], lowest("plain", i), most["plain", i]
				if (lowest("now", i) > most["plain", i]) bad = bad " " i
			}
			print bad > "/dev/stderr"
		}' "$WORK/interrupts-plain" "$WORK/interrupts-$1" 2> "$WORK/bad"
	is "$1: no interrupt comes more often" "$(cat "$WORK/bad")" ""
}

succeeds "the module msr loads" modprobe msr
look plain
sed 's/^/# /' "$WORK/sum-plain" "$WORK/paths-plain"
is "no thread or timer is called mercury" "$(grep -c mercury "$WORK/threads-plain"),$(cat "$WORK/timers-plain")" "0,0"

succeeds "the module loads" modprobe mercury-vmx
look loaded
succeeds "to virtual" set_mode virtual
all_ways virtual
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
