#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# patched.sh [MODULE PARAMETERS]: Linux's code is patched while ring 1 is entered. What else changes code
# meanwhile: kprobes, the function tracer, modules, static keys; tables that are wrong; and without one.
set -u

# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"

TRACING=/sys/kernel/tracing
TABLE=/lib/firmware/mercury/$(uname -r).sites
HEADER=40
SITE=24

# with PARAMETERS...: loaded and virtual.
# shellcheck disable=SC2317 # called by succeeds, as the others
with() {
	modprobe mercury-vmx backend=ring1 verify=1 "$@" && set_mode virtual
}

# without: native, with the code as it was before each enter of this load, and unloaded.
# shellcheck disable=SC2317
without() {
	set_mode native || return 1
	case $(field "code check") in
	"" | "equal in "*) rmmod mercury_vmx ;;
	*) field "code check" && return 1 ;;
	esac
}

patched() {
	field patched
}

# put VALUE FILE
# shellcheck disable=SC2317
put() {
	echo "$1" > "$2"
}

# probes FUNCTION: a kprobe on each of its instructions that takes one; says how many did.
probes() {
	offset=0
	while [ $offset -lt 320 ]; do
		echo "p:each_$offset $1+$offset" >> $TRACING/kprobe_events
		offset=$((offset + 1))
	done 2> /dev/null
	grep -c each_ $TRACING/kprobe_events
}

# site KIND: the number of the first one.
site() {
	od -An -v -tu1 -j $HEADER -w$SITE "$WORK/table" | awk -v kind="$1" '$9 == kind { print NR - 1; exit }'
}

# flip OFFSET BYTE...: of a copy of the right table; octal.
flip() {
	cp "$WORK/table" "$TABLE"
	at=$1
	shift
	for byte; do
		# shellcheck disable=SC2059 # an escape is what it is for
		printf "\\$byte"
	done | dd of="$TABLE" bs=1 seek="$at" conv=notrunc 2> /dev/null
}

# spoil OFFSET BYTE...: the same, and its CRC is right.
spoil() {
	flip "$@"
	tail -c +17 "$TABLE" | gzip -c | tail -c 8 | head -c 4 | dd of="$TABLE" bs=1 seek=12 conv=notrunc 2> /dev/null
}

# rejects WHAT PATTERN: as the table is, nothing is patched.
rejects() {
	succeeds "$1: it goes virtual all the same" with
	like "$1: nothing is patched" "$(patched)" "$2"
	without
}

# refuses WHAT PATTERN: with the table as it is, ring 1 traps and says why.
refuses() {
	succeeds "$1: it goes virtual all the same" with
	like "$1: nothing is patched" "$(patched)" "$2"
	succeeds "$1: and works" workload --only ia32 --rounds 5
	succeeds "$1: and goes" without
}

cp "$TABLE" "$WORK/table"
mount -t tracefs none $TRACING 2> /dev/null

succeeds "it goes virtual" with
like "all is patched" "$(patched)" "[23]?? sites, 0 held by others"
before=$(probes filldir64)
succeeds "all but what is patched takes a kprobe ($before)" test "$before" -gt 20
succeeds "the probes are armed" put 1 $TRACING/events/kprobes/enable
succeeds "a module is loaded meanwhile" modprobe msr
succeeds "the function tracer is started meanwhile" put function $TRACING/current_tracer
put 0 $TRACING/tracing_on
succeeds "a static key changes" put 1 /proc/sys/kernel/sched_schedstats
succeeds "programs run" workload --only ia32 --rounds 5
succeeds "folders are read under all that" ls -R /proc/sys
succeeds "it goes native under all that" set_mode native
succeeds "folders are read natively under all that" ls -R /proc/sys
succeeds "virtual again" set_mode virtual
put nop $TRACING/current_tracer
put 1 $TRACING/tracing_on
put 0 /proc/sys/kernel/sched_schedstats
put 0 $TRACING/events/kprobes/enable
put "" $TRACING/kprobe_events
rmmod msr
succeeds "and off, by way of native" without
after=$(probes filldir64)
succeeds "natively $after instructions take one" test "$after" -gt "$before"

