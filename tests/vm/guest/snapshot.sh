#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# snapshot.sh: memory as it was at one instant, under load; what ends a snapshot, and what is left then. With a
# disk that is larger than memory, a whole image on it, too. Needs mercury, pivot, tasks, hv.
set -u

# shellcheck source=SCRIPTDIR/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=SCRIPTDIR/tasklist.sh
. "$(dirname "$0")/tasklist.sh"

# ends STATUS COMMAND...: its output in $WORK/output.
ends() {
	ends_with=$1
	shift
	"$@" > "$WORK/output" 2>&1
	is "$(echo "$*" | cut -c 1-60): exit status" $? "$ends_with"
}

# left_by WHAT: nothing. Tables are dropped when all is thawed.
left_by() {
	is "$1: no table of the P2M is left" "$(field tables)" "$tables"
}

modprobe mercury-vmx || exit 1
tables=$(field tables)
succeeds "to virtual" set_mode virtual

# pivot's pages shall stay where they are.
echo 0 > /proc/sys/vm/compact_unevictable_allowed

# One instant; and the controls that are not.
is "snapshots under load" "$(pivot device 50)" "50 snapshots, 0 torn, 0 moved, counting"
is "unprotected" "$(pivot device 50 unprotected)" "50 snapshots, 50 torn, 0 moved, counting"
is "a plain read" "$(pivot plain 50)" "50 reads, 50 torn"

# What devices write is not seen.
disk=$(cat /etc/mercury-vm/disk 2> /dev/null)
if [ "$disk" ]; then
	is "a disk read tears a page" "$(pivot dma "$disk")" "2048 of 4096 bytes are newer than the instant"
fi

# The kernel keeps such pages from itself.
is "a page of memfd_secret" "$(pivot secret)" "0 of 4096 secret bytes are told"

# What has been read, or given up, is not kept when it is written to.
is "two pages apart" "$(pivot apart)" "0 of 64 pages are kept"

# A page with an error: Debian's cloud kernel of 6.1 knows none (CONFIG_MEMORY_FAILURE).
if grep -q " memory_failure$" /proc/kallsyms; then
	is "a page with a memory error" "$(pivot poisoned)" "0 of 4096 bytes are told"
fi

# The command, from virtual and from native mode.
pivot run > "$WORK/ranges" &
counter=$!
until grep -q . "$WORK/ranges"; do sleep 0.1; done
ranges=$(cat "$WORK/ranges")
for mode in virtual native native; do
	set_mode $mode
	# shellcheck disable=SC2086 # words
	ends 0 mercury snapshot $ranges "$WORK/core"
	is "the image" "$(pivot check "$WORK/core")" "of one instant"
	is "the mode is what it was" "$(mode)" $mode
done
sed 's/^/# /' "$WORK/output"
# shellcheck disable=SC2086 # words
is "through a pipe; and what is given twice once" "$(mercury snapshot $ranges $ranges - 2> /dev/null | wc -c)" "$(wc -c < "$WORK/core")"
succeeds "every CPU is native" hv --expect native
top=$(sed -n 's/.*-\(.*\)\(.\{5\}\) : System RAM/0x\100000/p' /proc/iomem | tail -n 1)
ends 0 mercury snapshot --range "$top-0xffffffffffffffff" /dev/null

# What ends it.
ends 1 mercury snapshot --pool 16K "$WORK/core"
like "the pool is full" "$(cat "$WORK/output")" "*pool for old contents is full*next: give a larger --pool*"
is "the old image is left, and no half one" "$(cd "$WORK" && echo core*) $(pivot check "$WORK/core")" "core of one instant"
left_by "a full pool"
like "it is counted" "$(field snapshots)" \
	"[1-9]* good, 1 full, 0 cancelled, 0 failed, last full, read [1-9]* pages, faults [1-9]*, stopped last [1-9]*"
