#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# debugfs.sh: what developers see: the state, equal by diff; the P2M, its look-up, what it hides.
set -u

# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"

DEBUG=/sys/kernel/debug/mercury

# state FILE: what belongs to the machine, not to the task that happens to run.
state() {
	grep ' machine ' $DEBUG/state > "$WORK/$1"
}

# look_up ADDRESS: both lines in one.
look_up() {
	echo "$1" > $DEBUG/lookup && tr '\n' ' ' < $DEBUG/lookup
}

# lines WORDS...: how many lines of the P2M hold that text.
lines() {
	grep -c -- "$*" $DEBUG/p2m
}

[ -d /sys/kernel/debug/sched ] || mount -t debugfs debugfs /sys/kernel/debug 2> /dev/null
succeeds "the module loads" modprobe mercury-vmx
state loaded
is "the state has its items on every CPU" "$(wc -l < "$WORK/loaded")" \
	"$(($(grep -c ^cpu0 "$WORK/loaded") * $(nproc)))"
succeeds "more than twenty of them" test "$(grep -c ^cpu0 "$WORK/loaded")" -gt 20
succeeds "to virtual" set_mode virtual
state virtual
succeeds "the state while virtual is the same" diff "$WORK/loaded" "$WORK/virtual"

end=$(sed -n 's/^ *[0-9a-f]*-\([0-9a-f]*\) : System RAM/\1/p' /proc/iomem | tail -n 1)
like "the last byte of RAM is mapped to itself" "$(look_up "0x$end")" \
	"p2m * -> *${end%???}000 rwx WB m2p *$end <- *$end *"
like "the local APIC is uncached" "$(look_up 0xfee00000)" "p2m 0000fee00000-* rwx UC m2p *"
like "far above RAM nothing is mapped yet" "$(look_up 0x7f00000000)" "p2m * first touched m2p *"
succeeds "an address beyond 48 bits is refused" sh -c "! echo 0x1000000000000 > $DEBUG/lookup"
succeeds "garbage is refused" sh -c "! echo garbage > $DEBUG/lookup 2>/dev/null"
succeeds "the legacy hole is uncached" test "$(lines "0000000a0000-")" = 1

is "one range is hidden" "$(lines "r-- WB")" 1
hidden=$(sed -n 's/-.*r-- WB$//p' $DEBUG/p2m)
like "what it hides maps to zeroes and is nobody's" "$(look_up "0x$hidden")" \
	"p2m $hidden-* r-- WB m2p $hidden <- nothing*"
cp $DEBUG/p2m "$WORK/p2m"
sed 's/^/# /' "$WORK/p2m"

succeeds "to native" set_mode native
state native
succeeds "the state is the same again" diff "$WORK/loaded" "$WORK/native"
succeeds "native, the P2M is the same" diff "$WORK/p2m" $DEBUG/p2m
succeeds "the module goes" rmmod mercury_vmx
is "its directory too" "$(ls -d $DEBUG 2> /dev/null)" ""
finish
