#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# deadlock.sh: all CPUs are to stop while one holds a lock for which another spins with interrupts off.
# Needs three CPUs, mercury, mercury-deadlock.ko.
set -u

# shellcheck source=SCRIPTDIR/lib.sh
. "$(dirname "$0")/lib.sh"

LOCK=/proc/mercury-deadlock

# snapshot_while MS: with the lock held for so long; the command's own words in $WORK/output.
snapshot_while() {
	echo "$1" > $LOCK
	taskset 1 mercury --json snapshot --range 0x100000-0x200000 /dev/null > "$WORK/output" 2>&1
}

# retries: as the last snapshot tells.
retries() {
	sed -n 's/^ *"retries": *\([0-9]*\).*/\1/p' "$WORK/output"
}

modprobe mercury-vmx || exit 1
insmod mercury-deadlock.ko || exit 1
succeeds "to virtual" set_mode virtual

snapshot_while 5
is "the lock held for 5 ms: exit status" $? 0
is "the lock was held" "$(cat $LOCK)" 1
like "all went on and stopped again" "$(retries)" "[1-9]*"

# Longer than any attempt lasts.
snapshot_while 4000
is "the lock held for 4 s: exit status" $? 1
like "the error" "$(cat "$WORK/output")" "*could not all be stopped in time*try again*"

until [ "$(cat $LOCK)" = 2 ]; do sleep 0.1; done
snapshot_while 0
is "nothing held: exit status" $? 0
is "in the first attempt" "$(retries)" 0
succeeds "to native" set_mode native
succeeds "the lock goes" rmmod mercury_deadlock
succeeds "the module goes" rmmod mercury_vmx
finish