ends 0 mercury metrics "$WORK/metrics"
like "metrics have it in seconds" "$(grep '^mercury_snapshot_stopped_max_seconds' "$WORK/metrics")" "* 0.0*[1-9]*"
is "and its result" "$(grep '^mercury_snapshot_last_result.* 1$' "$WORK/metrics")" \
	'mercury_snapshot_last_result{result="full"} 1'
mkdir -p "$WORK/small"
mount -t tmpfs -o size=1M small "$WORK/small"
ends 1 mercury snapshot --range 0x1000000-0x1800000 "$WORK/small/core"
like "the disk is full" "$(cat "$WORK/output")" "*No space left on device*next: free some space*"
is "no half file is left there" "$(ls "$WORK/small")" ""
umount "$WORK/small"
left_by "a full disk"
# With a hundredth of a CPU: the image, which is written to memory, must not have filled the pool before the signal.
mount -t cgroup2 cgroup2 /sys/fs/cgroup
echo +cpu > /sys/fs/cgroup/cgroup.subtree_control
mkdir /sys/fs/cgroup/slow
echo "1000 100000" > /sys/fs/cgroup/slow/cpu.max
(
	read -r self _ < /proc/self/stat
	echo "$self" > /sys/fs/cgroup/slow/cgroup.procs
	exec mercury snapshot "$WORK/core" 2> "$WORK/output"
) &
snapshot=$!
until [ -s "$(echo "$WORK"/core.*)" ]; do sleep 0.05; done
kill -INT $snapshot
echo max > /sys/fs/cgroup/slow/cpu.max
wait $snapshot
is "interrupted: exit status" $? 1
like "by the signal" "$(cat "$WORK/output")" "*interrupted*"
is "no half file is left then" "$(cd "$WORK" && echo core*)" core
is "the machine is native again" "$(mode)" native
left_by "SIGINT"
kill $counter

set_mode virtual
is "none is taken" "$(field snapshot)" none
hold_snapshot
like "how far it is" "$(field snapshot)" "running, read 0 of [1-9]* pages, kept * of [1-9]*, faults *"
like "by the command" "$(mercury status --json | tr -d '\n')" '*"snapshot":{*"state":"running",*"pages_read":0,*'
ends 1 mercury snapshot -
like "one at a time" "$(cat "$WORK/output")" "*another snapshot is being taken*"
if [ "$(nproc)" -gt 1 ]; then
	like "no CPU goes meanwhile" "$( (echo 0 > /sys/devices/system/cpu/cpu1/online) 2>&1)" "*busy*"
fi
succeeds "nor the module" sh -c "! rmmod mercury_vmx"
release_snapshot
is "a snapshot that is held" "$held" read
left_by "what was refused meanwhile"
hold_snapshot
kill -9 "$holder"
exec 3>&-
wait "$holder"
left_by "a reader that died"
hold_snapshot
succeeds "the mode changes meanwhile" set_mode native
left_by "a change of the mode"
like "which is counted too" "$(field snapshots)" "[1-9]* good, 1 full, 1 cancelled, 0 failed, last cancelled, *"
is "none is taken any more" "$(field snapshot)" none
release_snapshot
is "and ends it" "$held" ECANCELED
succeeds "every CPU is native then" hv --expect native

if [ "$disk" ]; then
	pids > "$WORK/before"
	mercury snapshot "$disk" > "$WORK/said" 2>&1 &
	snapshot=$!
	wait $snapshot
	is "a whole image: exit status" $? 0
	pids > "$WORK/after"
	sed 's/^/# /' "$WORK/said"
	has_tasks "a whole image" "$disk" "$snapshot"
fi

# Nothing is left.
succeeds "to virtual again" set_mode virtual
is "a snapshot after all that" "$(pivot device 5)" "5 snapshots, 0 torn, 0 moved, counting"
if [ "$(nproc)" -gt 1 ]; then
	succeeds "a CPU goes" sh -c "echo 0 > /sys/devices/system/cpu/cpu1/online"
	succeeds "and comes" sh -c "echo 1 > /sys/devices/system/cpu/cpu1/online"
fi
succeeds "to native" set_mode native
left_by "all that"
succeeds "the module goes" rmmod mercury_vmx
finish