succeeds "those are armed" put 1 $TRACING/events/kprobes/enable
succeeds "with probes on its sites it goes virtual" with
like "what is probed is left alone" "$(patched)" "[23]?? sites, [1-9]* held by others"
succeeds "folders are read, and the probes are hit" ls -R /proc/sys
succeeds "it goes native" set_mode native
put 0 $TRACING/events/kprobes/enable
put "" $TRACING/kprobe_events
succeeds "the probes are gone, it goes virtual" set_mode virtual
like "and all is patched" "$(patched)" "[23]?? sites, 0 held by others"
succeeds "it goes native, and off" without

# Breakpoints between one site and the next.
succeeds "it goes virtual again" with
put 0 /proc/sys/debug/kprobes-optimization
between=$(probes mercury_vmx:write_theirs)
succeeds "$between probes are armed where the code is restored" put 1 $TRACING/events/kprobes/enable
for i in 1 2 3; do
	succeeds "$i: it goes native with them" set_mode native
	succeeds "$i: and virtual" set_mode virtual
done
hits=$(awk '{ n += $2 } END { print n }' $TRACING/kprobe_profile)
succeeds "they were hit, $hits times" test "$hits" -gt 2000
put 0 $TRACING/events/kprobes/enable
put "" $TRACING/kprobe_events
put 1 /proc/sys/debug/kprobes-optimization
succeeds "it goes native, and off, after that" without

spoil 16 0 0 0 0
refuses "another kernel's table" "nothing, the table of sites is another kernel's: *"
head -c 1000 "$WORK/table" > "$TABLE"
refuses "a table that is cut off" "nothing, the table of sites is damaged: *"
flip 0 0
rejects "a file that is no table" "nothing, the table of sites is damaged: *"
flip $((HEADER + 3)) 1
rejects "a bit that has flipped" "nothing, the table of sites is damaged: *"
outside="nothing, the table of sites has an entry that is not of the kernel's code, or not in order: *"
spoil $(($(stat -c %s "$WORK/table") - SITE + 3)) 177
rejects "a site outside the kernel" "$outside"
spoil $((HEADER + SITE * $(site 5) + 7)) 177
rejects "a target outside the kernel" "$outside"
spoil $((HEADER + SITE)) 0 0 0 0
rejects "a site before the one before it" "$outside"
spoil $((HEADER + SITE * $(site 0) + 9)) 14
rejects "a length that is not its kind's" "nothing, the table of sites has an entry that this module does not know: *"
spoil $((HEADER + SITE * $(site 5) + 8)) 1
rejects "a kind that is missing" "nothing, the table of sites lacks one, *"
spoil $((HEADER + SITE * $(site 5) + 10)) 314
refuses "entry code that is different" "nothing, the kernel's entry code is not as its image has it: *"
rm "$TABLE"
refuses "no table" "nothing, this kernel has no table of sites *"

spoil $((HEADER + SITE * $(site 0) + 10)) 314
succeeds "a site that is different" with
like "is left alone" "$(patched)" "[23]?? sites, 1 held by others"
succeeds "programs run" workload --only ia32 --rounds 5
succeeds "it goes native" without

cp "$WORK/table" "$TABLE"
succeeds "it is told not to patch" with patch=0
like "and does not" "$(patched)" "nothing, the module's parameter patch is 0: *"
succeeds "it is told to" sh -c 'sysctl -q mercury.mode=native && echo 1 > /sys/module/mercury_vmx/parameters/patch && sysctl -q mercury.mode=virtual'
like "and does" "$(patched)" "[23]?? sites, 0 held by others"
succeeds "the kernel is locked down meanwhile" put integrity /sys/kernel/security/lockdown
succeeds "it goes native, with what was patched" set_mode native
succeeds "and virtual" set_mode virtual
like "but nothing is patched any more" "$(patched)" "nothing, the kernel is locked down, *"
succeeds "programs run" workload --only ia32 --rounds 5
succeeds "it goes native" set_mode native
like "the code is as it was" "$(field "code check")" "equal in *"
like "and the state" "$(field "state check")" "equal in *"
succeeds "the module goes" rmmod mercury_vmx
finish
